"""The code of README.md and docs/: every block runs, small, or says above it why it does not."""

import json
import shlex
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from code_blocks import Block, code_blocks, shell_lines
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.training.config import RunConfig, TrainingConfig

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: code_blocks(path.read_text("utf-8")) for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]}
CONFIG = RunConfig(
    model=SMALL.replace(prediction_views=1),
    training=TrainingConfig(
        batch_size=8, steps_per_epoch=2, epochs=1, unlabelled_epochs=1, simulated_galaxies=0, teachers=0
    ),
)
# What a test has no time for: values put in the place of a page's, and options added.
SMALLER = {"--count": "80", "--labels": "20"}
ADDED = {"train": ("--config", "small.json"), "simulate": ("--image-size", "64")}


UNMARKED = "neither run nor marked <!-- not run: REASON -->"


def at(page, block):
    return f"{page}:{block.line}"


def marked(page):
    return [block for block in PAGES[page] if block.reason]


def run_command(words):
    """Runs `tfgalaxy` in this process, with small settings."""
    given = [SMALLER.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    result = CliRunner().invoke(main, [*given, *ADDED.get(words[0], ())], catch_exceptions=False)
    assert result.exit_code == 0, f"{shlex.join(words)}: {result.output}"


def check_command(line):
    """Parses a `tfgalaxy` line with the real command line: all but calling it."""
    words = shlex.split(line.replace("[", "").replace("]", ""))[1:]
    words = words[: words.index("|")] if "|" in words else words
    command = main.get_command(None, words[0])
    assert command is not None, line
    command.make_context(words[0], [word for word in words[1:] if word != "&"])


def run_block(page, block, names, address):
    if block.language == "python":
        code = block.code.replace('Client("localhost"', f'Client("{address}"')
        exec(compile("\n" * block.line + code, page, "exec"), names)
    elif block.language == "shell":
        for line in shell_lines(block.code):
            words = shlex.split(line)
            assert words[0] == "tfgalaxy", f"{at(page, block)}: {UNMARKED}"
            run_command(words[1:])
    elif block.language == "json":
        Path(f"{json.loads(block.code).get('name', 'block')}.json").write_text(block.code)
    else:
        assert block.language, f"{at(page, block)}: {UNMARKED}"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to run a page in, with the small configuration."""
    CONFIG.to_json(tmp_path / "small.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tfgalaxy"])  # what spawned processes see
    return tmp_path


# The README's script has a test of its own (test_readme.py), and the tutorial one below.
@pytest.mark.parametrize("page", sorted(page for page in PAGES if page not in ("README.md", "tutorial.md")))
def test_the_code_of_a_page(page, place):
    names = {}
    for block in PAGES[page]:
        if not block.reason:
            run_block(page, block, names, "localhost")


def test_the_readme_has_no_other_code():
    """All but the two scripts that test_readme.py runs are marked."""
    unmarked = [block for block in PAGES["README.md"] if not block.reason and block.language not in ("yaml", "text")]
    assert [block.language for block in unmarked] == ["python", "python"], unmarked


@pytest.mark.slow
def test_the_tutorial(place, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "export")
    from servant import Models, rest_server

    names = {}
    blocks = [block for block in PAGES["tutorial.md"] if not block.reason]
    for block in blocks[:-1]:
        run_block("tutorial.md", block, names, "")
    with rest_server(Models({1: place / "models/galaxy/1"})) as address:
        run_block("tutorial.md", blocks[-1], names, address)
    assert len(names["answers"]) == len(names["table"]) == 80


@pytest.mark.parametrize("page", sorted(PAGES))
def test_commands_that_are_not_run_can_be_parsed(page):
    for block in marked(page):
        for line in shell_lines(block.code) if block.language == "shell" else ():
            if line.startswith("tfgalaxy "):
                check_command(line)


def test_blocks_are_found():
    text = """Text.

<!-- not run: needs Docker -->

    docker compose up  # here
    make it

```python
x = 1

y = 2
```
- item

    import os

    print(os.sep)
<!-- not run: too late -->
Between.

    data -> layers

```json
{}
```
"""
    found = code_blocks(text)
    assert [(block.line, block.language, block.reason) for block in found] == [
        (5, "shell", "needs Docker"),
        (8, "python", ""),
        (15, "python", ""),
        (21, "", ""),
        (23, "json", ""),
    ]
    assert found[1].code == "x = 1\n\ny = 2\n"
    assert found[2].code == "import os\n\nprint(os.sep)\n"
    assert shell_lines("tfgalaxy a \\\n  --b '#c'\n# d\nmake  # e\n") == ["tfgalaxy a    --b '#c'", "make"]


def test_an_unmarked_block_fails():
    with pytest.raises(AssertionError, match=r"page.md:3: neither run nor marked"):
        run_block("page.md", Block(3, "", "data -> layers\n"), {}, "")
    with pytest.raises(AssertionError, match=r"page.md:3: neither run nor marked"):
        run_block("page.md", Block(3, "shell", "make bench\n"), {}, "")
    with pytest.raises(click.NoSuchOption, match=r"(?i)no such option"):
        check_command("tfgalaxy verify models/galaxy/1 --sideways")
