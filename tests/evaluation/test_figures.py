"""Figures: what is drawn are the numbers given, and no text overlaps or is cut off."""

import itertools
import time
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import (
    compare_evaluations,
    evaluate_predictions,
    gallery,
    learning_curves,
    predicted_against_votes,
    reliability_diagram,
    save_figure,
)

QUESTIONS = Questions(
    "tiny",
    (
        Question("smooth-or-featured", ("smooth", "featured-or-disk", "artifact")),
        Question("has-spiral-arms", ("yes", "no"), asked_after=(("smooth-or-featured", "featured-or-disk"),)),
    ),
)
GENERATOR = np.random.default_rng(0)
FRACTION = np.concatenate([GENERATOR.dirichlet(np.ones(size), 300) for size in (3, 2)], axis=1)
VOTES = np.concatenate([GENERATOR.multinomial(20, FRACTION[:, part]) for part in (slice(3), slice(3, 5))], axis=1)
VOTES[::2, 3:] = 0


def texts(figure):
    """What is written, and where in pixels. Asked of the draw calls: matplotlib keeps ticks that it doesn't draw."""
    drawn = {}
    original = Text.draw

    def record(text, renderer, *args, **kwargs):
        drawn[id(text)] = text
        return original(text, renderer, *args, **kwargs)

    canvas = FigureCanvasAgg(figure)
    with mock.patch.object(Text, "draw", record):
        canvas.draw()
    shown = [text for text in drawn.values() if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in shown]


def assert_legible(figure):
    """No text reaches out of the page, and no two texts cover each other."""
    boxes, page = texts(figure), figure.bbox
    assert boxes
    for name, box in boxes:
        inside = box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1 and box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
        assert inside, f"{name!r} is cut off"
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width <= 1 or height <= 1, f"{first!r} covers {second!r}"


def make_history():
    rows = [{"epoch": e, "phase": "vae", "elbo": -900 + 20 * e, "val_elbo": -920 + 20 * e} for e in range(1, 13)]
    rows += [{"epoch": e, "phase": "classifier", "accuracy": 0.6 + e / 50} for e in range(1, 9)]
    return pd.DataFrame(rows).assign(never=np.nan)


def test_learning_curves_draw_each_quantity_once_over_all_epochs():
    figure = learning_curves(make_history())
    assert [axes.get_title() for axes in figure.axes] == ["elbo", "accuracy"]
    training, validation = figure.axes[0].lines
    np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 21))  # the second phase counts on
    np.testing.assert_array_equal(training.get_ydata()[:12], make_history()["elbo"][:12])
    assert np.isnan(training.get_ydata()[12:]).all()
    np.testing.assert_array_equal(validation.get_ydata()[:12], make_history()["val_elbo"][:12])
    assert {"vae", "classifier", "training", "validation"} <= {name for name, _ in texts(figure)}
    assert_legible(figure)


def test_learning_curves_of_chosen_quantities():
    history = make_history().assign(seconds=1.5)
    figure = learning_curves(history, ["accuracy", "elbo"])
    assert [axes.get_title() for axes in figure.axes] == ["accuracy", "elbo"]
    with pytest.raises(InputError, match="quantities must be among elbo, accuracy, seconds, not \\['f1'\\]"):
        learning_curves(history, ["f1"])


def test_learning_curves_of_one_epoch():
    figure = learning_curves(pd.DataFrame({"epoch": [1], "loss": [2.0], "val_loss": [2.5]}))
    assert [line.get_marker() for line in figure.axes[0].lines] == [".", "."]
    assert_legible(figure)


def test_reliability_diagram_draws_the_mean_of_each_bin():
    figure = reliability_diagram(QUESTIONS, VOTES, FRACTION, "has-spiral-arms").figure
    line = figure.axes[0].containers[0].lines[0]
    asked = VOTES[:, 3:].sum(axis=1) > 0
    volunteers, predicted = VOTES[asked, 3] / 20, FRACTION[asked, 3]
    inside = (predicted >= 0.3) & (predicted < 0.4)
    np.testing.assert_allclose(line.get_xdata()[3], predicted[inside].mean())
    np.testing.assert_allclose(line.get_ydata()[3], volunteers[inside].mean())
    assert "150 galaxies" in figure.axes[0].get_title()
    assert_legible(figure)


def test_scatter_draws_the_galaxies_that_were_asked():
    figure = predicted_against_votes(QUESTIONS, VOTES, FRACTION, "has-spiral-arms").figure
    asked = VOTES[:, 3:].sum(axis=1) > 0
    points = figure.axes[0].collections[1].get_offsets()
    np.testing.assert_allclose(points, np.stack([FRACTION[asked, 4], VOTES[asked, 4] / 20], axis=1))
    rmse = np.sqrt(np.mean((points[:, 0] - points[:, 1]) ** 2))
    assert f"no\nrmse {rmse:.3f}" in [name for name, _ in texts(figure)]
    assert_legible(figure)


@pytest.mark.parametrize("draw", [reliability_diagram, predicted_against_votes])
def test_question_that_nobody_was_asked_says_so(draw):
    figure = draw(QUESTIONS, VOTES * [1, 1, 1, 0, 0], FRACTION, "has-spiral-arms").figure
    assert "nobody was asked" in [name for name, _ in texts(figure)]


def test_drawing_into_given_axes_returns_them(tmp_path):
    figure = Figure(layout="constrained")
    for part in figure.subfigures(1, 2):
        axes = part.subplots()
        assert reliability_diagram(QUESTIONS, VOTES, FRACTION, "smooth-or-featured", axes) is axes
    save_figure(axes, tmp_path / "whole.png", dpi=50)
    assert imread(tmp_path / "whole.png").shape[:2] == tuple(figure.get_size_inches()[::-1] * 50)


