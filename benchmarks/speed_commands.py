"""Two commands as a whole: the speed of `predict` beside decoding alone, and the memory of `train` on many images."""

from __future__ import annotations

from pathlib import Path

from prediction import bare_decoding, prediction, run_alone
from speed_arithmetic import in_turns
from speed_data import Sizes, linked_run, picture_files
from speed_report import Measured, Section

from tfgalaxy.export import ImageFiles, Predictor
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

__all__ = ["measure_memory", "measure_prediction"]

PREDICTION_PERCENT, GIGABYTES = 70, 3
PICTURE_SIDE = 424


def measure_prediction(sizes: Sizes, predictor: Predictor, folder: Path) -> Section:
    """`predict` from files to Parquet over reading, decoding and cropping the same files, in turns."""
    files = picture_files(folder / "pictures", sizes.pictures, PICTURE_SIDE, sizes.questions) * sizes.picture_repeats
    inputs = ImageFiles(files)
    functions = {
        "decode and crop alone": lambda: bare_decoding(files, predictor.preprocessing),
        "predict, files to Parquet": lambda: prediction(predictor, inputs, folder / "predicted.parquet"),
    }
    seconds = in_turns(functions, sizes.repeats, {})
    speeds = [Measured.of(name, (len(files) / one for one in times), "images/s") for name, times in seconds.items()]
    bare, whole = seconds.values()
    shares = [100 * one / other for one, other in zip(bare, whole, strict=True)]
    share = Measured.of("the second over the first", shares, "%", PREDICTION_PERCENT, at_least=True)
    return Section(f"`predict`, {PICTURE_SIDE} px JPEGs", [*speeds, share])


def measure_memory(sizes: Sizes, precision: str, small: Path, folder: Path) -> Section:
    """Peak resident memory of `tfgalaxy train`, alternating, from files through the disk cache; in its own process.

    Args:
        sizes: how many images and steps.
        precision: dtype policy.
        small: folder of the simulated pictures.
        folder: where the run's files go.
    """
    catalogue, images = linked_run(small, folder / "many", sizes.memory_images)
    training = TrainingConfig(
        batch_size=sizes.batch,
        steps_per_epoch=sizes.memory_steps,
        epochs=1,
        unlabelled_epochs=0,
        simulated_galaxies=0,
        teachers=0,
    )
    config = RunConfig(DataConfig(sizes.questions), sizes.model.replace(precision=precision), training)
    config.to_json(folder / "run.json")
    places = {"catalogue": catalogue, "images": images, "cache": folder / "cache", "output": folder / "run"}
    options = [text for name, place in places.items() for text in (f"--{name}", str(place))]
    usage = run_alone(["train", *options, "--config", str(folder / "run.json")])
    title = f"peak of `train`, {sizes.memory_images:,} images, {sizes.memory_steps} steps"
    return Section("Memory", [Measured.of(title, [usage.peak / 1e9], "GB", GIGABYTES)])
