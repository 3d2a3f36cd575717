"""Likelihood of the pixels given the decoder's picture."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

__all__ = ["pixel_distribution", "pixel_log_prob", "stretch", "unstretch"]

tfd = tfp.distributions

# Sky and faint arms lie near 0, the bulge near 1: the square root gives faint structure its share of the likelihood.


def stretch(images: tf.Tensor) -> tf.Tensor:
    """Square root of pixel values in [0, 1]; the ELBO is stated for these stretched pixels."""
    return tf.sqrt(tf.clip_by_value(images, 0.0, 1.0))


def unstretch(stretched: tf.Tensor) -> tf.Tensor:
    """Inverse of `stretch`, with values outside of [0, 1] cut off."""
    return tf.square(tf.clip_by_value(stretched, 0.0, 1.0))


def pixel_distribution(kind: str, location: tf.Tensor, scale: tf.Tensor) -> tfp.distributions.Distribution:
    """p(pixels | z) with independent pixels; event shape [H, W, C], or of whatever follows the batch.

    Args:
        kind: "normal", "laplace" (the paper) or "bernoulli".
        location: [B, H, W, C]; the mean, or for "bernoulli" the logit.
        scale: [C] or scalar, in stretched units; not used by "bernoulli".

    A Bernoulli of pixel values between 0 and 1 is the usual cross-entropy: not normalised over the interval, so that
    its ELBO must not be compared with that of the other two.
    """
    if kind == "normal":
        pixels = tfd.Normal(location, scale)
    elif kind == "laplace":
        pixels = tfd.Laplace(location, scale)
    else:
        pixels = tfd.Bernoulli(logits=location)
    return tfd.Independent(pixels, reinterpreted_batch_ndims=len(location.shape) - 1)


def pixel_log_prob(kind: str, location: tf.Tensor, scale: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """log p(pixels | z) in nats per image, summed over all pixels and colours: [B]."""
    height, width, channels = location.shape[1:]
    # As rows: a scale for each colour, broadcast over four dimensions, takes three times as long.
    scale = tf.tile(tf.broadcast_to(scale, [channels]), [height * width])
    location, pixels = (tf.reshape(values, [-1, height * width * channels]) for values in (location, pixels))
    return pixel_distribution(kind, location, scale).log_prob(pixels)
