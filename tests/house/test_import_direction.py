"""DESIGN: a room imports only from rooms to its left. Parsed, so that imports inside functions count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From left to right; rooms of equal rank do not see each other.
RANKS = {
    "foundation": 0,
    "data": 1,
    "layers": 2,
    "models": 3,
    "training": 4,
    "tuning": 5,
    "export": 5,
    "evaluation": 6,
    "command line": 7,
}
# The modules beside the rooms that belong to the command; all other modules there are foundation.
COMMAND_LINE = {
    "cli",
    "commands",
    "completion_command",
    "demo",
    "doctor_command",
    "report_command",
    "run_options",
    "tune_command",
}
# Steps to the left that are refused all the same, with the modules that are let through.
CLOSED = {("layers", "data"): (), ("models", "data"): ("tfgalaxy.data.questions",)}
# Names by which the one Keras of both stacks must not be reached, and Keras layers that only one stack has.
FORBIDDEN = {
    "tensorflow.keras": "import keras",
    "tf.keras": "import keras",
    "tf_keras": "import keras",
    "tfp.layers": "use TFP's distributions only",
    "tensorflow_probability.layers": "use TFP's distributions only",
    "tuning": "import tfgalaxy.tuning",
    "export": "import tfgalaxy.export",
}
ADDONS_MODULE = "tfgalaxy.addons"


def module_name(path: Path) -> str:
    """The name under which a file of the package is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "tfgalaxy":
        parts = ("tfgalaxy", *parts)
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str | None:
    """The room of a module of the package; None for `tfgalaxy` itself, which opens every room, lazily."""
    parts = module.split(".")
    if len(parts) == 1:
        return None
    if parts[1] in RANKS:
        return parts[1]
    return "command line" if parts[1] in COMMAND_LINE else "foundation"


