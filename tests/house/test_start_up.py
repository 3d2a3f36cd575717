"""`tfgalaxy --help` and `import tfgalaxy` answer at once: neither waits for TensorFlow."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

HEAVY = ("tensorflow", "keras", "tensorflow_probability", "tensorflow_datasets", "numpy", "pandas", "matplotlib")


def run_python(code: str) -> str:
    """What a fresh interpreter prints."""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def heavy_imports(code: str) -> list[str]:
    """Which heavy packages a fresh interpreter has imported after running the code."""
    printed = run_python(f"{code}\nimport sys\nprint('IMPORTED', *[m for m in {HEAVY} if m in sys.modules])")
    return printed.rpartition("IMPORTED")[2].split()


def test_import_is_light():
    assert heavy_imports("import tfgalaxy; dir(tfgalaxy); tfgalaxy.__version__") == []


def test_heavy_imports_are_seen():
    assert heavy_imports("import numpy") == ["numpy"]


def test_help_is_light():
    code = "from tfgalaxy.cli import main; main(['--help'], standalone_mode=False)"
    assert "train" in run_python(code)
    assert heavy_imports(code) == []


@pytest.mark.parametrize(
    "command",
    ["demo", "simulate", "train", "label-efficiency", "evaluate", "predict", "equivariance", "report", "tune"],
)
def test_help_of_each_command_is_light(command):
    code = f"from tfgalaxy.cli import main; main([{command!r}, '--help'], standalone_mode=False)"
    assert heavy_imports(code) == []


def median_seconds(code: str, repetitions: int = 5) -> float:
    """Median wall-clock time of a fresh interpreter that runs the code."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run_python(code)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def test_help_takes_little_longer_than_python(record_property):
    """Target 0.4 s. The bound is a ratio to importing click alone, which a busy machine slows down alike."""
    floor = median_seconds("import click")
    answer = median_seconds("from tfgalaxy.cli import main; main(['--help'], standalone_mode=False)")
    record_property("help_seconds", answer)
    assert answer < max(0.4, 4 * floor), f"--help took {answer:.2f} s; importing click alone {floor:.2f} s"


def test_names_open_lazily():
    code = """
import tfgalaxy as tg
for name in tg.__all__:
    assert name in dir(tg), name
    getattr(tg, name)
assert tg.models.GalaxyVAE is tg.GalaxyVAE
"""
    run_python(code)


def test_unknown_name_is_an_attribute_error():
    import tfgalaxy

    with pytest.raises(AttributeError, match="module 'tfgalaxy' has no attribute 'Galaxies'"):
        _ = tfgalaxy.Galaxies
