"""Run by test_mirrored.py in a process of its own: fits in each regime on one device and on two replicas."""

import sys

import keras
import numpy as np
import tensorflow as tf
from small_model import SMALL

from tfgalaxy.models import GalaxyVAE, ViewConfig

STILL = ViewConfig(rotation=False, flip=False, zoom=0, shift=0, gain=0, colour=0, noise=0)
CONFIG = SMALL.replace(normalization="none", dropout=0.0, contrast_weight=0.0, classifier_views=STILL, vae_views=STILL)


def fit(strategy, data, optimizer, epochs=1):
    with strategy.scope():
        model = GalaxyVAE("gz1", CONFIG)
        model.compile(optimizer(), optimizer())
    history = model.fit(data, epochs=epochs, verbose=0).history
    weights = [np.array(tf.convert_to_tensor(weight)) for weight in model.head.trainable_variables]
    return weights, {name: series[-1] for name, series in history.items()}


def sgd():
    return keras.optimizers.SGD(0.1)


def main():
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, [16, 32, 32, 3]).astype(np.float32)
    votes = np.zeros([16, 7], np.float32)
    votes[np.arange(16), rng.integers(0, 3, 16)] = 5
    slices = tf.data.Dataset.from_tensor_slices
    regimes = {
        "supervised": slices((images, votes)).batch(8),
        "unlabelled": slices(images).batch(8),
        "alternating": slices(((images, votes), images)).batch(8),
    }
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert two.num_replicas_in_sync == 2
    # Without sampling, two replicas do what one device does on the same global batch.
    alone, history = fit(tf.distribute.get_strategy(), regimes["supervised"], sgd, epochs=2)
    mirrored, other = fit(two, regimes["supervised"], sgd, epochs=2)
    for ours, theirs in zip(alone, mirrored, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(history["log_likelihood"], other["log_likelihood"], rtol=1e-4)
    print("equal")
    # Keras 3 fails with Adam when an optimiser is first built inside of the step.
    for regime, data in regimes.items():
        _, history = fit(two, data, keras.optimizers.Adam)
        assert np.isfinite(list(history.values())).all(), history
        print(regime, "ok")


if __name__ == "__main__":
    sys.exit(main())
