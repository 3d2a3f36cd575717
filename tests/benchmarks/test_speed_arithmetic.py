"""Operations against numbers worked out by hand, and the order of turns."""

import tensorflow as tf
from speed_arithmetic import in_turns, product_flops, product_of_matrices


def flops(function, *shapes):
    return product_flops(tf.function(function).get_concrete_function(*(tf.TensorSpec(shape) for shape in shapes)))


def test_matrices():
    assert flops(tf.matmul, [2, 3], [3, 5]) == 2 * 2 * 3 * 5
    assert flops(lambda a, b: tf.matmul(a, b, transpose_a=True), [3, 2], [3, 5]) == 2 * 2 * 3 * 5
    assert flops(lambda a, b: tf.matmul(a, b, adjoint_a=True), [7, 3, 2], [7, 3, 5]) == 7 * 2 * 2 * 3 * 5


def test_a_sparse_matrix_counts_what_it_holds():
    matrix = tf.sparse.from_dense([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    assert flops(lambda columns: tf.sparse.sparse_dense_matmul(matrix, columns), [3, 5]) == 2 * 3 * 5


def test_a_convolution_and_its_gradients():
    def convolution(images, kernel):
        return tf.nn.conv2d(images, kernel, strides=2, padding="VALID")

    def gradients(images, kernel):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            result = convolution(images, kernel)
        return tape.gradient(result, [images, kernel])

    shapes = [4, 8, 8, 3], [4, 4, 3, 6]
    once = 2 * (4 * 3 * 3 * 6) * (4 * 4 * 3)  # outputs times inputs of each
    assert flops(convolution, *shapes) == once
    assert flops(gradients, *shapes) == 2 * once  # the convolution itself is not needed for them


def test_what_no_result_needs_is_not_counted():
    def wasteful(a, b):
        tf.matmul(a, a)
        return tf.matmul(a, b)

    assert flops(wasteful, [3, 3], [3, 5]) == 2 * 3 * 3 * 5


def test_a_product_done_for_a_variable_counts():
    total = tf.Variable(tf.zeros([2, 5]))

    def step(a, b):
        total.assign_add(tf.matmul(a, b))
        return tf.reduce_sum(a)

    assert flops(step, [2, 3], [3, 5]) == 2 * 2 * 3 * 5


def test_the_product_for_the_peak():
    product, operations = product_of_matrices(16, tf.bfloat16)
    assert operations == 2 * 16**3 == product_flops(product.get_concrete_function())
    assert product().dtype == tf.bfloat16


def test_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = in_turns(functions, repeats=2, calls={"b": 2})
    assert "".join(calls) == "ab" + 2 * "abb"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
