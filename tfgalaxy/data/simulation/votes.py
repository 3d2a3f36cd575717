"""Volunteers: what people would answer about a galaxy, and their walk through the decision tree."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.questions import Question, Questions, load_questions
from tfgalaxy.data.simulation.parameters import Galaxy

__all__ = [
    "SIMULATED_QUESTIONS",
    "all_simulated_questions",
    "answer_probabilities",
    "cast_votes",
    "simulated_questions",
    "visibility",
]

Array = NDArray[np.float64]

SIMULATED_QUESTIONS = ("gz2", "gz1")
# Galaxies of the same parameters do not get the same votes: fractions vary as a Dirichlet distribution of this
# concentration.
_CONCENTRATION = 30.0


def simulated_questions(questions: str | Questions) -> Questions:
    """The decision tree `gz2` or `gz1`.

    Raises:
        InputError: another tree, of which the simulation does not know what people would answer.
    """
    tree = load_questions(questions)
    rule = f"must be one of {', '.join(SIMULATED_QUESTIONS)} for simulated galaxies"
    check(
        tree.name in SIMULATED_QUESTIONS and tree == Questions.preset(tree.name),
        "questions",
        rule,
        tree.name,
        "Choose one of them.",
    )
    return tree


@functools.cache
def all_simulated_questions() -> Questions:
    """All that the simulation knows answers to: Galaxy Zoo 2's tree, and which way the arms of spirals wind."""
    tree = Questions.preset("gz2")
    winding = Question("winding", ("clockwise", "anticlockwise"), asked_after=(("t04_spiral", "a08_spiral"),))
    swap = ("winding", "clockwise", "anticlockwise")
    return Questions("simulated", (*tree.questions, winding), flip_swaps=(swap,))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def visibility(galaxy: Galaxy) -> float:
    """How well details show, from 0 to 1: small, faint or inclined galaxies hide them."""
    resolved = galaxy.half_light_radius * math.sqrt(galaxy.axis_ratio) / galaxy.seeing
    foreshortening = min(1.0, 0.25 + 1.5 * galaxy.axis_ratio)
    return foreshortening * _sigmoid(1.4 * (resolved - 2.2)) * _sigmoid(0.5 * (galaxy.signal - 6.0))


def _yes(probability: float) -> Array:
    return np.array([probability, 1 - probability])


def _ordinal(value: float, centres: tuple[float, ...], width: float, floor: float = 0.02) -> Array:
    """Answers along a scale: each is chosen the more often, the closer its centre is to the value."""
    weights = np.exp(-0.5 * ((value - np.array(centres)) / width) ** 2) + floor
    return np.asarray(weights / weights.sum())


def _seen(galaxy: Galaxy) -> dict[str, float]:
    """How strongly people see each feature of a galaxy, from 0 to 1."""
    clear = visibility(galaxy)
    spiral = galaxy.arm_strength * clear if galaxy.kind == "spiral" else 0.0
    return {
        "arms": 1 - (1 - spiral) ** 2,
        "bar": galaxy.bar_strength * clear * (0.4 + 0.6 * math.cos(galaxy.inclination)),
        "ring": galaxy.ring_strength * clear,
    }


def _smooth_or_features(galaxy: Galaxy) -> Array:
    seen = _seen(galaxy)
    base = {
        "smooth": 0.07,
        "disk": 0.3,
        "spiral": 0.32,
        "edge_on": 0.3,
        "merger": 0.5,
        "irregular": 0.55,
        "artefact": 0.1,
    }
    plain = 1 - base[galaxy.kind]
    if galaxy.kind == "disk":
        plain = 1 - 0.1 - 0.35 * (1 - galaxy.bulge_fraction)
    # What is elongated looks like a disk from its side.
    needle = _sigmoid((0.3 - galaxy.axis_ratio) / 0.05)
    plain *= (1 - seen["arms"]) * (1 - 0.8 * seen["bar"]) * (1 - 0.6 * seen["ring"]) * (1 - 0.75 * needle)
    artefact = 0.85 if galaxy.artefact else 0.015 + 0.06 * (1 - visibility(galaxy))
    return np.array([(1 - artefact) * plain, (1 - artefact) * (1 - plain), artefact])


def _edge_on(galaxy: Galaxy) -> Array:
    """A thin disk is called edge-on from about 75 degrees; what is no disk, by its outline."""
    if galaxy.inclination > 0:
        return _yes(0.03 + 0.94 * _sigmoid((galaxy.inclination - 1.33) / 0.06))
    return _yes(0.03 + 0.7 * _sigmoid((0.33 - galaxy.axis_ratio) / 0.06))


def _bar(galaxy: Galaxy) -> Array:
    return _yes(0.06 + 0.88 * _seen(galaxy)["bar"])


def _spiral(galaxy: Galaxy) -> Array:
    background = 0.25 if galaxy.kind == "merger" else 0.1
    return _yes(background + (0.96 - background) * _seen(galaxy)["arms"])


def _bulge_prominence(galaxy: Galaxy) -> Array:
    fraction = 0.7 if galaxy.kind == "smooth" else galaxy.bulge_fraction
    return _ordinal(math.sqrt(fraction), (0.0, 0.35, 0.62, 0.9), width=0.13)


