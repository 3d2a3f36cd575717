"""What the pose of a transformed image should be: the composition of its pose and the transformation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.inputs import FloatArray

if TYPE_CHECKING:
    from tfgalaxy.layers import Parameter, Transformation

__all__ = ["composed_pose", "draw_theta", "pose_difference", "pose_matrix", "resolve_transformations", "unexplained"]

STEPS = 8
DIFFERENCE = 0.01
# Points of the canonical view by which two maps are compared: the middles of its quarters.
POINTS = np.array([[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]])


def resolve_transformations(names: Sequence[str | Transformation] | str | Transformation) -> tuple[Transformation, ...]:
    """The registered transformations of one name or several; transformations stay as they are.

    Raises:
        InputError: an unknown name, or no name at all.
    """
    from tfgalaxy.layers import Transformation, get_transformation

    listed = [names] if isinstance(names, str | Transformation) else list(names)
    check(bool(listed), "transformations", "must name at least one", listed, "Name one, as 'rotation'.")
    return tuple(get_transformation(name) if isinstance(name, str) else name for name in listed)


def _parameters(transformations: Sequence[Transformation]) -> list[Parameter]:
    return [parameter for transformation in transformations for parameter in transformation.parameters]


def _split(transformations: Sequence[Transformation], theta: FloatArray) -> list[tf.Tensor]:
    edges = np.cumsum([transformation.size for transformation in transformations])[:-1]
    return [tf.constant(part, tf.float32) for part in np.split(theta, edges, axis=1)]


def draw_theta(transformations: Sequence[Transformation], count: int, generator: np.random.Generator) -> FloatArray:
    """Every parameter of every transformation, uniform in its range: [count, P]."""
    parameters = _parameters(transformations)
    low, high = (np.array([getattr(parameter, end) for parameter in parameters]) for end in ("low", "high"))
    return low + (high - low) * generator.random((count, len(parameters)))


def pose_matrix(transformations: Sequence[Transformation], theta: FloatArray) -> FloatArray:
    """M = T_1(theta_1) ... T_n(theta_n), [N, P] to [N, 3, 3]."""
    matrix = np.broadcast_to(np.eye(3), (len(theta), 3, 3))
    for transformation, part in zip(transformations, _split(transformations, theta), strict=True):
        matrix = matrix @ transformation.matrix(part).numpy().astype(np.float64)
    return matrix


def composed_pose(transformations: Sequence[Transformation], theta: FloatArray, pose: FloatArray) -> FloatArray:
    """The pose of T phi, where phi has the pose M: the parameters of T M, T = T_1(theta_1) ... T_n(theta_n).

    For one transformation that is its own law, `compose(theta, pose)`; for a sequence, say a translation and then a
    rotation with scale, the shift of T M is that of M turned and magnified by T, and T's own. It is found from there
    by Gauss-Newton steps towards the pose whose matrix moves four points of the canonical view as T M does. Where the
    products of a sequence form no group, as those of a rotation and a shear, this is the nearest pose
    (`unexplained` says how near).

    Args:
        transformations: of the layer, in its order.
        theta: [N, P].
        pose: [N, P].

    Returns:
        [N, P]; angles may lie outside of [-pi, pi).
    """
    parts = zip(transformations, _split(transformations, theta), _split(transformations, pose), strict=True)
    start = np.concatenate([t.compose(first, second).numpy() for t, first, second in parts], axis=1).astype(np.float64)
    if len(transformations) == 1:
        return start
    target = _moved(pose_matrix(transformations, theta) @ pose_matrix(transformations, pose))
    for _ in range(STEPS):
        start = start + _gauss_newton_step(transformations, start, target)
    return start


def unexplained(
    transformations: Sequence[Transformation], theta: FloatArray, pose: FloatArray, composed: FloatArray
) -> FloatArray:
    """How far, in half-widths, the matrix of a composed pose moves a point from where T M moves it, [N]; root mean
    square over four points.
    """
    exact = pose_matrix(transformations, theta) @ pose_matrix(transformations, pose)
    missed = _moved(pose_matrix(transformations, composed)) - _moved(exact)
    return np.sqrt(2.0 * np.mean(missed**2, axis=1))


def pose_difference(
    transformations: Sequence[Transformation], predicted: FloatArray, expected: FloatArray
) -> FloatArray:
    """predicted - expected, angles in [-pi, pi): [N, P]."""
    difference = predicted - expected
    periodic = np.array([parameter.periodic for parameter in _parameters(transformations)])
    return np.where(periodic, np.mod(difference + np.pi, 2 * np.pi) - np.pi, difference)


def _moved(matrices: FloatArray) -> FloatArray:
    """Where the points go, [N, 3, 3] to [N, 8]."""
    homogeneous = np.concatenate([POINTS, np.ones((len(POINTS), 1))], axis=1)
    mapped = np.einsum("nij,pj->npi", matrices, homogeneous)
    return (mapped[..., :2] / mapped[..., 2:]).reshape(len(matrices), -1)


def _gauss_newton_step(transformations: Sequence[Transformation], theta: FloatArray, target: FloatArray) -> FloatArray:
    """Of least squares in the points, by central differences: [N, P]."""
    columns = []
    for step in DIFFERENCE * np.eye(theta.shape[1]):
        ahead, behind = (_moved(pose_matrix(transformations, theta + sign * step)) for sign in (1, -1))
        columns.append((ahead - behind) / (2 * DIFFERENCE))
    jacobian = np.stack(columns, axis=-1)  # [N, 8, P]
    missed = target - _moved(pose_matrix(transformations, theta))
    # The pseudo-inverse leaves alone what moves nothing: of two rotations in a row only the sum is known.
    return np.einsum("npk,nk->np", np.linalg.pinv(jacobian, rcond=1e-4), missed)
