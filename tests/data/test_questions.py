"""Decision trees: presets against FORMATS' trees, the rules, and properties over drawn trees."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgalaxy.data.questions import PRESETS, Question, Questions, load_questions
from tfgalaxy.errors import InputError

YES_NO = ("yes", "no")


def ask(name, *after, answers=YES_NO):
    return Question(name, answers, tuple(after))


@pytest.mark.parametrize(
    ("preset", "questions", "answers"), [("gz1", 3, 7), ("gz2", 11, 37), ("gz2-kaggle", 11, 37), ("decals", 10, 34)]
)
def test_presets_have_the_sizes_of_their_releases(preset, questions, answers):
    tree = Questions.preset(preset)
    assert (tree.name, tree.num_questions, tree.num_answers) == (preset, questions, answers)


@pytest.mark.parametrize("preset", ["gz2", "gz2-kaggle"])
def test_galaxy_zoo_2_has_its_true_tree(preset):
    tree = Questions.preset(preset)
    # (question number, answer number) that lead to each question, from the Kaggle decision-tree page.
    ways = {
        1: [],
        2: [(1, 2)],
        3: [(2, 2)],
        4: [(2, 2)],
        5: [(2, 2)],
        7: [(1, 1)],
        8: [(6, 1)],
        9: [(2, 1)],
        10: [(4, 1)],
        11: [(4, 1)],
    }
    ways[6] = [(5, 1), (5, 2), (5, 3), (5, 4), (7, 1), (7, 2), (7, 3), (9, 1), (9, 2), (9, 3)]
    starts = np.cumsum([0, 3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6])
    for number, parents in ways.items():
        assert tree.parents[number - 1] == tuple(starts[q - 1] + a - 1 for q, a in parents), number
    assert [part.start for part in tree.slices] == starts[:-1].tolist()


def test_galaxy_zoo_2_labels_are_harts_columns():
    labels = Questions.preset("gz2").answer_labels
    assert labels[0] == "t01_smooth_or_features_a01_smooth"
    assert labels[24] == "t08_odd_feature_a38_dust_lane"
    assert labels[-1] == "t11_arms_number_a37_cant_tell"


def test_decals_tree():
    tree = Questions.preset("decals")
    parents = {q.name: {tree.answer_labels[a] for a in p} for q, p in zip(tree.questions, tree.parents, strict=True)}
    face_on = {"disk-edge-on_no"}
    assert parents["bar"] == parents["bulge-size"] == parents["has-spiral-arms"] == face_on
    assert parents["merging"] == {"smooth-or-featured_smooth", "smooth-or-featured_featured-or-disk"}
    assert parents["edge-on-bulge"] == {"disk-edge-on_yes"}


def test_order_puts_parents_first():
    for preset in PRESETS:
        tree = Questions.preset(preset)
        place = {question: place for place, question in enumerate(tree.order)}
        assert sorted(place) == list(range(tree.num_questions))
        for question, parents in enumerate(tree.parents):
            assert all(place[tree.question_index[answer]] < place[question] for answer in parents)


def test_asked_probability_with_three_parents_by_hand():
    tree = Questions(
        "small",
        (
            # The joint question stands first in the file, behind all of its parents in the tree.
            ask("odd", ("round", "yes"), ("round", "no"), ("edge", "yes"), ("spiral", "yes")),
            ask("shape", answers=("smooth", "disk", "star")),
            ask("round", ("shape", "smooth")),
            ask("edge", ("shape", "disk")),
            ask("spiral", ("edge", "no")),
        ),
    )
    fractions = [0.5, 0.5, 0.4, 0.5, 0.1, 0.7, 0.3, 0.2, 0.8, 0.25, 0.75]
    # odd: smooth 0.4 + disk 0.5 * edge-on 0.2 + disk 0.5 * face-on 0.8 * spiral 0.25 = 0.4 + 0.1 + 0.1
    np.testing.assert_allclose(tree.asked_probability(fractions), [0.6, 1.0, 0.4, 0.5, 0.4], rtol=1e-12)
    batch = np.broadcast_to(np.float32(fractions), (2, 3, 11))
    asked = tree.asked_probability(batch)
    assert asked.shape == (2, 3, 5)
    assert asked.dtype == np.float32
    np.testing.assert_allclose(asked[1, 2], [0.6, 1.0, 0.4, 0.5, 0.4], rtol=1e-6)


def test_asked_probability_never_exceeds_one_and_checks_the_shape():
    tree = Questions("small", (ask("a"), ask("b", ("a", "yes"), ("a", "no"))))
    assert tree.asked_probability([0.9, 0.9, 0.5, 0.5]).tolist() == [1, 1]
    with pytest.raises(InputError, match=r"fractions must have 4 answers on its last axis, not \(3,\)"):
        tree.asked_probability([0.5, 0.5, 1.0])


def test_a_flip_exchanges_only_the_winding_of_galaxy_zoo_1():
    tree = Questions.preset("gz1")
    votes = np.array([1, 9, 0, 2, 7, 5, 2])
    assert votes[tree.flip_permutation].tolist() == [1, 9, 0, 2, 7, 2, 5]
    assert not tree.flip_permutation.flags.writeable


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ((), "at least one question"),
        ((ask("a"), ask("a")), "questions must not hold a duplicate question, not 'a'"),
        ((ask("a"), ask("b", ("c", "yes"))), "asked_after of question 'b' must name known questions .a, b., not 'c'"),
        ((ask("a"), ask("b", ("a", "si"))), "must name an answer of 'a' .yes, no., not 'si'"),
        ((ask("a", ("a", "yes")),), "cycle of questions that lead to each other, not 'a -> a'"),
        (
            (ask("x"), ask("a", ("b", "no")), ask("b", ("a", "no"))),
            "cycle of questions .* not '(a -> b -> a|b -> a -> b)'",
        ),
        # A cycle that can be reached is still one.
        ((ask("x"), ask("a", ("x", "no"), ("b", "no")), ask("b", ("a", "no"))), "cycle of questions"),
        (
            (ask("x"), ask("a", ("b", "no")), ask("b", ("a", "no")), ask("c", ("b", "yes"))),
            "question 'c' must be reachable from a question that is asked of all, not 'unreachable behind the cycle",
        ),
        ((Question("a", ("b_c", "d")), Question("a_b", ("c", "d"))), "own label .* not \"'a_b_c' for two answers"),
    ],
)
def test_the_validator_names_what_is_wrong(questions, words):
    with pytest.raises(InputError, match=words):
        Questions("wrong", questions)


@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        ("a", ("yes", "no", "yes"), "question 'a' must not have a duplicate answer, not 'yes'"),
        ("a", ("yes",), "question 'a' must have at least two answers"),
        (" a", YES_NO, "question must be printable text without blanks"),
        ("a", ("yes\n", "no"), "answer of question 'a' must be printable"),
    ],
)
def test_a_question_names_what_is_wrong(name, answers, words):
    with pytest.raises(InputError, match=words):
        Question(name, answers)


def test_a_way_to_a_question_is_listed_once():
    with pytest.raises(InputError, match="question 'b' must not list the same way to it twice, not 'a: no'"):
        ask("b", ("a", "no"), ("a", "no"))


@pytest.mark.parametrize(
    ("swaps", "words"),
    [
        ((("b", "yes", "no"),), "flip_swaps must name a known question, not 'b'"),
        ((("a", "yes", "non"),), "flip_swaps must name answers of 'a' .yes, no, maybe., not 'non'"),
        ((("a", "yes", "yes"),), "flip_swaps must exchange two different answers"),
        ((("a", "yes", "no"), ("a", "maybe", "no")), "flip_swaps must exchange an answer only once, not 'a: no'"),
    ],
)
def test_bad_flip_swaps_are_named(swaps, words):
    with pytest.raises(InputError, match=words):
        Questions("wrong", (ask("a", answers=("yes", "no", "maybe")),), swaps)


def test_load_questions_takes_presets_files_and_questions(tmp_path):
    tree = Questions.preset("gz1")
    tree.to_json(tmp_path / "mine.json")
    assert load_questions(tmp_path / "mine.json") == load_questions("gz1") == load_questions(tree) == tree


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("gz3", "questions must be a preset .gz1, gz2, gz2-kaggle, decals. or a JSON file, not 'gz3'. Did you mean"),
        ("absent.json", "absent.json must be a readable JSON file"),
        (7, "questions must be a preset, a JSON file or Questions, not 7"),
    ],
)
def test_unknown_questions_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        load_questions(given)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "must hold valid JSON"),
        ('{"name": "a"}', "must have all required keys, not 'without questions'"),
        ('{"name": "a", "questions": [{"name": "b"}]}', "must have all required keys, not 'without answers'"),
        ('{"name": "a", "questions": [], "color": 1}', "must have only the keys"),
        (
            '{"name": "a", "questions": [{"name": "b", "answers": ["c", "c"]}]}',
            "mine.json: question 'b' .* duplicate answer",
        ),
        (
            '{"name": "a", "questions": [{"name": "b", "answers": ["c", "d"]}], '
            '"columns": {"votes": [{"pattern": "{x}"}]}}',
            "pattern of known fields",
        ),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, words):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        load_questions(path)
    assert "mine.json" in str(caught.value)


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ({"pattern": "{question}"}, "pattern must tell answers apart"),
        ({"like": "("}, "like must be a regular expression"),
        ({"kind": "percent"}, "kind must be one of counts, fractions, cumulative"),
        ({"sums": [["a"]]}, "columns.votes.sums must have an entry for each of the 2 answers, not 1"),
        ({"ungated": ["c"]}, "columns.votes.ungated must name known questions, not 'c'"),
    ],
)
def test_a_bad_convention_is_named(votes, words):
    tree = {"name": "a", "questions": [{"name": "b", "answers": ["c", "d"]}], "columns": {"votes": [votes]}}
    with pytest.raises(InputError, match=words):
        Questions.from_dict(tree)


@st.composite
def trees(draw):
    """Trees whose questions hang on earlier ones, in shuffled order, with some swaps."""
    sizes = draw(st.lists(st.integers(2, 5), min_size=1, max_size=6))
    made = []
    for number, size in enumerate(sizes):
        pairs = [(q.name, answer) for q in made for answer in q.answers]
        after = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else []
        made.append(Question(f"q{number}", tuple(f"a{answer}" for answer in range(size)), tuple(after)))
    swaps = []
    for question in made:
        order = draw(st.permutations(question.answers))
        swaps += [(question.name, *order[:2])] * draw(st.booleans())
    return Questions("drawn", tuple(draw(st.permutations(made))), tuple(swaps))


@given(trees())
@settings(max_examples=60, deadline=None)
def test_json_round_trip(tree):
    again = Questions.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert again == tree
    assert hash(again) == hash(tree)
    assert again.parents == tree.parents


@given(trees())
@settings(max_examples=60, deadline=None)
def test_a_second_flip_undoes_the_first(tree):
    flip = tree.flip_permutation
    np.testing.assert_array_equal(flip[flip], np.arange(tree.num_answers))
    np.testing.assert_array_equal(tree.question_index[flip], tree.question_index)
    assert (flip != np.arange(tree.num_answers)).sum() == 2 * len(tree.flip_swaps)


@given(trees(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_asked_probability_is_what_walking_volunteers_see(tree, seed):
    """Independent of the topological order: recursion from each question up to the roots."""
    rng = np.random.default_rng(seed)
    fractions = np.concatenate([rng.dirichlet(np.ones(len(q.answers))) for q in tree.questions])

    def asked(question):
        ways = tree.parents[question]
        return min(1, sum(asked(tree.question_index[a]) * fractions[a] for a in ways)) if ways else 1

    expected = [asked(question) for question in range(tree.num_questions)]
    np.testing.assert_allclose(tree.asked_probability(fractions), expected, rtol=1e-9)
