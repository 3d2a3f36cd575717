"""Every public layer and model: configuration, saving, unknown batch, mixed precision, gradients."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from members import MEMBERS, example, public_classes

pytestmark = pytest.mark.core
ALL = pytest.mark.parametrize("name", sorted(MEMBERS))
LAYERS = pytest.mark.parametrize("name", sorted(name for name, member in MEMBERS.items() if not member.is_model))


def flat(outputs):
    """The floating-point tensors among (nested) outputs."""
    return [output for output in tf.nest.flatten(outputs) if output is not None]


def numpy(outputs):
    return [tf.cast(output, tf.float32).numpy() for output in flat(outputs)]


def variables(layer):
    """Trainable variables as TensorFlow's, also where Keras 3 wraps them."""
    return [v if isinstance(v, tf.Variable) else v.value for v in layer.trainable_variables]


def as_model(name, layer, batch=None):
    """The member as a model that can be saved."""
    member = MEMBERS[name]
    if member.is_model:
        layer(example(member))
        return layer
    inputs = keras.Input(member.shape, batch_size=batch)
    return keras.Model(inputs, layer(inputs))


def test_every_public_class_is_a_member():
    members = {name.split("/")[0] for name in MEMBERS}
    assert set(public_classes()) == members, "register each public layer and model in members.py"


@ALL
def test_it_is_registered_and_its_configuration_survives_json(name):
    layer = MEMBERS[name].make()
    assert keras.saving.get_registered_name(type(layer)) == f"tfgalaxy>{name.split('/')[0]}"
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.dumps(again.get_config(), sort_keys=True) == json.dumps(layer.get_config(), sort_keys=True)


@ALL
def test_every_argument_is_in_the_configuration(name):
    layer = MEMBERS[name].make()
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    own = {p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD} - {"self"}
    assert own <= set(layer.get_config())


@ALL
def test_the_same_inputs_give_the_same_outputs(name):
    layer, inputs = MEMBERS[name].make(), example(MEMBERS[name])
    for first, second in zip(numpy(layer(inputs)), numpy(layer(inputs)), strict=True):
        np.testing.assert_array_equal(first, second)


@ALL
def test_saved_and_loaded_it_is_bit_exact(name, tmp_path):
    inputs = example(MEMBERS[name])
    model = as_model(name, MEMBERS[name].make())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for first, second in zip(numpy(model(inputs)), numpy(loaded(inputs)), strict=True):
        np.testing.assert_array_equal(first, second)


@ALL
def test_the_batch_may_be_unknown(name):
    member = MEMBERS[name]
    layer, inputs = member.make(), example(member, 5)
    layer(inputs)
    run = tf.function(layer, input_signature=[tf.TensorSpec([None, *member.shape])])
    for count in (1, 5):
        for graph, eager in zip(numpy(run(inputs[:count])), numpy(layer(inputs[:count])), strict=True):
            np.testing.assert_allclose(graph, eager, rtol=1e-4, atol=1e-4)


@ALL
def test_it_is_built_inside_a_function(name):
    member = MEMBERS[name]
    layer = member.make()
    run = tf.function(layer)
    run(example(member))
    assert all(np.isfinite(values).all() for values in numpy(layer(example(member))))


@LAYERS  # models declare no output shape
def test_declared_shapes_are_the_real_ones(name):
    member = MEMBERS[name]
    layer = member.make()
    outputs = flat(layer(example(member)))
    declared = layer.compute_output_shape((2, *member.shape))
    declared = [declared] if isinstance(declared[0], int) else [shape for shape in declared if shape is not None]
    assert [tuple(shape) for shape in declared] == [tuple(output.shape) for output in outputs]


@ALL
def test_mixed_precision_is_close_and_finite(name):
    inputs = example(MEMBERS[name])
    exact = MEMBERS[name].make()
    expected = numpy(exact(inputs))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    layer = MEMBERS[name].make()
    layer(inputs)
    layer.set_weights(exact.get_weights())
    for half, full in zip(numpy(layer(inputs)), expected, strict=True):
        assert np.isfinite(half).all()
        # bfloat16 has three digits; several layers in a row lose some of them.
        assert np.abs(half - full).mean() <= 0.05 * (np.abs(full).mean() + full.std()) + 1e-3


@ALL
def test_gradients_are_finite_and_reach_every_weight(name):
    member = MEMBERS[name]
    layer, inputs = member.make(), tf.constant(example(member))
    layer(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = flat(layer(inputs))
        # Weights that differ from place to place: the plain sum of a softmax has no gradient.
        total = tf.add_n([tf.reduce_sum(tf.sin(3.0 + tf.cast(x, tf.float32)) * ramp(x)) for x in outputs])
    weights = variables(layer)
    to_inputs, *gradients = tape.gradient(total, [inputs, *weights])
    assert np.isfinite(to_inputs).all()
    assert np.abs(to_inputs).max() > 0
    for gradient in gradients:
        assert gradient is None or np.isfinite(gradient).all()
    missing = [index for index, gradient in enumerate(gradients) if gradient is None]
    assert len(missing) <= member.idle_weights


def ramp(x):
    return tf.reshape(tf.linspace(0.0, 1.0, tf.size(x)), tf.shape(x))
