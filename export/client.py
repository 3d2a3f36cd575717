"""A client of a model on TF Serving, by REST or gRPC, with the same table as local predictions."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import tenacity
from numpy.typing import NDArray

from tfgalaxy.configuration import check, read_json
from tfgalaxy.data.questions import Questions, load_questions
from tfgalaxy.errors import InputError
from tfgalaxy.export.image_bytes import image_bytes, server_reason
from tfgalaxy.export.prediction_columns import (
    CLASSIFY_OUTPUTS,
    EMBEDDING_OUTPUTS,
    check_voters,
    column_names,
    column_values,
    prediction_table,
)
from tfgalaxy.export.prediction_inputs import ImageFiles, folder_images, reason_of
from tfgalaxy.export.serving_error import ServingError, TemporaryServingError
from tfgalaxy.export.transport import SignatureInfo, Target, Transport

__all__ = ["Client"]

T = TypeVar("T")
R = TypeVar("R")
Outputs = dict[str, NDArray[np.float32]]
# Voters of a model's configuration where nothing else is said.
_VOTERS = 40
_LONGEST_WAIT = 10.0


class Client:
    """Asks a served model. Threads may share one; it is a context manager.

    A request that found no connection, a cut one, a server too busy or no answer in time is sent again, after waits
    that double and vary at random; predictions change nothing on the server, so that it may be. All other errors are
    raised at once.

    Args:
        address: host or host:port; TF Serving's ports, 8501 for REST and 8500 for gRPC, by default.
        model: its name in `models.config`.
        protocol: "rest", or "grpc", which needs the extra `serving` and imports TensorFlow.
        version: a version; the newest loaded one by default.
        label: a label such as "stable" or "canary" instead of a version.
        questions: the model's decision tree, which a server does not tell: a preset's name, `assets/questions.json`,
            `Questions`, or the export's version directory, from which the number of voters is read too. `predict`
            needs it.
        voters: volunteers per galaxy, for expected votes; by default the export's, or 40.
        batch_size: images in one request.
        concurrency: requests under way at a time in `predict`, so that the server works while images are read.
        timeout: seconds that one attempt may take.
        retries: further attempts after the first.
        backoff: seconds before the second attempt.
        tls: whether the connection is encrypted.

    Raises:
        InputError: an argument out of range, or gRPC without the extra.

    Example:
        with Client("localhost", "galaxy", label="stable", questions="gz2") as client:
            table = client.predict("images/")
    """

    def __init__(
        self,
        address: str = "localhost",
        model: str = "galaxy",
        protocol: str = "rest",
        version: int | None = None,
        label: str | None = None,
        questions: str | os.PathLike[str] | Questions | None = None,
        voters: float | None = None,
        batch_size: int = 64,
        concurrency: int = 2,
        timeout: float = 30.0,
        retries: int = 4,
        backoff: float = 0.2,
        tls: bool = False,
    ) -> None:
        self.target = Target(address, model, protocol, version, label, timeout, tls)
        whole = {"batch_size": batch_size, "concurrency": concurrency, "retries": retries}
        for name, value in whole.items():
            least = 0 if name == "retries" else 1
            valid = isinstance(value, int) and not isinstance(value, bool) and value >= least
            check(valid, name, f"must be a whole number of at least {least}", value, "Correct it.")
        check(backoff > 0, "backoff", "must be above 0 seconds", backoff, "Use 0.2.")
        self.batch_size, self.concurrency, self.retries = batch_size, concurrency, retries
        self.questions, voters = _decision_tree(questions, voters)
        self.voters = check_voters(voters)
        self._wait = tenacity.wait_exponential(backoff, max=_LONGEST_WAIT) + tenacity.wait_random(0, backoff)
        self._transport = _connect(self.target)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def status(self) -> dict[int, str]:
        """State of each version of the model, as in {1: "AVAILABLE"}.

        Raises:
            ServingError: no such model, version or label, or no server.
        """
        return self._retried(self._transport.status)

    def metadata(self) -> dict[str, SignatureInfo]:
        """Inputs and outputs of each signature.

        Raises:
            ServingError: no such model, version or label, or no server.
        """
        return self._retried(self._transport.metadata)

    def classify(self, images: Sequence[bytes | str | os.PathLike[str]] | NDArray[Any]) -> Outputs:
        """Outputs of `classify_bytes`, or of `classify` for arrays.

        Args:
            images: JPEG or PNG pictures as bytes or paths (FITS files too); or float [N, S, S, C], raw values between
                0 and 1, in the model's size.

        Returns:
            `fraction`, `fraction_lower`, `fraction_upper` [N, A], `concentration`, `asked_probability` [N, Q] and
            `valid` [N], 0 where the bytes were no image and the other numbers say nothing.

        Raises:
            InputError: a path that cannot be read, or no images.
            ServingError: the server's fault.
        """
        return self._ask_all("classify", images)

    def embed(self, images: Sequence[bytes | str | os.PathLike[str]] | NDArray[Any]) -> Outputs:
        """Outputs of `embed_bytes`, or of `embed` for arrays: `latent_mean`, `latent_stddev` [N, Z], `pose`,
        `pose_concentration` [N, P] and `valid` [N]; otherwise as `classify`.
        """
        return self._ask_all("embed", images)

    def predict(
        self,
        images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        ids: Sequence[str] | None = None,
        embedding: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> pd.DataFrame:
        """One row for each file, with the columns of `predict_files`, broken ones included with the reason.

        Args:
            images: a folder, or files: JPEG, PNG or FITS.
            ids: names of the galaxies; the files' names without suffix by default.
            embedding: whether to add the columns of the embedding.
            progress: called with the number done and the number of files.

        Raises:
            InputError: the client knows no questions, or others than the model's; no such folder, or no images.
            ServingError: the server's fault.
        """
        questions = self._known_questions()
        folder = isinstance(images, str | os.PathLike) and ids is None and os.path.isdir(images)
        files = folder_images(images).files if folder else images  # type: ignore[arg-type]
        check(not isinstance(files, str | os.PathLike), "images", "must be a folder or a list of files", images, "")
        inputs = ImageFiles(files, ids)  # type: ignore[arg-type]
        sizes = self._embedding_sizes() if embedding else None
        names = column_names(questions, sizes)
        parts: list[tuple[list[str], NDArray[np.float32]]] = []
        starts = range(0, len(inputs), self.batch_size)
        batches = (inputs.files[start : start + self.batch_size] for start in starts)
        done = 0
        for reasons, numbers in self._in_order(lambda batch: self._predict_batch(batch, questions, sizes), batches):
            parts.append((reasons, numbers))
            done += len(reasons)
            if progress is not None:
                progress(done, len(inputs))
        reasons = [reason for part, _ in parts for reason in part]
        return prediction_table(inputs.ids, inputs.files, reasons, names, np.concatenate([part for _, part in parts]))

    def _known_questions(self) -> Questions:
        if self.questions is None:
            remedy = "Give the export's directory, its assets/questions.json, or a preset: a server does not tell."
            raise InputError("questions", "must be given to name the columns", None, remedy)
        return self.questions

    def _predict_batch(
        self, files: list[str], questions: Questions, sizes: dict[str, int] | None
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Reasons [n] and numbers [n, columns] of one request."""
        reasons, contents = [""] * len(files), []
        for row, file in enumerate(files):
            try:
                contents.append(image_bytes(file))
            except InputError as error:
                reasons[row] = reason_of(error)
        numbers = np.full([len(files), len(column_names(questions, sizes))], np.nan, np.float32)
        if not contents:
            return reasons, numbers
        outputs = self._ask("classify_bytes", {"image_bytes": contents})
        self._expect(outputs, CLASSIFY_OUTPUTS)
        if sizes:
            outputs = {**outputs, **self._ask("embed_bytes", {"image_bytes": contents})}
        _check_answers(questions, outputs)
        rows = [row for row, reason in enumerate(reasons) if not reason]
        numbers[rows] = column_values(questions, self.voters, outputs, sizes)
        for row, content, valid in zip(rows, contents, outputs["valid"], strict=True):
            reasons[row] = "" if valid else server_reason(content)
        return reasons, numbers

    def _embedding_sizes(self) -> dict[str, int]:
        found = self.metadata().get("embed_bytes", SignatureInfo({}, {})).outputs
        self._expect(found, EMBEDDING_OUTPUTS)
        return {name: int(found[name].shape[-1] or 0) for name in EMBEDDING_OUTPUTS}

    def _expect(self, outputs: Iterable[str], names: Iterable[str]) -> None:
        lacking = sorted(set(names) - set(outputs))
        if lacking:
            remedy = "Check the model's name, and that tfgalaxy exported it."
            raise ServingError(str(self.target), "another model", f"its outputs lack {', '.join(lacking)}", remedy)

    def _ask_all(self, signature: str, images: Any) -> Outputs:
        check(len(images) > 0, "images", "must hold at least one image", images, "Give images.")
        batches = (images[start : start + self.batch_size] for start in range(0, len(images), self.batch_size))

        def ask(batch: Any) -> Outputs:
            if isinstance(batch, np.ndarray):
                return self._ask(signature, {"image": batch.astype(np.float32)})
            contents = [item if isinstance(item, bytes) else image_bytes(item) for item in batch]
            return self._ask(f"{signature}_bytes", {"image_bytes": contents})

        parts = list(self._in_order(ask, batches))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _ask(self, signature: str, inputs: Any) -> Outputs:
        return self._retried(lambda: self._transport.predict(signature, inputs))

    def _in_order(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in the order of the items, with no more than `concurrency` under way."""
        with ThreadPoolExecutor(self.concurrency) as pool:
            waiting: deque[Future[R]] = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > self.concurrency:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:  # after an error nothing new is started
                for future in waiting:
                    future.cancel()

    def _retried(self, attempt: Callable[[], T]) -> T:
        stop = tenacity.stop_after_attempt(self.retries + 1)
        again = tenacity.retry_if_exception_type(TemporaryServingError)
        try:
            return tenacity.Retrying(stop=stop, wait=self._wait, retry=again, reraise=True)(attempt)
        except TemporaryServingError as error:
            message = f"{error.message} ({self.retries + 1} attempts)"
            raise ServingError(error.server, error.status, message, error.remedy) from error


def _connect(target: Target) -> Transport:
    if target.protocol == "rest":
        from tfgalaxy.export.rest_transport import RestTransport

        return RestTransport(target)
    from tfgalaxy.export.grpc_transport import GrpcTransport

    return GrpcTransport(target)


def _decision_tree(
    questions: str | os.PathLike[str] | Questions | None, voters: float | None
) -> tuple[Questions | None, float]:
    """Questions and voters; an export's directory gives both."""
    if questions is None or isinstance(questions, Questions) or not Path(questions).is_dir():
        tree = None if questions is None else load_questions(questions)
        return tree, _VOTERS if voters is None else voters
    card = read_json(Path(questions) / "assets.extra" / "model_card.json")
    tree = load_questions(Path(questions) / "assets" / "questions.json")
    return tree, card["model"]["voters"] if voters is None else voters


def _check_answers(questions: Questions, outputs: Outputs) -> None:
    found = outputs["fraction"].shape[-1]
    rule = f"must be the model's, which has {found} answers"
    value = f"{questions.name} with {questions.num_answers}"
    check(found == questions.num_answers, "questions", rule, value, "Give the questions.json of the export.")
