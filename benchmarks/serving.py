"""Figures of an exported model: speed, latency, size, and 10,000 requests with broken bytes among them.

    python benchmarks/serving.py RUN GALAXYZOO2_IMAGES [--requests 10000] [--json FILE] [--markdown FILE]

RUN is a finished run; the folder holds 424 x 424 JPEGs. The `tfgalaxy` command exports the run; the C++ loader loads
the export into a session, without Python before or behind it, which is warmed up with the requests that the export
carries. What is compared is measured in turns, so that another load of the machine meets both.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.export.decoding import decode_rows
from tfgalaxy.export.serving_messages import message_class

BATCH = 64
CORES = len(os.sched_getaffinity(0))
# Requests of one client in a turn of the measurement of images per second.
REQUESTS = 8
# What 10,000 requests ask for, drawn at random.
ROWS, ROW_SHARES = (1, 2, 4, 16), (0.7, 0.15, 0.1, 0.05)
BROKEN = 0.1


@dataclasses.dataclass(frozen=True)
class Figure:
    """A measured number beside its target; `target` None is told for comparison only."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return bool(self.value >= self.target if self.at_least else self.value <= self.target)

    def cells(self) -> tuple[str, str, str, str]:
        target = "" if self.target is None else f"{'at least' if self.at_least else 'at most'} {self.target:g}"
        mark = {None: "", True: "yes", False: "no"}[self.reached]
        return self.name, f"{self.value:,.4g} {self.unit}", target, mark


class Session:
    """Signatures of a SavedModel in a session of the C++ loader; each a function of its inputs' arrays."""

    def __init__(self, path: Path) -> None:
        self.path, graph = path, tf.Graph()
        with graph.as_default():
            # As the docker-compose.yml of an export says: requests share the cores, not operations.
            config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=CORES)
            self.session = tf.compat.v1.Session(graph=graph, config=config)
            definition = tf.compat.v1.saved_model.load(self.session, ["serve"], str(path))
        self.signatures = definition.signature_def
        # As in TF Serving, a signature's executor is made once, by the warm-up.
        self.function = functools.cache(self._function)

    def _function(self, name: str) -> Callable[..., dict[str, np.ndarray]]:
        """A signature; its arguments are the inputs in the order of their names."""
        signature = self.signatures[name]
        fetches = {key: info.name for key, info in signature.outputs.items()}
        return self.session.make_callable(fetches, [signature.inputs[key].name for key in sorted(signature.inputs)])

    def warm_up(self) -> None:
        """Answers the requests that the export carries."""
        from tensorflow.core.framework.tensor_pb2 import TensorProto

        for record in tf.data.TFRecordDataset(str(self.path / "assets.extra" / "tf_serving_warmup_requests")):
            request = message_class("PredictionLog").FromString(record.numpy()).predict_log.request
            tensors = {entry.key: tf.make_ndarray(TensorProto.FromString(entry.value)) for entry in request.inputs}
            self.function(request.model_spec.signature_name)(*(tensors[key] for key in sorted(tensors)))


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def export(run: Path, base: Path) -> Iterator[Figure]:
    """Exports by the command, start of Python included."""
    command = [sys.executable, "-m", "tfgalaxy.cli", "export", str(run), "--output", str(base / "galaxy")]
    yield Figure("export of a trained run", seconds(lambda: subprocess.run(command, check=True)), "s", 60)
    size = sum(file.stat().st_size for file in (base / "galaxy" / "1").rglob("*") if file.is_file())
    yield Figure("SavedModel", size / 1e6, "MB", 20)


