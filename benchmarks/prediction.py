"""Figures of local predictions: speed against decoding alone, and memory against the number of images.

    python benchmarks/prediction.py EXPORT IMAGES [--images 1000] [--repetitions 3] [--small 500] [--large 2000]
        [--beam] [--json FILE] [--markdown FILE]

EXPORT is an exported version; the folder holds JPEGs. What is compared is measured in turns within one run, so that
another load of the machine meets both. Memory and Beam are measured on `tfgalaxy predict` in processes of their own,
over so many images as `--small` and `--large` say; the folder's images are repeated. Speeds of processes are the
difference of the two, without the start of Python, the model's loading and tracing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from serving import Figure, report

from tfgalaxy.data.decoding_threads import map_in_order
from tfgalaxy.data.images import decoder
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.export import ImageFiles, Predictor, folder_images, open_predictor
from tfgalaxy.export.prediction import predicted_parts
from tfgalaxy.export.prediction_stream import decoded_blocks
from tfgalaxy.export.prediction_table import write_tables


class Usage(NamedTuple):
    """Wall-clock seconds, processor seconds of all threads, and peak resident bytes of a process."""

    seconds: float
    processor: float
    peak: float


def bare_decoding(files: list[str], preprocessing: Preprocessing) -> None:
    """Reads, and decodes and crops as training does; nothing is resized, told apart or kept."""

    def decode(path: tf.Tensor) -> tf.Tensor:
        content = tf.io.read_file(path)
        shape = tf.io.extract_jpeg_shape(content)
        side = tf.cast(preprocessing.crop_fraction * tf.cast(tf.minimum(shape[0], shape[1]), tf.float32), tf.int32)
        window = tf.stack([(shape[0] - side) // 2, (shape[1] - side) // 2, side, side])
        options = {"channels": preprocessing.channels, "dct_method": "INTEGER_ACCURATE"}
        return tf.reduce_max(tf.io.decode_and_crop_jpeg(content, window, **options))

    dataset = tf.data.Dataset.from_tensor_slices(files).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    for _ in dataset.batch(64).prefetch(4):
        pass


def pipeline_decoding(files: list[str], preprocessing: Preprocessing) -> None:
    """Reads, decodes, crops and resizes in a `tf.data` pipeline, as one would write it."""
    decode = decoder(preprocessing)

    def of_file(path: tf.Tensor) -> tf.Tensor:
        return decode(tf.io.read_file(path))

    dataset = tf.data.Dataset.from_tensor_slices(files).map(of_file, num_parallel_calls=tf.data.AUTOTUNE)
    for _ in dataset.batch(64).prefetch(4):
        pass


def decoding(inputs: ImageFiles, preprocessing: Preprocessing) -> None:
    """What `predict` does before the network sees anything."""
    for _ in decoded_blocks(inputs, preprocessing):
        pass


def prediction(predictor: Predictor, inputs: ImageFiles, output: Path) -> None:
    """From files to Parquet, once the model is there."""
    tables = list(predicted_parts(predictor, inputs, 2048))
    write_tables(lambda: tables, output)


def network(predictor: Predictor, images: Any, count: int) -> None:
    """`classify` on decoded pictures."""
    for _ in map_in_order(predictor.run, [images] * (count // len(images))):
        pass


def fastest(functions: dict[str, Callable[[], None]], repetitions: int) -> dict[str, tuple[float, float]]:
    """Seconds and processor seconds of each function; best of repetitions in turns, the first not counted."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(repetitions + 1):
        for name, function in functions.items():
            started, processor = time.perf_counter(), time.process_time()
            function()
            runs[name].append((time.perf_counter() - started, time.process_time() - processor))
    best = {name: list(zip(*times[1:], strict=True)) for name, times in runs.items()}
    return {name: (min(seconds), min(processor)) for name, (seconds, processor) in best.items()}


