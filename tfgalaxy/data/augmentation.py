"""Pose augmentation of batches of pictures, for any Keras model. `GalaxyVAE` has its own, within its polar sampling."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfgalaxy.addons import transform
from tfgalaxy.configuration import Configuration, check
from tfgalaxy.pose_matrices import pose_matrices

__all__ = ["Augmentation", "augment"]


@dataclasses.dataclass(frozen=True)
class Augmentation(Configuration):
    """How far a picture may be changed.

    Attributes:
        rotation: whether it is turned by any angle.
        flip: whether half of the pictures are mirrored.
        zoom: the size is multiplied by exp(U(-zoom, zoom)).
        shift: the centre moves by U(-shift, shift) of the half-width along each axis.
    """

    rotation: bool = True
    flip: bool = True
    zoom: float = 0.2
    shift: float = 0.05

    def validate(self) -> None:
        for name in ("zoom", "shift"):
            value = getattr(self, name)
            check(0 <= value <= 1, name, "must lie between 0 and 1", value, "Give a smaller range.")


def augment(
    images: tf.Tensor, votes: tf.Tensor, seed: tf.Tensor, augmentation: Augmentation, flip_permutation: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    """Changes the pose of each image, without state.

    Args:
        images: float32 [B, H, W, C].
        votes: [B, A].
        seed: int32 [2].
        augmentation: how far.
        flip_permutation: of the questions: a mirrored galaxy's votes are `votes[:, flip_permutation]`.

    Returns:
        The images, interpolated once with the nearest pixel beyond their edge, and their votes.
    """
    matrices, flipped = pose_matrices(seed, tf.shape(images)[0], augmentation)
    swapped = tf.gather(votes, flip_permutation, axis=-1)
    return transform(images, matrices), tf.where(flipped[:, tf.newaxis], swapped, votes)
