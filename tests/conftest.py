"""What all tests share.

Tests of what only TF Addons gives start with `pytest.importorskip("tensorflow_addons")`: the current stack has none.
Threads of TensorFlow are left alone, so that tests run as users do.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports TensorFlow, and inherited by the processes that tests start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REAL_DATA = "TFGALAXY_REAL_DATA"
AUTOGRAPH_FALLBACK = "AutoGraph could not"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real galaxies that the variable names; without it the test is skipped."""
    value = os.environ.get(REAL_DATA)
    if not value:
        pytest.skip(f"{REAL_DATA} is not set: it names the folder of real galaxies")
    path = Path(value).absolute()
    if not path.is_dir():
        pytest.fail(f"{REAL_DATA} must name a folder, not {value!r}")
    return path


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Python's, NumPy's and TensorFlow's global generators start anew in each test, in whatever order they run."""
    random.seed(0)
    # A test that needs no Keras should not wait for its import.
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    elif "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    """A test's policy of mixed precision ends with the test."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].mixed_precision.set_global_policy("float32")


class _AutoGraphFallbacks(logging.Handler):
    """Collects warnings that a function runs as it is written, not as a graph."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if AUTOGRAPH_FALLBACK in message:
            self.messages.append(message)


@pytest.fixture(autouse=True)
def autograph_fallbacks(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Fails a test in which AutoGraph could not convert a function: its loops and branches would be wrong in a graph.

    A test that expects such a warning takes the fixture and clears the list.
    """
    handler = _AutoGraphFallbacks()
    logger = logging.getLogger("tensorflow")
    logger.addHandler(handler)
    yield handler.messages
    logger.removeHandler(handler)
    if handler.messages:
        pytest.fail(f"AutoGraph fell back in {request.node.nodeid}: {handler.messages[0]}")


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Runs functions as they are written: a single step of a small model takes less time than tracing it does.

    For tests of what a step computes; that it can be traced is for others to show.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