def save_decoders(path: Path, preprocessing: Preprocessing, corner: int, side: int) -> None:
    """Decoding alone: as the export does it, and bare of all that tells pictures apart or isolates broken ones."""

    def bare(content: tf.Tensor) -> tf.Tensor:
        square = tf.io.decode_and_crop_jpeg(
            content, [corner, corner, side, side], channels=preprocessing.channels, dct_method="INTEGER_ACCURATE"
        )
        return tf.image.resize(square, [preprocessing.image_size] * 2, method="area")

    def served_rows(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": decode_rows(image_bytes, preprocessing)[0]}

    def bare_rows(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        mapped = tf.map_fn(bare, image_bytes, fn_output_signature=tf.float32, parallel_iterations=16)
        return {"images": mapped / 255.0}

    spec = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    functions = {"served": served_rows, "bare": bare_rows}
    signatures = {
        name: tf.function(function, input_signature=spec).get_concrete_function()
        for name, function in functions.items()
    }
    tf.saved_model.save(tf.Module(), str(path), signatures=signatures)


def throughput(model: Session, decoders: Session, pictures: list[bytes], repetitions: int) -> Iterator[Figure]:
    """Images per second at batch 64, from as many clients as there are cores, as the median of the repetitions, which
    run in turns: one request at a time would leave all cores but one waiting for the network.
    """
    batch = pictures[:BATCH]
    images = decoders.function("served")(batch)["images"]
    functions = {
        "decoding alone, bare": (decoders.function("bare"), batch),
        "decoding alone, as served": (decoders.function("served"), batch),
        "network alone (classify)": (model.function("classify"), images),
        "classify_bytes": (model.function("classify_bytes"), batch),
    }
    times = collections.defaultdict(list)
    with ThreadPoolExecutor(CORES) as clients:

        def ask(function: Callable[..., Any], argument: Any) -> None:
            list(clients.map(lambda _: function(argument), range(CORES * REQUESTS)))

        for _ in range(repetitions + 1):
            for name, (function, argument) in functions.items():
                times[name].append(seconds(ask, function, argument))
    rates = {name: BATCH * CORES * REQUESTS / statistics.median(values[1:]) for name, values in times.items()}
    for name, rate in rates.items():
        yield Figure(f"{name}, batch {BATCH}", rate, "images/s")
    for name, target in (("decoding alone, bare", 60), ("decoding alone, as served", None)):
        share = 100 * rates["classify_bytes"] / rates[name]
        yield Figure(f"classify_bytes over {name}", share, "%", target, at_least=True)
    share = rates["decoding alone, as served"] / rates["decoding alone, bare"]
    yield Figure("decoding as served over bare decoding", 100 * share, "%")


def latency(model: Session, pictures: list[bytes], requests: int) -> Iterator[Figure]:
    """Of single pictures, just after the warm-up: the first one first."""
    function = model.function("classify_bytes")
    times = 1e3 * np.array([seconds(function, [pictures[index % len(pictures)]]) for index in range(requests)])
    yield Figure("first request over the median", times[0] / np.median(times), "times", 2)
    yield Figure("latency at batch 1, median", float(np.median(times)), "ms", 15)
    yield Figure("latency at batch 1, 99th percentile", float(np.quantile(times, 0.99)), "ms", 40)


def broken(picture: bytes, rng: np.random.Generator) -> bytes:
    """A byte string that is no picture, or a damaged one."""
    middle = len(picture) // 2
    flipped = bytearray(picture)
    for position in rng.integers(middle // 2, middle + middle // 2, 20):
        flipped[position] ^= 1 << int(rng.integers(8))
    header = bytearray(picture)
    for position in rng.integers(2, 400, 20):
        header[position] = int(rng.integers(256))
    frame = picture.index(b"\xff\xc0") + 5
    kinds = [
        b"",
        rng.bytes(int(rng.integers(1, 5000))),
        picture[: int(rng.integers(1, len(picture)))],
        picture[:4] + rng.bytes(200) + picture[204:],
        bytes(header),
        bytes(flipped),
        picture[:frame] + b"\xff\xff\xff\xff" + picture[frame + 4 :],
        b"GIF89a" + rng.bytes(500),
        b"BM" + rng.bytes(500),
        b"RIFF" + rng.bytes(4) + b"WEBPVP8 " + rng.bytes(500),
    ]
    return kinds[int(rng.integers(len(kinds)))]


def soak(model: Session, pictures: list[bytes], requests: int) -> Iterator[Figure]:
    """Requests of 1 to 16 rows to both signatures of bytes, a tenth of the rows broken."""
    rng, process = np.random.default_rng(0), psutil.Process()
    functions = {name: model.function(name) for name in ("classify_bytes", "embed_bytes")}
    expected = {name: function(pictures) for name, function in functions.items()}
    failed, wrong, settled = 0, 0, 0
    for number in range(requests):
        name = ("classify_bytes", "embed_bytes")[int(rng.integers(2))]
        rows = rng.integers(len(pictures), size=rng.choice(ROWS, p=ROW_SHARES))
        bad = rng.uniform(size=len(rows)) < BROKEN
        batch = [broken(pictures[row], rng) if is_bad else pictures[row] for row, is_bad in zip(rows, bad, strict=True)]
        try:
            outputs = functions[name](batch)
        except tf.errors.OpError:
            failed += 1
            continue
        output = "fraction" if name == "classify_bytes" else "latent_mean"
        gaps = np.abs(outputs[output] - expected[name][output][rows])[~bad]
        finite = all(np.isfinite(value).all() for value in outputs.values())
        wrong += int(not finite or gaps.max(initial=0) > 1e-4 or not outputs["valid"][~bad].all())
        if number == min(1000, requests // 10):
            gc.collect()
            settled = process.memory_info().rss
    gc.collect()
    yield Figure(f"failed batches of {requests:,} requests", failed, "", 0)
    yield Figure("batches with a wrong good row", wrong, "", 0)
    growth = 100 * (process.memory_info().rss / settled - 1)
    yield Figure("growth of resident memory after the first 1,000", growth, "%", 5)
    yield Figure("resident memory", process.memory_info().rss / 1e6, "MB")


def show(figures: list[Figure]) -> None:
    table = Table("figure", "measured", "target", "reached")
    for figure in figures:
        table.add_row(*figure.cells())
    Console(width=110).print(table)


def markdown(figures: list[Figure]) -> str:
    rows = [("figure", "measured", "target", "reached"), ("---",) * 4, *(figure.cells() for figure in figures)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def report(figures: list[Figure], json_file: Path | None, markdown_file: Path | None) -> None:
    """Shows the figures, and writes them where files are named."""
    show(figures)
    rows = [{**dataclasses.asdict(figure), "reached": figure.reached} for figure in figures]
    if json_file:
        json_file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if markdown_file:
        markdown_file.write_text(markdown(figures), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    # All of a process shares the threads of what comes first: the sessions' own setting came too late.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    files = sorted(options.images.glob("*.jpg"))[:BATCH]
    pictures = [file.read_bytes() for file in files]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        figures = list(export(options.run, base))
        version = base / "galaxy" / "1"
        preprocessing = Preprocessing.from_json(version / "assets" / "preprocessing.json")
        whole = int(tf.io.extract_jpeg_shape(pictures[0])[0])
        side = round(preprocessing.crop_fraction * whole)
        save_decoders(base / "decoders", preprocessing, (whole - side) // 2, side)
        model, decoders = Session(version), Session(base / "decoders")
        model.warm_up()
        figures += latency(model, pictures, 500)
        figures += throughput(model, decoders, pictures, options.repetitions)
        figures += soak(model, pictures, options.requests)
    report(figures, options.json, options.markdown)


if __name__ == "__main__":
    main()
