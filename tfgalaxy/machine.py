"""What this machine offers: processor, memory, disk, and what TensorFlow makes of them."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "NO_TENSORFLOW",
    "TensorFlowAnswer",
    "ask_tensorflow",
    "bfloat16_flags",
    "free_disk",
    "memory",
    "processor_flags",
]

# Run in a process of its own: a TensorFlow that does not suit the processor ends its process by a signal.
QUESTION = """
import json
import tensorflow as tf
from tfgalaxy.training.precision import probe_precision
devices = [f"{device.device_type}: {device.name}" for device in tf.config.list_physical_devices()]
probe = probe_precision()
print("ANSWER" + json.dumps({"devices": devices, "precision": probe.precision, "measured": str(probe)}))
"""
NO_TENSORFLOW = "TensorFlow does not run"


@dataclasses.dataclass(frozen=True)
class TensorFlowAnswer:
    """What TensorFlow says in a process of its own.

    Attributes:
        devices: kind and name of each.
        precision: the faster dtype policy, as `choose_precision("auto")` would take it; "" where there is an error.
        measured: the line that says so.
        error: why there is no answer; "" where there is one.
    """

    devices: tuple[str, ...] = ()
    precision: str = ""
    measured: str = ""
    error: str = ""


def ask_tensorflow(timeout: float = 180.0) -> TensorFlowAnswer:
    """Imports TensorFlow and this package in another process, lists the devices and times a convolution."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", QUESTION]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return TensorFlowAnswer(error=f"{NO_TENSORFLOW}: no answer within {timeout:.0f} s")
    if process.returncode < 0:
        return TensorFlowAnswer(error=f"{NO_TENSORFLOW}: its process ended by signal {-process.returncode}")
    if process.returncode > 0:
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        return TensorFlowAnswer(error=f"{NO_TENSORFLOW}: {last}")
    answer = json.loads(process.stdout.rpartition("ANSWER")[2])
    return TensorFlowAnswer(tuple(answer["devices"]), answer["precision"], answer["measured"])


def processor_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The processor's features as Linux names them; none where it does not say."""
    if not path.is_file():
        return frozenset()
    lines = path.read_text(errors="replace").splitlines()
    names = (line.partition(":")[2] for line in lines if line.split(":")[0].strip().lower() in ("flags", "features"))
    return frozenset(next(names, "").split())


def bfloat16_flags(flags: Iterable[str]) -> list[str]:
    """Those of a processor's features that are bfloat16 arithmetic, of x86 and of ARM."""
    return sorted(set(flags) & {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})


def memory(
    meminfo: Path = Path("/proc/meminfo"), limit: Path = Path("/sys/fs/cgroup/memory.max")
) -> tuple[int, int | None]:
    """Bytes of memory in all, of the container where one sets a limit, and bytes available, if Linux says so."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    available = None
    if meminfo.is_file():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        kibibytes = {name: int(value.split()[0]) for name, value in fields.items()}
        total, available = 1024 * kibibytes["MemTotal"], 1024 * kibibytes["MemAvailable"]
    text = limit.read_text().strip() if limit.is_file() else "max"
    if text.isdigit():
        total = min(total, int(text))
        available = None if available is None else min(available, total)
    return total, available


def free_disk() -> dict[str, int]:
    """Free bytes of the folders that outputs and temporary files go to."""
    return {name: shutil.disk_usage(name).free for name in (os.getcwd(), tempfile.gettempdir())}


def processor_name() -> str:
    """Architecture and number of processors that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {usable} usable"
