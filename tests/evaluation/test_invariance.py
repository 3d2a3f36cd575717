"""Total variation against numbers worked out by hand, for classifiers that read known things off an image."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from small_model import SMALL

from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Question, Questions, load_questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import Change, invariance_error, total_variation
from tfgalaxy.evaluation.invariance import CHANGES
from tfgalaxy.export.prediction import Predictor
from tfgalaxy.models.galaxy_vae import GalaxyVAE

PLAIN = Questions("plain", (Question("shape", ("round", "flat")), Question("size", ("small", "middle", "large"))))
HANDED = load_questions("gz1")


def half_lit(count=8, size=32):
    """Images whose share of light in the left half is `share`."""
    share = np.linspace(0.55, 0.95, count)
    images = np.zeros([count, size, size, 1], np.float32)
    inside = slice(size // 4, size // 2)
    images[:, inside, inside] = share[:, np.newaxis, np.newaxis, np.newaxis]
    mirrored = slice(size // 2, size - size // 4)
    images[:, inside, mirrored] = 1 - share[:, np.newaxis, np.newaxis, np.newaxis]
    return images, share


def light(images):
    values = np.asarray(images, float)[..., 0]
    return values.sum(axis=(1, 2)), values[:, :, : values.shape[2] // 2].sum(axis=(1, 2))


def left_share(images):
    total, left = light(images)
    share = left / total
    even = np.full([len(share), 3], 1 / 3)
    return np.column_stack([share, 1 - share, even])


def test_total_variation_of_each_question():
    first = [[0.7, 0.3, 0.2, 0.3, 0.5], [1.0, 0.0, 1.0, 0.0, 0.0]]
    second = [[0.6, 0.4, 0.5, 0.3, 0.2], [0.0, 1.0, 1.0, 0.0, 0.0]]
    np.testing.assert_allclose(total_variation(PLAIN, first, second), [[0.1, 0.3], [1.0, 0.0]])


def test_a_mirror_changes_what_reads_the_left_half():
    images, share = half_lit()
    result = invariance_error(left_share, images, PLAIN)
    row = result.row("flipped")
    # p and 1 - p exchange: the question's total variation is 2 p - 1, that of the other question 0.
    assert row.questions["shape"].mean == pytest.approx(np.mean(2 * share - 1), abs=1e-6)
    assert row.questions["size"].p95 == 0.0
    assert row.total.mean == pytest.approx(np.mean(2 * share - 1) / 2, abs=1e-6)
    assert row.total.median == pytest.approx(np.median(2 * share - 1) / 2, abs=1e-6)
    assert row.total.p95 == pytest.approx(np.quantile(2 * share - 1, 0.95) / 2, abs=1e-6)
    assert result.row("zoomed by 20 %").total.mean < 0.005  # what interpolation moves across the middle
    # Each galaxy against the one before it: neighbours differ by the step, the first and last by seven of them.
    step = share[1] - share[0]
    assert result.row("another galaxy").total.mean == pytest.approx(14 * step / 8 / 2, abs=1e-6)


def test_answers_that_a_mirror_exchanges_are_exchanged_back():
    images, _ = half_lit()
    pairs = [index for index, partner in enumerate(HANDED.flip_permutation) if partner != index]
    assert len(pairs) == 2

    def handed(pictures):
        fraction = np.zeros([len(pictures), HANDED.num_answers])
        for part in HANDED.slices:
            fraction[:, part] = 1 / (part.stop - part.start)
        total, left = light(pictures)
        fraction[:, pairs[0]], fraction[:, pairs[1]] = left / total, 1 - left / total
        return {"fraction": fraction}

    result = invariance_error(handed, images, HANDED, changes=(Change("flipped", flip=True), Change("still")))
    assert result.row("flipped").total.mean == pytest.approx(0, abs=1e-6)
    assert result.row("still").total.p95 == 0.0
    assert result.row("another galaxy").total.mean > 0.01


def test_a_constant_classifier_is_invariant():
    images, _ = half_lit(3)
    result = invariance_error(lambda x: np.tile([0.4, 0.6, 0.2, 0.3, 0.5], (len(x), 1)), images, PLAIN)
    assert [row.change for row in result.rows] == [*(change.name for change in CHANGES), "another galaxy"]
    assert all(row.total.p95 == 0 for row in result.rows)


def test_changes_are_what_they_are_called():
    generator = np.random.default_rng(0)
    matrices = {change.name: change.matrices(400, generator) for change in CHANGES}
    determinant = {name: np.linalg.det(values[:, :2, :2]) for name, values in matrices.items()}
    np.testing.assert_allclose(determinant["turned"], 1)
    angle = np.arctan2(matrices["turned"][:, 1, 0], matrices["turned"][:, 0, 0])
    assert np.abs(np.exp(1j * angle).mean()) < 0.15
    np.testing.assert_allclose(matrices["flipped"], np.tile(np.diag([-1, 1, 1]), (400, 1, 1)))
    for name, zoom in (("zoomed by 10 %", 1.1), ("zoomed by 20 %", 1.2)):
        assert set(np.round(determinant[name], 6)) == {round(zoom**2, 6), round(zoom**-2, 6)}
    shift = matrices["shifted by 5 %"][:, :2, 2]
    assert 0.045 < np.abs(shift).max() <= 0.05
    np.testing.assert_array_equal(matrices["turned"][:, :2, 2], 0)
    assert (determinant["all of them"] < 0).all()


def test_galaxy_vae_is_judged_by_a_single_view_and_by_its_own(eagerly):
    images = np.random.default_rng(0).random((4, 32, 32, 3)).astype(np.float32)
    changes = (CHANGES[0], CHANGES[1])
    two = GalaxyVAE("gz1", SMALL)
    for variable in two.head.weights:  # whose weights are zero before training
        variable.assign(np.random.default_rng(1).normal(scale=0.1, size=variable.shape))
    one = GalaxyVAE("gz1", SMALL.replace(prediction_views=1))
    for target, source in zip(one.state_variables, two.state_variables, strict=True):
        target.assign(source)
    result, alone = (invariance_error(model, images, changes=changes) for model in (two, one))
    assert [row.prediction for row in result.rows] == ["single view", "2 views"] * 3
    assert {row.prediction for row in alone.rows} == {"single view"}
    np.testing.assert_allclose(result.values[0], alone.values[0], atol=1e-6)
    as_itself = invariance_error(lambda x: one(x)["fraction"].numpy(), images, one.questions, changes)
    np.testing.assert_allclose(as_itself.values[0], alone.values[0], atol=1e-5)
    assert alone.values[0].mean() > 1e-4


def test_a_predictor_is_judged_by_what_it_serves():
    images, _ = half_lit()
    asked = []

    def signature(name):
        asked.append(name)
        return lambda image: {"fraction": tf.constant(left_share(image)), "valid": tf.ones(len(image))}

    predictor = Predictor(signature, PLAIN, Preprocessing(32, 1, 1.0))
    served, direct = (invariance_error(model, images, PLAIN) for model in (predictor, left_share))
    assert {row.prediction for row in served.rows} == {"as served"}
    assert set(asked) == {"classify"}
    np.testing.assert_allclose(served.values, direct.values, atol=1e-7)


def test_json_and_table_hold_the_rows(tmp_path):
    images, _ = half_lit()
    calls = []
    result = invariance_error(left_share, images, PLAIN, progress=lambda *counts: calls.append(counts))
    assert calls[-1] == (48, 48)
    result.to_json(tmp_path / "invariance.json")
    record = json.loads((tmp_path / "invariance.json").read_text())
    assert record == result.to_dict()
    assert record["rows"][1]["questions"]["shape"]["mean"] == result.row("flipped").questions["shape"].mean
    console = Console(file=io.StringIO(), width=80)
    console.print(result.table())
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    row = result.row("flipped")
    numbers = (row.total.mean, row.total.median, row.total.p95, row.questions["shape"].mean)
    assert "flipped model " + " ".join(f"{number:.4f}" for number in numbers) in lines
    assert max(map(len, console.file.getvalue().splitlines())) <= 80


def test_bad_input_is_named():
    images, _ = half_lit(2)
    with pytest.raises(InputError, match="questions must be given for a model that does not state them"):
        invariance_error(left_share, images)
    with pytest.raises(InputError, match="images must hold at least one image"):
        invariance_error(left_share, images[:0], PLAIN)
    with pytest.raises(InputError, match="fraction must sum to 1 over the answers of shape"):
        invariance_error(lambda x: 0.3 * left_share(x), images, PLAIN)
    with pytest.raises(InputError, match="change must be one of turned, flipped"):
        invariance_error(left_share, images, PLAIN).row("upside down")
