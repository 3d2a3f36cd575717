"""The plan of an experiment: cells, subsets, folds, and what going on with it must agree with."""

import json

import numpy as np
import pytest

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.label_efficiency import BASELINES, REGIMES, Cell, Plan, select_cells
from tfgalaxy.evaluation.label_efficiency.experiment import time_left
from tfgalaxy.evaluation.label_efficiency.galaxies import ExperimentGalaxies, digest_catalogue
from tfgalaxy.evaluation.label_efficiency.manifest import Manifest, read_manifest, store_manifest, stored_config
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

QUESTIONS = Questions("small", (Question("bar", ("yes", "no")),))


def galaxies(count=120, folder="/im"):
    ids = [f"g{number}" for number in range(count)]
    files = [f"{folder}/{name}.jpg" for name in ids]
    votes = np.stack([np.arange(count), np.ones(count)], axis=1)
    return Catalogue(QUESTIONS, np.array(ids), np.array(files), votes, np.array([f"{folder}/u1.jpg"]))


def experiment(**fields):
    catalogue = galaxies()
    return ExperimentGalaxies(catalogue, catalogue.with_unlabelled(["/more/g3.jpg", "/more/new.jpg"]), **fields)


def labelled(part):
    """What `tfgalaxy.training.run_data.prepare_data` makes of a cell: the galaxies of each part, by id."""
    data = part.config.data
    train, validation, test = part.learnt.split(data.split_seed, data.split_fractions)
    chosen = train.take_labelled(data.labels, data.label_seed)
    return set(chosen.ids), set(validation.ids), set(test.ids), set(chosen.unlabelled_files)


def test_every_combination_is_one_cell():
    plan = Plan((30, 10), seeds=2, folds=3, more_unlabelled=True)
    cells = plan.cells()
    # Three baselines, three regimes, and the two regimes with a pool once more.
    assert len(cells) == len(set(cells)) == len({cell.name for cell in cells}) == 8 * 2 * 2 * 3
    assert plan.series == (*BASELINES, *REGIMES, "alternating+unlabelled", "two-step+unlabelled")
    assert [cell.labels for cell in cells[:16]] == [10] * 8 + [30] * 8  # a whole curve first
    assert Cell("two-step", 30, 1, 2, more_unlabelled=True) in cells
    assert not any(cell.more_unlabelled for cell in cells if cell.method in ("supervised", *BASELINES))


def test_names_say_it_all():
    assert Cell("alternating", 300, 4).name == "alternating-300-seed4"
    assert Cell("two-step", 8, 0, 3, True).name == "two-step+unlabelled-8-seed0-fold3"


def test_cells_are_chosen_by_name_and_pattern():
    cells = Plan((10, 30), seeds=3, folds=2).cells()
    assert select_cells(cells, []) == cells
    assert [cell.name for cell in select_cells(cells, ["svm-10-seed1-fold0"])] == ["svm-10-seed1-fold0"]
    chosen = select_cells(cells, ["*-seed0-*", "cnn-30-*"])
    assert {(cell.seed == 0) or (cell.method, cell.labels) == ("cnn", 30) for cell in chosen} == {True}
    assert len(chosen) == 6 * 2 * 2 + 2 * 2
    with pytest.raises(InputError, match=r"only must be a cell's name or a pattern .*, not 'svn-\*'.*for example"):
        select_cells(cells, ["svm-*", "svn-*"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": ()}, "labels must be numbers of at least 1"),
        ({"labels": (0, 5)}, "labels must be numbers of at least 1"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"folds": 1}, "folds must be at least 2"),
        ({"regimes": (), "baselines": ()}, "regimes must name at least one"),
        ({"regimes": ("magic",)}, "regimes must be one of supervised, alternating, two-step"),
    ],
)
def test_bad_plans_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        Plan(**fields)


def test_labelled_subsets_are_nested_and_the_same_for_every_method():
    made = {}
    for cell in Plan((5, 20, 40), seeds=2, more_unlabelled=True).cells():
        made[cell] = labelled(experiment().of_cell(cell, RunConfig(), None))
    for seed in (0, 1):
        by_labels = {
            count: {frozenset(made[cell][0]) for cell in made if (cell.labels, cell.seed) == (count, seed)}
            for count in (5, 20, 40)
        }
        assert all(len(subsets) == 1 for subsets in by_labels.values())
        few, some, many = (next(iter(by_labels[count])) for count in (5, 20, 40))
        assert few < some < many
        assert (len(few), len(some), len(many)) == (5, 20, 40)
    assert len({frozenset(parts[0]) for cell, parts in made.items() if cell.labels == 20}) == 2  # another for each seed
    assert len({frozenset(parts[1]) for parts in made.values()}) == 1  # the split stays
    assert len({frozenset(parts[2]) for parts in made.values()}) == 1


def test_nothing_held_out_is_learnt_from():
    for folds in (None, 4):
        for cell in Plan((5, 20), seeds=2, folds=folds, more_unlabelled=True).cells():
            part = experiment().of_cell(cell, RunConfig(), folds)
            chosen, validation, _, pool = labelled(part)
            held_out = set(part.test.ids) | validation
            assert not held_out & chosen
            assert not held_out & {file.split("/")[-1].removesuffix(".jpg") for file in pool}
            assert ("/more/new.jpg" in pool) == cell.more_unlabelled
            assert "/more/g3.jpg" not in pool  # a copy of a galaxy with votes
            assert part.test.ids.tolist() == experiment().of_cell(cell, RunConfig(), folds).test.ids.tolist()


