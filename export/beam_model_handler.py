"""An exported model in Beam's RunInference: the SavedModel's own signatures, in batches of one size.

Imported by workers: needs TensorFlow, and nothing of tfgalaxy's models or training.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler
from numpy.typing import NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.image_headers import DAMAGED
from tfgalaxy.data.questions import Questions
from tfgalaxy.errors import InputError
from tfgalaxy.export.beam_inputs import open_file
from tfgalaxy.export.prediction_columns import EMBEDDING_OUTPUTS, check_voters, column_names, column_values
from tfgalaxy.export.prediction_inputs import reason_of

__all__ = ["BATCH_ROWS", "COUNTERS", "SavedModelHandler", "open_export"]

# Images that the network sees at a time, as in `tfgalaxy.export.prediction`.
BATCH_ROWS = 64
# Namespace of the counters that a runner shows.
COUNTERS = "tfgalaxy"
# The numbers of one row of the table, or why there are none.
Prediction = NDArray[np.float32] | str


class SavedModelHandler(ModelHandler[bytes, Prediction, Any]):
    """Predicts rows of the table of `tfgalaxy predict` from JPEG or PNG bytes.

    Loaded once in a worker's process, whose threads share it. Processes do not share it: it has some megabytes, and to
    send every picture to another process would cost more.

    Every batch that the network sees has `batch_size` rows: the last one of a bundle is filled up. So a graph is
    specialised once, and what is said of an image does not depend on its neighbours, to the last bits.

    Counts `milliseconds`, the time in which the model ran, summed over processes and threads.

    Args:
        path: an exported version, `BASE/NAME/<integer>`, which every worker can read.
        questions: its decision tree.
        voters: volunteers per galaxy, for expected votes.
        embedding_sizes: number of values of each output of `embed_bytes` to be added; None for none of them.
        threads: TensorFlow's threads in a worker's process; 0 for as many as it has cores.
        batch_size: rows.
    """

    def __init__(
        self,
        path: str,
        questions: Questions,
        voters: float,
        embedding_sizes: dict[str, int] | None = None,
        threads: int = 1,
        batch_size: int = BATCH_ROWS,
    ) -> None:
        super().__init__()
        check(threads >= 0, "threads", "must be at least 0", threads, "0 takes as many as there are cores.")
        self.path, self.questions, self.voters = path, questions, voters
        self.embedding_sizes, self.threads, self.batch_size = embedding_sizes, threads, batch_size

    @property
    def columns(self) -> list[str]:
        """Names of the numbers of a prediction."""
        return column_names(self.questions, self.embedding_sizes)

    def batch_elements_kwargs(self) -> dict[str, int]:
        """All batches but a bundle's last have `batch_size` rows."""
        return {"min_batch_size": self.batch_size, "max_batch_size": self.batch_size}

    def get_metrics_namespace(self) -> str:
        """Where Beam's own figures on the model stand beside the counters."""
        return COUNTERS

    def get_num_bytes(self, batch: Sequence[bytes]) -> int:
        """Size of a batch; Beam would pickle it to find out."""
        return sum(map(len, batch))

    def load_model(self) -> Any:
        """The SavedModel."""
        import tensorflow as tf

        # In a process where TensorFlow has already run, its threads are what they are.
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(self.threads)
            tf.config.threading.set_inter_op_parallelism_threads(self.threads)
        return tf.saved_model.load(self.path)

    def run_inference(
        self, batch: Sequence[bytes], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Prediction]:
        """One prediction for each picture.

        Args:
            batch: up to `batch_size` files' bytes.
            model: what `load_model` gave.
            inference_args: of Beam; none are known.
        """
        import tensorflow as tf

        started = time.perf_counter()
        pictures = tf.constant([*batch, *[b""] * (self.batch_size - len(batch))])
        outputs = dict(model.signatures["classify_bytes"](image_bytes=pictures))
        if self.embedding_sizes is not None:
            outputs.update(model.signatures["embed_bytes"](image_bytes=pictures))
        arrays = {name: value.numpy()[: len(batch)] for name, value in outputs.items()}
        numbers = column_values(self.questions, self.voters, arrays, self.embedding_sizes)
        Metrics.counter(COUNTERS, "milliseconds").inc(round(1000 * (time.perf_counter() - started)))
        damaged = reason_of(InputError("image", *DAMAGED))
        return [row if valid else damaged for row, valid in zip(numbers, arrays["valid"] > 0, strict=True)]


def open_export(path: str, embedding: bool = False, voters: float | None = None, threads: int = 1) -> SavedModelHandler:
    """The handler of an exported version, on a disk or in an object store; its weights are not loaded.

    Args:
        path: `BASE/NAME/<integer>`.
        embedding, voters: as for `tfgalaxy.export.predict_files`.
        threads: as for `SavedModelHandler`.

    Raises:
        InputError: no exported version.
    """
    path = path if "://" in path else os.path.abspath(path)
    if not FileSystems.exists(f"{path}/saved_model.pb"):
        remedy = "Export the run first, tfgalaxy export RUN --output BASE/NAME, and name BASE/NAME/1."
        raise InputError("EXPORT", "must be an exported version, which has a saved_model.pb", path, remedy)
    questions = Questions.from_dict(_json(f"{path}/assets/questions.json"))
    if voters is None:
        voters = _json(f"{path}/assets.extra/model_card.json")["model"]["voters"]
    sizes = _embedding_sizes(f"{path}/saved_model.pb") if embedding else None
    return SavedModelHandler(path, questions, check_voters(voters), sizes, threads)


def _json(path: str) -> Any:
    with open_file(path) as stream:
        return json.loads(stream.read())


def _embedding_sizes(path: str) -> dict[str, int]:
    """Number of values of each output of `embed`, as the graph's definition says."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    with open_file(path) as stream:
        graph = SavedModel.FromString(stream.read()).meta_graphs[0]
    outputs = graph.signature_def["embed_bytes"].outputs
    return {name: int(outputs[name].tensor_shape.dim[-1].size) for name in EMBEDDING_OUTPUTS}
