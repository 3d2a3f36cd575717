"""The ellipse of an image's light: mean and covariance of the elliptical Gaussian that matches it."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

__all__ = ["Ellipse", "matched_ellipse"]

ITERATIONS = 12
# The gradient flows through the last steps only: what it misses falls off like the error of that many steps.
STEPS_WITH_GRADIENT = 5
START = 0.2
SMALLEST_VARIANCE = 1e-5  # a width of a tenth of a pixel of a 64 pixels wide image
LARGEST_VARIANCE = 0.25
# The mean stays within the image: a step towards light at its edge can leave it, and outside there is no light.
FARTHEST = 1.0
# Bound of |xy| / sqrt(xx yy), an axis ratio of 1/30: rounding errors of a longer ellipse may leave it without a window.
LONGEST = 0.998
# A window with less light than this, of pixels of at most 1, says nothing: the ellipse stays as it is.
FAINTEST = 1e-6


class Ellipse(NamedTuple):
    """An elliptical Gaussian for each image of a batch, [B] each.

    Attributes:
        x, y: its mean, in half-widths.
        xx, xy, yy: its covariance, in half-widths squared.
    """

    x: tf.Tensor
    y: tf.Tensor
    xx: tf.Tensor
    xy: tf.Tensor
    yy: tf.Tensor


def matched_ellipse(light: tf.Tensor, points: tf.Tensor) -> tuple[Ellipse, tf.Tensor]:
    """The ellipse that is its own weight: the mean c and covariance C that solve

        c = E_w[x],  C = 2 E_w[(x - c) (x - c)^T],  w(x) = light(x) exp(-(x - c)^T C^-1 (x - c) / 2).

    For light that is a Gaussian it is that Gaussian. If (c, C) solves this for an image, then (A c + b, A C A^T) does
    for the image transformed by x -> A x + b, any affine map: the window follows the light. Steps c <- c + 2 E_w[x - c]
    and C <- 4 S C^-1 S with S = E_w[(x - c) (x - c)^T], from a round window in the middle; for Gaussian light the error
    of a step is of second order.

    Args:
        light: [B, N], not negative and not all 0.
        points: (x, y), [N, 2] or [B, N, 2].

    Returns:
        The ellipse, and the effective number of points (sum w)^2 / sum w^2, [B].

    Reference: adaptive moments, Bernstein and Jarvis, AJ 123, 2002, section 3.1; Hirata and Seljak, MNRAS 343, 2003.
    """
    x, y = points[..., 0], points[..., 1]
    powers = tf.stack([tf.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)  # [N, 6] or [B, N, 6]
    zero = tf.zeros_like(light[:, 0])
    ellipse = Ellipse(zero, zero, zero + START**2, zero, zero + START**2)

    def step(*values: tf.Tensor) -> Ellipse:
        here = Ellipse(*values)
        return _next(here, *_means(_weights(here, light, powers), powers))

    # A loop of the graph, which keeps it small; stopped, since the gradient of all steps is not needed.
    ellipse = tf.while_loop(lambda *_: True, step, ellipse, maximum_iterations=ITERATIONS - STEPS_WITH_GRADIENT)
    ellipse = Ellipse(*(tf.stop_gradient(value) for value in ellipse))
    for _ in range(STEPS_WITH_GRADIENT):
        ellipse = step(*ellipse)
    weights = _weights(ellipse, light, powers)
    squares = tf.maximum(tf.reduce_sum(tf.square(weights), axis=-1), 1e-30)
    return ellipse, tf.square(tf.reduce_sum(weights, axis=-1)) / squares + 1e-6


def _weights(ellipse: Ellipse, light: tf.Tensor, powers: tf.Tensor) -> tf.Tensor:
    """light exp(-(x - c)^T Q (x - c) / 2) with Q = C^-1, the exponent as a polynomial of x and y: [B, N]."""
    x, y = ellipse.x, ellipse.y
    determinant = ellipse.xx * ellipse.yy - tf.square(ellipse.xy)
    xx, xy, yy = ellipse.yy / determinant, -ellipse.xy / determinant, ellipse.xx / determinant
    constant = xx * x * x + 2.0 * xy * x * y + yy * y * y
    terms = [constant, -2.0 * (xx * x + xy * y), -2.0 * (xy * x + yy * y), xx, 2.0 * xy, yy]
    coefficients = tf.stack(terms, axis=-1)  # [B, 6]
    shared = powers.shape.rank == 2
    exponent = tf.matmul(coefficients, powers, transpose_b=True) if shared else tf.linalg.matvec(powers, coefficients)
    return light * tf.exp(-0.5 * exponent)


def _means(weights: tf.Tensor, powers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum of the weights [B], and weighted means of x, y, xx, xy, yy, [B, 5]."""
    shared = powers.shape.rank == 2
    sums = tf.matmul(weights, powers) if shared else tf.linalg.matvec(powers, weights, transpose_a=True)
    return sums[:, 0], sums[:, 1:] / (sums[:, :1] + 1e-20)


def _next(ellipse: Ellipse, total: tf.Tensor, means: tf.Tensor) -> Ellipse:
    x, y, xx, xy, yy = tf.unstack(means, num=5, axis=-1)
    known = total / (total + FAINTEST)
    step_x, step_y = known * (x - ellipse.x), known * (y - ellipse.y)
    # S, which at the solution is C / 2.
    old = 0.5 * (1.0 - known)
    xx = known * (xx - x * x) + old * ellipse.xx
    xy = known * (xy - x * y) + old * ellipse.xy
    yy = known * (yy - y * y) + old * ellipse.yy
    determinant = ellipse.xx * ellipse.yy - tf.square(ellipse.xy)
    # R = S C^-1, then C = 4 R S.
    a, b = xx * ellipse.yy - xy * ellipse.xy, xy * ellipse.xx - xx * ellipse.xy
    c, d = xy * ellipse.yy - yy * ellipse.xy, yy * ellipse.xx - xy * ellipse.xy
    factor = 4.0 / determinant
    new_xx, new_yy = factor * (a * xx + b * xy) + SMALLEST_VARIANCE, factor * (c * xy + d * yy) + SMALLEST_VARIANCE
    longest = LONGEST * tf.sqrt(new_xx * new_yy)
    new_xy = tf.clip_by_value(factor * (a * xy + b * yy), -longest, longest)
    shrink = tf.minimum(1.0, 2.0 * LARGEST_VARIANCE / (new_xx + new_yy))
    new_x = tf.clip_by_value(ellipse.x + 2.0 * step_x, -FARTHEST, FARTHEST)
    new_y = tf.clip_by_value(ellipse.y + 2.0 * step_y, -FARTHEST, FARTHEST)
    return Ellipse(new_x, new_y, shrink * new_xx, shrink * new_xy, shrink * new_yy)