def _oddities(galaxy: Galaxy) -> dict[str, float]:
    """How odd a galaxy is in each way that people can name, from 0 to 1, in the order of the answers."""
    merging = galaxy.companion_flux > 0
    edge_on_dust = galaxy.dust_strength / (galaxy.dust_strength + 0.7) if galaxy.dust_strength else 0.0
    return {
        "ring": 0.85 * _seen(galaxy)["ring"],
        "lens": 0.005,
        "disturbed": 0.35 if merging else 0.5 * max(galaxy.asymmetry - 0.25, 0),
        "irregular": 0.8 if galaxy.kind == "irregular" else 0.01,
        "other": 0.03,
        "merger": 0.9 if merging else 0.02,
        "dust": 0.8 * edge_on_dust * visibility(galaxy),
    }


def _odd(galaxy: Galaxy) -> Array:
    return _yes(1 - math.prod(1 - strength for strength in _oddities(galaxy).values()))


def _odd_feature(galaxy: Galaxy) -> Array:
    weights = np.array(list(_oddities(galaxy).values())) ** 1.5 + 0.004
    return np.asarray(weights / weights.sum())


def _rounded(galaxy: Galaxy) -> Array:
    return _ordinal(galaxy.axis_ratio, (1.0, 0.62, 0.22), width=0.14)


def _bulge_shape(galaxy: Galaxy) -> Array:
    fraction = 0.5 if galaxy.kind == "smooth" else galaxy.bulge_fraction
    none = 1 - _sigmoid((fraction - 0.12) / 0.05)
    boxy = 0.04 + 0.6 * galaxy.bulge_boxiness
    return np.array([(1 - none) * (1 - boxy), (1 - none) * boxy, none])


def _arms_winding(galaxy: Galaxy) -> Array:
    return _ordinal(galaxy.pitch_angle or 0.3, (0.2, 0.35, 0.55), width=0.09, floor=0.04)


def _arms_number(galaxy: Galaxy) -> Array:
    cannot_tell = 0.75 - 0.65 * visibility(galaxy) * galaxy.arm_strength
    if not galaxy.arms:
        return np.append(0.1 * _ordinal(2, (1, 2, 3, 4, 5), width=0.7), 0.9)
    return np.append((1 - cannot_tell) * _ordinal(galaxy.arms, (1, 2, 3, 4, 5), width=0.45), cannot_tell)


def _winding(galaxy: Galaxy) -> Array:
    sureness = galaxy.winding * _seen(galaxy)["arms"]
    return _yes(0.5 + 0.48 * sureness)


def _button(galaxy: Galaxy) -> Array:
    """Galaxy Zoo 1 had one page with six buttons: spirals, edge-on disks, ellipticals, 'merger' and 'star or don't
    know'."""
    smooth, features, artefact = _smooth_or_features(galaxy)
    unsure = 0.12 * (1 - visibility(galaxy)) + (0.65 if galaxy.companion_flux else 0.0)
    return np.array([smooth * (1 - unsure), features * (1 - unsure), artefact * (1 - unsure) + unsure])


_Answers = dict[str, Callable[[Galaxy], Array]]
_ANSWERS: dict[str, _Answers] = {
    "gz2": {
        "t01_smooth_or_features": _smooth_or_features,
        "t02_edgeon": _edge_on,
        "t03_bar": _bar,
        "t04_spiral": _spiral,
        "t05_bulge_prominence": _bulge_prominence,
        "t06_odd": _odd,
        "t07_rounded": _rounded,
        "t08_odd_feature": _odd_feature,
        "t09_bulge_shape": _bulge_shape,
        "t10_arms_winding": _arms_winding,
        "t11_arms_number": _arms_number,
    },
    "gz1": {
        "smooth-or-featured": _button,
        "disk-edge-on": _edge_on,
        "spiral-winding": _winding,
    },
}


_ANSWERS["simulated"] = {**_ANSWERS["gz2"], "winding": _winding}


def answer_probabilities(galaxy: Galaxy, questions: Questions) -> Array:
    """The probability of each answer among people who are asked the question.

    Args:
        galaxy: what is shown.
        questions: `gz2` or `gz1`, from `simulated_questions`, or `all_simulated_questions`.

    Returns:
        [A]; the answers of a question sum to 1. Fractions of votes scatter about it by more than the multinomial, since
        people agree on details that the parameters do not hold.
    """
    answers = _ANSWERS[questions.name]
    return np.concatenate([answers[question.name](galaxy) for question in questions.questions])


def cast_votes(
    probabilities: Array, questions: Questions, voters: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Votes of people who walk through the tree one by one: an answer decides which questions come next.

    Args:
        probabilities: [A], of each answer among those asked.
        questions: the tree.
        voters: number of people.
        rng: random numbers.

    Returns:
        [A] counts. A question has as many votes as the answers that lead to it.
    """
    given = np.zeros((voters, questions.num_answers), bool)
    for question in questions.order:
        answers = questions.slices[question]
        # gamma variables over their sum are Dirichlet; the small shift keeps one positive when all would underflow.
        fractions = rng.gamma(_CONCENTRATION * probabilities[answers]) + 1e-9
        edges = np.cumsum(fractions / fractions.sum())[:-1]
        choice = np.searchsorted(edges, rng.uniform(size=voters), side="right")
        parents = questions.parents[question]
        asked = given[:, list(parents)].any(axis=1) if parents else np.ones(voters, bool)
        given[asked, answers.start + choice[asked]] = True
    return given.sum(axis=0).astype(np.float32)
