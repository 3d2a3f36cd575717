"""Run by test_mirrored.py and test_multi_worker.py in processes of their own: fits in each regime on one device and on
two replicas, of one process or of two workers.
"""

import os
import sys

import keras
import numpy as np
import tensorflow as tf
from small_model import SMALL

from tfgalaxy.models import GalaxyVAE, ViewConfig
from tfgalaxy.training.weight_average import get_values

# Poses, latent samples and contrast are drawn for the whole batch; noise of pixels and dropout for each replica.
POSES = ViewConfig(gain=0, colour=0, noise=0)
CONFIG = SMALL.replace(normalization="synchronized", dropout=0.0, classifier_views=POSES, vae_views=POSES)
BATCH, GALAXIES, VALIDATED = 8, 16, 13


def two_replicas():
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def batched(data):
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.batch(BATCH).with_options(options)


def adam():
    # Where a gradient is rounding alone, the usual epsilon would make a whole step of it.
    return keras.optimizers.Adam(1e-3, epsilon=1e-3)


def fit(strategy, phases, validation):
    """The model's state after the phases in turn, and the last one's history."""
    with strategy.scope():
        model = GalaxyVAE("gz1", CONFIG)
        model.compile(adam(), adam())
    for data in phases:
        judged = None if validation is None else batched(validation)
        history = model.fit(batched(data), validation_data=judged, verbose=0, shuffle=False).history
    return get_values(model.state_variables), {name: series[-1] for name, series in history.items()}


def main():
    strategy = two_replicas()
    assert strategy.num_replicas_in_sync == 2
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, [GALAXIES, 32, 32, 3]).astype(np.float32)
    votes = np.zeros([GALAXIES, 7], np.float32)
    votes[np.arange(GALAXIES), rng.integers(0, 3, GALAXIES)] = 5
    votes[:3] = 0  # unasked galaxies weigh nothing in the accuracy, and stand on one replica
    slices = tf.data.Dataset.from_tensor_slices
    labelled, pool, pairs = slices((images, votes)), slices(images), slices(((images, votes), images))
    validation = slices((images[:VALIDATED], votes[:VALIDATED]))
    regimes = {
        "supervised": ([labelled], validation),
        "two-step": ([pool, labelled], None),
        "alternating": ([pairs], None),
    }
    for regime, data in regimes.items():
        alone, history = fit(tf.distribute.get_strategy(), *data)
        together, other = fit(strategy, *data)
        for ours, theirs in zip(alone, together, strict=True):
            np.testing.assert_allclose(theirs, ours, atol=1e-5)
        assert set(history) == set(other)
        # The ELBO of an uneven last batch is judged by other latent samples.
        sampled = ("val_elbo", "val_pixel_log_prob")
        for name in set(history) - set(sampled):
            np.testing.assert_allclose(other[name], history[name], rtol=1e-4, err_msg=name)
        print(regime, "equal")


if __name__ == "__main__":
    sys.exit(main())
