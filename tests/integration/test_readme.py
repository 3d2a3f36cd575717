"""The README's code runs as it stands."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from tfgalaxy.data.simulation import simulate

README = Path(__file__).parents[2] / "README.md"


def blocks():
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.core
def test_the_script(tmp_path, monkeypatch):
    path = simulate(80, tmp_path / "a", image_size=64)
    path.rename(tmp_path / "votes.csv")
    (tmp_path / "a" / "images").rename(tmp_path / "images")
    others = simulate(30, tmp_path / "b", seed=1, image_size=64)
    (others.parent / "images").rename(tmp_path / "more_images")
    # The simulation's file column is relative to its own folder; the README's user finds images by id.
    lines = (tmp_path / "votes.csv").read_text().replace("images/", "").splitlines()
    (tmp_path / "votes.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks()[0], str(README), "exec"), {})
    assert "log_likelihood" in printed.getvalue()
    assert (tmp_path / "models/galaxy/1/saved_model.pb").is_file()


def test_a_layer_alone():
    names = {}
    exec(compile(blocks()[1], str(README), "exec"), names)
    assert names["canonical"].shape == (8, 64, 64, 3)
