"""What goes wrong in the world: one clear line, exit code 2 or 1, and nothing lost."""

import dataclasses
import os
import resource
import shutil
import signal

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.data import Preprocessing, load_catalogue
from tfgalaxy.data.pixels import load_pixels
from tfgalaxy.data.simulation import simulate
from tfgalaxy.errors import InputError
from tfgalaxy.training import run as run_module
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def galaxies(tmp_path):
    return simulate(24, tmp_path / "galaxies", questions="gz1", image_size=48).parent


def configure(tmp_path, **training):
    settings = {"regime": "supervised", "batch_size": 4, "steps_per_epoch": 1, "epochs": 2, "teachers": 0}
    config = RunConfig(DataConfig(questions="gz1", labels=4), SMALL, TrainingConfig(**{**settings, **training}))
    config.to_json(tmp_path / "config.json")
    return config


def tfgalaxy(*arguments):
    """Exit code and the last line on stderr or stdout; an exception that is no exit fails the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = [line for line in result.output.splitlines() if line.startswith("tfgalaxy: ")]
    return result.exit_code, lines


def train_words(tmp_path, galaxies, *more):
    config = ("--config", tmp_path / "config.json", "--quiet", "--output", tmp_path / "run")
    return ("train", "--catalogue", galaxies / "catalogue.csv", "--images", galaxies, *config, *more)


@pytest.fixture
def full_disk():
    """No file may grow beyond 2 kB, as on a disk that is full; Python then gives an OSError in place of the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def lift():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_full_disk_ends_a_run_that_can_go_on(tmp_path, galaxies, request):
    configure(tmp_path)
    request.getfixturevalue("full_disk")
    code, lines = tfgalaxy(*train_words(tmp_path, galaxies))
    lift()
    assert (code, len(lines)) == (1, 1)
    assert "None" not in lines[0]
    run = tmp_path / "run"
    assert not {"model.keras", "checkpoint.npz"} & {path.name for path in run.iterdir()}
    assert not list(run.glob(".partial-*"))
    code, lines = tfgalaxy(*train_words(tmp_path, galaxies, "--resume"))
    assert (code, lines) == (0, [])
    assert (run / "model.keras").is_file()


def test_a_full_disk_keeps_the_old_file(tmp_path, request):
    path = tmp_path / "config.json"
    configure(tmp_path)
    before = path.read_bytes()
    request.getfixturevalue("full_disk")
    questions = dataclasses.replace(RunConfig(), data=DataConfig(questions="q" * 4000))
    with pytest.raises(OSError):
        questions.to_json(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_that_is_read_only(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code, lines = tfgalaxy("simulate", "--count", 2, "--output", closed / "galaxies", "--quiet")
    assert code == 1
    assert lines == [f"tfgalaxy: {closed / 'galaxies'}: Permission denied"]


def test_an_output_below_a_file(tmp_path, galaxies):
    configure(tmp_path)
    (tmp_path / "run").write_text("a file")
    code, lines = tfgalaxy(*train_words(tmp_path, galaxies))
    assert code == 2
    assert "output must not exist yet, or be empty" in lines[0]
    words = ("simulate", "--count", 2, "--questions", "gz1", "--quiet", "--output", tmp_path / "run/galaxies")
    code, lines = tfgalaxy(*words)
    assert code in (1, 2)
    assert len(lines) == 1
    assert (tmp_path / "run").read_text() == "a file"


def test_an_image_folder_that_is_gone(tmp_path, galaxies):
    configure(tmp_path)
    moved = galaxies.rename(tmp_path / "moved")
    words = ("--catalogue", moved / "catalogue.csv", "--images", galaxies, "--questions", "gz1", "--quiet")
    code, lines = tfgalaxy("train", *words, "--precision", "float32", "--output", tmp_path / "run")
    assert code == 2
    assert lines == [f"tfgalaxy: images must be an existing folder, not '{galaxies}'. Check the path."]


def test_images_that_vanish_while_they_are_read(tmp_path, galaxies):
    catalogue = load_catalogue(galaxies / "catalogue.csv", galaxies, "gz1")
    shutil.rmtree(galaxies)
    for cache in (None, tmp_path / "cache"):
        pixels = load_pixels(catalogue.files, Preprocessing(image_size=32), cache=cache)
        assert len(pixels) == 0
        assert len(pixels.excluded) == len(catalogue)
        assert {reason for _, reason in pixels.excluded} == {"must be a readable file, not No such file or directory"}


def test_a_file_that_is_replaced_while_it_is_read(tmp_path, galaxies):
    catalogue = load_catalogue(galaxies / "catalogue.csv", galaxies, "gz1")
    victim = sorted(catalogue.files)[0]

    def replace(done, total):
        Image.fromarray(np.full((48, 48, 3), 7, np.uint8)).save(victim)

    cache = tmp_path / "cache"
    with pytest.raises(InputError, match=r"images must not change while they are read, not 'changed files'"):
        load_pixels(catalogue.files, Preprocessing(image_size=32), cache=cache, progress=replace)
    assert not list(cache.iterdir())
    again = load_pixels(catalogue.files, Preprocessing(image_size=32), cache=cache)
    assert len(again) == len(catalogue)


def test_a_catalogue_that_is_edited_before_a_run_goes_on(tmp_path, galaxies, monkeypatch):
    configure(tmp_path)

    def fail(*arguments, **options):
        raise OSError(5, "Input/output error", "disk")

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "calibrate_concentration", fail)
        code, lines = tfgalaxy(*train_words(tmp_path, galaxies))
    assert (code, lines) == (1, ["tfgalaxy: disk: Input/output error"])
    checkpoint = (tmp_path / "run" / "checkpoint.npz").read_bytes()
    table = galaxies / "catalogue.csv"
    text = table.read_text()
    table.write_text("\n".join(text.splitlines()[:-6]) + "\n")
    code, lines = tfgalaxy(*train_words(tmp_path, galaxies, "--resume"))
    assert code == 2
    assert len(lines) == 1
    assert "catalogue must be the one that the run was started with" in lines[0]
    assert (tmp_path / "run" / "checkpoint.npz").read_bytes() == checkpoint
    table.write_text(text)
    assert tfgalaxy(*train_words(tmp_path, galaxies, "--resume"))[0] == 0
