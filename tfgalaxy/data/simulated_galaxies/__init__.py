"""TFDS dataset `simulated_galaxies`; importing its builder registers it with `tfds.load`."""
