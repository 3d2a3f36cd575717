"""The fixtures that watch over all tests do so."""

import random

import pytest


def test_autograph_fallback_is_seen(autograph_fallbacks):
    tf = pytest.importorskip("tensorflow")
    names: dict = {}
    # Code whose source file does not exist is what AutoGraph cannot read.
    exec(compile("def step(x):\n    return x + 1\n", "no_such_file.py", "exec"), {}, names)
    tf.function(names["step"])(tf.constant(1))
    assert len(autograph_fallbacks) == 1
    autograph_fallbacks.clear()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_policy_starts_as_float32(policy):
    keras = pytest.importorskip("keras")
    assert keras.mixed_precision.global_policy().name == "float32"
    keras.mixed_precision.set_global_policy(policy)


@pytest.mark.parametrize("repetition", [0, 1])
def test_seeds_are_set(repetition):
    assert random.random() == random.Random(0).random()
