"""Predictions for many images through the served signatures, from a run or an export alike."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfgalaxy.configuration import read_json
from tfgalaxy.data.decoding_threads import map_in_order
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.export.prediction_columns import (
    EMBEDDING_OUTPUTS,
    check_voters,
    column_names,
    column_values,
    prediction_table,
)
from tfgalaxy.export.prediction_inputs import ImageFiles, PredictionInputs
from tfgalaxy.export.prediction_stream import BLOCK_ROWS, Block, decoded_block
from tfgalaxy.export.signatures import ServedModel, preprocessing_of
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["BLOCK_ROWS", "Predictor", "open_predictor", "predict_files", "predicted_parts"]

Progress = Callable[[int, int], None]


class Predictor:
    """The signatures of one model with what is needed to feed and read them.

    Args:
        function: gives the function of a signature's name, as `ServedModel.trace` does.
        questions: the decision tree, for the names of the answers.
        preprocessing: how pictures become its input.
        answer_fractions: mean vote fractions of the labelled training set, the baseline of every evaluation, or None.
        owner: whatever must stay alive for the signatures to work.
        voters: volunteers per galaxy, for expected votes.
        fingerprint: a hash that tells this model from others.
    """

    def __init__(
        self,
        function: Callable[[str], Any],
        questions: Questions,
        preprocessing: Preprocessing,
        answer_fractions: Sequence[float] | None = None,
        owner: Any = None,
        voters: float = 40,
        fingerprint: str = "",
    ) -> None:
        self.function, self.questions, self.preprocessing = function, questions, preprocessing
        self.answer_fractions, self._owner = answer_fractions, owner
        self.voters, self.fingerprint = voters, fingerprint
        self._of_uint8 = functools.cache(self._scaled)

    @classmethod
    def from_model(cls, model: Any) -> Predictor:
        """Of a `GalaxyVAE` in this process."""
        served, config = ServedModel(model), model.config
        settings = [config.to_dict(), model.questions.to_dict(), tf.__version__]
        weights = (np.asarray(variable).tobytes() for variable in model.state_variables)
        mark = _hash([json.dumps(settings).encode(), *weights])
        preprocessing = preprocessing_of(model)
        return cls(served.trace, model.questions, preprocessing, config.answer_fractions, served, config.voters, mark)

    @classmethod
    def from_saved_model(cls, path: str | os.PathLike[str]) -> Predictor:
        """Of an exported version, `BASE/NAME/<integer>`."""
        path = Path(path)
        questions = Questions.from_json(path / "assets" / "questions.json")
        preprocessing = Preprocessing.from_json(path / "assets" / "preprocessing.json")
        config = read_json(path / "assets.extra" / "model_card.json")["model"]
        loaded = tf.saved_model.load(str(path))
        contents = [path / "saved_model.pb", *sorted((path / "variables").iterdir())]
        mark = _hash([tf.__version__.encode(), *(file.read_bytes() for file in contents)])
        signature = loaded.signatures.__getitem__
        return cls(signature, questions, preprocessing, config["answer_fractions"], loaded, config["voters"], mark)

    def run(self, images: np.ndarray, signature: str = "classify") -> dict[str, np.ndarray]:
        """Runs a signature over one batch; see `predict`."""
        batch = np.asarray(images)
        if batch.dtype == np.uint8:
            outputs = self._of_uint8(signature)(tf.constant(batch))
        else:
            outputs = self.function(signature)(image=tf.constant(batch.astype(np.float32)))
        return {name: value.numpy() for name, value in outputs.items()}

    def _scaled(self, signature: str) -> Any:
        """The signature for uint8 images: NumPy's division, and a copy of four times the size, would take a twentieth
        of a prediction. The result is the same to the last bit.
        """
        size, channels = self.preprocessing.image_size, self.preprocessing.channels
        function = self.function(signature)

        def of_uint8(images: tf.Tensor) -> Any:
            return function(image=tf.math.divide_no_nan(tf.cast(images, tf.float32), 255.0))

        spec = tf.TensorSpec([None, size, size, channels], tf.uint8)
        return tf.function(of_uint8, input_signature=[spec], autograph=False)

    def predict(
        self,
        images: np.ndarray,
        signature: str = "classify",
        batch_size: int = BLOCK_ROWS,
        progress: Progress | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature over images.

        Args:
            images: [N, H, W, C], uint8, or float32 between 0 and 1.
            signature: "classify", "embed" or "reconstruct".
            batch_size: images at a time; the outputs do not depend on it.
            progress: called with the number done and N.

        Returns:
            The signature's outputs, [N, ...] float32 each.
        """
        parts = []
        for start in range(0, len(images), batch_size):
            parts.append(self.run(images[start : start + batch_size], signature))
            if progress is not None:
                progress(min(start + batch_size, len(images)), len(images))
        if not parts:
            raise InputError("images", "must hold at least one image", images.shape, "Check the image folder.")
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def embedding_sizes(self) -> dict[str, int]:
        """Number of values of each output of `embed`, in the order of a table's columns."""
        outputs = self.function("embed").structured_outputs
        return {name: int(outputs[name].shape[-1]) for name in EMBEDDING_OUTPUTS}