def test_every_galaxy_is_tested_once_by_folds_and_the_fold_is_kept_from_the_run():
    plan, config = Plan((5,), ("supervised",), (), seeds=1, folds=4), RunConfig()
    parts = [experiment().of_cell(cell, config, 4) for cell in plan.cells()]
    assert sorted(name for part in parts for name in part.test.ids) == sorted(galaxies().ids)
    for part in parts:
        assert not set(part.test.ids) & set(part.learnt.ids)
        assert labelled(part)[2] == set()  # the run has no test part of its own
        assert part.config.data.split_fractions == pytest.approx((0.875, 0.125, 0))


def test_a_cell_trains_with_its_own_regime_and_seed():
    config = RunConfig(training=TrainingConfig(seed=9, epochs=7))
    part = experiment().of_cell(Cell("two-step", 20, 3), config, None)
    assert (part.config.training.regime, part.config.training.seed, part.config.training.epochs) == ("two-step", 3, 7)
    assert (part.config.data.labels, part.config.data.label_seed) == (20, 3)


@pytest.mark.parametrize("folds", [None, 5])
def test_too_many_labels_are_refused_before_anything_runs(folds):
    made = experiment()
    sizes = [len(labelled(made.of_cell(cell, RunConfig(), folds))[3]) for cell in Plan((1,), folds=folds).cells()]
    most = min(sizes)  # the other train galaxies and one more image: as many as the train part holds
    made.check_plan(Plan((most,), folds=folds), RunConfig())
    where = "the smallest train part of 5 folds" if folds else "the train part"
    with pytest.raises(InputError, match=f"labels must be at most {most}, {where}, not {most + 1}. Ask for fewer"):
        made.check_plan(Plan((10, most + 1), folds=folds), RunConfig())


def test_without_validation_a_fold_leaves_more_to_train_on():
    config = RunConfig(data=DataConfig(split_fractions=(0.8, 0.0, 0.2)))
    experiment().check_plan(Plan((96,), folds=5), config)
    with pytest.raises(InputError, match="labels must be at most 96"):
        experiment().check_plan(Plan((97,), folds=5), config)


def test_the_digest_sees_votes_and_names_but_not_folders_and_order():
    catalogue = galaxies()
    assert digest_catalogue(catalogue) == digest_catalogue(galaxies(folder="/elsewhere"))
    assert digest_catalogue(catalogue) == digest_catalogue(catalogue.subset(np.arange(120)[::-1]))
    votes = catalogue.votes.copy()
    votes[4, 0] += 1
    changed = Catalogue(QUESTIONS, catalogue.ids, catalogue.files, votes, catalogue.unlabelled_files)
    assert digest_catalogue(changed) != digest_catalogue(catalogue)
    assert digest_catalogue(catalogue.with_unlabelled(["/more/new.jpg"])) != digest_catalogue(catalogue)


def manifest(plan=None, config=None, **fields):
    plan = plan or Plan((10, 20), seeds=2)
    return Manifest(plan, config or RunConfig(), QUESTIONS, 100, 120, "abc", **fields)


def test_an_experiment_may_grow(tmp_path):
    path = tmp_path / "experiment.json"
    store_manifest(path, manifest(), {"catalogue": "votes.csv"})
    plan = Plan((20, 40), ("supervised",), (), seeds=5, more_unlabelled=True)
    grown = store_manifest(path, manifest(plan, unlabelled="def"), {})
    assert grown.plan == Plan((10, 20, 40), seeds=5, more_unlabelled=True)
    assert read_manifest(path) == grown
    assert store_manifest(path, manifest(), {}) == grown  # a smaller plan takes nothing away
    assert set(json.loads(path.read_text())) > {"versions", "commit", "sources", "catalogue", "plan"}
    assert stored_config(tmp_path) == RunConfig()
    assert stored_config(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (manifest(config=RunConfig(training=TrainingConfig(epochs=3))), "with config.training.epochs = 3, not None"),
        (manifest(Plan((10, 20), folds=3)), "with plan.folds = 3, not None"),
        (manifest().replace(catalogue="xyz"), "with catalogue = 'xyz', not 'abc'"),
        (manifest().replace(cnn_steps=5), "with cnn_steps = 5, not 100"),
        (manifest().replace(stack="another"), "with stack = 'another', not"),
        (manifest(unlabelled="other"), "with unlabelled = 'other', not 'def'"),
    ],
)
def test_another_experiment_is_refused(tmp_path, changed, words):
    path = tmp_path / "experiment.json"
    store_manifest(path, manifest(unlabelled="def"), {})
    before = path.read_text()
    with pytest.raises(InputError, match=f"must hold an experiment {words}.*name another --output"):
        store_manifest(path, changed, {})
    assert path.read_text() == before


def test_time_left_comes_from_the_most_similar_cells():
    finished = {Cell("svm", 10, 0): 6.0, Cell("supervised", 10, 0): 600.0, Cell("supervised", 20, 0): 1800.0}
    # 600 for the same point, the mean 1200 of the method's for another.
    cells = [Cell("supervised", 10, 1), Cell("supervised", 40, 1), Cell("svm", 10, 0)]
    assert time_left(cells, finished) == "about 30 min left"
    assert time_left([*cells, Cell("supervised", 20, 1)], finished) == "about 1 h 00 min left"
    assert time_left([*cells, Cell("two-step", 10, 1)], finished) == "at least 30 min left"
    assert time_left(cells[-1:], finished) == "about 0 min left"
    assert time_left(cells, {}) == "time left not known yet"
