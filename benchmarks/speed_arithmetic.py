"""Arithmetic: the operations of a step's products, the peak of this machine, and times taken in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import tensorflow as tf

__all__ = ["in_turns", "product_flops", "product_of_matrices"]

Key = TypeVar("Key")


def _size(tensor: tf.Tensor) -> int:
    return math.prod(tensor.shape.as_list())


def _convolution(operation: tf.Operation) -> int:
    image, kernel = operation.outputs[0], operation.inputs[1]
    return _size(image) * math.prod(kernel.shape[:3])


def _convolution_image_gradient(operation: tf.Operation) -> int:
    kernel, gradient = operation.inputs[1:3]
    return _size(gradient) * math.prod(kernel.shape[:3])


def _convolution_kernel_gradient(operation: tf.Operation) -> int:
    return _size(operation.inputs[2]) * math.prod(operation.outputs[0].shape[:3])


def _matrices(operation: tf.Operation) -> int:
    first = operation.inputs[0]
    name = "transpose_a" if operation.type == "MatMul" else "adj_x"
    return _size(operation.outputs[0]) * first.shape[-2 if operation.get_attr(name) else -1]


def _sparse_matrix(operation: tf.Operation) -> int:
    return operation.inputs[0].shape[0] * operation.outputs[0].shape[1]


# Multiplications with an addition, by the kind of operation.
PRODUCTS: Mapping[str, Callable[[tf.Operation], int]] = {
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _convolution_image_gradient,
    "Conv2DBackpropFilter": _convolution_kernel_gradient,
    "MatMul": _matrices,
    "BatchMatMulV2": _matrices,
    "SparseTensorDenseMatMul": _sparse_matrix,
}


def product_flops(function: Any) -> int:
    """Floating-point operations of a traced function's convolutions and matrix products, forward and backward, two for
    a multiplication with its addition. What its results do not need is not counted, nor is anything else: sums,
    exponentials, random numbers and gathers are no part of what a matrix unit does.

    Args:
        function: a concrete function whose inputs have known sizes.
    """
    return sum(2 * PRODUCTS[one.type](one) for one in _needed(function) if one.type in PRODUCTS)


def _needed(function: Any) -> Iterator[tf.Operation]:
    """Operations that the function's results or its side effects depend on."""
    graph = function.graph
    waiting = [output.op for output in function.outputs] + list(graph.control_outputs)
    seen = set()
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
            yield operation


def product_of_matrices(side: int, dtype: tf.DType) -> tuple[Any, int]:
    """The product of two square matrices as a `tf.function` without arguments, and its floating-point operations."""
    first, second = (tf.cast(tf.random.normal([side, side]), dtype) for _ in range(2))

    @tf.function
    def product() -> tf.Tensor:
        # A single number is all that is waited for.
        return tf.reduce_max(tf.matmul(first, second))

    return product, 2 * side**3


def in_turns(
    functions: Mapping[Key, Callable[[], Any]], repeats: int, calls: Mapping[Key, int]
) -> dict[Key, list[float]]:
    """Seconds of a call of each function, `repeats` times in turns, so that another load of the machine meets all.

    Args:
        functions: each waits for its result; called once before, for tracing.
        repeats: number of turns.
        calls: of each function in one turn; 1 where none is named.
    """
    seconds: dict[Key, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(repeats):
        for name, function in functions.items():
            count, start = calls.get(name, 1), time.perf_counter()
            for _ in range(count):
                function()
            seconds[name].append((time.perf_counter() - start) / count)
    return seconds
