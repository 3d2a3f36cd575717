"""The house is in order: files, packages, package data, lock, and the size and manners of modules."""

from __future__ import annotations

import ast
import configparser
import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 320
PYTHONS = ("3.10", "3.11", "3.12", "3.13")

FILES = [
    ".ci/run",
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "requirements.lock",
    "setup.cfg",
    "docs/dependencies.md",
    "docs/design.md",
    "tfgalaxy/cli.py",
    "tfgalaxy/py.typed",
]
FOLDERS = [
    "tfgalaxy/data",
    "tfgalaxy/layers",
    "tfgalaxy/models",
    "tfgalaxy/training",
    "tuning",
    "export",
    "tfgalaxy/evaluation",
    "tests/data",
    "tests/layers",
    "tests/models",
    "tests/training",
    "tests/tuning",
    "tests/export",
    "tests/evaluation",
    "tests/house",
    "tests/integration",
    "benchmarks",
    "docs",
]


def read_setup_cfg() -> configparser.ConfigParser:
    """The package's metadata."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines_of(value: str) -> list[str]:
    """The entries of a list in setup.cfg."""
    return [line.strip() for line in value.splitlines() if line.strip()]


SETUP = read_setup_cfg()
PACKAGES = lines_of(SETUP["options"]["packages"])
PACKAGE_DIR = dict(tuple(map(str.strip, line.split("="))) for line in lines_of(SETUP["options"]["package_dir"]))


def package_folder(package: str) -> Path:
    """Where a package stands in the repository, by setup.cfg's package_dir."""
    longest = max((name for name in PACKAGE_DIR if f"{package}.".startswith(f"{name}.")), key=len)
    rest = package[len(longest) :].strip(".").split(".")
    return ROOT.joinpath(PACKAGE_DIR[longest], *filter(None, rest))


def python_files(*folders: str) -> list[Path]:
    """All modules under some folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


MODULES = python_files("tfgalaxy", "tuning", "export")


def relative(path: Path) -> str:
    """A path as it is shown in a failure."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", FILES)
def test_file_exists_and_says_something(name):
    path = ROOT / name
    assert path.is_file()
    assert path.stat().st_size > 0 or path.name == "py.typed"


@pytest.mark.parametrize("name", FOLDERS)
def test_folder_exists_and_holds_something(name):
    assert any(path.is_file() and path.suffix != ".pyc" for path in (ROOT / name).rglob("*"))


def test_ci_is_executable():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_modules_are_short():
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_file_is_a_drawer_for_odds_and_ends():
    names = [relative(path) for path in MODULES + python_files("tests", "benchmarks")]
    assert [name for name in names if "utils" in name.lower() or "helpers" in name.lower()] == []


