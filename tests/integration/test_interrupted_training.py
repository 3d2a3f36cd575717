"""Ctrl-C ends `tfgalaxy train` soon, whatever it was doing, and the command that it then prints finishes the run."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from click.testing import CliRunner
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.command_classes import resume_command
from tfgalaxy.data.simulation import simulate
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

EPOCHS = 3
CONFIG = RunConfig(
    data=DataConfig(questions="gz1"),
    model=SMALL.replace(prediction_views=1),
    # Enough steps that an epoch takes longer than seeing that the one before is over.
    training=TrainingConfig(regime="supervised", batch_size=8, steps_per_epoch=40, epochs=EPOCHS),
)
TFGALAXY = (sys.executable, "-m", "tfgalaxy.cli")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my place")  # a blank in the path: what is printed has to be quoted
    simulate(40, folder / "galaxies", questions="gz1", image_size=64)
    CONFIG.to_json(folder / "config.json")
    return folder


def words(folder, output):
    galaxies = ["--catalogue", folder / "galaxies/catalogue.csv", "--images", folder / "galaxies"]
    given = ["train", *galaxies, "--labels", 12, "--config", folder / "config.json", "--output", folder / output]
    return [str(word) for word in given]


def interrupt(command, moment, error_file, limit=120.0):
    """Starts a command, sends SIGINT once `moment()`; gives exit code and the seconds of processor time to the end.

    Processor time, for a person's five seconds are those of an idle machine: a busy one runs all programs late.
    """
    with error_file.open("wb") as error:
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=error, preexec_fn=_heed_interrupts)
        end = time.monotonic() + limit
        while not moment() and time.monotonic() < end and process.is_running():
            time.sleep(0.02)
        before = process.cpu_times()
        process.send_signal(signal.SIGINT)
        _, status, after = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), after.ru_utime + after.ru_stime - before.user - before.system


def _heed_interrupts():
    # What a shell starts in the background ignores SIGINT, and so does all that it starts, these tests among it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.core
def test_interrupted_between_epochs(place):
    run = place / "run"
    started = [*TFGALAXY, *words(place, "run")]
    code, seconds = interrupt(started, (run / "history.csv").is_file, place / "error.txt")
    error = (place / "error.txt").read_text()
    assert code == 130, error
    assert seconds < 5.0
    line = error.strip().splitlines()[-1]
    assert "Traceback" not in error
    command = shlex.split(re.fullmatch(r"stopped; go on with: tfgalaxy (.*)", line)[1])
    assert command == [*words(place, "run"), "--resume"]
    assert not list(place.rglob(".partial-*"))
    assert 1 <= len(pd.read_csv(run / "history.csv")) < EPOCHS
    assert not (run / "model.keras").exists()
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert pd.read_csv(run / "history.csv")["epoch"].tolist() == list(range(EPOCHS))
    assert (run / "model.keras").is_file()


def test_interrupted_while_it_starts(place, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfgalaxy.commands.load_catalogue", stop)
    result = CliRunner().invoke(main, [*words(place, "early"), "--precision", "float32"], catch_exceptions=False)
    assert result.exit_code == 130
    assert result.output.strip().endswith("--precision float32 --resume")


def test_other_commands_name_no_resume(monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfgalaxy.doctor_command.doctor_command", stop)
    result = CliRunner().invoke(main, ["doctor"], catch_exceptions=False)
    assert (result.exit_code, result.output) == (130, "stopped\n")


def test_resume_command_is_for_a_shell():
    assert resume_command(["train", "--images", "a b"]) == "tfgalaxy train --images 'a b' --resume"
    assert resume_command(["train", "--resume"]) == "tfgalaxy train --resume"
