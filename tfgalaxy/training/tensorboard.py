"""What TensorBoard shows of a run: scalars of both clocks, pictures as they get better, and the latent space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from numpy.typing import NDArray
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.files import atomic_file
from tfgalaxy.training.clocks import clock_of, vae_clock_runs
from tfgalaxy.training.config import RunConfig

__all__ = ["RunBoard", "TensorBoardLog", "write_projector"]

# Galaxies whose pictures are logged, and epochs between two of them.
PICTURED = 8
PICTURE_INTERVAL = 5
# Galaxies of the latent space, and the longest side of their sheet of thumbnails that TensorBoard takes.
PROJECTED = 2000
LARGEST_SHEET = 8192


class RunBoard:
    """The logs of one run, as `tfgalaxy train --tensorboard` keeps them.

    Args:
        directory: where to log.
        config: of the run.
        catalogue: all of its galaxies, from whose validation part pictures and latent space are.
        cache: folder that keeps decoded images; in memory when None.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        config: RunConfig,
        catalogue: Catalogue,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self.directory, self.has_vae = directory, vae_clock_runs(config.training)
        self.galaxies, pixels = _validation_sample(config, catalogue, cache)
        self.images = pixels.array
        self.callback = TensorBoardLog(directory, self.images, self.has_vae)

    def finish(self, model: Any) -> None:
        """Adds the latent space of the finished run's model."""
        if self.has_vae and len(self.images):
            write_projector(self.directory, model, self.galaxies, self.images)


def _validation_sample(
    config: RunConfig, catalogue: Catalogue, cache: str | os.PathLike[str] | None
) -> tuple[Catalogue, Pixels]:
    """The first validation galaxies, at most 2,000, with their pixels."""
    model = config.model
    settings = Preprocessing(image_size=model.image_size, channels=model.channels, crop_fraction=model.crop_fraction)
    _, validation, _ = catalogue.split(config.data.split_seed, config.data.split_fractions)
    validation = validation.subset(np.arange(min(PROJECTED, len(validation))))
    pixels = load_pixels(validation.files, settings, cache=cache)
    validation = exclude_broken(validation, pixels)
    return validation, pixels.select(validation.files)


class TensorBoardLog(keras.callbacks.Callback):
    """Logs each epoch's scalars by clock, and a few galaxies every fifth epoch and at the end.

    Training stands in the run `train` and validation in the run `validation` under the same tags, so that their curves
    lie over each other: `vae_clock/<quantity>`, `classifier_clock/<quantity>`, `both_clocks/loss`, and each clock's
    `learning_rate`. The runs hold `images`, `canonical_views` and, with a VAE, `reconstructions`.

    Args:
        directory: where to log.
        images: uint8 [N, H, W, C] of galaxies to picture, the first 8 of them; none gives no pictures.
        has_vae: whether the run's VAE's clock ever runs.
    """

    def __init__(self, directory: str | os.PathLike[str], images: NDArray[np.uint8], has_vae: bool = True) -> None:
        super().__init__()
        self.has_vae = has_vae
        self.images = np.asarray(images[:PICTURED], np.float32) / np.float32(255)
        self.writers = {
            name: tf.summary.create_file_writer(str(Path(directory) / name)) for name in ("train", "validation")
        }
        self._epoch, self._pictured = 0, -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        for name, value in (logs or {}).items():
            quantity = name.removeprefix("val_")
            part = "train" if quantity == name else "validation"
            self._write_scalar(part, f"{_clock_tag(quantity)}/{quantity}", float(value))
        for clock in ("vae", "classifier"):
            rate = _learning_rate(getattr(self.model, f"{clock}_optimizer"))
            self._write_scalar("train", f"{clock}_clock/learning_rate", rate)
        if epoch % PICTURE_INTERVAL == 0:
            self._write_pictures()
        self._flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._pictured != self._epoch:
            self._write_pictures()
        self._flush()

    def _write_scalar(self, part: str, tag: str, value: float) -> None:
        with self.writers[part].as_default(step=self._epoch):
            tf.summary.scalar(tag, value)

    def _write_pictures(self) -> None:
        if not len(self.images):
            return
        self._pictured = self._epoch
        views = self.model.reconstruct(tf.constant(self.images))
        rows = {"images": self.images, "canonical_views": views["canonical_view"]}
        if self.has_vae:
            rows["reconstructions"] = views["reconstruction"]
        with self.writers["validation"].as_default(step=self._epoch):
            for name, pictures in rows.items():
                side_by_side = np.concatenate(np.clip(np.asarray(pictures, np.float32), 0, 1), axis=1)
                tf.summary.image(name, side_by_side[np.newaxis])

    def _flush(self) -> None:
        for writer in self.writers.values():
            writer.flush()


