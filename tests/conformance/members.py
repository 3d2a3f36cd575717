"""How the conformance suite makes each public layer and model, and what it feeds them.

A class that `tfgalaxy.layers.__all__` or `tfgalaxy.models.__all__` names and this register lacks fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

import tfgalaxy.layers
import tfgalaxy.models


class Member(NamedTuple):
    """A layer or model of the suite.

    Attributes:
        make: makes one, given keyword arguments of `keras.layers.Layer`.
        shape: of its input, without the batch.
        differentiable: whether some output has a gradient to the inputs and to every weight.
    """

    make: Callable[..., Any]
    shape: tuple[int, ...]
    differentiable: bool = True


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


MEMBERS: dict[str, Member] = {
    "CanonicalResampling": Member(_layer("CanonicalResampling", 8, 16, 0.9), (16, 16, 3)),
    "CentroidPredictor": Member(_layer("CentroidPredictor", "translation", iterations=3), (16, 16, 3)),
    "EquivariantTransformer": Member(
        _layer("EquivariantTransformer", "rotation_scale", return_pose=True, radii=8, angles=16), (16, 16, 3)
    ),
    "EquivariantTransformerSequence": Member(
        _layer("EquivariantTransformerSequence", ["translation", "rotation"], radii=8, angles=16, filters=4),
        (16, 16, 3),
    ),
    "PolarConv2D": Member(_layer("PolarConv2D", 4, 3), (8, 16, 3)),
    "PolarPool": Member(_layer("PolarPool", 4), (8, 16, 3)),
    "PosePredictor": Member(_layer("PosePredictor", 4, 3), (8, 16, 3)),
}
