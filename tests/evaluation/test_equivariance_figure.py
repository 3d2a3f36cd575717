"""The figure of equivariance errors draws the numbers it is given."""

import numpy as np
import pytest
from test_figures import assert_legible, texts

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import equivariance_figure, invariance_error
from tfgalaxy.evaluation.equivariance import summarise
from tfgalaxy.evaluation.pose_composition import resolve_transformations

QUESTIONS = Questions("one", (Question("shape", ("round", "flat")),))


@pytest.fixture(scope="module")
def poses():
    generator = np.random.default_rng(0)
    theta, error = generator.uniform(-0.2, 0.2, (40, 4)), generator.normal(0, 0.01, (40, 4))
    zero = np.zeros_like(theta)
    return summarise(resolve_transformations(["translation", "rotation_scale"]), theta, zero, theta + error)


@pytest.fixture(scope="module")
def answers():
    def brightness(images):
        share = np.clip(np.asarray(images, float).mean(axis=(1, 2, 3)), 0, 1)
        return np.column_stack([share, 1 - share])

    return invariance_error(brightness, np.random.default_rng(0).random((5, 16, 16, 1)), QUESTIONS)


def test_each_parameter_has_a_panel_with_the_control(poses, answers):
    figure = equivariance_figure(poses, answers)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == ["translation: x", "translation: y", "rotation_scale: angle", "rotation_scale: log_scale"]
    assert titles[4:] == ["answers, model"]
    predictor, constant = figure.axes[2].lines[:2]
    np.testing.assert_allclose(predictor.get_xdata(), np.sort(np.abs(poses.errors[:, 2])).clip(1e-5))
    np.testing.assert_allclose(constant.get_xdata(), np.sort(np.abs(poses.theta[:, 2])))
    np.testing.assert_allclose(predictor.get_ydata(), np.arange(1, 41) / 40)
    assert {"predictor", "constant predictor", "another galaxy", "error, radians"} <= {
        name for name, _ in texts(figure)
    }
    changes = [line for line in figure.axes[4].lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in changes] == [row.change for row in answers.rows]
    assert changes[-1].get_linestyle() == "--"
    assert_legible(figure)


def test_either_may_be_left_out(poses, answers):
    assert len(equivariance_figure(poses).axes) == 4
    assert [axes.get_title() for axes in equivariance_figure(None, answers).axes] == ["answers, model"]
    with pytest.raises(InputError, match="equivariance must be given where invariance is not"):
        equivariance_figure(None)
