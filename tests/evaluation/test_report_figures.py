"""Figures of the report: numbers against independent references, and no text covered or cut off."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure
from report_material import make_history, make_material
from sklearn.metrics import confusion_matrix as reference_confusion
from test_figures import FRACTION, QUESTIONS, VOTES, assert_legible, texts
from test_label_efficiency_report import BAR, ERRORS, PLAN, finish

from tfgalaxy.data.questions import load_questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import (
    confusion_matrix,
    evaluate_baseline,
    evaluate_predictions,
    interval_coverage,
    latent_map,
    learning_curve,
    picture_grid,
    pose_arrow,
    project_latent,
    reliability_diagram,
    vote_tree,
)
from tfgalaxy.evaluation.label_efficiency.cell_store import CellStore
from tfgalaxy.evaluation.label_efficiency.manifest import Manifest, store_manifest
from tfgalaxy.evaluation.latent_map import projections
from tfgalaxy.evaluation.picture_figures import pose_line
from tfgalaxy.evaluation.readable_names import readable_questions
from tfgalaxy.evaluation.report.collect import read_experiment
from tfgalaxy.evaluation.report.panels import all_panels
from tfgalaxy.evaluation.vote_figures import confusion_counts
from tfgalaxy.evaluation.vote_tree import reached_branches, walk_tree
from tfgalaxy.training.config import RunConfig


def test_confusion_is_that_of_scikit_learn():
    asked = VOTES[:, 3:].sum(axis=1) > 0
    expected = reference_confusion(VOTES[asked, 3:].argmax(axis=1), FRACTION[asked, 3:].argmax(axis=1))
    np.testing.assert_array_equal(confusion_counts(QUESTIONS, VOTES, FRACTION, "has-spiral-arms"), expected)
    axes = confusion_matrix(QUESTIONS, VOTES, FRACTION, "has-spiral-arms")
    written = [text.get_text() for text in axes.texts]
    assert written == [f"{number}" for number in expected.ravel()]
    alphas = np.array([cell.get_alpha() for cell in axes.patches]).reshape(2, 2)
    np.testing.assert_allclose(alphas, 0.5 * expected / expected.sum(axis=1, keepdims=True))
    assert_legible(axes.figure)


@pytest.mark.parametrize("question", [question.name for question in load_questions("gz2").questions])
def test_figures_of_every_question_are_legible(question):
    material = make_material(30, "gz2")
    questions = readable_questions(material.questions)
    name = questions.questions[[q.name for q in material.questions.questions].index(question)].name
    for draw in (confusion_matrix, reliability_diagram):
        assert_legible(draw(questions, material.judged.votes, material.judged.predictions["fraction"], name).figure)


def test_coverage_of_intervals():
    lower, upper = np.clip(FRACTION - 0.1, 0, 1), np.clip(FRACTION + 0.1, 0, 1)
    predictions = {"fraction": FRACTION, "fraction_lower": lower, "fraction_upper": upper}
    axes = interval_coverage(evaluate_predictions(QUESTIONS, VOTES, predictions))
    volunteers = VOTES[:, :3] / 20
    inside = (volunteers >= lower[:, :3] - 1e-6) & (volunteers <= upper[:, :3] + 1e-6)
    assert axes.lines[-1].get_xdata()[1] == pytest.approx(inside.mean())
    assert axes.lines[0].get_xdata()[0] == 0.9
    assert_legible(axes.figure)
    with pytest.raises(InputError, match="evaluation must hold interval_coverage"):
        interval_coverage(evaluate_baseline(QUESTIONS, VOTES, VOTES))


def test_learning_curve_cuts_off_a_far_start_and_says_so():
    axes = learning_curve(make_history(), "elbo", best_epoch=15)
    low, high = axes.get_ylim()
    assert low > -600
    assert high > 119
    assert "begins at −9,050" in [text.replace("-", "−") for text, _ in texts(axes.figure)]
    assert [15, 15] in [list(line.get_xdata()) for line in axes.lines]
    assert_legible(axes.figure)
    with pytest.raises(InputError, match="quantity must be among"):
        learning_curve(make_history(), "f1")


def test_learning_curve_of_steady_values_shows_them_all():
    axes = learning_curve(make_history(), "val_log_likelihood".removeprefix("val_"))
    assert axes.get_ylim()[0] < -15 / 9


def test_walk_through_the_tree_keeps_children_behind_their_parent():
    questions = load_questions("gz2")
    walked = [(questions.questions[index].name[:3], depth) for index, depth in walk_tree(questions)]
    expected = "t01:0 t02:1 t03:2 t04:2 t10:3 t11:3 t05:2 t09:2 t07:1 t06:2 t08:3"
    assert [f"{name}:{depth}" for name, depth in walked] == expected.split()


def test_branches_that_nobody_reaches_are_left_out():
    votes, fraction = [18, 1, 1, 0, 0], [0.95, 0.05, 0.0, 0.5, 0.5]
    (first,) = reached_branches(QUESTIONS, votes, fraction)
    assert (first.votes, first.depth, first.reached) == (20, 0, 1)
    np.testing.assert_allclose(first.volunteers, [0.9, 0.05, 0.05])
    both = reached_branches(QUESTIONS, votes, [0.5, 0.5, 0.0, 0.25, 0.75], [0] * 5, [1] * 5)
    assert [(branch.depth, branch.reached) for branch in both] == [(0, 1), (1, 0.5)]
    assert both[1].volunteers is None
    np.testing.assert_array_equal(both[1].interval, [[0, 0], [1, 1]])


def test_vote_tree_draws_the_fractions():
    axes = vote_tree(QUESTIONS, [4, 16, 0, 3, 9], [0.5, 0.5, 0, 0.25, 0.75], [0.1] * 2 + [0] * 3, [0.9] * 5)
    assert [bar.get_width() for group in axes.containers for bar in group] == [
        0.2,
        0.5,
        0.8,
        0.5,
        0,
        0,
        0.25,
        0.25,
        0.75,
        0.75,
    ]
    assert "    has-spiral-arms (12 votes, 50% expected)" in [text.get_text() for text in axes.texts]
    assert_legible(axes.figure)


def test_pose_arrow_goes_along_the_canonical_x_axis():
    quarter = np.array([[0.0, -1, 0.2], [1, 0, 0], [0, 0, 1]])  # x to y, which points down; moved to the right
    np.testing.assert_allclose(pose_line(quarter), [[0.2, 0], [0.2, 0.6]])
    axes = pose_arrow(np.zeros((10, 10, 3)), quarter)
    arrow = axes.texts[0]
    np.testing.assert_allclose([arrow.xyann, arrow.xy], [[5.5, 4.5], [5.5, 7.5]])


def test_picture_grid_has_a_place_for_each():
    figure = picture_grid(np.zeros((7, 8, 8, 1)), columns=3, matrices=np.stack([np.eye(3)] * 7))
    assert len(figure.axes) == 7
    with pytest.raises(InputError, match="pictures must hold at least one"):
        picture_grid(np.zeros((0, 8, 8, 3)))


def test_pca_keeps_the_largest_variance():
    latent = np.random.default_rng(0).normal(size=(60, 5)) * [1, 5, 2, 9, 3]
    points = project_latent(latent)
    values = np.linalg.svd(latent - latent.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose((points**2).sum(axis=0), values[:2] ** 2)
    with pytest.raises(InputError, match=r"latent must have shape \(N, Z\), both at least 2"):
        project_latent(latent[:1])
    with pytest.raises(InputError, match="projection must be one of PCA"):
        project_latent(latent, "t-SNE")


@pytest.mark.skipif("UMAP" not in projections(), reason="umap-learn is not installed")
def test_umap_keeps_two_clouds_apart():
    latent = np.random.default_rng(0).normal(size=(80, 5)) + 30 * (np.arange(80)[:, np.newaxis] % 2)
    points = project_latent(latent, "UMAP")
    distances = np.linalg.norm(points[:, np.newaxis] - points, axis=-1) + 1e9 * np.eye(80)
    assert (distances.argmin(axis=1) % 2 == np.arange(80) % 2).all()


def test_latent_map_has_a_point_for_each_galaxy():
    points, answer = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 3 - 1
    axes = latent_map(points, answer, ["smooth", "featured"], Figure(layout="constrained").subplots())
    np.testing.assert_array_equal(axes.collections[1].get_offsets(), points[answer == 0])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["no answer (17)", "smooth (17)", "featured (16)"]
    assert_legible(axes.figure)


def test_readable_names_keep_the_tree():
    for preset in ("gz1", "gz2", "gz2-kaggle", "decals"):
        questions = load_questions(preset)
        readable = readable_questions(questions)
        assert not any("_" in label.split("_", 1)[1] for label in readable.answer_labels)
        assert readable.parents == questions.parents
        assert readable.slices == questions.slices


def test_label_efficiency_has_a_panel_for_each_score(tmp_path):
    store = CellStore(tmp_path)
    store_manifest(store.manifest_file, Manifest(PLAN, RunConfig(), BAR, 5, 60, "abc"), {})
    with pytest.raises(InputError, match="label-efficiency must hold a finished cell"):
        read_experiment(tmp_path)
    for cell in PLAN.cells():
        if cell.seed == 0:
            finish(store, cell, ERRORS[cell.series][PLAN.labels.index(cell.labels)])
    material = dataclasses.replace(make_material(12), label_efficiency=read_experiment(tmp_path))
    panels = {panel.name: panel for panel in all_panels(material)["label-efficiency"]}
    assert len(panels) == 6
    axes = panels["label-efficiency-total-absolute-error"].draw()
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert {name: tuple(np.round(values, 6)) for name, values in drawn.items()} == ERRORS
    assert_legible(axes.figure)
