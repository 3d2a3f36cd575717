"""Convolution and pooling on polar views, [B, R, A, C], that commute with a turn."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfgalaxy.errors import InputError

__all__ = ["PolarConv2D", "PolarPool", "pad_angle", "pad_radius", "polar_convolution", "smooth_rings"]


def pad_angle(polar: tf.Tensor, before: int, after: int) -> tf.Tensor:
    """Continues [B, R, A, C] around the circle by so many angles on either side."""
    if before == 0 and after == 0:
        return polar
    parts = ([polar[:, :, -before:]] if before else []) + [polar] + ([polar[:, :, :after]] if after else [])
    return tf.concat(parts, axis=2)


def pad_radius(polar: tf.Tensor, rings: int) -> tf.Tensor:
    """Continues [B, R, A, C] through the pole, where ring -1 - i is ring i at the opposite angle, and by zeros
    outside.
    """
    if rings == 0:
        return polar
    half = polar.shape[2] // 2
    # Ring by ring: a slice that runs backwards is slow.
    inner = (polar[:, ring : ring + 1] for ring in reversed(range(rings)))
    across = [tf.concat([ring[:, :, half:], ring[:, :, :half]], axis=2) for ring in inner]
    return tf.concat([*across, polar, tf.zeros_like(polar[:, :rings])], axis=1)


def smooth_rings(polar: tf.Tensor) -> tf.Tensor:
    """[B, R, A, C] under the binomial filter (1, 4, 6, 4, 1) / 16 across rings, through the pole; the outermost ring is
    continued.
    """
    rings = polar.shape[1]
    outer = polar[:, -1:]
    padded = tf.concat([pad_radius(polar, 2)[:, : rings + 2], outer, outer], axis=1)
    parts = [padded[:, start : start + rings] for start in range(5)]
    return (parts[0] + parts[4] + 4.0 * (parts[1] + parts[3]) + 6.0 * parts[2]) / 16.0


def _steps_as_channels(polar: tf.Tensor, stride: int) -> tf.Tensor:
    """[B, R, A, C] to [B, R / s, A / s, s s C]: `tf.nn.space_to_depth`, in a quarter of its time."""
    rings, angles, channels = (polar.shape[1] // stride, polar.shape[2] // stride, polar.shape[3])
    rows = tf.reshape(polar, [-1, stride, angles, stride * channels])
    return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [-1, rings, angles, stride**2 * channels])


def polar_convolution(polar: tf.Tensor, kernel: tf.Tensor, stride: int = 1, trained: bool = True) -> tf.Tensor:
    """[B, R, A, C] convolved with a square kernel [k, k, C, F], k - stride even: [B, R / stride, A / stride, F].

    `trained` says whether its gradient is asked for: then another way is faster.
    """
    size, _, channels, filters = kernel.shape
    margin = (size - stride) // 2
    padded = pad_angle(pad_radius(polar, margin), margin, margin)
    if trained and stride > 1 and size % stride == 0:
        # The same sums with the positions of a step as channels: the gradient of few channels is five times slower.
        steps = size // stride
        padded = _steps_as_channels(padded, stride)
        kernel = tf.reshape(kernel, [steps, stride, steps, stride, channels, filters])
        kernel = tf.reshape(tf.transpose(kernel, [0, 2, 1, 3, 4, 5]), [steps, steps, stride**2 * channels, filters])
        stride = 1
    return tf.nn.conv2d(padded, kernel, strides=stride, padding="VALID")


@keras.saving.register_keras_serializable(package="tfgalaxy")
class PolarConv2D(keras.layers.Layer):
    """Convolution on a polar view: circular along the angle, through the pole at the inner edge, zeros outside.

    out[r, a, f] = bias[f] + sum_{i, j, c} kernel[i, j, c, f] in[s r + i - m, s a + j - m, c], m = (k - s) / 2

    Without a stride s a turn of the input by one step is a turn of the output by one step, exactly. With one, only a
    turn by s steps is: it belongs behind a pose that was taken off, not into a network that predicts one.

    Args:
        filters: number of output channels.
        kernel_size: size k along radius and angle: odd without a stride, even with an even one.
        use_bias: whether to add a bias.
        stride: step s along radius and angle.

    Input shape: [B, R, A, C], A even, R and A divisible by s. Output shape: [B, R / s, A / s, filters].

    Raises:
        InputError: a size and a stride that leave no middle; in `build`, a view smaller than the kernel, one that the
            stride does not divide, or an odd number of angles.
    """

    def __init__(self, filters: int, kernel_size: int, use_bias: bool = True, stride: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if filters < 1:
            raise InputError("filters", "must be at least 1", filters, "Give a positive integer.")
        if stride < 1:
            raise InputError("stride", "must be at least 1", stride, "Use 1.")
        if kernel_size < stride or (kernel_size - stride) % 2:
            rule = f"must be the stride ({stride}) or an even number more"
            raise InputError("kernel_size", rule, kernel_size, f"Use {stride + 2} or {stride + 4}.")
        self.filters, self.kernel_size, self.use_bias, self.stride = filters, kernel_size, use_bias, stride

    def build(self, input_shape: tuple[Any, ...]) -> None:
        _, radii, angles, channels = input_shape
        margin = (self.kernel_size - self.stride) // 2
        if angles % 2 or radii % self.stride or angles % self.stride or min(radii, angles) < margin:
            rule = (
                f"must have an even number of angles, at least {margin} rings and angles, and multiples of the stride"
                f" ({self.stride}) of both"
            )
            raise InputError("input shape", rule, tuple(input_shape), "Use a larger view or a smaller kernel.")
        size = (self.kernel_size, self.kernel_size, channels, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=size, initializer="he_normal")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros") if self.use_bias else None
        self.built = True

    def call(self, polar: tf.Tensor) -> tf.Tensor:
        return self.convolve(polar, self.kernel, self.bias)

    def convolve(self, polar: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, trained: bool = True) -> tf.Tensor:
        """The convolution with other weights of the same shapes; `trained` as for `polar_convolution`."""
        result = polar_convolution(polar, tf.cast(kernel, polar.dtype), self.stride, trained)
        return result if bias is None else tf.nn.bias_add(result, tf.cast(bias, result.dtype))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[int | None, ...]:
        batch, radii, angles, _ = input_shape
        return (batch, radii // self.stride, angles // self.stride, self.filters)

    def get_config(self) -> dict[str, Any]:
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "use_bias": self.use_bias,
            "stride": self.stride,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="tfgalaxy")
class PolarPool(keras.layers.Layer):
    """Halves radius and, behind a low-pass, angle: averages of 2 rings and `window` angles at every second ring and
    angle.

    A plain 2x2 average aliases: turned by one step, the galaxy gives other pooled features. A wider window along the
    angle lets less of the frequencies through that the halved circle cannot hold.

    Args:
        window: even number of angles averaged at each position.

    Input shape: [B, R, A, C], R and A even. Output shape: [B, R / 2, A / 2, C].
    """

    def __init__(self, window: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if window < 2 or window % 2:
            raise InputError("window", "must be even and at least 2", window, "Use 4, or 2 for a plain average.")
        self.window = window

    def build(self, input_shape: tuple[Any, ...]) -> None:
        _, radii, angles, _ = input_shape
        if radii % 2 or angles % 2:
            raise InputError("input shape", "must have even R and A", tuple(input_shape), "Use powers of 2.")
        self.built = True

    def call(self, polar: tf.Tensor) -> tf.Tensor:
        margin = self.window // 2 - 1
        padded = pad_angle(polar, margin, margin)
        return tf.nn.avg_pool2d(padded, ksize=[2, self.window], strides=2, padding="VALID")

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[1] // 2, input_shape[2] // 2, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "window": self.window}
