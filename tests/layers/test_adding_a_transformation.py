"""The guide's twelfth transformation: its code is run as it stands there, and it is equivariant."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from smooth_images import draw, random_blobs

from tfgalaxy.layers import apply_matrix, get_transformation, transformation_names

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "transformations.md"


@pytest.fixture(scope="module")
def guide():
    """What the guide's code defines."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 32
    # As a module: dataclasses look up where they were defined.
    names = {"__name__": __name__}
    exec(compile(code, str(GUIDE), "exec"), names)
    return names


def test_it_is_known_by_its_name(guide):
    assert guide["layer"].transformation.name == "diagonal_stretch"
    assert "diagonal_stretch" in transformation_names()


def test_it_obeys_equation_5_and_its_group_law(guide):
    transformation, generator = guide["DiagonalStretch"](), np.random.default_rng(0)
    first, second = tf.constant(generator.uniform(-0.2, 0.2, (2, 20, 1)))
    points = tf.constant(generator.uniform(0.1, 0.5, (20, 7, 2)) * [1.0, -1.5])
    moved = apply_matrix(transformation.matrix(first), points)
    change = transformation.coordinates(moved) - transformation.coordinates(points)
    np.testing.assert_allclose(change - first[:, tf.newaxis], 0.0, atol=1e-9)
    product = np.matmul(transformation.matrix(first), transformation.matrix(second))
    np.testing.assert_allclose(transformation.matrix(transformation.compose(first, second)), product, atol=1e-12)


def test_its_layer_is_self_consistent(guide):
    layer, blobs = guide["layer"], random_blobs(24)
    theta = np.random.default_rng(1).uniform(-0.2, 0.2, (24, 1))
    moved = draw(blobs, matrix=layer.transformation.matrix(tf.constant(theta)).numpy())
    change = layer.pose(moved).mean - layer.pose(draw(blobs)).mean
    assert np.abs(change - theta).mean() < 0.006
    assert np.abs(theta).mean() > 0.08  # a constant predictor's


def test_the_guide_names_every_transformation():
    named = set(re.findall(r"^\| `(\w+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE))
    assert named == {
        name for name in transformation_names() if type(get_transformation(name)).__module__.startswith("tfgalaxy.")
    }
