"""What a `GalaxyVAE` is made of: frozen, JSON in and out, stored in every run, `.keras` file and export."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfgalaxy.configuration import Configuration, check

__all__ = ["ModelConfig", "ViewConfig"]


@dataclasses.dataclass(frozen=True)
class ViewConfig(Configuration):
    """How far a training view of a galaxy may differ from its image. Evaluation never uses it.

    Attributes:
        rotation: whether the galaxy is turned by any angle.
        flip: whether half of the views are mirrored (answers that a mirror exchanges are exchanged too).
        zoom: the size is multiplied by exp(U(-zoom, zoom)).
        shift: the centre moves by U(-shift, shift) of the half-width along each axis.
        gain: brightness (after the square-root stretch) is multiplied by exp(N(0, gain)).
        colour: the same for each colour by itself, exp(N(0, colour)).
        noise: standard deviation of the noise added to the stretched pixels that the encoder sees.
    """

    rotation: bool = True
    flip: bool = True
    zoom: float = 0.2
    shift: float = 0.05
    gain: float = 0.1
    colour: float = 0.03
    noise: float = 0.02

    def validate(self) -> None:
        for name in ("zoom", "shift", "gain", "colour", "noise"):
            value = getattr(self, name)
            check(0.0 <= value <= 1.0, name, "must lie between 0 and 1", value, "Give a smaller range.")


@dataclasses.dataclass(frozen=True)
class ModelConfig(Configuration):
    """Sizes, likelihoods and loss weights of a `GalaxyVAE`.

    Attributes:
        image_size: height and width of the images it takes, in pixels.
        channels: 3 (RGB) or 1 (grey).
        crop_fraction: side of the central square that preprocessing cuts out of a picture, over the picture's shorter
            side.
        transformations: the Equivariant Transformer's steps, in order; empty for no pose.
        radii, angles: size of the polar view; `angles` must be divisible by 2 for each encoder block.
        maximum_radius: radius of the outermost ring, in half-widths.
        encoder_filters: channels of each encoder block, at least two; n blocks divide radius and angle by 2^n.
        decoder_filters: channels of the decoder's two convolutions before the last.
        latent_size: number of latent variables Z.
        normalization: batch statistics per replica ("batch"), over all replicas ("synchronized"), or "none".
        classifier_input: what the answers are predicted from: the encoder's features pooled over the angle, or the
            latent mean and sample (the poster).
        keep_radius: whether pooled features keep the last block's radius.
        dropout: share of the classifier's inputs dropped in training.
        vote_likelihood: "multinomial" (the paper) or "dirichlet-multinomial" (over-dispersed votes).
        label_smoothing: share of each galaxy's votes moved to the mean fractions of the labelled set.
        answer_fractions: mean vote fractions of the labelled set, one per answer in the order of the questions: the
            answers predicted before training. Uniform when not given.
        voters: number of volunteers for whom intervals of vote fractions are stated.
        pixel_likelihood: "normal", "laplace" (the paper) or "bernoulli".
        pixel_scale: standard deviation (normal) or scale (laplace) of a pixel, in stretched units (0 to 1).
        learn_pixel_scale: whether that scale is learnt, one per colour.
        kl_warm_up_steps: VAE steps over which the weight of the KL divergence rises from 0 to 1.
        contrast_weight: weight of the contrast between two views of a galaxy in the VAE step; 0 turns it off.
        contrast_temperature: temperature of that contrast.
        classifier_views, vae_views: random views in training, for either clock.
        prediction_views: fixed views whose predictions are averaged; 1 is the galaxy, 2 are it and its mirror image.
        precision: dtype policy of the convolutions; losses and probabilities are float32 always. A run's finished model
            computes in float32, whatever it was trained in.
        seed: seed of the weights and of everything random in training.
    """

    image_size: int = 64
    channels: int = 3
    crop_fraction: float = 0.5
    transformations: tuple[str, ...] = ("rotation",)
    radii: int = 32
    angles: int = 64
    maximum_radius: float = 1.0
    encoder_filters: tuple[int, ...] = (32, 48, 64, 96)
    decoder_filters: tuple[int, int] = (48, 32)
    latent_size: int = 32
    normalization: Literal["batch", "synchronized", "none"] = "batch"
    classifier_input: Literal["features", "latent"] = "features"
    keep_radius: bool = True
    dropout: float = 0.3
    vote_likelihood: Literal["multinomial", "dirichlet-multinomial"] = "dirichlet-multinomial"
    label_smoothing: float = 0.01
    answer_fractions: tuple[float, ...] | None = None
    voters: int = 40
    pixel_likelihood: Literal["normal", "laplace", "bernoulli"] = "normal"
    pixel_scale: float = 0.08
    learn_pixel_scale: bool = False
    kl_warm_up_steps: int = 300
    contrast_weight: float = 1.0
    contrast_temperature: float = 0.2
    classifier_views: ViewConfig = dataclasses.field(default_factory=lambda: ViewConfig(zoom=0.3))
    vae_views: ViewConfig = dataclasses.field(default_factory=ViewConfig)
    prediction_views: int = 1
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 0

    def validate(self) -> None:
        blocks = len(self.encoder_filters)
        step = 2**blocks
        check(self.image_size >= 16, "image_size", "must be at least 16", self.image_size, "Use 64, 96 or 128.")
        check(self.channels in (1, 3), "channels", "must be 1 or 3", self.channels, "Use 3 for colour images.")
        check(0 < self.crop_fraction <= 1, "crop_fraction", "must lie in (0, 1]", self.crop_fraction, "Use 0.5.")
        check(
            blocks >= 2,
            "encoder_filters",
            "must name at least two blocks",
            self.encoder_filters,
            "Use (32, 48, 64, 96).",
        )
        for name in ("radii", "angles"):
            value = getattr(self, name)
            rule = f"must be a positive multiple of {step}, 2 for each of the {blocks} encoder blocks"
            check(value > 0 and value % step == 0, name, rule, value, f"Use {step * max(1, value // step)}.")
            check(value % 8 == 0, name, "must be a multiple of 8, for the decoder's three doublings", value, "Use 32.")
        check(self.maximum_radius > 0, "maximum_radius", "must be positive", self.maximum_radius, "Use 1.")
        for name in ("latent_size", "voters", "prediction_views"):
            value = getattr(self, name)
            check(value >= 1, name, "must be at least 1", value, "Give a positive integer.")
        for name in ("dropout", "label_smoothing"):
            value = getattr(self, name)
            check(0 <= value < 1, name, "must lie in [0, 1)", value, "Give a share below 1.")
        for name in ("pixel_scale", "contrast_temperature"):
            value = getattr(self, name)
            check(value > 0, name, "must be positive", value, "Give a positive number.")
        for name in ("kl_warm_up_steps", "contrast_weight"):
            value = getattr(self, name)
            check(value >= 0, name, "must not be negative", value, "Use 0 to turn it off.")
