"""TFDS dataset `galaxy_zoo_challenge`; importing its builder registers it with `tfds.load`."""
