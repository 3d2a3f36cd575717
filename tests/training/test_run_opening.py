"""Runs that go on in a directory which a killed process has left."""

import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.run_directory import RunDirectory
from tfgalaxy.training.run_opening import open_run
from tfgalaxy.training.strategy import choose_devices


@pytest.mark.parametrize("started", [True, False])
def test_what_a_killed_process_left_unfinished_is_removed(tmp_path, started):
    run, config = RunDirectory(tmp_path / "run"), RunConfig()
    if started:
        run.create(config, {})
    unfinished = run.path / ".partial-33aa87b2a472-history.csv"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.write_text("epoch,")
    (run.path / ".partial-33aa87b2a472-folder").mkdir()
    with open_run(run.path, config, True, {}, choose_devices("auto")) as opened:
        assert [path.name for path in opened.path.iterdir()] == ["run.json"]


def test_without_resume_a_directory_that_holds_something_is_refused(tmp_path):
    (tmp_path / ".partial-33aa87b2a472-history.csv").write_text("epoch,")
    with (
        pytest.raises(InputError, match="add --resume"),
        open_run(tmp_path, RunConfig(), False, {}, choose_devices("auto")),
    ):
        pass
    assert len(list(tmp_path.iterdir())) == 1


def refuse(run, resume, left_behind=()):
    """Opens the run, writes some files, and refuses it."""
    with open_run(run.path, RunConfig(), resume, {}, choose_devices("auto")):
        for path in left_behind:
            path.write_text("id,part,file")
        raise InputError("labels", "must be fewer", "too many")


def test_a_new_run_that_is_refused_before_it_begins_leaves_nothing(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(InputError, match="too many"):
        refuse(run, resume=False)
    assert not run.path.exists()


def test_what_a_run_has_done_outlives_a_refusal(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(InputError, match="too many"):
        refuse(run, resume=False, left_behind=[run.split_file])
    assert run.split_file.is_file()
    run.split_file.unlink()
    with pytest.raises(InputError, match="too many"):
        refuse(run, resume=True)
    assert run.run_file.is_file()
