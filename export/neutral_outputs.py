"""What a row is answered with that cannot be read: what would be said of a galaxy of which nothing is known."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfgalaxy.models import GalaxyVAE
from tfgalaxy.models.vote_likelihood import asked_probability

__all__ = ["NEUTRAL_EMBEDDING", "finite_pixels", "neutral_classification", "replace_rows"]

# The prior of the latent variables, no pose taken off, and no idea of the pose.
NEUTRAL_EMBEDDING = {"latent_mean": 0.0, "latent_stddev": 1.0, "pose": 0.0, "pose_concentration": 0.0}
# Pixels are between 0 and 1. Resampling overshoots a little, which is cut off; other units, as 0 to 255, go far beyond.
PIXEL_BOUNDS = (-1.0, 2.0)


def neutral_classification(model: GalaxyVAE) -> dict[str, Any]:
    """Mean fractions of the training set (uniform where the model knows none), intervals from 0 to 1, and the least
    concentration (0, as always, for multinomial votes): one value, or one for each answer or question.
    """
    fractions = tf.constant(model.head.answer_fractions)
    return {
        "fraction": fractions,
        "fraction_lower": 0.0,
        "fraction_upper": 1.0,
        "concentration": 1.0 if model.head.concentrations else 0.0,
        "asked_probability": asked_probability(model.questions, fractions[tf.newaxis])[0],
    }


def replace_rows(outputs: dict[str, tf.Tensor], valid: tf.Tensor, neutral: dict[str, Any]) -> dict[str, tf.Tensor]:
    """The outputs [B, ...] with the neutral values in the rows whose `valid` [B] is 0, and `valid` itself."""
    known = valid[:, tf.newaxis] > 0
    return {"valid": valid, **{name: tf.where(known, value, neutral[name]) for name, value in outputs.items()}}


def finite_pixels(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Images [B, H, W, C] with zeros for rows that hold NaN or values in other units; and valid, float32 [B]."""
    lower, upper = PIXEL_BOUNDS
    # The least and the greatest of values with NaN among them is NaN, and a comparison with NaN is false.
    least, greatest = (reduce(image, axis=[1, 2, 3]) for reduce in (tf.reduce_min, tf.reduce_max))
    usable = (least >= lower) & (greatest <= upper)
    # Copied only where there is something to replace, which takes a fiftieth of a prediction. The first version of
    # `tf.where` takes whole rows; the second one would compare pixel by pixel, six times slower.
    image = tf.cond(
        tf.reduce_all(usable), lambda: image, lambda: tf.compat.v1.where(usable, image, tf.zeros_like(image))
    )
    return image, tf.cast(usable, tf.float32)
