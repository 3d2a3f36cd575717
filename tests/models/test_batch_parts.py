"""Several steps of a clock in one step of `fit`, and the weight of the KL divergence."""

import numpy as np
import pytest
import tensorflow as tf
from still_model import make, values

from tfgalaxy.errors import InputError
from tfgalaxy.models.batch_parts import equal_parts, joined


def fitted(model, *elements):
    for element in elements:
        model.fit(tf.data.Dataset.from_tensors(element), epochs=1, verbose=0)
    return values(model.state_variables)


@pytest.mark.core
@pytest.mark.usefixtures("eagerly")
def test_steps_within_a_batch_are_steps_one_after_another(batch):
    images, votes = batch
    half = len(images) // 2
    several = make()
    several.compile(several.vae_optimizer, several.classifier_optimizer, vae_steps=2, classifier_steps=2)
    at_once = fitted(several, ((images, votes), images))
    parts = [(slice(None, half)), (slice(half, None))]
    in_turn = fitted(make(), *(images[part] for part in parts), *((images[part], votes[part]) for part in parts))
    for ours, theirs in zip(at_once, in_turn, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("eagerly")
def test_the_weight_of_the_kl_divergence(batch):
    images, _ = batch

    def terms(**settings):
        model = make(kl_warm_up_steps=0, contrast_weight=0.0)
        model.compile(model.vae_optimizer, model.classifier_optimizer, **settings)
        history = model.fit(tf.data.Dataset.from_tensors(images), epochs=1, verbose=0).history
        return {name: scores[0] for name, scores in history.items()}

    whole, half = terms(), terms(kl_weight=0.5)
    pixel_values = np.prod(images.shape[1:])
    assert whole["elbo"] == pytest.approx(half["elbo"])
    expected = (0.5 * half["kl_divergence"] - half["pixel_log_prob"]) / pixel_values
    assert half["loss"] == pytest.approx(expected, rel=1e-5)
    assert whole["loss"] != pytest.approx(half["loss"], rel=1e-6)


def test_parts_of_a_batch():
    first, second = equal_parts(tf.range(6), 2)
    assert first.numpy().tolist() == [0, 1, 2]
    assert second.numpy().tolist() == [3, 4, 5]
    together = joined([{"loss": first}, {"loss": second}])
    assert together["loss"].numpy().tolist() == list(range(6))
    with pytest.raises(InputError, match=r"the batch's size must be divisible by 4, .*, not 6"):
        equal_parts(tf.range(6), 4)
