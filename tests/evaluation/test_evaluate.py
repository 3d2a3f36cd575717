"""Evaluations: JSON, intervals, nobody asked, tables; against the metrics' definitions and a plain bootstrap."""

import doctest
import importlib
import io
import json
import time

import numpy as np
import pytest
from rich.console import Console

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import METRICS, baseline_fractions, evaluate_baseline, evaluate_predictions

QUESTIONS = Questions(
    "tiny",
    (
        Question("shape", ("smooth", "featured", "other")),
        Question("arms", ("yes", "no"), asked_after=(("shape", "featured"),)),
    ),
)


def make_case(seed=0, galaxies=200, sizes=(3, 2), asked=0.7):
    generator = np.random.default_rng(seed)
    truth = [generator.dirichlet(np.ones(size), galaxies) for size in sizes]
    counts = [generator.integers(1, 40, galaxies) * (generator.random(galaxies) < asked) for _ in sizes]
    votes = [generator.multinomial(n, p) for n, p in zip(counts, truth, strict=True)]
    noisy = [p * np.exp(generator.normal(0, 0.5, p.shape)) for p in truth]
    fraction = np.concatenate([p / p.sum(axis=1, keepdims=True) for p in noisy], axis=1)
    return np.concatenate(votes, axis=1), fraction


def render(table, **options):
    console = Console(file=io.StringIO(), width=80, **options)
    console.print(table)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def evaluation():
    votes, fraction = make_case()
    predictions = {"fraction": fraction, "fraction_lower": fraction * 0.5, "fraction_upper": fraction**0.5}
    return evaluate_predictions(QUESTIONS, votes, predictions)


def test_json_holds_every_metric_for_all_and_per_question(evaluation):
    document = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert list(document["questions"]) == ["shape", "arms"]
    for row in (document, *document["questions"].values()):
        assert row["galaxies"] > 0
        for metric in METRICS:
            low, high = row[f"{metric}_interval"]
            assert low < row[metric] < high
    assert document["weighting"] == "galaxies"
    assert document["galaxies"] + document["galaxies_without_votes"] == 200


def test_to_json_writes_the_same(evaluation, tmp_path):
    evaluation.to_json(tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == evaluation.to_dict()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_intervals_agree_with_a_plain_bootstrap():
    votes, fraction = make_case(1)
    generator = np.random.default_rng(9)
    asked = votes[:, :3].sum(axis=1) > 0
    volunteers = votes[asked, :3] / votes[asked, :3].sum(axis=1, keepdims=True)
    error = np.abs(volunteers - fraction[asked, :3])
    samples = []
    for _ in range(2000):
        drawn = error[generator.integers(len(error), size=len(error))]
        samples.append((np.sqrt((drawn**2).mean()), drawn.sum(axis=1).mean()))
    expected = np.quantile(samples, [0.05, 0.95], axis=0)
    evaluation = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}, resamples=2000)
    for column, metric in enumerate(("rmse", "total_absolute_error")):
        width = np.ptp(expected[:, column])
        interval = evaluation.score(metric, "shape").interval
        np.testing.assert_allclose(interval, expected[:, column], atol=0.12 * width)


def test_the_seed_fixes_the_intervals():
    votes, fraction = make_case(2)
    first = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}, seed=3)
    assert first == evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}, seed=3)
    other = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}, seed=4)
    assert first.score("rmse").value == other.score("rmse").value
    assert first.score("rmse").interval != other.score("rmse").interval


def test_intervals_shrink_with_the_square_root_of_the_galaxies():
    widths = []
    for galaxies in (300, 4800):
        votes, fraction = make_case(3, galaxies)
        low, high = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}).score("rmse").interval
        widths.append(high - low)
    assert 2.8 < widths[0] / widths[1] < 5.7  # 4 but for noise


@pytest.mark.parametrize("weighting", ["galaxies", "votes"])
@pytest.mark.parametrize("galaxies", [0, 5])
def test_nobody_asked_anything_gives_none_and_no_nan(weighting, galaxies):
    fraction = np.tile([0.5, 0.3, 0.2, 0.5, 0.5], (galaxies, 1))
    with np.errstate(all="raise"):
        evaluation = evaluate_predictions(QUESTIONS, np.zeros((galaxies, 5)), {"fraction": fraction}, weighting)
    text = json.dumps(evaluation.to_dict(), allow_nan=False)
    document = json.loads(text)
    assert document["galaxies"] == 0
    assert document["galaxies_without_votes"] == galaxies
    for row in (document, *document["questions"].values()):
        assert row["rmse"] is None
        assert row["log_likelihood_interval"] is None
    assert "nan" not in render(evaluation.table(evaluation)).lower()


def test_one_question_that_nobody_was_asked_leaves_the_others_alone():
    votes, fraction = make_case(4)
    votes[:, 3:] = 0
    with np.errstate(all="raise"):
        evaluation = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction})
    assert evaluation.score("rmse", "arms").value is None
    assert evaluation.score("rmse") == evaluation.score("rmse", "shape")
    json.dumps(evaluation.to_dict(), allow_nan=False)
    assert [line.split()[1:] for line in render(evaluation.table()).splitlines() if "arms" in line] == [["0", *"----"]]


