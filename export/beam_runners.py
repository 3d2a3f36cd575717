"""Beam's runners by short names, and what each of them needs to be there; imported without Beam."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import shutil
from collections.abc import Sequence
from typing import Any

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

__all__ = ["RUNNERS", "check_runner", "default_threads", "pipeline_options"]

# The direct one by its full name: Beam's `DirectRunner` first tries to download Prism, a program in Go.
RUNNERS = {
    "direct": "apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}
# With one of these no Java program has to be started here.
_WITHOUT_JAVA = ("--job_endpoint", "--flink_submit_uber_jar", "--spark_submit_uber_jar", "--output_executable_path")


def check_runner(runner: str, arguments: Sequence[str]) -> None:
    """Refuses a runner that lacks something on this machine.

    Args:
        runner: a name of `RUNNERS`.
        arguments: options for Beam.

    Raises:
        InputError: Beam, Java or Google Cloud's client is not installed; or words that are no options.
    """
    rule = f"must be one of {', '.join(RUNNERS)}"
    check(runner in RUNNERS, "--runner", rule, runner, "Choose one.")
    remedy = "Install the extra: pip install 'tfgalaxy[beam]'"
    check(_is_installed("apache_beam"), "--runner", "must find Apache Beam", "an environment without it", remedy)
    rule, remedy = "must start with an option of Beam", "Write them as --name=value, behind ' -- '."
    check(not arguments or arguments[0].startswith("--"), "what follows EXPORT", rule, list(arguments), remedy)
    given = {argument.partition("=")[0] for argument in arguments}
    check("--runner" not in given, "what follows '--'", "must leave the runner to --runner", "--runner", "Remove it.")
    if runner in ("flink", "spark") and not given.intersection(_WITHOUT_JAVA):
        remedy = (
            "Install Java 11 or 17 and set JAVA_HOME or PATH, or name a job server: -- --job_endpoint=HOST:PORT, "
            f"or submit to the cluster's REST port: -- --{runner}_submit_uber_jar."
        )
        check(
            _has_java(), "--runner", f"must find Java, which starts {runner}'s job server", "a machine without", remedy
        )
    if runner == "dataflow":
        remedy = "Install it: pip install 'apache-beam[gcp]'"
        check(
            _is_installed("apitools"), "--runner", "must find Google Cloud's client", "an environment without", remedy
        )


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _has_java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java") is not None or (home is not None and os.access(f"{home}/bin/java", os.X_OK))


def pipeline_options(runner: str, arguments: Sequence[str]) -> Any:
    """Beam's `PipelineOptions`, whose name of the runner is that of `RUNNERS`.

    Raises:
        InputError: values that Beam's options do not take.
    """
    # Beam says at its import that it lacks optional packages, on the root logger.
    logging.disable(logging.WARNING)
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    finally:
        logging.disable(logging.NOTSET)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions([f"--runner={RUNNERS[runner]}", *arguments])
            options.get_all_options()
    except SystemExit as error:
        # argparse writes all options that there are, and at last what is wrong.
        value = said.getvalue().strip().rpartition("error: ")[2]
        raise InputError("what follows '--'", "must be what Beam takes", value, "Correct the option.") from error
    return options


def default_threads(runner: str, options: Any) -> int:
    """TensorFlow's threads in a worker's process: all cores shared by the direct runner's processes, and elsewhere 1,
    since clusters start a process or more for each core.
    """
    if runner != "direct":
        return 1
    return max(1, (os.cpu_count() or 1) // max(1, options.get_all_options()["direct_num_workers"]))