def test_comparison_draws_values_and_intervals():
    good = evaluate_predictions(QUESTIONS, VOTES, {"fraction": FRACTION})
    flat = evaluate_predictions(QUESTIONS, VOTES, {"fraction": np.tile([0.4, 0.3, 0.3, 0.5, 0.5], (300, 1))})
    named = {"supervised, 100 labels": flat, "alternating, 100 labels": good}
    axes = compare_evaluations(named, "total_absolute_error")
    for container, evaluation in zip(axes.containers, named.values(), strict=True):
        expected = [score.value for score in evaluation.scores["total_absolute_error"]]
        np.testing.assert_allclose([bar.get_width() for bar in container], expected)
    segments = axes.collections[1].get_segments()
    expected = [score.interval for score in good.scores["total_absolute_error"]]
    np.testing.assert_allclose([segment[:, 0] for segment in segments], expected)
    assert_legible(axes.figure)


def test_comparison_leaves_a_gap_where_nobody_was_asked():
    empty = evaluate_predictions(QUESTIONS, VOTES * [1, 1, 1, 0, 0], {"fraction": FRACTION})
    figure = compare_evaluations({"supervised": empty}).figure
    assert len(figure.axes[0].collections[0].get_segments()) == 2
    assert_legible(figure)


@pytest.mark.parametrize("channels", [1, 3])
def test_gallery_shows_pictures_and_fractions(channels):
    images = GENERATOR.random((4, 16, 16, channels))
    labels = [f"58772277250000{row:04d}" for row in range(4)]
    rows = slice(1, 5)
    figure = gallery(
        QUESTIONS, images, VOTES[rows], FRACTION[rows], "has-spiral-arms", images[:, ::2], images / 2, labels
    )
    grid = np.array(figure.axes).reshape(4, 4)
    np.testing.assert_array_equal(grid[2, 0].images[0].get_array(), images[2].squeeze())
    np.testing.assert_array_equal(grid[2, 2].images[0].get_array(), images[2].squeeze() / 2)
    volunteers, predicted = grid[2, 3].containers
    np.testing.assert_allclose([bar.get_width() for bar in volunteers], VOTES[3, 3:] / 20)
    np.testing.assert_allclose([bar.get_width() for bar in predicted], FRACTION[3, 3:])
    names = [name for name, _ in texts(figure)]
    assert {"canonical view", "reconstruction", "20 votes", "not asked", *labels} <= set(names)
    assert_legible(figure)


def test_gallery_without_a_decoder_has_two_columns():
    figure = gallery(QUESTIONS, np.zeros((1, 8, 8, 3)), VOTES[:1], FRACTION[:1], "smooth-or-featured")
    assert len(figure.axes) == 2
    assert_legible(figure)


def test_the_legibility_check_can_fail():
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    with pytest.raises(AssertionError, match="covers"):
        assert_legible(figure)
    figure = Figure()
    figure.text(0.99, 0.5, "reaches out")
    with pytest.raises(AssertionError, match="cut off"):
        assert_legible(figure)


def test_figures_are_saved_whole(tmp_path):
    figure = learning_curves(make_history())
    assert save_figure(figure, tmp_path / "new" / "curves.png", dpi=50) == tmp_path / "new" / "curves.png"
    assert imread(tmp_path / "new" / "curves.png").ndim == 3
    assert save_figure(figure, tmp_path / "new" / "curves.PDF").read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["curves.PDF", "curves.png"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_file(tmp_path, suffix):
    """So that a resumed experiment writes what an undisturbed one does."""
    for name in ("first", "second"):
        axes = Figure(figsize=(3, 2)).subplots()
        axes.fill_between([0, 1], [0, 1], [1, 2])
        save_figure(axes, tmp_path / f"{name}.{suffix}")
        time.sleep(1.1 if suffix == "pdf" else 0)  # a date in it would be another
    assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()


def test_pyplot_is_not_touched():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    reliability_diagram(QUESTIONS, VOTES, FRACTION, "smooth-or-featured")
    assert plt.get_fignums() == before


def test_bad_input_is_named(tmp_path):
    images = np.zeros((3, 8, 8, 3))
    with pytest.raises(InputError, match="path must end in one of"):
        save_figure(Figure(), tmp_path / "figure.docx")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="history must have a column 'epoch'"):
        learning_curves(pd.DataFrame({"loss": [1.0]}))
    with pytest.raises(InputError, match="history must hold at least one row of finite numbers"):
        learning_curves(pd.DataFrame({"epoch": [1], "loss": [np.nan]}))
    with pytest.raises(InputError, match="question must be one of smooth-or-featured, has-spiral-arms"):
        reliability_diagram(QUESTIONS, VOTES, FRACTION, "bars")
    with pytest.raises(InputError, match="evaluations must not be empty"):
        compare_evaluations({})
    with pytest.raises(InputError, match=r"image must have shape \(2, height, width, 1 or 3\)"):
        gallery(QUESTIONS, images, VOTES[:2], FRACTION[:2], "has-spiral-arms")
    with pytest.raises(InputError, match="image must be finite"):
        gallery(QUESTIONS, images * np.nan, VOTES[:3], FRACTION[:3], "has-spiral-arms")
    with pytest.raises(InputError, match="labels must have 3 entries"):
        gallery(QUESTIONS, images, VOTES[:3], FRACTION[:3], "has-spiral-arms", labels=["a"])
    with pytest.raises(InputError, match="images must hold at least one galaxy"):
        gallery(QUESTIONS, images[:0], VOTES[:0], FRACTION[:0], "has-spiral-arms")
