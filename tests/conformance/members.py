"""How the conformance suite makes each public layer and model, and what it feeds them.

A class that `tfgalaxy.layers.__all__` or `tfgalaxy.models.__all__` names and this register lacks fails the suite. A
class that works in more ways than one has a member for each: the class's name, a slash, and the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

import tfgalaxy.layers
import tfgalaxy.models
from tfgalaxy.data.questions import load_questions


class Member(NamedTuple):
    """A layer or model of the suite.

    Attributes:
        make: makes one, given keyword arguments of `keras.layers.Layer`.
        shape: of its input, without the batch.
        idle_weights: number of weights that `call` does not use, such as those of q(z|x) or of a decoder.
        is_model: whether it is a `keras.Model`, saved as it is, and not as a layer of one.
    """

    make: Callable[..., Any]
    shape: tuple[int, ...]
    idle_weights: int = 0
    is_model: bool = False


def public_classes() -> dict[str, type]:
    """The layers and models among the public names of both rooms."""
    found = {}
    for room in (tfgalaxy.layers, tfgalaxy.models):
        for name in room.__all__:
            value = getattr(room, name)
            if isinstance(value, type) and issubclass(value, keras.layers.Layer):
                found[name] = value
    return found


def example(member: Member, count: int = 2) -> NDArray[np.float32]:
    """A batch of inputs between 0 and 1, always the same."""
    return np.random.default_rng(0).uniform(size=(count, *member.shape)).astype(np.float32)


def _layer(name: str, *arguments: Any, **options: Any) -> Callable[..., Any]:
    def make(**keywords: Any) -> Any:
        return getattr(tfgalaxy.layers, name)(*arguments, **options, **keywords)

    return make


def _encoder(**keywords: Any) -> Any:
    return tfgalaxy.models.PolarEncoder((4, 8), 5, **keywords)


def _decoder(**keywords: Any) -> Any:
    return tfgalaxy.models.PolarDecoder(16, 16, 3, (8, 4), **keywords)


def _vote_head(**keywords: Any) -> Any:
    return tfgalaxy.models.VoteHead(load_questions("gz1"), **keywords)


def _galaxy_vae(**keywords: Any) -> Any:
    precision = keras.mixed_precision.global_policy().name if hasattr(keras.mixed_precision, "global_policy") else None
    config = tfgalaxy.models.ModelConfig(
        image_size=32,
        radii=16,
        angles=16,
        encoder_filters=(4, 8),
        decoder_filters=(8, 4),
        latent_size=4,
        prediction_views=2,
        precision=precision or "float32",
    )
    model = tfgalaxy.models.GalaxyVAE("gz1", config, **keywords)
    model.compile()
    return model


MEMBERS: dict[str, Member] = {
    "CanonicalResampling": Member(_layer("CanonicalResampling", 8, 16, 0.9), (16, 16, 3)),
    "EquivariantTransformer": Member(
        _layer("EquivariantTransformer", "rotation_scale", return_pose=True, radii=8, angles=16), (16, 16, 3)
    ),
    "EquivariantTransformer/hyperbolic_rotation": Member(
        _layer("EquivariantTransformer", "hyperbolic_rotation", return_pose=True), (16, 16, 3)
    ),
    "EquivariantTransformer/perspective_x": Member(
        _layer("EquivariantTransformer", "perspective_x", return_pose=True), (16, 16, 3)
    ),
    "EquivariantTransformerSequence": Member(
        _layer("EquivariantTransformerSequence", ["translation", "rotation"], radii=8, angles=16, filters=4),
        (16, 16, 3),
    ),
    "EquivariantTransformerSequence/linear": Member(
        _layer("EquivariantTransformerSequence", ["shear_y", "scale_x"]), (16, 16, 3)
    ),
    "MomentPredictor": Member(_layer("MomentPredictor", "translation"), (16, 16, 3)),
    "PolarConv2D": Member(_layer("PolarConv2D", 4, 3), (8, 16, 3)),
    "PolarPool": Member(_layer("PolarPool", 4), (8, 16, 3)),
    "PosePredictor": Member(_layer("PosePredictor", 4, 3), (8, 16, 3)),
    "ClockedNormalization": Member(tfgalaxy.models.ClockedNormalization, (4, 8, 3)),
    "GalaxyVAE": Member(_galaxy_vae, (32, 32, 3), idle_weights=14, is_model=True),
    "PolarDecoder": Member(_decoder, (4,)),
    "PolarEncoder": Member(_encoder, (16, 16, 3), idle_weights=4),
    "VoteHead": Member(_vote_head, (6,)),
}
