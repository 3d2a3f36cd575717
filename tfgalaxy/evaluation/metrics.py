"""Metrics of predicted vote fractions, as sums over galaxies, so that one matrix product resamples them all.

Notation: N galaxies, Q questions, A answers; v[n, a] votes, T[n, q] their sum over a question's answers,
y[n, a] = v[n, a] / T[n, q] the volunteers' fraction, p[n, a] the predicted one. The weight w[n, q] of a galaxy in a
question is 1 where T > 0 and 0 elsewhere (`weighting="galaxies"`), or T itself (`weighting="votes"`): a galaxy
without votes for a question weighs nothing there. Sums run over galaxies n, and for all questions together over
galaxies and questions (n, q):

    rmse                  sqrt(sum w (p - y)^2 / sum w), both sums also over the answers a
    cumulative_rmse       sqrt(sum s (P - Y)^2 / sum s) of the shares of all people: P = asked probability * p, Y the
                          same of y, 0 where nobody was asked; s[n] is 1 for a galaxy that has votes, or by votes the
                          number of people who saw it. Kaggle's Galaxy Zoo challenge was scored by this
    total_absolute_error  sum w (sum_a |p - y|) / sum w, from 0 to 2; the poster's figure 6 calls this RMSE
    accuracy              sum w [the likeliest answer has the most votes; any of the tied ones counts] / sum w
    log_likelihood        sum log P(v | p) / galaxies with votes: nats per galaxy, over all questions their sum;
                          by votes: sum log P(v | p) / sum T, nats per vote. P is multinomial, or Dirichlet-multinomial
                          with alpha = concentration * p where a finite concentration is given
    calibration_error     expected calibration error of the likeliest answer in 10 equal bins of its predicted fraction:
                          sum over bins |sum w (p_top - y_top)| / sum w
    interval_coverage     share of y within fraction_lower..fraction_upper, weighted by w; only where these are given
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.inputs import FloatArray, check_predictions, check_votes, sum_answers, volunteer_fractions

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = [
    "METRICS",
    "Terms",
    "Weighting",
    "baseline_fractions",
    "log_likelihoods",
    "metric_terms",
    "metric_values",
]

Weighting = Literal["galaxies", "votes"]
METRICS = (
    "rmse",
    "cumulative_rmse",
    "total_absolute_error",
    "accuracy",
    "log_likelihood",
    "calibration_error",
    "interval_coverage",
)
ROOTS = ("rmse", "cumulative_rmse")  # of the mean of squares
CALIBRATION_BINS = 10
# An answer that got votes at a predicted fraction of 0 costs log(1e-7) = -16 nats a vote instead of minus infinity.
SMALLEST_FRACTION = 1e-7
# Float32 fractions and bounds: a bound that equals the fraction but for rounding holds it.
ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Terms:
    """What each galaxy adds to a metric; row 0 of the second axis is all questions together, row 1 + q question q.

    Args:
        numerator: [N, 1 + Q, P]; P is 1, or the number of bins for `calibration_error`.
        denominator: [N, 1 + Q].
    """

    numerator: FloatArray
    denominator: FloatArray


def log_likelihoods(
    questions: Questions, votes: ArrayLike, fraction: ArrayLike, concentration: ArrayLike | None = None
) -> FloatArray:
    """Log-probability of each question's vote counts, in nats; 0 where nobody was asked.

    With T the votes of a question and v[a] those of an answer,

        multinomial            log T! - sum_a log v[a]! + sum_a v[a] log p[a]
        Dirichlet-multinomial  log(T B(c, T)) - sum over a with votes of log(v[a] B(c p[a], v[a])),  c = concentration

    with B the beta function, whose logarithm stays exact where a difference of log-gammas of a large c would not.
    Counts that aren't whole numbers, as fractions times a number of voters give, go through the same formulas.

    Args:
        questions: the decision tree that the columns follow.
        votes: counts [N, A].
        fraction: predicted fractions [N, A].
        concentration: Dirichlet total concentration [N, Q]; None, or infinite entries, mean a multinomial.

    Returns:
        [N, Q], always finite: fractions are held at 1e-7 or more.

    Raises:
        InputError: shapes or values that `check_votes` or `check_predictions` refuse.
    """
    counts = check_votes(questions, votes)
    checked = check_predictions(questions, {"fraction": fraction, "concentration": concentration}, len(counts))
    return _log_likelihoods(questions, counts, checked["fraction"], checked.get("concentration"))


def _log_likelihoods(
    questions: Questions, votes: FloatArray, fraction: FloatArray, concentration: FloatArray | None
) -> FloatArray:
    fraction = np.maximum(fraction, SMALLEST_FRACTION)
    totals = sum_answers(questions, votes)  # [N, Q]
    terms = special.xlogy(votes, fraction) - special.gammaln(votes + 1)
    multinomial = special.gammaln(totals + 1) + sum_answers(questions, terms)
    if concentration is None:
        return np.asarray(multinomial, np.float64)
    finite = np.where(np.isfinite(concentration), concentration, 1.0)
    alpha = finite[:, questions.question_index] * fraction  # [N, A]
    dirichlet = _log_times_beta(finite, totals) - sum_answers(questions, _log_times_beta(alpha, votes))
    return np.where(np.isfinite(concentration), dirichlet, multinomial)


def _log_times_beta(alpha: FloatArray, count: FloatArray) -> FloatArray:
    """log(count * B(alpha, count)), 0 at count 0, its limit for the products in which it appears."""
    safe = np.where(count > 0, count, 1.0)
    return np.where(count > 0, np.log(safe) + special.betaln(alpha, safe), 0.0)


def metric_terms(
    questions: Questions,
    votes: ArrayLike,
    predictions: Mapping[str, ArrayLike | None],
    weighting: Weighting = "galaxies",
) -> dict[str, Terms]:
    """Each galaxy's contribution to every metric; sum over galaxies and pass to `metric_values`.

    Args:
        questions: the decision tree that the columns follow.
        votes: counts [N, A], zeros where nobody was asked.
        predictions: `fraction` [N, A]; optional `concentration` [N, Q], `fraction_lower`, `fraction_upper` [N, A].
        weighting: whether each galaxy that was asked counts once, or as often as it has votes.

    Raises:
        InputError: shapes, non-finite values, or fractions that don't sum to 1 per question.
    """
    check(weighting in ("galaxies", "votes"), "weighting", "must be galaxies or votes", weighting, "Choose one.")
    counts = check_votes(questions, votes)
    checked = check_predictions(questions, predictions, len(counts))
    fraction = checked["fraction"]
    volunteers, totals = volunteer_fractions(questions, counts)
    weights = totals if weighting == "votes" else (totals > 0).astype(np.float64)  # [N, Q]
    answers = weights * [len(question.answers) for question in questions.questions]
    error = volunteers - fraction
    terms = {
        "rmse": _terms(weights * sum_answers(questions, error**2), answers),
        "cumulative_rmse": _cumulative_terms(questions, volunteers, fraction, weights.max(axis=1, keepdims=True)),
        "total_absolute_error": _terms(weights * sum_answers(questions, np.abs(error)), weights),
        "accuracy": _terms(weights * _hits(questions, counts, fraction), weights),
        "log_likelihood": _likelihood_terms(questions, counts, checked, weighting),
        "calibration_error": _terms(_calibration(questions, volunteers, fraction, weights), weights),
    }
    if "fraction_lower" in checked:
        above = volunteers >= checked["fraction_lower"] - ROUNDING
        inside = above & (volunteers <= checked["fraction_upper"] + ROUNDING)
        terms["interval_coverage"] = _terms(weights * sum_answers(questions, inside.astype(np.float64)), answers)
    return terms


def metric_values(metric: str, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """A metric from sums over galaxies of its `Terms`.

    Args:
        metric: one of `METRICS`.
        numerator: [..., 1 + Q, P].
        denominator: [..., 1 + Q].

    Returns:
        [..., 1 + Q]; NaN marks a question that nobody was asked (`Evaluation` turns it into None).
    """
    parts = np.abs(numerator) if metric == "calibration_error" else numerator
    safe = np.where(denominator > 0, denominator, 1.0)
    mean = parts.sum(axis=-1) / safe
    return np.where(denominator > 0, np.sqrt(mean) if metric in ROOTS else mean, np.nan)


def _with_all(values: FloatArray) -> FloatArray:
    return np.concatenate([values.sum(axis=1, keepdims=True), values], axis=1)  # [N, 1 + Q, ...]


def _terms(numerator: FloatArray, denominator: FloatArray) -> Terms:
    if numerator.ndim == 2:
        numerator = numerator[..., np.newaxis]  # [N, Q, 1]
    return Terms(_with_all(numerator), _with_all(denominator))


def _cumulative_terms(questions: Questions, volunteers: FloatArray, fraction: FloatArray, people: FloatArray) -> Terms:
    """Of the shares of all people who gave each answer; `people` [N, 1] are the galaxies' weights."""
    volunteers, fraction = (
        values * questions.asked_probability(values)[:, questions.question_index] for values in (volunteers, fraction)
    )
    squares = sum_answers(questions, np.square(volunteers - fraction))
    return _terms(people * squares, people * [len(question.answers) for question in questions.questions])