def throughput(export: Path, files: list[str], repetitions: int, folder: Path) -> Iterator[Figure]:
    """Images per second and per processor second, and `predict` as a share of decoding."""
    predictor, inputs = open_predictor(export), ImageFiles(files)
    preprocessing = predictor.preprocessing
    images = next(decoded_blocks(inputs, preprocessing)).images
    functions: dict[str, Callable[[], None]] = {
        "decode and crop alone": lambda: bare_decoding(files, preprocessing),
        "decode, crop and resize, by tf.data": lambda: pipeline_decoding(files, preprocessing),
        "decode, crop and resize, as predict does": lambda: decoding(inputs, preprocessing),
        "network alone (classify, batch 64)": lambda: network(predictor, images, len(files)),
        "predict, files to Parquet": lambda: prediction(predictor, inputs, folder / "out.parquet"),
    }
    best = fastest(functions, repetitions)
    for name, (seconds, processor) in best.items():
        yield Figure(name, len(files) / seconds, "images/s")
        yield Figure(f"{name}: per core", len(files) / processor, "images per core-second")
    *decoded, _, predicted = best.values()
    targets = (70, None, 60)
    for name, (seconds, processor), target in zip(best, decoded, targets, strict=False):
        yield Figure(f"predict over: {name}", 100 * seconds / predicted[0], "%", target, at_least=True)
        # What it would be on an idle machine, whose cores both keep busy.
        yield Figure(f"predict over: {name}: by processor time", 100 * processor / predicted[1], "%")
    yield Figure("Parquet", (folder / "out.parquet").stat().st_size / len(files), "bytes per row")
    yield Figure("files", sum(map(os.path.getsize, files)) / len(files), "bytes per image")


def repeated(files: list[str], count: int, folder: Path) -> Path:
    """A folder of so many links to the files."""
    for number in range(count):
        place = folder / f"{number // len(files):04d}"
        place.mkdir(parents=True, exist_ok=True)
        os.symlink(files[number % len(files)], place / Path(files[number % len(files)]).name)
    return folder


def run_alone(arguments: list[str], cores: int | None = None) -> Usage:
    """Runs `tfgalaxy` in a process of its own.

    Args:
        arguments: of the command.
        cores: number of cores that it may use; all by default.
    """
    own = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, own[:cores])
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tfgalaxy.cli", *arguments, "--quiet"], stderr=subprocess.PIPE)
    os.sched_setaffinity(0, own)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(errors.decode())
    return Usage(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss)


def memory(export: Path, few: Path, many: Path, output: Path) -> Iterator[Figure]:
    """Peak resident memory of `tfgalaxy predict` over few images and over many."""
    peaks = []
    for images in (few, many):
        usage = run_alone(["predict", str(export), "--images", str(images), "--output", str(output)])
        count = sum(len(found) for _, _, found in os.walk(images))
        yield Figure(f"peak memory of predict, {count:,} images", usage.peak / 1e6, "MB")
        peaks.append(usage.peak)
    yield Figure("the second over the first", peaks[1] / peaks[0], "", 1.1)


def beam(export: Path, few: Path, many: Path, output: Path) -> Iterator[Figure]:
    """Images per second of Beam's direct runner, and of `predict` beside it, each on one core."""
    for name, more in (("predict", []), ("predict --runner direct", ["--runner", "direct", "--threads", "1"])):
        used, counts = [], []
        for number, images in enumerate((few, many)):
            target = output.with_name(f"{name.split()[-1]}{number}.parquet")
            command = ["predict", str(export), "--images", str(images), "--output", str(target), *more]
            used.append(run_alone(command, cores=1))
            counts.append(sum(len(found) for _, _, found in os.walk(images)))
        processor = used[1].processor - used[0].processor
        yield Figure(f"{name}, one core", (counts[1] - counts[0]) / processor, "images per core-second")
        yield Figure(f"{name}, start", used[0].processor - counts[0] * processor / (counts[1] - counts[0]), "core-s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("folder", metavar="IMAGES", type=Path)
    parser.add_argument("--images", type=int, default=1000, help="for the speed")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--small", type=int, default=500, help="for the memory")
    parser.add_argument("--large", type=int, default=2000, help="for the memory")
    parser.add_argument("--beam", action="store_true", help="measure Beam too, on one core")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)  # as the command does
    files = folder_images(options.folder).files
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        few = repeated(files, options.small, place / "few")
        many = repeated(files, options.large, place / "many")
        figures = [*throughput(options.export, files[: options.images], options.repetitions, place)]
        figures += memory(options.export, few, many, place / "memory.parquet")
        if options.beam:
            figures += beam(options.export, few, many, place / "beam.parquet")
    report(figures, options.json, options.markdown)


if __name__ == "__main__":
    main()
