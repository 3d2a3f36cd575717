"""The yardstick is the network that PAPER.md lists, and each of its steps changes the weights that it should."""

import numpy as np
import pytest
import tensorflow as tf
from speed_arithmetic import product_flops
from yardstick import ANSWERS, LATENT_SIZE, Yardstick, convolution_multiply_adds


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def test_size_and_arithmetic_are_the_papers():
    yardstick = Yardstick(64)
    # 140,108 less the two pose nets of 26,850 each.
    assert trainable(yardstick.encoder) == 140_108 - 2 * 26_850
    assert trainable(yardstick.decoder) == pytest.approx(361_433, rel=0.05)
    assert trainable(yardstick.classifier) == 13_315
    assert convolution_multiply_adds(yardstick.encoder) == pytest.approx(60e6, rel=0.05)
    assert convolution_multiply_adds(yardstick.decoder) == pytest.approx(280e6, rel=0.05)


def examples(count):
    images = tf.random.stateless_uniform([count, 16, 16, 1], [0, 1])
    return images, tf.constant([[30.0, 8.0, 2.0]] * count)


@pytest.mark.parametrize(
    ("step", "changed"),
    [("vae_step", {"encoder", "decoder"}), ("classifier_step", {"encoder", "classifier"})],
)
def test_a_step_changes_its_own_weights(step, changed, eagerly):
    yardstick = Yardstick(16)
    models = {name: getattr(yardstick, name) for name in ("encoder", "decoder", "classifier")}
    before = {name: [np.array(weight) for weight in model.trainable_variables] for name, model in models.items()}
    images, votes = examples(2)
    loss = getattr(yardstick, step)(*((images,) if step == "vae_step" else (images, votes)))
    assert np.isfinite(float(loss))
    moved = {
        name
        for name, model in models.items()
        if any(np.any(old != np.array(new)) for old, new in zip(before[name], model.trainable_variables, strict=True))
    }
    assert moved == changed


def test_the_operations_of_a_step_are_those_of_its_layers():
    yardstick, count = Yardstick(16), 2
    function = tf.function(yardstick.vae_step).get_concrete_function(examples(count)[0])
    convolutions = sum(convolution_multiply_adds(model) for model in (yardstick.encoder, yardstick.decoder))
    # To the mean and log scale from 1 x 1 x 16, and from z to 2 x 2 x 1.
    dense = 2 * 16 * LATENT_SIZE + LATENT_SIZE * 4
    # Backward there are two products for each one forward, but the images need no gradient.
    first = 16 * 16 * 9 * 32
    assert product_flops(function) == 2 * count * (3 * (convolutions + dense) - first)


def test_it_classifies():
    fractions = Yardstick(16).classify(examples(3)[0]).numpy()
    assert fractions.shape == (3, ANSWERS)
    np.testing.assert_allclose(fractions.sum(axis=-1), 1.0, rtol=1e-5)
