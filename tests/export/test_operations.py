"""Every op of every function of the export is one that TF Serving's stock build runs, without a random state."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

pytestmark = pytest.mark.core

# Structure of functions and graphs, which the executor handles without a kernel of that name, and arguments of
# functions. None of them computes anything.
WITHOUT_KERNEL = {"FakeParam"}
# Random numbers from a state: other answers at each call. Stateless ones are a function of their seed.
RANDOM_STATE = {
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoisson",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "RngReadAndSkip",
    "RngSkip",
    "StatefulRandomBinomial",
    "StatefulStandardNormal",
    "StatefulStandardNormalV2",
    "StatefulTruncatedNormal",
    "StatefulUniform",
    "StatefulUniformFullInt",
    "StatefulUniformInt",
    "TruncatedNormal",
}


def nodes_of(path):
    graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def without_kernel(names):
    script = Path(__file__).with_name("registered_kernels.py")
    command = [sys.executable, "-I", str(script)]
    result = subprocess.run(command, input="\n".join(names), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return set(result.stdout.split())


def test_all_ops_have_kernels_in_the_bare_library_and_none_has_a_random_state(exported):
    nodes = nodes_of(exported[1])
    names = {node.op for node in nodes}
    assert len(names) > 50
    assert without_kernel(sorted(names)) <= WITHOUT_KERNEL
    assert names & RANDOM_STATE == set()


def test_no_function_asks_for_xla(exported):
    path = exported[1]
    graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    functions = graph.library.function
    assert functions
    assert not [function.signature.name for function in functions if function.attr["_XlaMustCompile"].b]


def test_what_must_not_be_served_is_seen(tmp_path):
    """PyFunc is registered as an op in the library, too, and has no kernel there; a random state has one."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def call(self, x):
            return tf.numpy_function(lambda value: value + 1, [x], tf.float32) + tf.random.uniform([1])

    module = Module()
    tf.saved_model.save(module, str(tmp_path), signatures=module.call)
    names = {node.op for node in nodes_of(tmp_path)}
    assert without_kernel([*names, "Addons>Resampler"]) == {"PyFunc", "Addons>Resampler"}
    assert names & RANDOM_STATE == {"RandomUniform"}