def _hash(contents: Sequence[bytes]) -> str:
    total = hashlib.blake2b(digest_size=20)
    for content in contents:
        total.update(content)
    return total.hexdigest()


def open_predictor(path: str | os.PathLike[str]) -> Predictor:
    """The predictor of a run's directory, or of an export's version directory.

    Raises:
        InputError: the path is neither.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return Predictor.from_saved_model(path)
    versions = sorted(int(entry.name) for entry in path.iterdir() if entry.name.isdigit()) if path.is_dir() else []
    if versions:
        rule = "must be a run, or one version of an export"
        raise InputError("RUN|EXPORT", rule, str(path), f"Name a version, such as {path / str(versions[-1])}.")
    return Predictor.from_model(RunDirectory(path).load_model())


def predict_files(
    predictor: Predictor,
    files: Sequence[str],
    ids: Sequence[str] | None = None,
    progress: Progress | None = None,
    embedding: bool = False,
    voters: float | None = None,
) -> pd.DataFrame:
    """One row for each file, broken ones included with the reason.

    Args:
        predictor: of a run or an export.
        files: paths of images.
        ids: names of the galaxies; the files' names without suffix by default.
        progress: called with the number done and the number of files.
        embedding: whether to add the columns of the embedding.
        voters: volunteers per galaxy, for expected votes; the model's by default.

    Returns:
        Columns `id`, `file`, `valid` (1 or 0), `reason`, for each answer `<question>_<answer>_fraction`,
        `..._fraction_lower`, `..._fraction_upper` (90 %), `..._expected_votes` (of `voters` people), for each question
        `<question>_asked_probability` and `<question>_concentration`; with an embedding `latent_mean_<i>`,
        `latent_stddev_<i>`, `pose_<i>`, `pose_concentration_<i>`. Rows that are not valid hold NaN.

    Raises:
        InputError: no files.
    """
    inputs = ImageFiles(files, ids)
    whole = -(-len(inputs) // BLOCK_ROWS) * BLOCK_ROWS
    (table,) = predicted_parts(predictor, inputs, whole, embedding=embedding, voters=voters, progress=progress)
    return table


def predicted_parts(
    predictor: Predictor,
    inputs: PredictionInputs,
    rows_per_part: int,
    start: int = 0,
    embedding: bool = False,
    voters: float | None = None,
    progress: Progress | None = None,
) -> Iterator[pd.DataFrame]:
    """The table of `predict_files` in parts, with no more than one of them in memory.

    Args:
        predictor: of a run or an export.
        inputs: the rows.
        rows_per_part: a multiple of `BLOCK_ROWS`.
        start: the first row, a multiple of `rows_per_part`.
        embedding, voters: as in `predict_files`.
        progress: called with the rows done since `start` and those that were to do.
    """
    voters = check_voters(predictor.voters if voters is None else voters)
    sizes = predictor.embedding_sizes() if embedding else None
    names, total = column_names(predictor.questions, sizes), len(inputs)
    reasons: list[str] = []
    numbers: list[np.ndarray] = []

    def values(first: int) -> tuple[Block, np.ndarray]:
        block = decoded_block(inputs, predictor.preprocessing, first)
        return block, column_values(predictor.questions, voters, _outputs(predictor, block, embedding), sizes)

    for block, numbers_of_block in map_in_order(values, range(start, total, BLOCK_ROWS)):
        reasons += block.reasons
        numbers.append(numbers_of_block)
        stop = block.start + len(block.reasons)
        if progress is not None:
            progress(stop - start, total - start)
        if stop % rows_per_part == 0 or stop == total:
            ids, files = inputs.names(stop - len(reasons), stop)
            yield prediction_table(ids, files, reasons, names, np.concatenate(numbers))
            reasons, numbers = [], []


def _outputs(predictor: Predictor, block: Block, embedding: bool) -> dict[str, np.ndarray]:
    outputs = predictor.run(block.images)
    return {**outputs, **predictor.run(block.images, "embed")} if embedding else outputs
