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


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_refused_before_it_begins_leaves_nothing(tmp_path, begun):
    run, config = RunDirectory(tmp_path / "run"), RunConfig()
    with pytest.raises(InputError, match="too many"), open_run(run.path, config, False, {}, choose_devices("auto")):
        if begun:
            run.split_file.write_text("id,part,file")
        raise InputError("labels", "must be fewer", "too many")
    assert run.path.exists() == begun
    if begun:  # and what an earlier call has left stays there, whatever a later one says
        run.split_file.unlink()
        with pytest.raises(InputError, match="another"), open_run(run.path, config, True, {}, choose_devices("auto")):
            raise InputError("catalogue", "must be that of the run", "another")
        assert run.run_file.is_file()
