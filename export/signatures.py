"""The served functions of a model: what `predict`, `evaluate`, a SavedModel and TF Serving all answer with."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.export.decoding import decode_rows
from tfgalaxy.export.neutral_outputs import NEUTRAL_EMBEDDING, finite_pixels, neutral_classification, replace_rows
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.vote_likelihood import vote_fractions

__all__ = ["SIGNATURES", "ServedModel", "input_names", "preprocessing_of"]

SIGNATURES = ("classify_bytes", "classify", "embed", "embed_bytes", "reconstruct", "sample")
# Draws per galaxy of the `sample` signature.
SAMPLES = 20


def preprocessing_of(model: GalaxyVAE) -> Preprocessing:
    """How pictures become the model's input."""
    config = model.config
    return Preprocessing(image_size=config.image_size, channels=config.channels, crop_fraction=config.crop_fraction)


def input_names(function: Any) -> list[str]:
    """Names of a signature's inputs, in order."""
    return [spec.name for spec in tf.nest.flatten(function.structured_input_signature)]


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
    """

    def __init__(self, model: GalaxyVAE) -> None:
        super().__init__(name="served_model")
        self.variables_ = [
            variable if isinstance(variable, tf.Variable) else variable.value for variable in model.state_variables
        ]
        functions = _functions(model)

        def trace(name: str) -> Any:
            function, inputs = functions[name]
            return tf.function(function, input_signature=inputs, autograph=False).get_concrete_function()

        # Traced at first use: a prediction needs one of them, an export all.
        self.trace = functools.cache(trace)

    def signatures(self) -> dict[str, Any]:
        """All concrete functions by name; each takes keyword tensors and returns a dictionary of float32 tensors."""
        by_bytes = self.trace("classify_bytes")
        return {"serving_default": by_bytes, **{name: self.trace(name) for name in SIGNATURES}}


def _functions(model: GalaxyVAE) -> dict[str, tuple[Any, list[tf.TensorSpec]]]:
    """What is to be traced for each signature, with its inputs."""
    preprocessing = preprocessing_of(model)
    size, channels = preprocessing.image_size, preprocessing.channels
    image_spec = tf.TensorSpec([None, size, size, channels], tf.float32, name="image")
    bytes_spec = tf.TensorSpec([None], tf.string, name="image_bytes")
    seed_spec = tf.TensorSpec([None], tf.int32, name="seed")

    def of_image(method: Any, neutral: dict[str, Any]) -> Any:
        def signature(image: tf.Tensor) -> dict[str, tf.Tensor]:
            image, valid = finite_pixels(image)
            return replace_rows(method(image), valid, neutral)

        return signature, [image_spec]

    def of_bytes(method: Any, neutral: dict[str, Any]) -> Any:
        def signature(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            images, valid = decode_rows(image_bytes, preprocessing)
            return replace_rows(method(images), valid, neutral)

        return signature, [bytes_spec]

    def reconstruct(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return model.reconstruct(finite_pixels(image)[0])

    def sample(image: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"fraction_samples": _fraction_samples(model, finite_pixels(image)[0], seed)}

    classify, embed = (model.classify, neutral_classification(model)), (model.embed, NEUTRAL_EMBEDDING)
    functions = (of_bytes(*classify), of_image(*classify), of_image(*embed), of_bytes(*embed))
    others = ((reconstruct, [image_spec]), (sample, [image_spec, seed_spec]))
    return dict(zip(SIGNATURES, (*functions, *others), strict=True))
