"""One process per cell: a lock file with a heartbeat, on folders that machines share."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfgalaxy.errors import InputError

__all__ = ["CellLock", "hold_cell"]

HEARTBEAT_SECONDS = 30.0
# A holder that has been silent for so long is gone: killed with its machine, or cut off from the folder.
STALE_SECONDS = 600.0


def _machine() -> str:
    """Names the machine, its boot and the name space of its process numbers, within which a number can be looked up."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class CellLock:
    """The right to run a cell, while its file exists and holds this process's mark.

    Args:
        path: of the file. Its time of change is the holder's last sign of life, by the clock of the folder's server.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark = uuid.uuid4().hex
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def acquire(self) -> bool:
        """Takes the lock, if need be from a holder that is gone; False while another process holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._create():
            # Foreign locks are removed only here, one process at a time: two that find one stale cannot both take it.
            with (self.path.parent / ".guard").open("w") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX)
                if not self._is_stale():
                    return False
                self.path.unlink(missing_ok=True)
                if not self._create():
                    return False
        self._thread.start()
        return True

    def release(self) -> None:
        """Gives the lock back, unless another process has taken it over."""
        self._released.set()
        self._thread.join()
        if self.held:
            self.path.unlink(missing_ok=True)

    @property
    def held(self) -> bool:
        """Whether the lock is still this process's."""
        return self._read().get("mark") == self.mark

    def check_held(self) -> None:
        """Raises `InputError` if another process has taken the cell over, as after a long sleep of this machine."""
        if not self.held:
            rule = "must stay this process's while it runs the cell"
            raise InputError(str(self.path), rule, self._read().get("machine"), "Start again; finished cells are kept.")

    def _create(self) -> bool:
        record = {"mark": self.mark, "machine": _machine(), "process": os.getpid(), "since": time.strftime("%FT%T%z")}
        try:
            with self.path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except FileExistsError:
            return False
        return True

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return {}
        return record if isinstance(record, dict) else {}

    def _is_stale(self) -> bool:
        try:
            silent = self._folder_time() - self.path.stat().st_mtime
        except FileNotFoundError:
            return True
        record = self._read()
        gone = record.get("machine") == _machine() and not _is_running(record["process"])
        return gone or silent > STALE_SECONDS

    def _folder_time(self) -> float:
        """The present by the clock that stamps the folder's files: clocks of machines differ."""
        probe = self.path.with_name(f".clock-{self.mark}")
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT_SECONDS):
            if not self.held:
                return
            with contextlib.suppress(OSError):
                os.utime(self.path)


@contextlib.contextmanager
def hold_cell(path: Path) -> Iterator[CellLock | None]:
    """Yields the held lock of a cell, or None while another process runs the cell."""
    lock = CellLock(path)
    if not lock.acquire():
        yield None
        return
    try:
        yield lock
    finally:
        lock.release()
