"""Missing values, checks, and fractions turned into counts, against numbers worked out by hand."""

import numpy as np
import pytest

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.data.votes import conditional_fractions, find_bad_votes, fractions_to_votes, question_sums, unmark_missing

TREE = Questions(
    "small",
    (
        Question("shape", ("smooth", "disk", "star")),
        Question("odd", ("yes", "no"), (("shape", "smooth"), ("bar", "yes"), ("bar", "no"))),
        Question("bar", ("yes", "no"), (("shape", "disk"),)),
        Question("what", ("ring", "lens"), (("odd", "yes"),)),
    ),
)
COLUMNS = TREE.answer_labels
# smooth 0.5, disk 0.3, star 0.2; bar 1/3 of those asked; odd asked of 0.8, half say yes; of these a quarter see a ring.
CONDITIONAL = np.array([[0.5, 0.3, 0.2, 0.5, 0.5, 1 / 3, 2 / 3, 0.25, 0.75]], np.float32)
# As Kaggle wrote it: 'odd' sums to 1 whoever was asked, and what hangs on it is multiplied by its value only.
KAGGLE = np.array([[0.5, 0.3, 0.2, 0.5, 0.5, 0.1, 0.2, 0.125, 0.375]], np.float32)
VOTES = [[20, 12, 8, 16, 16, 4, 8, 4, 12]]


def bad(values, kind, totals=None, ungated=()):
    values, partial = unmark_missing(np.array(values, np.float32), TREE, (999.0,))
    return find_bad_votes(values, partial, TREE, kind, COLUMNS, totals, ungated)


def test_question_sums():
    np.testing.assert_allclose(question_sums(KAGGLE, TREE), [[1, 1, 0.3, 0.5]], rtol=1e-6)


def test_cumulative_fractions_become_conditional():
    np.testing.assert_allclose(conditional_fractions(KAGGLE, TREE), CONDITIONAL, rtol=1e-6)


def test_fractions_become_votes_of_those_who_were_asked():
    np.testing.assert_allclose(fractions_to_votes(CONDITIONAL, TREE, 40), VOTES, rtol=1e-6)
    np.testing.assert_allclose(fractions_to_votes(conditional_fractions(KAGGLE, TREE), TREE, 40), VOTES, rtol=1e-6)
    np.testing.assert_allclose(
        fractions_to_votes(np.repeat(CONDITIONAL, 2, 0), TREE, [40, 20])[1], np.array(VOTES[0]) / 2, rtol=1e-6
    )


def test_totals_per_question_need_no_tree():
    votes = fractions_to_votes(CONDITIONAL, TREE, [[40, 10, 6, 0]])
    np.testing.assert_allclose(votes, [[20, 12, 8, 5, 5, 2, 4, 0, 0]], rtol=1e-6)


def test_a_sum_near_zero_means_not_asked():
    values = CONDITIONAL.copy()
    values[0, 5:7] = [0.003, 0]
    assert fractions_to_votes(values, TREE, 40)[0, 5:7].tolist() == [0, 0]


def test_zeros_stay_zeros_without_nan():
    assert fractions_to_votes(np.zeros((2, 9)), TREE, 40).tolist() == np.zeros((2, 9)).tolist()


@pytest.mark.parametrize("marker", [np.nan, 999])
def test_a_question_that_is_missing_was_not_asked(marker):
    values, partial = unmark_missing(np.float32([[5, 3, 2, marker, marker, 1, 2, marker, marker]]), TREE, (999.0,))
    assert values.tolist() == [[5, 3, 2, 0, 0, 1, 2, 0, 0]]
    assert not partial.any()


@pytest.mark.parametrize("marker", [np.nan, 999])
def test_a_question_that_is_missing_in_part_is_a_fault(marker):
    reasons = bad([[5, 3, 2, 0, 0, 1, marker, 0, 0]], "counts")
    assert reasons == {0: "column bar_no is missing while other answers of its question are there"}


@pytest.mark.parametrize(
    ("answer", "value", "words"),
    [
        (1, -1, "column shape_disk is negative (-1)"),
        (8, np.inf, "column what_lens is no finite number"),
        (8, -np.inf, "column what_lens is no finite number"),
    ],
)
@pytest.mark.parametrize("kind", ["counts", "fractions"])
def test_bad_votes_are_named_by_row_and_column(answer, value, words, kind):
    values = np.repeat(CONDITIONAL, 3, axis=0)
    values[1, answer] = value
    assert bad(values, kind) == {1: words}


def test_fractions_must_sum_to_one():
    values = np.repeat(CONDITIONAL, 4, axis=0)
    values[1, :3] = [0.33, 0.33, 0.33]  # rounded to two decimals: fine
    values[2, 5:7] = [0.4, 0.4]
    values[3, 0:2] = [1.5, -0.7]
    assert bad(values, "fractions") == {
        2: "the answers of bar do not sum to 1 but to 0.8",
        3: "column shape_disk is negative (-0.7)",
    }
    values[3, 0:2] = [1.2, 0]
    assert bad(values, "fractions")[3] == "column shape_smooth is a fraction above 1 (1.2)"


def test_cumulative_fractions_must_sum_to_their_parents_share():
    values = np.repeat(KAGGLE, 4, axis=0)
    values[1, 5:7] = [0.3, 0.7]  # conditional by mistake: 1 where the parents' share is 0.3
    values[2] = 0  # a galaxy without votes
    values[3, 7:] = 0  # 'odd: yes' has 0.5, so somebody was asked what it is
    assert bad(values, "cumulative", ungated=("odd",)) == {
        1: "the answers of bar do not sum to the share of its parents but to 1",
        3: "the answers of what do not sum to the share of its parents but to 0",
    }
    assert bad(values[:1], "cumulative") == {0: "the answers of odd do not sum to the share of its parents but to 1"}


def test_counts_must_sum_to_their_total():
    values = np.repeat(np.float32(VOTES), 3, axis=0)
    totals = np.float32([[40, 32, 12, 16], [40, 32, 20, 16], [40.2, 32, 12, np.nan]])
    assert bad(values, "counts", totals) == {
        1: "the answers of bar do not sum to its total but to 12",
        2: "the number of voters of what is nan",
    }


def test_totals_of_the_galaxy_must_be_numbers_where_it_has_votes():
    values = np.concatenate([CONDITIONAL, CONDITIONAL, np.zeros_like(CONDITIONAL)])
    assert bad(values, "fractions", np.float32([[40], [-1], [np.nan]])) == {1: "the number of voters of shape is -1"}
