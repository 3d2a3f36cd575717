"""From a table and a folder to a catalogue: every release's columns, every bad input, and the real tables."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from own_catalogue import GOOD, HEADER, OWN

from tfgalaxy.data.catalogue import Catalogue, Exclusion, load_catalogue
from tfgalaxy.data.exclusions import write_excluded
from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError


def test_counts_of_own_questions(make, tmp_path):
    catalogue = make(
        [[*row, 0.1] for row in GOOD], [*HEADER, "redshift"], images=["a.jpg", "x/b.png", "c.fits", "d.jpg"]
    )
    assert catalogue.ids.tolist() == ["a", "b", "c", "d"]
    assert catalogue.files.tolist() == [str(tmp_path / "im" / name) for name in ("a.jpg", "x/b.png", "c.fits", "d.jpg")]
    assert catalogue.votes.tolist() == [row[1:] for row in GOOD]
    assert catalogue.votes.dtype == np.float32
    assert catalogue.ignored_columns == ("redshift",)
    assert catalogue.summary() == "4 labelled galaxies, 0 unlabelled images, none excluded"


def test_rows_without_votes_and_other_images_are_unlabelled(make, tmp_path):
    rows = [*GOOD, ["e", 0, 0, 0, 0], ["f", None, None, None, None], ["g", 999, 999, 999, 999]]
    catalogue = make(rows, images=[f"{name}.jpg" for name in "abcdefg"] + ["other.png"])
    assert catalogue.ids.tolist() == ["a", "b", "c", "d"]
    assert catalogue.unlabelled_files.tolist() == [
        str(tmp_path / f"im/{name}") for name in ("e.jpg", "f.jpg", "g.jpg", "other.png")
    ]
    assert catalogue.excluded == ()


def test_exclusions_are_counted_and_listed_and_shift_nothing(make, tmp_path):
    rows = [
        ["a", -1, 1, 0, 0],
        *GOOD[1:],
        ["e", 1, None, 0, 0],
        ["f", 1, "many", 0, 0],
        [None, 1, 1, 1, 1],
        ["h", 7, 0, 7, 0],
        ["i", 1, 1, 0, 1],
    ]
    catalogue = make(rows, images=["a.jpg", "b.jpg", "d.jpg", "e.jpg", "f.jpg", "h.jpg", "x/h.png", "i.jpg"])
    assert dict(zip(catalogue.ids, catalogue.votes.tolist(), strict=True)) == {
        "b": [0, 5, 0, 0],
        "d": [1, 0, 1, 0],
        "i": [1, 1, 0, 1],
    }
    assert [file.rsplit("/", 1)[1] for file in catalogue.files] == ["b.jpg", "d.jpg", "i.jpg"]
    assert [(entry.id, entry.reason) for entry in catalogue.excluded] == [
        ("a", "column bar_yes is negative (-1)"),
        ("c", "no image 'c' in the image folder"),
        ("e", "column bar_no is missing while other answers of its question are there"),
        ("f", "column bar_no is no finite number"),
        ("", "row 7 of the table has no id"),
        ("h", "2 images of that name: h.jpg, x/h.png"),
    ]
    assert catalogue.excluded[0].file == str(tmp_path / "im/a.jpg")
    assert len(catalogue.unlabelled_files) == 0  # an excluded galaxy's image takes part in nothing
    assert catalogue.summary().startswith("3 labelled galaxies, 0 unlabelled images, 6 excluded (")


def test_a_copy_of_a_labelled_image_is_not_unlabelled(make):
    rows = [["a", "x/a.jpg", 1, 1, 1, 0], ["b", "x/other-name.jpg", 1, 1, 1, 0]]
    images = ["x/a.jpg", "y/a.png", "x/other-name.jpg", "y/other-name.jpg", "y/b.jpg", "new.jpg"]
    catalogue = make(rows, ["id", "file", *HEADER[1:]], images=images)
    assert len(catalogue) == 2
    assert [file.rsplit("/", 1)[1] for file in catalogue.unlabelled_files] == ["new.jpg"]


def test_columns_of_fits_writers_match_without_case_and_punctuation(make):
    questions = Questions("own", (Question("has-bar", ("yes", "no")),))
    catalogue = make([["a", 1, 2]], ["ID", "HAS_BAR_YES", "HAS_BAR_NO"], questions)
    assert catalogue.votes.tolist() == [[1, 2]]


def test_id_and_file_columns_can_be_named(make):
    catalogue = make(
        [["a", "b.jpg", 1, 1, 0, 1]],
        ["who", "where", *HEADER[1:]],
        images=["b.jpg"],
        id_column="who",
        file_column="where",
    )
    assert catalogue.ids.tolist() == ["a"]
    assert catalogue.files[0].endswith("/b.jpg")


def test_fractions_with_stated_voters(make):
    rows = [["a", 0.75, 0.25, 0.5, 0.5], ["b", 0.0, 1.0, 0.0, 0.0]]
    expected = [[30, 10, 15, 15], [0, 40, 0, 0]]
    assert make(rows, voters=40).votes.tolist() == expected
    header = ["id", *(f"{name}_fraction" for name in HEADER[1:])]
    assert make(rows, header, voters=40).votes.tolist() == expected
    totals = [[*row, *total] for row, total in zip(rows, [(40, 30), (8, 0)], strict=True)]
    header += ["bar_total-votes", "arms_total-votes"]
    assert make(totals, header).votes.tolist() == [[30, 10, 15, 15], [0, 8, 0, 0]]


def test_fractions_need_voters_and_counts_refuse_them(make):
    rows = [["a", 0.75, 0.25, 0.5, 0.5]]
    with pytest.raises(InputError, match=r"column 'bar_yes' must hold counts, not 'fractions .*Pass voters"):
        make(rows)
    with pytest.raises(InputError, match="voters must be given, since the table holds fractions"):
        make(rows, ["id", *(f"{name}_fraction" for name in HEADER[1:])])
    with pytest.raises(InputError, match="voters must be left out for a table of counts, not 40"):
        make(GOOD, voters=40)
    with pytest.raises(InputError, match="voters must be a number above 0, not 0"):
        make(rows, voters=0)


def test_hart_2016_columns(make):
    labels = Questions.preset("gz2").answer_labels
    votes = np.arange(2 * 37).reshape(2, 37)
    suffixes = ("_count", "_weight", "_fraction", "_weighted_fraction", "_debiased", "_flag")
    header = ["dr7objid", "total_classifications", "classification_count"]
    header += [label + suffix for label in labels for suffix in suffixes]
    ids = ["587722981741363294", "587722981741363323"]
    rows = [[name, 45, 45, *np.repeat(row, 6)] for name, row in zip(ids, votes, strict=True)]
    catalogue = make(rows, header, "gz2", images=[f"{name[:6]}/{name}.jpg" for name in ids])
    assert catalogue.ids.tolist() == ids
    np.testing.assert_array_equal(catalogue.votes, votes)


def test_hart_2016_fractions_use_the_classifications_and_the_tree(make):
    questions = Questions.preset("gz2")
    fractions = np.zeros(37)
    fractions[[0, 1, 3, 4, 14, 16, 9, 26]] = [0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1]
    header = ["dr7objid", "total_classifications", *(f"{label}_fraction" for label in questions.answer_labels)]
    header += [f"{label}_weighted_fraction" for label in questions.answer_labels]
    votes = make([["a", 40, *fractions, *fractions]], header, "gz2").votes[0]
    assert votes[:5].tolist() == [20, 20, 0, 10, 10]
    assert votes[[9, 14, 16, 26]].tolist() == [10, 40, 20, 10]  # odd: all three paths meet again


def test_kaggle_columns_in_either_spelling(make):
    header = [f"Class{q}.{a + 1}" for q, n in enumerate([3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6], 1) for a in range(n)]
    row = dict.fromkeys(header, 0.0)
    row |= {"Class1.1": 0.5, "Class1.2": 0.3, "Class1.3": 0.2, "Class7.2": 0.5, "Class2.2": 0.3, "Class3.2": 0.3}
    row |= {
        "Class4.1": 0.3,
        "Class5.3": 0.3,
        "Class10.1": 0.3,
        "Class11.2": 0.3,
        "Class6.1": 0.5,
        "Class6.2": 0.5,
        "Class8.6": 0.5,
    }
    for id_name in ("GalaxyID", "GalaxyId"):
        catalogue = make(
            [["100008", *row.values()]], [id_name, *header], "gz2-kaggle", images=["images_training_rev1/100008.jpg"]
        )
        votes = dict(zip(catalogue.questions.answer_labels, catalogue.votes[0], strict=True))
        assert votes["smooth-or-featured_smooth"] == pytest.approx(22)  # 44 voters by default
        assert votes["has-spiral-arms_yes"] == pytest.approx(13.2)
        assert votes["something-odd_yes"] == pytest.approx(44 * 0.8 * 0.5)  # not asked of those who saw a star
        assert votes["odd-feature_merger"] == pytest.approx(44 * 0.8 * 0.5)
    assert make(
        [["100008", *row.values()]], ["GalaxyID", *header], "gz2-kaggle", images=[], voters=10
    ).votes.sum() == pytest.approx(catalogue.votes.sum() / 4.4)
    with pytest.raises(
        InputError, match=r"column 'Class11.7' must hold the votes of an answer that questions 'gz2-kaggle' know"
    ):
        make([["100008", *row.values(), 0]], ["GalaxyID", *header, "Class11.7"], "gz2-kaggle", images=[])


def test_galaxy_zoo_1_release_table(make):
    header = ["OBJID", "RA", "DEC", "NVOTE", "P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG", "P_CS"]
    rows = [["587722981741363294", "00:00:00.41", "-10:22:25.7", 50, 0.4, 0.2, 0.1, 0.2, 0.06, 0.04, 0.5]]
    catalogue = make(rows, header, "gz1")
    np.testing.assert_allclose(catalogue.votes, [[20, 25, 5, 10, 15, 10, 5]], rtol=1e-5)


def test_decals_columns(make):
    questions = Questions.preset("decals")
    header, row = ["iauname", "wrong_size_statistic"], ["J112953.88-000427.4", 1.5]
    for number, question in enumerate(questions.questions):
        header += [f"{question.name}_total-votes"]
        row += [number * len(question.answers)]
        for answer in question.answers:
            header += [f"{question.name}_{answer}{tail}" for tail in ("", "_fraction", "_debiased")]
            row += [number, 0.1, 0.1]
    catalogue = make([row], header, "decals", images=["J112/J112953.88-000427.4.png"])
    np.testing.assert_array_equal(catalogue.votes[0], questions.question_index)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            ["id", "bar_yes", "bar_noo", "arms_1", "arms_2"],
            "column 'bar_no' must be there, since questions 'own' need counts .*Did you mean 'bar_noo'",
        ),
        (["id", "bar_yes", "a", "b", "c"], r"column 'bar_no' must be there, .*absent .3 columns are missing in all"),
        (["galaxy", *HEADER[1:]], r"catalogue must hold an id column .*name it with id_column"),
        (["id", *HEADER[1:], "bar_maybe"], "column 'bar_maybe' must hold the votes of an answer .*columns.ignore"),
        (["id", *HEADER[1:], "bar_yes"], "column 'bar_yes' must be there once, not '2 times'"),
        (["id", "Bar_Yes", "BAR_YES", *HEADER[2:]], "column 'bar_yes' must be there once"),
    ],
)
def test_wrong_columns_are_named(make, header, words):
    rows = [["a", *range(1, len(header))]]
    with pytest.raises(InputError, match=words):
        make(rows, header)


def test_a_misspelt_count_does_not_fall_back_to_fractions(make):
    header = ["id", "bar_yess", *HEADER[2:], *(f"{name}_fraction" for name in HEADER[1:])]
    with pytest.raises(InputError, match=r"column 'bar_yes' must be there, .*Did you mean 'bar_yess'"):
        make([["a", *[0.5] * 8]], header, voters=40)


def test_an_ignored_pattern_silences_a_stray_column(make, tmp_path):
    values = OWN.to_dict()
    values["columns"]["ignore"] = ["*_maybe"]
    (tmp_path / "own.json").write_text(json.dumps(values))
    catalogue = make([["a", 1, 1, 0, 1, 7]], [*HEADER, "bar_maybe"], tmp_path / "own.json")
    assert catalogue.ignored_columns == ("bar_maybe",)


def test_other_columns_of_a_release_are_no_strays(make):
    tails = ["bar_yes_fraction", "bar_no_debiased", "bar_total-votes", "arms_total_count", "bar_proportion-asked", "ra"]
    catalogue = make([["a", 1, 1, 0, 1, 0.5, 0.5, 2, 1, 0.5, 7]], [*HEADER, *tails])
    assert catalogue.ignored_columns == tuple(tails)


def test_images_default_to_the_tables_folder(tmp_path):
    (tmp_path / "votes.csv").write_text("id,bar_yes,bar_no,arms_1,arms_2\na,1,2,0,1\n")
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert len(load_catalogue(tmp_path / "votes.csv", questions=OWN)) == 1


def test_excluded_are_written_as_a_table(tmp_path):
    write_excluded(tmp_path / "excluded.csv", [Exclusion("a", "/im/a.jpg", 'no "image", sadly')])
    with (tmp_path / "excluded.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "file", "reason"], ["a", "/im/a.jpg", 'no "image", sadly']]


def test_subset_keeps_rows_together():
    catalogue = Catalogue(OWN, np.array(["a", "b", "c"]), np.array(["/a", "/b", "/c"]), np.arange(12).reshape(3, 4))
    for rows in ([2, 0], np.array([True, False, True])):
        part = catalogue.subset(rows)
        assert set(zip(part.ids, part.files, part.votes[:, 0], strict=True)) == {("a", "/a", 0), ("c", "/c", 8)}
    assert len(catalogue.subset([])) == 0


@pytest.mark.real
def test_real_galaxy_zoo_1(real_data):
    catalogue = load_catalogue(real_data / "galaxyzoo1/votes.csv", real_data / "galaxyzoo1", "gz1")
    raw = pd.read_csv(real_data / "galaxyzoo1/votes.csv", dtype={"dr7objid": str})
    assert (len(catalogue), len(catalogue.unlabelled_files), catalogue.excluded) == (4967, 0, ())
    assert catalogue.ids.tolist() == raw["dr7objid"].tolist()
    np.testing.assert_array_equal(catalogue.votes, raw[list(catalogue.questions.answer_labels)])


@pytest.mark.real
def test_real_kaggle_layout(real_data):
    catalogue = load_catalogue(
        real_data / "galaxyzoo2/training_solutions_rev1.csv", real_data / "galaxyzoo2", "gz2-kaggle"
    )
    raw = pd.read_csv(real_data / "galaxyzoo2/training_solutions_rev1.csv", dtype={"GalaxyID": str})
    assert (len(catalogue), len(catalogue.unlabelled_files), catalogue.excluded) == (502, 4000, ())
    assert catalogue.ids.tolist() == raw["GalaxyID"].tolist()
    shares, values = catalogue.votes / 44, raw.iloc[:, 1:].to_numpy()
    gated = [*range(13), *range(15, 18), *range(25, 37)]  # all but class 6 and class 8, which hangs on it
    np.testing.assert_allclose(shares[:, gated], values[:, gated], atol=2e-6)
    asked = (1 - values[:, 2])[:, None]
    others = [*range(13, 15), *range(18, 25)]
    np.testing.assert_allclose(shares[:, others], values[:, others] * asked, atol=2e-6)


def test_shares_are_disjoint_and_hold_everything():
    tree = Questions("small", (Question("bar", ("yes", "no")),))
    ids = [str(number) for number in range(7)]
    pool = [f"pool/{number}.png" for number in range(4)]
    galaxies = Catalogue(tree, ids, [f"{name}.png" for name in ids], np.ones((7, 2)), pool)
    shares = [galaxies.share(worker, 3) for worker in range(3)]
    assert [share.ids.tolist() for share in shares] == [["0", "3", "6"], ["1", "4"], ["2", "5"]]
    assert sorted(file for share in shares for file in share.unlabelled_files) == pool
    assert galaxies.share(0, 1).ids.tolist() == ids
    with pytest.raises(InputError, match="worker must be between 0 and the number of workers less one, 2, not 3"):
        galaxies.share(3, 3)
