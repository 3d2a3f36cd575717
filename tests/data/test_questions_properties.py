"""Decision trees go to JSON and back unchanged, keep their invariants, and are refused by the package's error only."""

import contextlib
import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfgalaxy.data.columns import match_columns
from tfgalaxy.data.questions import PRESETS, Question, Questions
from tfgalaxy.errors import InputError

FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=6)


@st.composite
def trees(draw):
    """Questions in random order, each asked of all or after answers of those before it, with swaps of answers."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    questions, swaps = [], []
    for number, name in enumerate(names):
        answers = tuple(draw(st.lists(NAMES, min_size=2, max_size=4, unique=True)))
        parents = [(question.name, answer) for question in questions[:number] for answer in question.answers]
        after = draw(st.lists(st.sampled_from(parents), max_size=3, unique=True)) if parents else []
        questions.append(Question(f"q{number}{name}", answers, tuple(after)))
        if draw(st.booleans()):
            swaps.append((f"q{number}{name}", *answers[:2]))
    return Questions("drawn", tuple(draw(st.permutations(questions))), tuple(swaps))


@FAST
@given(trees())
def test_a_tree_comes_back_from_its_file(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("tree") / "tree.json"
    tree.to_json(path)
    again = Questions.from_json(path)
    assert again == tree
    assert hash(again) == hash(tree)


@FAST
@given(trees(), st.integers(0, 2**32 - 1))
def test_a_tree_keeps_its_invariants(tree, seed):
    flip = tree.flip_permutation
    np.testing.assert_array_equal(flip[flip], np.arange(tree.num_answers))
    np.testing.assert_array_equal(tree.question_index[flip], tree.question_index)
    fractions = np.random.default_rng(seed).random(tree.num_answers)
    for part in tree.slices:
        fractions[part] /= fractions[part].sum()
    asked = tree.asked_probability(fractions)
    assert ((asked >= 0) & (asked <= 1)).all()
    assert all(asked[question] == 1 for question, parents in enumerate(tree.parents) if not parents)
    places = {question: place for place, question in enumerate(tree.order)}
    for question, parents in enumerate(tree.parents):
        assert all(places[tree.question_index[parent]] < places[question] for parent in parents)


@FAST
@given(trees())
def test_a_trees_own_columns_are_found(tree):
    columns = ["id", *tree.answer_labels]
    try:
        match = match_columns(tree, columns)
    except InputError as error:
        found = str(error)  # labels that differ in case only are ambiguous
    else:
        found = [name for (name,) in match.answers]
    assert found == list(tree.answer_labels) or "must be there once" in found


def damage(draw, value):
    """One value of a JSON tree, wherever, replaced or dropped."""
    holder, key = {"": value}, ""
    while isinstance(holder[key], dict | list) and len(holder[key]) and draw(st.integers(0, 4)):
        holder = holder[key]
        key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    wrong = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({}) | st.just([[]])
    holder[key] = draw(wrong | st.sampled_from(["{answer}", "{question:>9999999999}", "{0}", "(", "gz1", float("nan")]))
    return value


@st.composite
def damaged_presets(draw):
    """A preset's JSON with one to three damages."""
    value = Questions.preset(draw(st.sampled_from(PRESETS))).to_dict()
    for _ in range(draw(st.integers(1, 3))):
        value = damage(draw, value)
    return value


@FAST
@given(damaged_presets())
def test_a_damaged_tree_is_refused_by_name_or_is_a_tree(value):
    try:
        tree = Questions.from_dict(json.loads(json.dumps(value)))
    except InputError:
        return
    assert Questions.from_dict(tree.to_dict()) == tree
    with contextlib.suppress(InputError):
        match_columns(tree, ["id", *tree.answer_labels])
