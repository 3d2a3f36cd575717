"""The served functions of a model: what `predict`, `evaluate`, a SavedModel and TF Serving all answer with."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfgalaxy.data.images import decode_bytes
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.vote_likelihood import vote_fractions

__all__ = ["ServedModel", "preprocessing_of"]

# Draws per galaxy of the `sample` signature.
SAMPLES = 20


def preprocessing_of(model: GalaxyVAE) -> Preprocessing:
    """How pictures become the model's input."""
    config = model.config
    return Preprocessing(image_size=config.image_size, channels=config.channels, crop_fraction=config.crop_fraction)


def _decode_rows(image_bytes: tf.Tensor, preprocessing: Preprocessing) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes each row by itself: images float32 [B, S, S, C] and valid float32 [B].

    One broken picture makes a decoding op fail for its whole batch. A `tf.data` pipeline inside of the graph can drop
    the failing rows, and scattering by row number puts the others where they belong.
    """
    size, channels = preprocessing.image_size, preprocessing.channels
    rows = tf.shape(image_bytes)[0]
    numbered = tf.data.Dataset.from_tensor_slices((tf.range(rows), image_bytes))
    decoded = numbered.map(lambda row, content: (row, decode_bytes(content, preprocessing)))
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    decoded = decoded.ignore_errors().with_options(options).batch(tf.cast(rows, tf.int64) + 1)
    empty = (tf.zeros([0], tf.int32), tf.zeros([0, size, size, channels], tf.uint8))
    found, images = decoded.reduce(empty, lambda _, batch: batch)
    images = tf.scatter_nd(found[:, tf.newaxis], images, [rows, size, size, channels])
    valid = tf.scatter_nd(found[:, tf.newaxis], tf.ones_like(found, tf.float32), [rows])
    return tf.cast(images, tf.float32) / 255.0, valid


def _fraction_samples(model: GalaxyVAE, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws of the vote fractions [B, S, A]: of z where the classifier reads it, then of the Dirichlet, if there is
    one.
    """
    questions = model.questions
    polar, _ = model.canonical_view(images)
    feature_map = model.feature_map(polar)

    def draw(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        features, number = row
        pair = tf.stack([number, 0])
        repeated = tf.repeat(features[tf.newaxis], SAMPLES, axis=0)
        parameters = model.vote_parameters(repeated, latent_seed=pair)
        fractions = vote_fractions(questions, parameters.logits)
        if parameters.log_concentration is None:
            return fractions
        spread = tf.gather(tf.exp(parameters.log_concentration), questions.question_index, axis=-1)
        gamma = tf.random.stateless_gamma(tf.shape(fractions), pair + 1, alpha=tf.maximum(spread * fractions, 1e-6))
        gamma = tf.maximum(gamma, 1e-30)  # a draw that underflows everywhere would divide 0 by 0
        parts = [gamma[:, part] / tf.reduce_sum(gamma[:, part], axis=-1, keepdims=True) for part in questions.slices]
        return tf.concat(parts, axis=-1)

    return tf.map_fn(draw, (feature_map, seed), fn_output_signature=tf.float32)


class ServedModel(tf.Module):
    """The signatures of DESIGN.md over a fitted model, in this process or to be saved.

    The model stays out of the module's attributes: Keras 3 would write every variable twice and TF Serving's loader
    would find one copy empty. The bare variables are tracked instead.

    Args:
        model: a built `GalaxyVAE`; its weights are shared, not copied.

    Attributes:
        signatures: concrete functions by name; each takes keyword tensors and returns a dictionary of float32 tensors.
    """

    def __init__(self, model: GalaxyVAE) -> None:
        super().__init__(name="served_model")
        self.variables_ = [
            variable if isinstance(variable, tf.Variable) else variable.value for variable in model.state_variables
        ]
        self.signatures = _signatures(model)


def _signatures(model: GalaxyVAE) -> dict[str, Any]:
    preprocessing = preprocessing_of(model)
    size, channels = preprocessing.image_size, preprocessing.channels
    image = tf.TensorSpec([None, size, size, channels], tf.float32, name="image")
    image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    seed = tf.TensorSpec([None], tf.int32, name="seed")

    def with_valid(outputs: dict[str, tf.Tensor], valid: tf.Tensor) -> dict[str, tf.Tensor]:
        return {**outputs, "valid": valid}

    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return with_valid(model.classify(image), tf.ones_like(image[:, 0, 0, 0]))

    def classify_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images, valid = _decode_rows(image_bytes, preprocessing)
        return with_valid(model.classify(images), valid)

    def embed(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return with_valid(model.embed(image), tf.ones_like(image[:, 0, 0, 0]))

    def embed_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images, valid = _decode_rows(image_bytes, preprocessing)
        return with_valid(model.embed(images), valid)

    def reconstruct(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return model.reconstruct(image)

    def sample(image: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"fraction_samples": _fraction_samples(model, image, seed)}

    by_bytes = tf.function(classify_bytes, input_signature=[image_bytes]).get_concrete_function()
    return {
        "serving_default": by_bytes,
        "classify_bytes": by_bytes,
        "classify": tf.function(classify, input_signature=[image]).get_concrete_function(),
        "embed": tf.function(embed, input_signature=[image]).get_concrete_function(),
        "embed_bytes": tf.function(embed_bytes, input_signature=[image_bytes]).get_concrete_function(),
        "reconstruct": tf.function(reconstruct, input_signature=[image]).get_concrete_function(),
        "sample": tf.function(sample, input_signature=[image, seed]).get_concrete_function(),
    }
