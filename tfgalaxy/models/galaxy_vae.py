"""`GalaxyVAE`: the Equivariant Transformer variational autoencoder with a classifier of volunteer votes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfgalaxy.data.questions import Questions, load_questions
from tfgalaxy.errors import InputError
from tfgalaxy.layers import EquivariantTransformerSequence
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.models.decoder import PolarDecoder
from tfgalaxy.models.encoder import PolarEncoder, pool_features
from tfgalaxy.models.normalisation import Clock, ClockedNormalization
from tfgalaxy.models.pixel_likelihood import stretch, unstretch
from tfgalaxy.models.replicas import sample_own_rows
from tfgalaxy.models.two_clocks import TwoClocks
from tfgalaxy.models.views import fixed_views
from tfgalaxy.models.vote_head import VoteHead
from tfgalaxy.models.vote_likelihood import VoteParameters, asked_probability, fraction_interval, vote_fractions

__all__ = ["GalaxyVAE"]

# The stretched pixels of a galaxy's central half have about this mean and standard deviation in every survey's cut-outs
# with a dark sky; the encoder's first normalisation takes care of the rest.
STRETCHED_MEAN, STRETCHED_STDDEV = 0.2, 0.15


@keras.saving.register_keras_serializable(package="tfgalaxy")
class GalaxyVAE(TwoClocks):
    """Votes and pixels of galaxies from one latent description, learnt from few votes and many images.

    image -> Equivariant Transformer (pose) -> canonical polar view -> encoder -> features and q(z|x);
    z -> decoder -> canonical polar view -> pose put back -> p(pixels | z), in the frame of the input image;
    features (or z) -> p(votes), question by question.

    `fit` takes `(images, votes)` for the fully supervised regime, `((images, votes), unlabelled_images)` for
    alternating steps, and `images` alone for the ELBO only (see `TwoClocks`).

    Args:
        questions: the decision tree: `Questions`, a preset's name, a JSON file, or the `to_dict()` of one.
        config: a `ModelConfig` or its `to_dict()`.

    Input: images [B, H, W, C], raw values 0 to 1, H = W = config.image_size.
    Output of `call`: a dictionary of float32 tensors, `fraction` [B, A], `concentration` [B, Q] (0 for multinomial
    votes,
        which have none) and `asked_probability` [B, Q].

    Reference: Nishikawa-Toomey, Smith, Gal 2020 (arXiv 2011.08714), equations (1) to (5), Figure 5.
    """

    def __init__(
        self,
        questions: Questions | str | dict[str, Any],
        config: ModelConfig | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.questions = Questions.from_dict(questions) if isinstance(questions, dict) else load_questions(questions)
        self.config = config if isinstance(config, ModelConfig) else ModelConfig.from_dict(config or {})
        keras.utils.set_random_seed(self.config.seed)
        self._make_layers(keras.mixed_precision.Policy(self.config.precision))
        self._build_layers()

    def _make_layers(self, policy: Any) -> None:
        config = self.config
        self.transformer = EquivariantTransformerSequence(list(config.transformations), name="transformer")
        self.encoder = PolarEncoder(
            config.encoder_filters, config.latent_size, config.normalization, dtype=policy, name="encoder"
        )
        self.decoder = PolarDecoder(
            config.radii,
            config.angles,
            config.channels,
            config.decoder_filters,
            config.normalization,
            dtype=policy,
            name="decoder",
        )
        self.head = VoteHead(
            self.questions,
            config.dropout,
            config.vote_likelihood == "dirichlet-multinomial",
            config.answer_fractions,
            name="head",
        )

    def _build_layers(self) -> None:
        config = self.config
        size, channels = config.image_size, config.channels
        polar = (None, config.radii, config.angles, channels)
        self.transformer.build((None, size, size, channels))
        self.encoder.build(polar)
        feature_map = self.encoder.compute_output_shape(polar)
        self.decoder.build((None, config.latent_size))
        pooled = 2 * feature_map[-1] * (feature_map[1] if config.keep_radius else 1)
        self.head.build((None, pooled if config.classifier_input == "features" else config.latent_size))
        self.log_pixel_scale = self.add_weight(
            name="log_pixel_scale",
            shape=(channels,),
            initializer=keras.initializers.Constant(float(np.log(config.pixel_scale))),
            trainable=config.learn_pixel_scale,
            dtype="float32",
        )
        self.built = True

    # Pictures to features -------------------------------------------------------------------------------------------

    def canonical_view(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> tuple[tf.Tensor, Any]:
        """The un-posed, stretched polar view [B, R, A, C] of (views of) images, and the pose that was taken off.

        Args:
            images: [B, H, W, C], raw values 0 to 1.
            matrices: [B, 3, 3] from points of a training view to points of the image; composed with the polar grid so
                that a pixel is interpolated once.
        """
        self._check_images(images)
        config = self.config
        return self.transformer.canonical_polar(
            stretch(images), config.radii, config.angles, config.maximum_radius, initial_matrix=matrices
        )

    def feature_map(self, polar: tf.Tensor, training: bool = False, clock: Clock = "classifier") -> tf.Tensor:
        """The encoder's last feature map for a stretched polar view."""
        return self.encoder((polar - STRETCHED_MEAN) / STRETCHED_STDDEV, training=training, clock=clock)

    def pooled_features(self, feature_map: tf.Tensor) -> tf.Tensor:
        """Features that a turn leaves as they are, [B, F]."""
        return pool_features(feature_map, self.config.keep_radius)

    def vote_parameters(
        self, feature_map: tf.Tensor, latent_seed: tf.Tensor | None = None, dropout_seed: tf.Tensor | None = None
    ) -> VoteParameters:
        """The votes' distribution; with seeds, through one latent sample and dropout, as in training."""
        if self.config.classifier_input == "features":
            return self.head(self.pooled_features(feature_map), seed=dropout_seed)
        posterior = self.encoder.posterior(feature_map)
        latent = posterior.mean() if latent_seed is None else sample_own_rows(posterior, latent_seed)
        return self.head(latent, seed=dropout_seed)

    # Latent variables to pictures -----------------------------------------------------------------------------------

    @property
    def prior(self) -> tfp.distributions.MultivariateNormalDiag:
        """p(z) = Normal(0, 1), event shape [Z]."""
        return tfp.distributions.MultivariateNormalDiag(tf.zeros([self.config.latent_size]))

    @property
    def pixel_scale(self) -> tf.Tensor:
        """Scale of the pixel likelihood, [C], positive."""
        return tf.exp(tf.convert_to_tensor(self.log_pixel_scale))

    def decode(self, latent: tf.Tensor, pose: Any = None, training: bool = False) -> tf.Tensor:
        """Location of the pixels [B, H, W, C] of the image with the pose put back (no pose: canonical)."""
        polar = self.decoder(latent, training=training)
        return self.transformer.image_from_canonical_polar(polar, self.config.maximum_radius, pose)

    def pixel_mean(self, location: tf.Tensor) -> tf.Tensor:
        """Expected stretched pixels for the decoder's location."""
        return tf.sigmoid(location) if self.config.pixel_likelihood == "bernoulli" else location

    def sample_prior(self, count: int, seed: int = 0) -> tf.Tensor:
        """Draws `count` galaxies from the prior, in the canonical pose: [count, H, W, C], raw values 0 to 1."""
        latent = self.prior.sample(count, seed=tf.constant([seed, 0], tf.int32))
        return unstretch(self.pixel_mean(self.decode(latent)))

    # Predictions ----------------------------------------------------------------------------------------------------

    @tf.autograph.experimental.do_not_convert
    def call(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        return self._classification(self.predicted_votes(images))

    def _classification(self, parameters: VoteParameters) -> dict[str, tf.Tensor]:
        fraction = vote_fractions(self.questions, parameters.logits)
        if parameters.log_concentration is None:
            concentration = tf.zeros([tf.shape(fraction)[0], self.questions.num_questions])
        else:
            concentration = tf.exp(parameters.log_concentration)
        asked = asked_probability(self.questions, fraction)
        return {"fraction": fraction, "concentration": concentration, "asked_probability": asked}

    def predicted_votes(self, images: tf.Tensor) -> VoteParameters:
        """The votes' distribution averaged over the fixed views; `logits` are logs of the mean fractions."""
        config = self.config
        polar, _ = self.canonical_view(images)
        views, mirrored = fixed_views(polar, config.prediction_views, 2 ** len(config.encoder_filters))
        logits, log_concentration = self.vote_parameters(self.feature_map(views))
        if config.prediction_views == 1:
            return VoteParameters(tf.cast(logits, tf.float32), log_concentration)
        fractions = tf.split(vote_fractions(self.questions, logits), config.prediction_views)
        permutation = self.questions.flip_permutation
        unmirrored = [
            tf.gather(f, permutation, axis=-1) if flip else f for f, flip in zip(fractions, mirrored, strict=True)
        ]
        mean = tf.add_n(unmirrored) / config.prediction_views
        if log_concentration is not None:
            log_concentration = tf.add_n(tf.split(log_concentration, config.prediction_views)) / config.prediction_views
        return VoteParameters(tf.math.log(tf.maximum(mean, 1e-7)), log_concentration)

    def classify(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """`call` with the 90 % interval of each vote fraction for `config.voters` volunteers: `fraction_lower`,
        `fraction_upper`.
        """
        parameters = self.predicted_votes(images)
        lower, upper = fraction_interval(self.questions, parameters, self.config.voters)
        return {**self._classification(parameters), "fraction_lower": lower, "fraction_upper": upper}

    def embed(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """`latent_mean`, `latent_stddev` [B, Z], `pose`, `pose_concentration` [B, P]."""
        polar, pose = self.canonical_view(images)
        posterior = self.encoder.posterior(self.feature_map(polar, clock="vae"))
        return {
            "latent_mean": posterior.mean(),
            "latent_stddev": posterior.stddev(),
            "pose": pose.mean,
            "pose_concentration": pose.concentration,
        }

    def reconstruct(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """`canonical_view` and `reconstruction`, [B, H, W, C] each, raw values 0 to 1."""
        polar, pose = self.canonical_view(images)
        posterior = self.encoder.posterior(self.feature_map(polar, clock="vae"))
        canonical = self.transformer.image_from_canonical_polar(polar, self.config.maximum_radius, None)
        reconstruction = self.pixel_mean(self.decode(posterior.mean(), pose))
        return {"canonical_view": unstretch(canonical), "reconstruction": unstretch(reconstruction)}

    # Keras ----------------------------------------------------------------------------------------------------------

    def copy_statistics(self, source: Clock, target: Clock) -> None:
        """Starts one clock's normalisation statistics from the other's, as after pre-training."""
        for layer in self.encoder.normalizations:
            if isinstance(layer, ClockedNormalization):
                layer.copy_statistics(source, target)

    @property
    def state_variables(self) -> list[Any]:
        """All weights and statistics, in a fixed order; without metrics, which Keras 2.15 counts among `weights`."""
        layers = (self.transformer, self.encoder, self.decoder, self.head)
        return [*(weight for layer in layers for weight in layer.weights), self.log_pixel_scale]

    def _check_images(self, images: tf.Tensor) -> None:
        size, channels = self.config.image_size, self.config.channels
        if tuple(images.shape[1:]) != (size, size, channels):
            rule = f"must have shape [batch, {size}, {size}, {channels}], as config.image_size and channels say"
            remedy = "Give the same image_size to the batches and the model."
            raise InputError("images", rule, tuple(images.shape), remedy)

    def build(self, input_shape: Any = None) -> None:
        """All weights are made in `__init__`: sizes come from the configuration, never from data."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "questions": self.questions.to_dict(), "config": self.config.to_dict()}
