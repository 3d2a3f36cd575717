"""The choice of a dtype by measurement."""

from __future__ import annotations

import pytest

from tfgalaxy.errors import InputError
from tfgalaxy.training import precision
from tfgalaxy.training.precision import PrecisionProbe, choose_precision, probe_precision


def test_a_fifth_faster_is_worth_it():
    assert PrecisionProbe(float32=1.3, bfloat16=1.0).precision == "mixed_bfloat16"
    assert PrecisionProbe(float32=1.1, bfloat16=1.0).precision == "float32"
    assert PrecisionProbe(float32=1.0, bfloat16=3.0).precision == "float32"


@pytest.mark.core
def test_probe_measures_both():
    probe = probe_precision(seconds=0.0)
    assert 0 < probe.float32 < 10
    assert 0 < probe.bfloat16 < 10


def test_auto_says_what_it_measured_in_one_line(monkeypatch):
    monkeypatch.setattr(precision, "probe_precision", lambda: PrecisionProbe(2.0, 1.0))
    lines = []
    assert choose_precision("auto", lines.append) == "mixed_bfloat16"
    assert lines == ["precision mixed_bfloat16: a convolution in bfloat16 is 2.0 times as fast as in float32"]


def test_a_named_precision_is_taken_unmeasured(monkeypatch):
    monkeypatch.setattr(precision, "probe_precision", None)
    assert choose_precision("float32") == "float32"


def test_another_name_is_refused():
    with pytest.raises(InputError, match="precision must be one of auto, float32, mixed_bfloat16"):
        choose_precision("float16")
