"""The process that reads mutated files, with bounded memory, and the clock beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import random
import resource
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz_mutations import mutate
from fuzz_seeds import BOMBS, GALAXIES, NUMBERED, SEEDS, picture

__all__ = ["CLOCK", "MEMORY", "Outcome", "make_input", "outcomes"]

CLOCK = 2.0  # seconds for one input
MEMORY = 512 << 20  # bytes above the process's memory before the input
ADDRESSES = 3 << 30  # bytes of address space above those of the process when it is ready
BOMB_EVERY = 10  # inputs of a kind, one is a bomb
PATIENCE = 15 * CLOCK  # a process that does not answer by then is ended
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "FITS": ".fits", "CSV": ".csv", "VOTable": ".xml", "JSON": ".json"}
KINDS = tuple(SEEDS)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one input.

    Attributes:
        number: of the input; with the seed it says all.
        kind: of file.
        bomb: whether it was one.
        result: "read", "refused", or a fault: "crash", "hang", "memory", "foreign error", "bomb read".
        seconds: that it took.
        memory: bytes above what the process had before.
        detail: the error.
    """

    number: int
    kind: str
    bomb: bool
    result: str
    seconds: float = 0.0
    memory: int = 0
    detail: str = ""


def make_input(seed: int, number: int, seeds: dict[str, list[bytes]], bombs: dict[str, list[bytes]]) -> Any:
    """Kind, whether it is a bomb, and the bytes, of input `number`: a function of seed and number."""
    choose = random.Random(f"{seed}/{number}")
    kind = KINDS[number % len(KINDS)]
    if number // len(KINDS) % BOMB_EVERY == 0:
        return kind, True, choose.choice(bombs[kind])
    return kind, False, mutate(kind, choose, seeds[kind])


def read(kind: str, path: Path) -> None:
    """Reads a file by all of the package's public readers of its kind."""
    from tfgalaxy.data import Preprocessing, load_catalogue
    from tfgalaxy.data.images import read_image, read_picture
    from tfgalaxy.data.questions import load_questions
    from tfgalaxy.errors import InputError
    from tfgalaxy.models.config import ModelConfig
    from tfgalaxy.training.config import RunConfig

    if kind in ("JPEG", "PNG", "FITS image"):
        read_both(path, (lambda file: read_image(file, Preprocessing(image_size=32)), read_picture))
    elif kind.endswith("catalogue"):
        load_catalogue(path, path.parent / "images", path.parent / "questions.json")
    elif kind == "JSON questions":
        questions = load_questions(path)
        with contextlib.suppress(InputError):  # whether the table has their columns is another matter
            load_catalogue(path.parent / "table.csv", path.parent / "images", questions)
    else:
        {"RunConfig": RunConfig, "ModelConfig": ModelConfig, "Preprocessing": Preprocessing}[kind[5:]].from_json(path)


def read_both(path: Path, readers: Any) -> None:
    """Tries all readers; raises the first one's error."""
    errors = []
    for reader in readers:
        try:
            reader(path)
        except ValueError as error:
            errors.append(error)
    for error in sorted(errors, key=is_own):
        raise error


def is_own(error: BaseException) -> bool:
    """Whether an error is the package's."""
    from tfgalaxy.errors import InputError

    return isinstance(error, InputError)


def prepare(folder: Path) -> None:
    """A folder of images, a table of them, and questions."""
    from PIL import Image

    from tfgalaxy.data.questions import Question, Questions

    (folder / "images").mkdir(exist_ok=True)
    for name in (*GALAXIES, *NUMBERED):
        Image.fromarray(picture()).save(folder / "images" / f"{name}.png")
    shape = Question("shape", ("smooth", "featured"))
    bar = Question("bar", ("yes", "no"), asked_after=(("shape", "featured"),))
    Questions("small", (shape, bar)).to_json(folder / "questions.json")
    (folder / "table.csv").write_bytes(SEEDS["CSV catalogue"]()[0])


def memory(name: str) -> int:
    """A line of the process's memory in bytes: VmRSS now, VmHWM the most since it was reset, VmSize addresses."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise RuntimeError(f"no {name} in /proc/self/status")


def work(connection: Any, folder: str, seed: int, numbers: list[int]) -> None:
    """The process's whole life: a message before and after each input."""
    warnings.simplefilter("ignore")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    home = Path(folder)
    prepare(home)
    seeds = {kind: make() for kind, make in SEEDS.items()}
    bombs = {kind: make() for kind, make in BOMBS.items()}
    # Each is valid, and what a first reading imports and traces is no input's fault.
    for kind, contents in seeds.items():
        for content in contents:
            path = write(home, kind, content)
            read(kind, path)
    resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + ADDRESSES,) * 2)
    connection.send("ready")
    for number in numbers:
        kind, bomb, content = make_input(seed, number, seeds, bombs)
        path = write(home, kind, content)
        connection.send((number, kind, bomb))
        connection.send(outcome_of(number, kind, bomb, path))


def write(home: Path, kind: str, content: bytes) -> Path:
    """The input as a file, under the name that its kind asks for."""
    suffix = SUFFIXES[kind.split()[0]]
    if content.startswith(b"\x1f\x8b") and suffix in (".csv", ".fits"):
        suffix += ".gz"
    path = home / f"input{suffix}"
    path.write_bytes(content)
    return path


def outcome_of(number: int, kind: str, bomb: bool, path: Path) -> Outcome:
    """Reads one input and says what came of it."""
    Path("/proc/self/clear_refs").write_text("5")
    before, start = memory("VmRSS"), time.perf_counter()
    result, detail = ("bomb read" if bomb else "read"), ""
    try:
        read(kind, path)
    except Exception as error:
        result = "refused" if is_own(error) else "foreign error"
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"[:400]
    seconds, used = time.perf_counter() - start, memory("VmHWM") - before
    if used > MEMORY:
        result, detail = "memory", f"{used >> 20} MiB; {result} {detail}"
    if result == "refused":
        detail = ""
    return Outcome(number, kind, bomb, result, seconds, used, detail)


def outcomes(seed: int, numbers: list[int], folder: str) -> Iterator[Outcome]:
    """What came of each input. A process that ends, or that has to be ended, is replaced by another."""
    left, again = list(numbers), set[int]()
    while left:
        for outcome in one_process(seed, list(left), folder):
            if outcome.seconds > CLOCK and outcome.number not in again:
                print("again:", outcome, flush=True)  # the machine may have been busy
                again.add(outcome.number)
                left.append(outcome.number)
                left.remove(outcome.number)
                continue
            left.remove(outcome.number)
            slow = outcome.seconds > CLOCK and outcome.result != "crash"
            yield dataclasses.replace(outcome, result="hang") if slow else outcome


def one_process(seed: int, numbers: list[int], folder: str) -> Iterator[Outcome]:
    """Outcomes until all are done or the process is no more."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(there, folder, seed, numbers), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(300) or here.recv() != "ready":
            raise RuntimeError("the process that reads did not start")
        for _ in numbers:
            number, kind, bomb = here.recv()
            start = time.perf_counter()
            answered, outcome = here.poll(PATIENCE), None
            try:
                outcome = here.recv() if answered else None
            except EOFError:
                process.join()
            if outcome is None:
                result = "crash" if answered else "hang"
                detail = f"exit code {process.exitcode}" if answered else f"no answer in {PATIENCE:.0f} s"
                yield Outcome(number, kind, bomb, result, time.perf_counter() - start, 0, detail)
                return
            yield outcome
    finally:
        process.kill()
        process.join()