def imported_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that is imported, by statement or by `importlib.import_module("...")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).split(".")[-1]
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def is_inside(name: str, module: str) -> bool:
    """Whether a dotted name is a module or something in it."""
    return name == module or name.startswith(module + ".")


def refusal(module: str, name: str) -> str | None:
    """Why `module` must not import `name`, or None."""
    if name.startswith("."):
        return "imports are absolute"
    for prefix, remedy in FORBIDDEN.items():
        if is_inside(name, prefix):
            return remedy
    if is_inside(name, "tensorflow_addons") and module != ADDONS_MODULE:
        return f"TF Addons is imported in {ADDONS_MODULE} only"
    own = room_of(module)
    if not is_inside(name, "tfgalaxy") or own is None or name == "tfgalaxy.__version__":
        return None
    if name == "tfgalaxy" or (name.count(".") == 1 and name.split(".")[1][0].isupper()):
        return "import from the module that defines the name, not through the front door"
    other = room_of(name)
    if other == own:
        return None
    allowed = CLOSED.get((own, other))
    if RANKS[other] >= RANKS[own] or (allowed is not None and not any(is_inside(name, let) for let in allowed)):
        return f"{own} imports nothing of {other}"
    return None


def violations(source: str, module: str) -> list[str]:
    """One line for each forbidden import, and each use of `tf.keras` or `tfp.layers`, in a module's source."""
    tree = ast.parse(source)
    found = []
    for line, name in imported_names(tree):
        reason = refusal(module, name)
        if reason:
            found.append(f"{module}:{line}: {name}: {reason}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in FORBIDDEN:
            found.append(f"{module}:{node.lineno}: {ast.unparse(node)}: {FORBIDDEN[ast.unparse(node)]}")
    return found


PACKAGE_FILES = sorted(path for room in ("tfgalaxy", "tuning", "export") for path in (ROOT / room).rglob("*.py"))


def test_every_room_looks_left():
    assert len(PACKAGE_FILES) > 40
    found = [line for path in PACKAGE_FILES for line in violations(path.read_text("utf-8"), module_name(path))]
    assert not found, "\n".join(found)


def test_tests_and_benchmarks_use_the_same_keras():
    files = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    found = []
    for path in files:
        lines = violations(path.read_text("utf-8"), "tfgalaxy")
        found += [f"{path.name} {line}" for line in lines if "tensorflow_addons" not in line]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("tfgalaxy.errors", "from tfgalaxy.data.questions import Questions", "foundation imports nothing of data"),
        ("tfgalaxy.data.votes", "from tfgalaxy.layers import sampling", "data imports nothing of layers"),
        ("tfgalaxy.data.votes", "def f():\n    import tfgalaxy.models", "data imports nothing of models"),
        ("tfgalaxy.data.votes", "from tfgalaxy import training", "data imports nothing of training"),
        ("tfgalaxy.layers.circular", "from tfgalaxy.data.questions import Q", "layers imports nothing of data"),
        ("tfgalaxy.models.encoder", "from tfgalaxy.data import Questions", "models imports nothing of data"),
        ("tfgalaxy.models.encoder", "from tfgalaxy.data.pipelines import batches", "models imports nothing of data"),
        ("tfgalaxy.models.encoder", "from tfgalaxy.data.questions_x import y", "models imports nothing of data"),
        ("tfgalaxy.training.run", "import tfgalaxy.evaluation.metrics as m", "training imports nothing of evaluation"),
        ("tfgalaxy.training.run", "import_module('tfgalaxy.export')", "training imports nothing of export"),
        ("tfgalaxy.tuning.space", "from tfgalaxy.export import save", "tuning imports nothing of export"),
        ("tfgalaxy.export.save", "from tfgalaxy.tuning import search", "export imports nothing of tuning"),
        ("tfgalaxy.export.save", "from tfgalaxy.evaluation import metrics", "export imports nothing of evaluation"),
        ("tfgalaxy.evaluation.table", "from tfgalaxy.cli import main", "evaluation imports nothing of command line"),
        ("tfgalaxy.evaluation.table", "import tfgalaxy as tg", "front door"),
        ("tfgalaxy.evaluation.table", "from tfgalaxy import GalaxyVAE", "front door"),
        ("tfgalaxy.layers.polar", "from .sampling import sample", "absolute"),
        ("tfgalaxy.layers.polar", "from tensorflow import keras", "import keras"),
        ("tfgalaxy.layers.polar", "import tensorflow.keras.layers as kl", "import keras"),
        ("tfgalaxy.layers.polar", "import tf_keras", "import keras"),
        ("tfgalaxy.layers.polar", "x = tf.keras.layers.Dense(1)", "import keras"),
        ("tfgalaxy.models.encoder", "x = tfp.layers.DenseReparameterization(1)", "distributions only"),
        ("tfgalaxy.training.run", "def f():\n    import tensorflow_addons as tfa", "tfgalaxy.addons only"),
        ("tfgalaxy.training.run", "from tensorflow_addons.image import transform", "tfgalaxy.addons only"),
        ("tfgalaxy.cli", "from export.signatures import x", "import tfgalaxy.export"),
        ("tfgalaxy.cli", "import tuning", "import tfgalaxy.tuning"),
    ],
)
def test_the_checker_refuses(module, source, reason):
    (line,) = violations(source, module)
    assert reason in line


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tfgalaxy.addons", "import tensorflow_addons as tfa"),
        ("tfgalaxy.data.votes", "import numpy as np\nfrom tfgalaxy.errors import InputError"),
        ("tfgalaxy.models.encoder", "from tfgalaxy.data.questions import Questions"),
        ("tfgalaxy.models.encoder", "import tfgalaxy.data.questions"),
        (
            "tfgalaxy.training.run",
            "import tfgalaxy.data.votes\nfrom tfgalaxy.training.config import RunConfig",
        ),
        ("tfgalaxy.evaluation.table", "from tfgalaxy.export import open_predictor"),
        ("tfgalaxy.cli", "def f():\n    from tfgalaxy.tuning import search\n    from tfgalaxy import __version__"),
        ("tfgalaxy", "from tfgalaxy.models.galaxy_vae import GalaxyVAE"),
    ],
)
def test_the_checker_lets_through(module, source):
    assert violations(source, module) == []


def test_files_get_the_names_they_are_imported_by():
    assert module_name(ROOT / "export" / "saved_model.py") == "tfgalaxy.export.saved_model"
    assert module_name(ROOT / "tfgalaxy" / "data" / "__init__.py") == "tfgalaxy.data"
    assert room_of("tfgalaxy.export.saved_model") == "export"
    assert room_of("tfgalaxy.files") == "foundation"
    assert room_of("tfgalaxy.commands") == "command line"