def test_test_files_have_names_of_their_own():
    names = [path.name for path in python_files("tests") if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def star_imports(source: str) -> list[int]:
    """Lines with `from x import *`."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return [node.lineno for node in nodes if any(alias.name == "*" for alias in node.names)]


def test_no_star_imports():
    assert star_imports("import os\nfrom os import *") == [2]
    files = MODULES + python_files("tests", "benchmarks")
    assert {relative(path) for path in files if star_imports(path.read_text("utf-8"))} == set()


def lacking(source: str) -> list[str]:
    """Public functions and classes at the top of a module without docstring, and functions without full type hints."""
    found = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None:
            found.append(f"{node.name}: no docstring")
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            if node.returns is None or any(one is not None and one.annotation is None for one in named):
                found.append(f"{node.name}: incomplete type hints")
    return found


def test_public_names_are_typed_and_explained():
    assert lacking("def f(x: int, *rest) -> int:\n    return x") == ["f: no docstring", "f: incomplete type hints"]
    assert lacking('def f(*, x: int) -> int:\n    """One."""\n    return x\ndef _g(x):\n    return x') == []
    found = {relative(path): lacking(path.read_text("utf-8")) for path in MODULES}
    assert {name: what for name, what in found.items() if what} == {}


def test_every_module_has_a_docstring():
    empty = [relative(path) for path in MODULES if ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None]
    assert empty == []


def test_every_package_folder_is_installed():
    folders = {path.parent for path in MODULES}
    assert {package_folder(package) for package in PACKAGES} == folders


def is_matched(name: str, patterns: list[str]) -> bool:
    """Whether a package_data pattern takes a file; as in setuptools, a star does not reach into a folder."""
    return any(fnmatch.fnmatch(name, one) and name.count("/") == one.count("/") for one in patterns)


def test_every_data_file_is_installed():
    assert is_matched("presets/gz1.json", ["*.txt", "presets/*.json"])
    assert not is_matched("presets/gz1.json", ["*.json"])
    patterns = {package: re.split(r"[,\s]+", value.strip()) for package, value in SETUP["options.package_data"].items()}
    owners = {package_folder(package): package for package in PACKAGES}
    forgotten = []
    for path in (path for folder in ("tfgalaxy", "tuning", "export") for path in (ROOT / folder).rglob("*")):
        if path.is_dir() or path.suffix in (".py", ".pyc") or path.name.startswith("."):
            continue
        owner = next(folder for folder in path.parents if folder in owners)
        if not is_matched(path.relative_to(owner).as_posix(), patterns.get(owners[owner], [])):
            forgotten.append(relative(path))
    assert forgotten == []


def read_lock() -> dict[str, list[tuple[Requirement, int]]]:
    """The lock's entries by name, each with its number of hashes; a package has one entry for each marker."""
    text = re.sub(r"\s*#.*", "", (ROOT / "requirements.lock").read_text("utf-8")).replace("\\\n", " ")
    entries: dict[str, list[tuple[Requirement, int]]] = {}
    for line in lines_of(text):
        requirement = Requirement(line.split("--hash")[0].strip())
        entries.setdefault(canonicalize_name(requirement.name), []).append((requirement, line.count("--hash=sha256:")))
    return entries


LOCK = read_lock()


def test_lock_pins_one_version_with_a_hash():
    assert len(LOCK) > 50
    for requirement, hashes in (entry for entries in LOCK.values() for entry in entries):
        assert hashes > 0, f"{requirement} has no hash"
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), f"{requirement} is not pinned"


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_holds_what_setup_cfg_asks_for(python):
    environment = {"python_version": python, "python_full_version": f"{python}.5", "extra": ""}
    asked = lines_of(SETUP["options"]["install_requires"]) + lines_of(SETUP["options.extras_require"]["test"])
    for wanted in map(Requirement, asked):
        if wanted.marker is not None and not wanted.marker.evaluate(environment):
            continue
        entries = [entry for entry, _ in LOCK.get(canonicalize_name(wanted.name), [])]
        active = [entry for entry in entries if entry.marker is None or entry.marker.evaluate(environment)]
        assert len(active) == 1, f"{wanted} on {python}: {active}; run 'make lock'"
        (version,) = active[0].specifier
        assert wanted.specifier.contains(version.version), f"{wanted} on {python}: {version}; run 'make lock'"


def test_every_dependency_is_explained():
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    extras = SETUP["options.extras_require"]
    asked = [line for value in (SETUP["options"]["install_requires"], *extras.values()) for line in lines_of(value)]
    assert [line for line in asked if f"`{Requirement(line).name}`" not in text] == []


def test_version_is_the_same_everywhere():
    version = SETUP["metadata"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert version in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_links_look_like_the_installed_package(tmp_path):
    target = tmp_path / "links"
    for _ in range(2):
        subprocess.run([sys.executable, str(ROOT / "tests" / "package_links.py"), str(target)], check=True)
    assert (target / "tfgalaxy" / "cli.py").samefile(ROOT / "tfgalaxy" / "cli.py")
    for package in PACKAGES:
        assert target.joinpath(*package.split(".")).samefile(package_folder(package)) or package == "tfgalaxy"


def test_project_files_name_no_machine():
    files = [*MODULES, *python_files("tests"), *(ROOT / name for name in FILES if (ROOT / name).suffix)]
    places = tuple(f"/{folder}/" for folder in ("work", "home", "root"))
    assert [relative(path) for path in files if any(place in path.read_text("utf-8") for place in places)] == []
