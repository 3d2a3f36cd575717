"""Volunteers of the simulation: their walk through the tree, and what they see."""

import dataclasses

import numpy as np
import pytest

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.data.simulation import Galaxy, answer_probabilities, cast_votes, draw_galaxy
from tfgalaxy.data.simulation.votes import simulated_questions
from tfgalaxy.errors import InputError

SPIRAL = Galaxy(
    kind="spiral",
    centre_x=0.0,
    centre_y=0.0,
    position_angle=0.3,
    inclination=0.3,
    axis_ratio=0.95,
    half_light_radius=0.18,
    sersic_index=1.0,
    signal=25.0,
    seeing=0.025,
    bulge_fraction=0.15,
    arms=2,
    arm_strength=1.0,
    pitch_angle=0.2,
    winding=1,
)


def probability(galaxy, answer, tree="gz2"):
    questions = simulated_questions(tree)
    (index,) = [i for i, label in enumerate(questions.answer_labels) if label.endswith(answer)]
    return answer_probabilities(galaxy, questions)[index]


@pytest.mark.parametrize("tree", ["gz2", "gz1"])
def test_probabilities_of_all_galaxies_are_distributions(tree):
    questions = simulated_questions(tree)
    for index in range(300):
        probabilities = answer_probabilities(draw_galaxy(5, index), questions)
        assert np.isfinite(probabilities).all()
        assert (probabilities > 0).all()
        for answers in questions.slices:
            assert probabilities[answers].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("tree", ["gz2", "gz1"])
def test_a_question_has_the_votes_of_the_answers_that_lead_to_it(tree):
    questions = simulated_questions(tree)
    rng = np.random.default_rng(0)
    for index in range(40):
        votes = cast_votes(answer_probabilities(draw_galaxy(1, index), questions), questions, 40, rng)
        for answers, parents in zip(questions.slices, questions.parents, strict=True):
            expected = votes[list(parents)].sum() if parents else 40
            assert votes[answers].sum() == expected


def test_a_voter_with_two_ways_to_a_question_answers_it_once():
    questions = Questions(
        "two ways",
        (
            Question("a", ("yes", "no")),
            Question("b", ("yes", "no")),
            Question("c", ("yes", "no"), asked_after=(("a", "yes"), ("b", "yes"))),
        ),
    )
    certain = np.array([1.0, 1e-9, 1.0, 1e-9, 0.5, 0.5])
    votes = cast_votes(certain, questions, 25, np.random.default_rng(0))
    assert votes[:4].tolist() == [25, 0, 25, 0]
    assert votes[4:].sum() == 25


def test_votes_scatter_as_a_dirichlet_multinomial():
    questions = Questions("one", (Question("a", ("yes", "no")),))
    rng = np.random.default_rng(0)
    votes = np.array([cast_votes(np.array([0.3, 0.7]), questions, 40, rng)[0] for _ in range(4000)])
    # Variance of the beta-binomial with concentration 30: n p q (30 + n) / (30 + 1).
    assert votes.mean() == pytest.approx(12.0, rel=0.03)
    assert votes.var() == pytest.approx(40 * 0.3 * 0.7 * 70 / 31, rel=0.1)


def test_people_see_what_is_there():
    assert probability(SPIRAL, "a02_features_or_disk") > 0.85
    assert probability(SPIRAL, "a08_spiral") > 0.85
    assert probability(SPIRAL, "a06_bar") < 0.15
    assert probability(SPIRAL, "a32_2") > 0.6
    assert probability(SPIRAL, "a28_tight") > 0.5
    barred = dataclasses.replace(SPIRAL, bar_strength=1.0, bar_length=0.15)
    assert probability(barred, "a06_bar") > 0.7
    edge_on = dataclasses.replace(SPIRAL, kind="edge_on", arms=0, winding=0, inclination=1.55, axis_ratio=0.1)
    assert probability(edge_on, "a04_yes") > 0.9
    merger = dataclasses.replace(SPIRAL, kind="merger", companion_flux=0.8, companion_distance=0.2)
    assert probability(merger, "a14_yes") > 0.85
    assert probability(merger, "a24_merger") > 0.5
    ringed = dataclasses.replace(SPIRAL, ring_strength=1.0, ring_radius=0.2)
    assert probability(ringed, "a19_ring") > 0.5
    star = dataclasses.replace(SPIRAL, kind="artefact", artefact="star")
    assert probability(star, "a03_star_or_artifact") > 0.8


@pytest.mark.parametrize("change", [{"half_light_radius": 0.05}, {"signal": 3.0}, {"axis_ratio": 0.25}])
def test_small_faint_and_inclined_arms_are_missed(change):
    assert probability(dataclasses.replace(SPIRAL, **change), "a08_spiral") < probability(SPIRAL, "a08_spiral") - 0.1


def test_a_mirror_flip_swaps_the_handedness():
    questions = simulated_questions("gz1")
    mirrored = dataclasses.replace(SPIRAL, winding=-1)
    left, right = answer_probabilities(SPIRAL, questions), answer_probabilities(mirrored, questions)
    np.testing.assert_allclose(left[questions.flip_permutation], right)
    assert probability(SPIRAL, "spiral-winding_clockwise", "gz1") > 0.85
    assert probability(mirrored, "spiral-winding_clockwise", "gz1") < 0.15


@pytest.mark.parametrize("tree", ["decals", "gz2-kaggle"])
def test_other_trees_are_refused(tree):
    with pytest.raises(InputError, match=f"questions must be one of gz2, gz1 for simulated galaxies, not '{tree}'"):
        simulated_questions(tree)


def test_a_changed_preset_is_refused():
    changed = dataclasses.replace(Questions.preset("gz1"), flip_swaps=())
    with pytest.raises(InputError, match="must be one of gz2, gz1"):
        simulated_questions(changed)
