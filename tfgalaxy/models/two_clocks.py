"""Two clocks, one step: the ELBO's and the classifier's, each with its own optimiser and exactly its own weights."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import keras
import tensorflow as tf

from tfgalaxy.addons import transform
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.models.batch_parts import equal_parts, joined, split_clocks
from tfgalaxy.models.config import ModelConfig, ViewConfig
from tfgalaxy.models.normalisation import Clock
from tfgalaxy.models.pixel_likelihood import pixel_log_prob, stretch
from tfgalaxy.models.replicas import all_rows, own_rows, own_seed, sample_own_rows, step_result
from tfgalaxy.models.views import contrast, fold_in, random_view, vary_pixels
from tfgalaxy.models.vote_likelihood import smooth_votes, vote_fractions, vote_log_prob, vote_totals

__all__ = ["FineTune", "TwoClocks"]

FineTune = Literal["classifier-and-encoder", "classifier"]

# The last one of validation alone.
TERMS = (
    "loss",
    "elbo",
    "pixel_log_prob",
    "kl_divergence",
    "contrast",
    "log_likelihood",
    "accuracy",
    "multinomial_log_likelihood",
)


class Elbo(NamedTuple):
    """Terms of the ELBO in nats per image, [B] each: elbo = pixel_log_prob - kl_divergence."""

    pixel_log_prob: tf.Tensor
    kl_divergence: tf.Tensor


class TwoClocks(keras.Model):
    """Base of `GalaxyVAE`: its losses, its `train_step` and its `test_step`.

    What a batch is decides what a step does (PAPER.md 'Three training regimes'):

    | batch | step |
    |---|---|
    | `(images, votes)` | classifier step: minus the votes' log-likelihood, over classifier and encoder weights |
    | `((images, votes), unlabelled)` | a VAE step on the unlabelled images, then a classifier step |
    | `images` | VAE step: minus the ELBO, over all weights of the VAE |

    Reported, as means over the epoch: `loss` (the sum of what was minimised), `elbo`, `pixel_log_prob`,
    `kl_divergence` in nats per image, `contrast`, `log_likelihood` (votes, nats per galaxy), `accuracy` (first
    question); by validation also `multinomial_log_likelihood`, that of the votes by their expected fractions alone.
    """

    questions: Questions
    config: ModelConfig

    def compile(
        self,
        vae_optimizer: Any = "adam",
        classifier_optimizer: Any = "adam",
        *,
        vae_views: ViewConfig | dict[str, Any] | None = None,
        contrast_weight: float | None = None,
        kl_weight: float = 1.0,
        vae_steps: int = 1,
        classifier_steps: int = 1,
        fine_tune: FineTune = "classifier-and-encoder",
        **kwargs: Any,
    ) -> None:
        """Sets the optimisers of both clocks; an optimiser already in use goes on with its state.

        Args:
            vae_optimizer, classifier_optimizer: Keras optimisers or their names; two different objects.
            vae_views: random views of the VAE steps from now on; `config.vae_views` by default.
            contrast_weight: weight of the contrast from now on; `config.contrast_weight` by default.
            kl_weight: weight of the KL divergence once it has risen; 1 for the ELBO, which is reported in any case.
            vae_steps, classifier_steps: steps that a clock takes with a batch, each with an equal part of it.
            fine_tune: what classifier steps change: "classifier-and-encoder" (the poster's supervised and alternating
                regimes), or "classifier" alone.
            **kwargs: of `keras.Model.compile`; `jit_compile` is off by default, since sparse products have no XLA
            kernel.
        """
        if vae_optimizer is classifier_optimizer and not isinstance(vae_optimizer, str):
            rule, remedy = "must not be the vae_optimizer", "Make an optimiser for each clock."
            raise InputError("classifier_optimizer", rule, classifier_optimizer, remedy)
        if fine_tune not in ("classifier-and-encoder", "classifier"):
            raise InputError("fine_tune", "must be classifier-and-encoder or classifier", fine_tune, "Choose one.")
        super().compile(**{"jit_compile": False, **kwargs})
        self.vae_optimizer = keras.optimizers.get(vae_optimizer)
        self.classifier_optimizer = keras.optimizers.get(classifier_optimizer)
        views = ViewConfig.from_dict(vae_views) if isinstance(vae_views, dict) else vae_views
        self.vae_views = views or self.config.vae_views
        self.contrast_weight = self.config.contrast_weight if contrast_weight is None else contrast_weight
        self.kl_weight, self.vae_steps, self.classifier_steps = kl_weight, vae_steps, classifier_steps
        self.fine_tune = fine_tune
        # Built here, in the strategy's scope, and not in the first step: Keras 3 cannot do that under MirroredStrategy.
        self._build_optimizer(self.vae_optimizer, self.vae_variables)
        self._build_optimizer(self.classifier_optimizer, self.encoder_and_classifier_variables)
        if not hasattr(self, "trackers"):
            self.trackers = {name: keras.metrics.Mean(name=name) for name in TERMS}

    @staticmethod
    def _build_optimizer(optimizer: Any, variables: list[Any]) -> None:
        if not getattr(optimizer, "built", False) or not getattr(optimizer, "_variables", True):
            optimizer.build(variables)

    def get_compile_config(self) -> dict[str, Any] | None:
        if not hasattr(self, "vae_optimizer"):
            return None
        return {
            "vae_optimizer": keras.optimizers.serialize(self.vae_optimizer),
            "classifier_optimizer": keras.optimizers.serialize(self.classifier_optimizer),
            "vae_views": self.vae_views.to_dict(),
            "contrast_weight": self.contrast_weight,
            "kl_weight": self.kl_weight,
            "vae_steps": self.vae_steps,
            "classifier_steps": self.classifier_steps,
            "fine_tune": self.fine_tune,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        optimizers = {
            name: keras.optimizers.deserialize(config[name]) for name in ("vae_optimizer", "classifier_optimizer")
        }
        self.compile(**{**config, **optimizers})

    # Weights of the clocks ------------------------------------------------------------------------------------------

    @property
    def vae_variables(self) -> list[Any]:
        """All weights of the VAE: pose, encoder, q(z|x), decoder and, where learnt, the pixel scale."""
        scale = [self.log_pixel_scale] if self.config.learn_pixel_scale else []
        return [*self._encoder_variables, *self.decoder.trainable_variables, *scale]

    @property
    def _encoder_variables(self) -> list[Any]:
        return [*self.transformer.trainable_variables, *self.encoder.trainable_variables]

    @property
    def encoder_and_classifier_variables(self) -> list[Any]:
        """Weights of the classifier and of the encoder as far as the classifier's input depends on them."""
        unused = set()
        if self.config.classifier_input == "features":
            unused = {id(variable) for variable in self.encoder.posterior_variables}
        encoder = [variable for variable in self._encoder_variables if id(variable) not in unused]
        return [*encoder, *self.head.trainable_variables]

    # Losses ---------------------------------------------------------------------------------------------------------

    def elbo_terms(self, feature_map: tf.Tensor, pose: Any, pixels: tf.Tensor, seed: tf.Tensor, training: bool) -> Elbo:
        """Equation (1) of the poster with one sample of z: E_q[log p(x|z)] and KL(q(z|x) || p(z)), in nats per image.

        Args:
            feature_map: of the canonical view.
            pose: what was taken off, to be put back.
            pixels: the stretched input image [B, H, W, C].
            seed: of the sample.
            training: whether batch statistics are used and updated.
        """
        posterior = self.encoder.posterior(feature_map)
        location = self.decode(sample_own_rows(posterior, seed), pose, training=training)
        log_prob = pixel_log_prob(self.config.pixel_likelihood, location, self.pixel_scale, pixels)
        return Elbo(log_prob, posterior.kl_divergence(self.prior))

    def _view(
        self, images: tf.Tensor, seed: tf.Tensor, views: ViewConfig, clock: Clock, mirrored_as: tf.Tensor | None = None
    ) -> tuple[Any, Any, Any]:
        """A random view in training: its feature map, its pose, and the view itself; mirrored where that of another
        seed is, if it is given.
        """
        flip_seed = None if mirrored_as is None else fold_in(mirrored_as, 0)
        view = own_rows(lambda rows: random_view(rows, fold_in(seed, 0), views, flip_seed), tf.shape(images)[0])
        polar, pose = self.canonical_view(images, view.matrices)
        polar = vary_pixels(polar, own_seed(fold_in(seed, 1)), views, noise=True)
        return self.feature_map(polar, training=True, clock=clock), pose, view

    def vae_losses(self, images: tf.Tensor, seed: tf.Tensor) -> tuple[Elbo, tf.Tensor]:
        """ELBO of one random view and the contrast between two, per image."""
        feature_map, pose, view = self._view(images, fold_in(seed, 0), self.vae_views, "vae")
        pixels = transform(stretch(images), view.matrices)
        pixels = vary_pixels(pixels, own_seed(fold_in(seed, 0, 1)), self.vae_views, noise=False)
        elbo = self.elbo_terms(feature_map, pose, pixels, fold_in(seed, 2), training=True)
        if self.contrast_weight == 0:
            return elbo, tf.zeros_like(elbo.kl_divergence)
        # Features that a mirror left as they are could not tell answers apart that a mirror exchanges.
        mirrored_as = fold_in(seed, 0) if self.questions.flip_swaps else None
        other, _, _ = self._view(images, fold_in(seed, 1), self.vae_views, "vae", mirrored_as)
        # Against the galaxies of all replicas, as on one device.
        first, second = (all_rows(self.pooled_features(features)) for features in (feature_map, other))
        contrasts = contrast(first, second, self.config.contrast_temperature)
        return elbo, own_rows(lambda rows: contrasts, tf.shape(images)[0])

    def classifier_log_prob(self, images: tf.Tensor, votes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """log p(votes) of one random view, in nats per galaxy [B], and the predicted fractions [B, A]."""
        feature_map, _, view = self._view(images, fold_in(seed, 0), self.config.classifier_views, "classifier")
        permuted = tf.gather(votes, self.questions.flip_permutation, axis=-1)
        votes = tf.where(view.flipped[:, tf.newaxis], permuted, votes)
        means = tf.constant(self.head.answer_fractions)
        votes = smooth_votes(self.questions, votes, means, self.config.label_smoothing)
        parameters = self.vote_parameters(feature_map, fold_in(seed, 1), own_seed(fold_in(seed, 2)))
        log_prob = tf.reduce_sum(vote_log_prob(self.questions, votes, parameters), axis=-1)
        return log_prob, self._first_question_hits(votes, vote_fractions(self.questions, parameters.logits))

    def _first_question_hits(self, votes: tf.Tensor, fractions: tf.Tensor) -> tf.Tensor:
        """1 where the first question's likeliest answer is the volunteers' (one of them, at a tie); NaN-free, [B]."""
        part = self.questions.slices[self.questions.order[0]]
        own, predicted = votes[:, part], tf.argmax(fractions[:, part], axis=-1)
        chosen = tf.gather(own, predicted, batch_dims=1)
        return tf.cast(chosen >= tf.reduce_max(own, axis=-1) - 1e-6, tf.float32)

    # Steps ----------------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Any]:
        return list(self.trackers.values()) if hasattr(self, "trackers") else []

    def _seed(self, optimizer: Any, clock: int) -> tf.Tensor:
        """A stateless seed that only depends on the model's seed, the clock and its step; the same on all replicas."""
        step = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.int32)
        seed = fold_in(tf.constant([self.config.seed, clock], tf.int32), 0)
        return fold_in(tf.random.experimental.stateless_fold_in(seed, step), 0)

    def _minimise(self, tape: tf.GradientTape, loss: tf.Tensor, variables: list[Any], optimizer: Any) -> None:
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def _kl_weight(self) -> tf.Tensor:
        step = tf.cast(tf.convert_to_tensor(self.vae_optimizer.iterations), tf.float32)
        return self.kl_weight * tf.minimum(1.0, (step + 1.0) / (self.config.kl_warm_up_steps + 1.0))

    def vae_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of the unlabelled clock; its terms, per image."""
        with tf.GradientTape() as tape:
            elbo, contrasts = self.vae_losses(images, self._seed(self.vae_optimizer, 0))
            # Divided by the number of pixel values: the gradient then does not depend on the size of the images.
            values = images.shape[1] * images.shape[2] * images.shape[3]
            negative_elbo = self._kl_weight() * elbo.kl_divergence - elbo.pixel_log_prob
            losses = negative_elbo / values + self.contrast_weight * contrasts
            loss = tf.nn.compute_average_loss(losses)
        self._minimise(tape, loss, self.vae_variables, self.vae_optimizer)
        return {**self._elbo_report(elbo), "contrast": contrasts, "loss": losses}

    @staticmethod
    def _elbo_report(elbo: Elbo) -> dict[str, tf.Tensor]:
        return {**elbo._asdict(), "elbo": elbo.pixel_log_prob - elbo.kl_divergence}

    def classifier_step(self, images: tf.Tensor, votes: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of the labelled clock; its terms, per galaxy."""
        variables = self.encoder_and_classifier_variables
        if self.fine_tune == "classifier":
            variables = self.head.trainable_variables
        with tf.GradientTape() as tape:
            seed = self._seed(self.classifier_optimizer, 1)
            log_prob, hits = self.classifier_log_prob(images, votes, seed)
            loss = tf.nn.compute_average_loss(-log_prob)
        self._minimise(tape, loss, variables, self.classifier_optimizer)
        return {"log_likelihood": log_prob, "accuracy": hits, "loss": -log_prob}

    def _report(self, terms: dict[str, tf.Tensor], votes: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        for name, values in terms.items():
            weights = None
            if name == "accuracy":
                first = self.questions.order[0]
                weights = tf.cast(vote_totals(self.questions, votes)[:, first] > 0, tf.float32)
            self.trackers[name].update_state(values, sample_weight=weights)
        return {name: step_result(self.trackers[name].result()) for name in terms}

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Means since the last reset over all replicas, of the terms that were reported since: `fit` and `evaluate`
        take them at the end of an epoch in place of what the last step on one replica gave.
        """
        used = [name for name, tracker in self.trackers.items() if float(tf.convert_to_tensor(tracker.count)) > 0]
        return {name: self.trackers[name].result() for name in used}

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: all weights are there. Keras 3 would average the first batch over all workers, and cannot."""

    # No step has control flow of Python over tensors, and AutoGraph's reading of it is a sixth of the time of tracing.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        labelled, unlabelled = split_clocks(data)
        terms: dict[str, tf.Tensor] = {}
        if unlabelled is not None:
            terms = joined([self.vae_step(part) for part in equal_parts(unlabelled, self.vae_steps)])
        if labelled is None:
            return self._report(terms)
        parts = zip(*(equal_parts(tensor, self.classifier_steps) for tensor in labelled), strict=True)
        classifier = joined([self.classifier_step(images, votes) for images, votes in parts])
        if unlabelled is not None:
            classifier["loss"] = tf.reduce_mean(terms["loss"]) + classifier["loss"]
        return self._report({**terms, **classifier}, labelled[1])

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        labelled, unlabelled = split_clocks(data)
        images = labelled[0] if labelled is not None else unlabelled
        terms = self._elbo_report(self._test_elbo(images))
        if labelled is None:
            return self._report(terms)
        parameters = self.predicted_votes(images)
        log_prob, of_fractions = (
            tf.reduce_sum(vote_log_prob(self.questions, labelled[1], given), axis=-1)
            for given in (parameters, parameters._replace(log_concentration=None))
        )
        hits = self._first_question_hits(labelled[1], vote_fractions(self.questions, parameters.logits))
        votes_report = {"log_likelihood": log_prob, "multinomial_log_likelihood": of_fractions, "accuracy": hits}
        return self._report({**terms, "loss": -log_prob, **votes_report}, labelled[1])

    def _test_elbo(self, images: tf.Tensor) -> Elbo:
        polar, pose = self.canonical_view(images)
        seed = tf.constant([self.config.seed, 2], tf.int32)
        feature_map = self.feature_map(polar, clock="vae")
        return self.elbo_terms(feature_map, pose, stretch(images), seed, training=False)
