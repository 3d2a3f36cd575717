"""The research code's network in plain Keras, float32: what `benchmarks/speed.py` measures this package's speed by.

Written from the layer list of the paper's public code (Nishikawa-Toomey, Smith, Gal 2020, arXiv 2011.08714), same
padding and stride 1 throughout, one grey channel. Its two pose nets (26,850 parameters each) and their resampling are
left out, for no list of their layers is known: the yardstick is somewhat faster than the research code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

__all__ = ["ANSWERS", "LATENT_SIZE", "Yardstick", "convolution_multiply_adds"]

LATENT_SIZE = 100
ANSWERS = 3
PIXEL_SCALE = 0.5
VAE_LEARNING_RATE, CLASSIFIER_LEARNING_RATE = 1e-4, 1e-3

# Filters of the encoder's convolutions, 3x3 with ReLU; None is a pool of 2.
ENCODER = (32, 32, None, 32, 32, None, 16, None, 16, None)

layers = keras.layers
tfd = tfp.distributions


def make_encoder(image_size: int) -> keras.Model:
    """[B, H, W, 1] to the mean and the log scale of q(z|x), [B, 100] each."""
    image = keras.Input([image_size, image_size, 1])
    x = image
    for filters in ENCODER:
        if filters is None:
            x = layers.MaxPooling2D(2)(x)
        else:
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    return keras.Model(image, [layers.Dense(LATENT_SIZE)(x), layers.Dense(LATENT_SIZE)(x)], name="encoder")


def _up_block(x: Any, filters: int) -> Any:
    """Two 3x3 convolutions, each with ELU and batch norm, on top of their input; doubled; and a 3x3 convolution."""
    branch = x
    for _ in range(2):
        branch = layers.Conv2D(x.shape[-1], 3, padding="same", activation="elu")(branch)
        branch = layers.BatchNormalization()(branch)
    doubled = layers.UpSampling2D(2, interpolation="nearest")(layers.Add()([x, branch]))
    return layers.Conv2D(filters, 3, padding="same")(doubled)


def _residual_block(x: Any) -> Any:
    """Four 5x5 convolutions with ELU and batch norm between, on top of their input."""
    branch = x
    for index in range(4):
        if index:
            branch = layers.BatchNormalization()(layers.Activation("elu")(branch))
        branch = layers.Conv2D(x.shape[-1], 5, padding="same")(branch)
    return layers.Add()([x, branch])


def make_decoder(image_size: int) -> keras.Model:
    """z [B, 100] to the location of the pixels, [B, H, W, 1]."""
    latent = keras.Input([LATENT_SIZE])
    start = image_size // 8
    x = layers.Reshape([start, start, 1])(layers.Dense(start * start)(latent))
    x = _residual_block(_up_block(x, 32))
    x = _up_block(x, 32)
    for _ in range(2):
        x = _residual_block(x)
    return keras.Model(latent, layers.Activation("sigmoid")(_up_block(x, 1)), name="decoder")


def make_classifier() -> keras.Model:
    """z [B, 100] to the logits of the answers to one question, [B, 3]."""
    return keras.Sequential(
        [keras.Input([LATENT_SIZE]), layers.Dense(128, activation="relu"), layers.Dense(ANSWERS)], name="classifier"
    )


def convolution_multiply_adds(model: keras.Model) -> int:
    """Multiplications with an addition in a model's convolutions, forward, for one image."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            total += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    return total


class Yardstick:
    """The three networks with the steps of the research code; each step is to be wrapped in one `tf.function`.

    Args:
        image_size: height and width of the images, a multiple of 16.
    """

    def __init__(self, image_size: int = 64) -> None:
        keras.utils.set_random_seed(0)
        self.encoder, self.decoder = make_encoder(image_size), make_decoder(image_size)
        self.classifier = make_classifier()
        self.vae_optimizer = keras.optimizers.Adam(VAE_LEARNING_RATE)
        self.classifier_optimizer = keras.optimizers.Adam(CLASSIFIER_LEARNING_RATE)
        self.vae_optimizer.build(self._variables(self.encoder, self.decoder))
        self.classifier_optimizer.build(self._variables(self.encoder, self.classifier))

    @staticmethod
    def _variables(*models: keras.Model) -> list[Any]:
        return [variable for model in models for variable in model.trainable_variables]

    def posterior(self, images: tf.Tensor) -> Any:
        """q(z|x), event shape [100]."""
        mean, log_scale = self.encoder(images, training=True)
        return tfd.MultivariateNormalDiag(mean, tf.exp(log_scale))

    def vae_step(self, images: tf.Tensor) -> tf.Tensor:
        """One step on minus the ELBO, over the weights of encoder and decoder."""
        prior = tfd.MultivariateNormalDiag(tf.zeros([LATENT_SIZE]))
        with tf.GradientTape() as tape:
            posterior = self.posterior(images)
            location = self.decoder(posterior.sample(), training=True)
            pixels = tfd.Independent(tfd.Laplace(location, PIXEL_SCALE), 3)
            loss = tf.reduce_sum(posterior.kl_divergence(prior) - pixels.log_prob(images))
        self._minimise(tape, loss, self._variables(self.encoder, self.decoder), self.vae_optimizer)
        return loss

    def classifier_step(self, images: tf.Tensor, votes: tf.Tensor) -> tf.Tensor:
        """One step on minus the votes' log-likelihood, over the weights of encoder and classifier."""
        with tf.GradientTape() as tape:
            logits = self.classifier(self.posterior(images).sample(), training=True)
            loss = -tf.reduce_sum(tfd.Multinomial(tf.reduce_sum(votes, axis=-1), logits=logits).log_prob(votes))
        self._minimise(tape, loss, self._variables(self.encoder, self.classifier), self.classifier_optimizer)
        return loss

    def pair_step(self, images: tf.Tensor, votes: tf.Tensor, unlabelled: tf.Tensor) -> tf.Tensor:
        """Alternating, as the research code does it: ELBO steps on the unlabelled and on the labelled images, then a
        classifier step on the labelled ones.
        """
        return self.vae_step(unlabelled) + self.vae_step(images) + self.classifier_step(images, votes)

    def classify(self, images: tf.Tensor) -> tf.Tensor:
        """Vote fractions [B, 3] for the mean of q(z|x)."""
        return tf.nn.softmax(self.classifier(self.encoder(images, training=False)[0], training=False))

    @staticmethod
    def _minimise(tape: tf.GradientTape, loss: tf.Tensor, variables: Sequence[Any], optimizer: Any) -> None:
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
