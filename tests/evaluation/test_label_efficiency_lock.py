"""Locks of cells: one holder at a time, and none that outlives its process."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.label_efficiency import cell_lock
from tfgalaxy.evaluation.label_efficiency.cell_lock import CellLock, hold_cell
from tfgalaxy.evaluation.label_efficiency.cell_processes import CellProcesses


@pytest.fixture
def path(tmp_path):
    return tmp_path / "locks" / "cell.lock"


def leave_lock(path, age=0.0, **changes):
    """A lock file as a process leaves it that is killed."""
    path.parent.mkdir(exist_ok=True)
    record = {"mark": "other", "machine": cell_lock._machine(), "process": os.getpid(), "since": "now", **changes}
    path.write_text(json.dumps(record))
    os.utime(path, (time.time() - age,) * 2)


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_holder_at_a_time(path):
    with hold_cell(path) as first:
        assert first is not None
        with hold_cell(path) as second:
            assert second is None
        assert first.held
    assert not path.exists()
    with hold_cell(path) as third:
        assert third is not None


def test_a_lock_is_given_back_after_an_error(path):
    with pytest.raises(KeyError), hold_cell(path):
        raise KeyError
    assert not path.exists()


@pytest.mark.parametrize(
    ("age", "changes", "free"),
    [
        (0, {}, False),  # a living process of this machine
        (0, {"machine": "another"}, False),
        (590, {"machine": "another"}, False),
        (700, {"machine": "another"}, True),  # silent for longer than ten minutes
        (0, {"process": "ended"}, True),
        (0, {"process": "ended", "machine": "another"}, False),  # a process number means nothing there
    ],
)
def test_when_a_lock_is_stale(path, age, changes, free):
    if changes.get("process") == "ended":
        changes = {**changes, "process": ended_process()}
    leave_lock(path, age, **changes)
    with hold_cell(path) as lock:
        assert (lock is not None) == free
        assert (json.loads(path.read_text())["mark"] == "other") != free


def test_an_unfinished_lock_file_is_no_invitation(path):
    path.parent.mkdir()
    path.touch()
    with hold_cell(path) as lock:
        assert lock is None


def test_of_many_that_find_a_stale_lock_one_takes_it(path):
    leave_lock(path, process=ended_process())
    locks, start = [CellLock(path) for _ in range(8)], threading.Barrier(8)
    taken = []

    def take(lock):
        start.wait()
        if lock.acquire():
            taken.append(lock)

    threads = [threading.Thread(target=take, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    assert taken[0].held
    taken[0].release()


def test_a_holder_gives_signs_of_life(path, monkeypatch):
    monkeypatch.setattr(cell_lock, "HEARTBEAT_SECONDS", 0.01)
    with hold_cell(path):
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < 60


def test_a_lost_lock_is_noticed_and_left_to_its_new_holder(path):
    with hold_cell(path) as lock:
        lock.check_held()
        leave_lock(path, machine="another")
        with pytest.raises(InputError, match=r"must stay this process's while it runs the cell, not 'another'"):
            lock.check_held()
    assert path.exists()


def test_a_process_is_replaced_after_some_calls():
    processes = CellProcesses(2)
    numbers = [processes.run(os.getpid) for _ in range(3)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert os.getpid() not in numbers
    with pytest.raises(ValueError, match="invalid literal"):
        processes.run(int, "x")
    processes.close()
    assert CellProcesses(None).run(os.getpid) == os.getpid()