def test_one_galaxy_asked_has_a_value_but_no_interval():
    votes, fraction = make_case(5)
    votes[1:, 3:] = 0
    votes[0, 3:] = [2, 1]
    evaluation = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction})
    assert evaluation.galaxies[2] == 1
    assert evaluation.score("rmse", "arms").value is not None
    assert evaluation.score("rmse", "arms").interval is None


def test_galaxies_without_votes_change_no_interval():
    votes, fraction = make_case(6, asked=1.0)
    alone = evaluate_predictions(QUESTIONS, votes, {"fraction": fraction})
    padded = evaluate_predictions(
        QUESTIONS, np.concatenate([votes, np.zeros_like(votes)]), {"fraction": np.tile(fraction, (2, 1))}
    )
    assert alone.scores == padded.scores
    assert padded.galaxies_without_votes == 200


def test_interval_of_the_calibration_error_holds_its_estimate_for_calibrated_predictions():
    generator = np.random.default_rng(7)
    truth = np.concatenate([generator.dirichlet(np.ones(size), 400) for size in (3, 2)], axis=1)
    votes = np.concatenate([generator.multinomial(5, truth[:, part]) for part in (slice(3), slice(3, 5))], axis=1)
    evaluation = evaluate_predictions(QUESTIONS, votes, {"fraction": truth})
    for score in evaluation.scores["calibration_error"]:
        assert 0 <= score.interval[0] < score.value < score.interval[1] < 0.1


def test_baseline_is_the_prediction_of_the_training_means():
    votes, _ = make_case(8)
    train, test = votes[:120], votes[120:]
    means = np.tile(baseline_fractions(train, QUESTIONS), (80, 1))
    assert evaluate_baseline(QUESTIONS, train, test) == evaluate_predictions(QUESTIONS, test, {"fraction": means})


def test_a_thousand_resamples_of_1500_galaxies_and_37_answers_take_under_two_seconds():
    votes, fraction = make_case(9, 1500, (3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6))
    sizes = (3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6)
    questions = Questions("wide", tuple(Question(f"q{i}", tuple("abcdefg"[:size])) for i, size in enumerate(sizes)))
    start = time.perf_counter()
    evaluate_predictions(questions, votes, {"fraction": fraction})
    assert time.perf_counter() - start < 2  # measured 0.08 s


def test_table_has_a_row_per_question_after_all_of_them(evaluation):
    votes, _ = make_case()
    baseline = evaluate_baseline(QUESTIONS, votes, votes)
    text = render(evaluation.table(baseline))
    rows = [line.split() for line in text.splitlines()]
    names = [row[0] for row in rows if row and row[0] in ("all", "shape", "arms")]
    assert names == ["all", "shape", "arms"]
    shape = next(row for row in rows if row and row[0] == "shape")
    assert shape[1] == str(evaluation.galaxies[1])
    assert shape[2] == f"{evaluation.score('rmse', 'shape').value:.3f}"
    low, high = evaluation.score("rmse", "shape").interval
    assert f"{low:.3f}…{high:.3f}" in text
    assert f"({baseline.score('rmse', 'shape').value:.3f})" in text
    assert "90% interval" in text
    assert max(map(len, text.splitlines())) <= 80


def test_table_leaves_out_what_it_does_not_have():
    votes, fraction = make_case()
    text = render(evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}, resamples=0).table())
    assert "interval" not in text
    assert "brackets" not in text


def test_no_color_is_honoured(evaluation, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = render(evaluation.table(), force_terminal=True, color_system="truecolor")
    assert "\x1b[3" not in text.replace("\x1b[3m", "")  # foreground colours are 30 to 38; 3 alone is italic


def test_question_names_are_no_markup():
    questions = Questions("odd", (Question("[bold]shape", ("a", "b")),))
    assert "[bold]shape" in render(evaluate_predictions(questions, [[1, 2]], {"fraction": [[0.5, 0.5]]}).table())


def test_bad_input_is_named(evaluation):
    with pytest.raises(InputError, match="metric must be one of rmse"):
        evaluation.score("f1")
    with pytest.raises(InputError, match="question must be one of shape, arms"):
        evaluation.score("rmse", "bars")
    votes, fraction = make_case()
    with pytest.raises(InputError, match="resamples must be at least 0"):
        evaluate_predictions(QUESTIONS, votes, {"fraction": fraction}, resamples=-1)
    with pytest.raises(InputError, match="fraction must have shape"):
        evaluate_predictions(QUESTIONS, votes, {"fraction": fraction[:5]})


@pytest.mark.parametrize("module", ["bootstrap", "evaluate", "metrics", "table"])
def test_examples_of_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"tfgalaxy.evaluation.{module}"))
    assert results.attempted > 0
    assert results.failed == 0