def _likelihood_terms(
    questions: Questions, votes: FloatArray, checked: Mapping[str, FloatArray], weighting: Weighting
) -> Terms:
    values = _log_likelihoods(questions, votes, checked["fraction"], checked.get("concentration"))
    totals = _with_all(sum_answers(questions, votes))  # [N, 1 + Q]
    # A galaxy's questions are one joint observation: their log-likelihoods add, and the galaxy counts once.
    denominator = totals if weighting == "votes" else (totals > 0).astype(np.float64)
    return Terms(_with_all(values[..., np.newaxis]), denominator)


def _hits(questions: Questions, votes: FloatArray, fraction: FloatArray) -> FloatArray:
    """1 where the likeliest answer has the most votes, tied ones included: [N, Q]."""
    hits = []
    for part in questions.slices:
        most = votes[:, part].max(axis=1)
        chosen = _choose(votes[:, part], fraction[:, part].argmax(axis=1))
        hits.append(chosen >= most * (1 - ROUNDING))
    return np.stack(hits, axis=1).astype(np.float64)


def _choose(values: FloatArray, columns: np.ndarray) -> FloatArray:
    return np.asarray(np.take_along_axis(values, columns[:, np.newaxis], axis=1)[:, 0], np.float64)


def _calibration(questions: Questions, volunteers: FloatArray, fraction: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted difference of predicted and volunteers' fraction of the likeliest answer, in its bin: [N, Q, bins]."""
    result = np.zeros((*weights.shape, CALIBRATION_BINS))
    rows = np.arange(len(weights))
    for index, part in enumerate(questions.slices):
        top = fraction[:, part].argmax(axis=1)
        predicted = _choose(fraction[:, part], top)
        bins = np.clip((predicted * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
        result[rows, index, bins] = weights[:, index] * (predicted - _choose(volunteers[:, part], top))
    return result


def baseline_fractions(votes: ArrayLike, questions: Questions, weighting: Weighting = "galaxies") -> FloatArray:
    """Class means: the constant prediction that a model must beat.

        p[a] = sum over galaxies of w y[a] / sum of w

    Args:
        votes: counts of the *training* galaxies [N, A].
        questions: the decision tree that the columns follow.
        weighting: the weight w, as in the metrics.

    Returns:
        [A]; equal shares where no training galaxy was asked.

    Example:
        >>> from tfgalaxy.data.questions import Question, Questions
        >>> shape = Questions("shape", (Question("shape", ("round", "flat")),))
        >>> baseline_fractions([[1, 0], [1, 3], [0, 0]], shape).tolist()
        [0.625, 0.375]
    """
    check(weighting in ("galaxies", "votes"), "weighting", "must be galaxies or votes", weighting, "Choose one.")
    fractions, totals = volunteer_fractions(questions, votes)
    weights = totals if weighting == "votes" else (totals > 0).astype(np.float64)
    index = questions.question_index
    summed, total = (fractions * weights[:, index]).sum(axis=0), weights.sum(axis=0)[index]
    sizes = np.array([len(question.answers) for question in questions.questions], np.float64)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), 1 / sizes[index])
