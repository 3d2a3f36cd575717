"""The scripts of examples/ run on simulated galaxies, and stay short."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from small_model import SMALL

from tfgalaxy.data.simulation import simulate
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.run_directory import RunDirectory

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))
SMALLER = SMALL.replace(prediction_views=1)


def example(name):
    """A script as a module."""
    (path,) = [path for path in EXAMPLES if path.stem == name]
    specification = importlib.util.spec_from_file_location(f"example_{name}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """Catalogue and images of simulated galaxies."""
    path = simulate(60, tmp_path_factory.mktemp("galaxies"), questions="gz1", image_size=64)
    return path, path.parent


def test_there_are_three_short_ones():
    assert [path.stem for path in EXAMPLES] == ["fit", "serve_and_ask", "tune"]
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in EXAMPLES}
    assert {name: length for name, length in lengths.items() if length >= 40} == {}


@pytest.mark.slow
def test_fit(galaxies, tmp_path):
    scores = example("fit").main(*galaxies, tmp_path / "models/galaxy", "gz1", 1, SMALLER)
    assert np.isfinite(scores["log_likelihood"])
    assert (tmp_path / "models/galaxy/1/saved_model.pb").is_file()


@pytest.mark.slow
def test_the_notebook_runs_from_end_to_end(tmp_path, monkeypatch):
    import jupytext
    from nbclient import NotebookClient

    settings = {"GALAXIES": "24", "EPOCHS": "1", "OUTPUT": str(tmp_path / "models/galaxy")}
    for name, value in settings.items():
        monkeypatch.setenv(f"TFGALAXY_EXPLORE_{name}", value)
    # A kernel of this very interpreter, whatever kernels the machine knows.
    kernel = tmp_path / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = jupytext.read(EXAMPLES[0].parent / "notebook/explore.py")
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    assert (tmp_path / "models/galaxy/1/saved_model.pb").is_file()


@pytest.mark.slow
def test_tune(galaxies, tmp_path):
    best = example("tune").main(*galaxies, tmp_path, "gz1", 1, 1, SMALLER)
    assert 0.2 <= best["dropout"] <= 0.6
    assert 0.0 <= best["label_smoothing"] <= 0.1


@pytest.mark.slow
def test_serve_and_ask(galaxies, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "export")
    from servant import Models, rest_server

    monkeypatch.setattr(RunDirectory, "load_model", lambda self: GalaxyVAE("gz1", SMALLER))
    script = example("serve_and_ask")
    version = script.main(tmp_path / "run", galaxies[1] / "images", tmp_path / "models")
    assert version.name == "1"
    assert (tmp_path / "models/serving/docker-compose.yml").is_file()
    with rest_server(Models({1: version})) as address:
        table = script.main(tmp_path / "run", galaxies[1] / "images", tmp_path / "models", address)
    assert len(table) == 60
    assert table["valid"].all()
    assert "versions:   {1: 'AVAILABLE'}" in capsys.readouterr().out
