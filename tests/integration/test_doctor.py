"""`tfgalaxy doctor` finds what is wrong, names what mends it, and says so in lines that can be copied."""

import importlib.metadata
import platform
import re
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

import tfgalaxy.doctor_command as doctor_command
import tfgalaxy.requirements as requirements
from tfgalaxy.cli import main
from tfgalaxy.machine import TensorFlowAnswer, ask_tensorflow, bfloat16_flags, memory, processor_flags
from tfgalaxy.progress import activity

HEALTHY = TensorFlowAnswer(("CPU: /physical_device:CPU:0",), "float32", "precision float32: measured")


@pytest.fixture
def tensorflow_answers(monkeypatch):
    """Puts an answer in the place of TensorFlow's, which takes seconds."""

    def use(answer):
        monkeypatch.setattr(doctor_command, "ask_tensorflow", lambda: answer)

    use(HEALTHY)
    return use


@pytest.fixture
def asked_for(monkeypatch):
    """Puts other lines in the place of the package's requirements."""

    def use(*lines):
        monkeypatch.setattr(importlib.metadata, "requires", lambda name: list(lines))

    return use


def run_doctor():
    return CliRunner().invoke(main, ["doctor", "--quiet"], catch_exceptions=False)


def lines_of(result, subject):
    return [line for line in result.output.splitlines() if re.match(rf"(ok|note|broken) +{re.escape(subject)}:", line)]


@pytest.mark.core
def test_this_environment_is_sound(tensorflow_answers):
    result = run_doctor()
    assert result.exit_code == 0, result.output
    (line,) = lines_of(result, "python")
    assert line == f"ok     python: {platform.python_version()} (asked for: <3.14,>=3.10)"
    (line,) = lines_of(result, "numpy")
    assert f" {importlib.metadata.version('numpy')} " in line
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ("numpy>=9999", f"{importlib.metadata.version('numpy')} (asked for: >=9999)"),
        ("no-such-package>=1", "not installed (asked for: >=1)"),
    ],
)
def test_what_is_needed_and_wrong_is_broken(tensorflow_answers, asked_for, requirement, words):
    asked_for(requirement, "click>=8", 'gone>=1; python_version < "3"')
    result = run_doctor()
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("broken")]
    assert words in line
    command = shlex.split(line.partition("remedy: ")[2])
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "gone" not in result.output


def test_a_lacking_extra_is_no_fault(tensorflow_answers, asked_for):
    asked_for("click>=8", 'no-such-package; extra == "umap"', 'click>=8; extra == "serving"')
    result = run_doctor()
    assert result.exit_code == 0
    (line,) = lines_of(result, "extra 'umap'")
    assert line.startswith("note")
    assert shlex.split(line.partition("remedy: ")[2])[-1].endswith("[umap]")
    (line,) = lines_of(result, "extra 'serving'")
    assert line.endswith("installed")


def test_a_tensorflow_that_does_not_run_is_broken(tensorflow_answers):
    tensorflow_answers(TensorFlowAnswer(error="TensorFlow does not run: its process ended by signal 4"))
    result = run_doctor()
    assert result.exit_code == 1
    (line,) = lines_of(result, "devices")
    assert "signal 4; remedy: " in line


def test_a_terminal_gets_a_table_without_colours_if_so_wished(tensorflow_answers, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    coloured = run_doctor().output
    assert "\x1b[32mok" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert re.search(r"\x1b\[[0-9;]*3[0-7]m", run_doctor().output) is None


def test_what_takes_long_can_be_quiet():
    lacking = [name for name, command in main.commands.items() if not any("--quiet" in o.opts for o in command.params)]
    assert lacking == ["completion"]


def test_activity_is_a_plain_line_where_there_is_no_terminal(capsys):
    with activity("waiting"):
        assert capsys.readouterr().err == "waiting\n"
    with activity("waiting", quiet=True):
        pass
    assert capsys.readouterr().err == ""


def test_install_command_outside_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(requirements, "__file__", str(tmp_path / "tfgalaxy" / "requirements.py"))
    assert shlex.split(requirements.install_command("beam"))[-1] == "tfgalaxy[beam]"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "ended by signal 4"),
        ("raise ImportError('libfoo.so: cannot open')", "ImportError: libfoo.so: cannot open"),
        ("import time; time.sleep(60)", "no answer within 2 s"),
    ],
)
def test_tensorflow_that_cannot_answer(monkeypatch, code, words):
    monkeypatch.setattr("tfgalaxy.machine.QUESTION", code)
    assert words in ask_tensorflow(timeout=2.0).error


@pytest.mark.slow
@pytest.mark.core
def test_tensorflow_answers():
    answer = ask_tensorflow()
    assert answer.error == ""
    assert any(device.startswith("CPU") for device in answer.devices)
    assert answer.precision in ("float32", "mixed_bfloat16")
    assert answer.precision in answer.measured


def test_processor_flags(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor : 0\nflags\t\t: fpu avx2 avx512_bf16\n\nprocessor : 1\nflags : fpu\n")
    assert bfloat16_flags(processor_flags(path)) == ["avx512_bf16"]
    path.write_text("Features\t: fp asimd bf16\n")
    assert bfloat16_flags(processor_flags(path)) == ["bf16"]
    assert processor_flags(tmp_path / "none") == frozenset()


def test_memory_of_a_container(tmp_path):
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemTotal:  8 kB\nMemFree: 1 kB\nMemAvailable: 6 kB\nHugePages_Total: 0\n")
    assert memory(meminfo, limit) == (8192, 6144)
    limit.write_text("max\n")
    assert memory(meminfo, limit) == (8192, 6144)
    limit.write_text("4096\n")
    assert memory(meminfo, limit) == (4096, 4096)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_the_command(shell):
    result = CliRunner().invoke(main, ["completion", shell], catch_exceptions=False)
    assert result.exit_code == 0
    assert f"_TFGALAXY_COMPLETE={shell}_complete" in result.output


def test_bash_completes(tmp_path, monkeypatch):
    script = CliRunner().invoke(main, ["completion", "bash"]).output
    program = tmp_path / "tfgalaxy"  # as pip writes it
    program.write_text(f"#!{sys.executable}\nfrom tfgalaxy.cli import main\nmain()\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    typed = 'COMP_WORDS=(tfgalaxy ev); COMP_CWORD=1; _tfgalaxy_completion tfgalaxy; echo "${COMPREPLY[@]}"'
    process = subprocess.run(["bash", "-c", f"{script}\n{typed}"], capture_output=True, text=True, check=False)
    assert process.stdout.split() == ["evaluate"], process.stderr