def _clock_tag(quantity: str) -> str:
    clock = clock_of(quantity)
    return "both_clocks" if clock == "both" else f"{clock}_clock"


def _learning_rate(optimizer: Any) -> float:
    """The present one; in Keras 2.15 and Keras 3 a schedule may stand in its place."""
    rate = optimizer.learning_rate
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        rate = rate(optimizer.iterations)
    return float(tf.convert_to_tensor(rate))


def write_projector(
    directory: str | os.PathLike[str], model: Any, catalogue: Catalogue, images: NDArray[np.uint8]
) -> Path:
    """Writes the latent means of galaxies for TensorBoard's projector; returns its configuration's path.

    Each galaxy stands at its latent mean with its id, its votes' favourite answer to each question ("" where nobody
    was asked), and its image.

    Args:
        directory: of the logs.
        model: a fitted `GalaxyVAE`.
        catalogue: N galaxies.
        images: uint8 [N, H, W, C], their pixels.
    """
    folder = Path(directory)
    batches = [images[start : start + 64] for start in range(0, len(images), 64)]
    scaled = (tf.constant(batch, tf.float32) / 255.0 for batch in batches)
    latent = np.concatenate([np.asarray(model.embed(batch)["latent_mean"]) for batch in scaled])
    lines = ["\t".join(f"{value:.5g}" for value in row) for row in latent]
    _write_lines(folder / "projector" / "latent.tsv", lines)
    _write_lines(folder / "projector" / "galaxies.tsv", _labels(catalogue))
    sheet, side = _sheet(images)
    with atomic_file(folder / "projector" / "thumbnails.png") as temporary:
        sheet.save(temporary)
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "latent means"
    embedding.tensor_path = "projector/latent.tsv"
    embedding.metadata_path = "projector/galaxies.tsv"
    embedding.sprite.image_path = "projector/thumbnails.png"
    embedding.sprite.single_image_dim.extend([side, side])
    path = folder / "projector_config.pbtxt"
    _write_lines(path, [text_format.MessageToString(config)])
    return path


def _write_lines(path: Path, lines: list[str]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _labels(catalogue: Catalogue) -> list[str]:
    questions = catalogue.questions
    lines = ["\t".join(["id", *(question.name for question in questions.questions)])]
    for name, votes in zip(catalogue.ids, catalogue.votes, strict=True):
        favourites = [
            question.answers[int(votes[part].argmax())] if votes[part].sum() > 0 else ""
            for question, part in zip(questions.questions, questions.slices, strict=True)
        ]
        lines.append("\t".join([" ".join(str(name).split()), *favourites]))
    return lines


def _sheet(images: NDArray[np.uint8]) -> tuple[Image.Image, int]:
    """All images in one square sheet, row after row, and the side of each."""
    columns = int(np.ceil(np.sqrt(len(images))))
    side = min(int(images.shape[1]), LARGEST_SHEET // columns)
    sheet = Image.new("RGB", (columns * side, columns * side))
    for index, picture in enumerate(images):
        one = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
        sheet.paste(one.resize((side, side)), (index % columns * side, index // columns * side))
    return sheet, side
