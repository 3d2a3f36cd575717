"""TFDS dataset `galaxy_zoo2`; importing its builder registers it with `tfds.load`."""
