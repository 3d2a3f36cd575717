"""Checks an export from outside: a program for a process of its own, which neither needs nor may import tfgalaxy.

    python -I verification_process.py BASE/NAME/N RESULT.json

Loads the version with the C++ loader of TF Serving, runs every signature, and writes a list of checks: `name`,
`passed`, and in `detail` what was seen or what is wrong. `tfgalaxy.export.verify` starts it and reads the list.
"""

from __future__ import annotations

import functools
import json
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.modules["tfgalaxy"] = None  # type: ignore[assignment]  # importing it is an error from here on
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: E402

__all__ = ["main"]

# Neighbours of this file, which cannot be imported by their names without tfgalaxy.
message_class = runpy.run_path(str(Path(__file__).with_name("serving_messages.py")))["message_class"]
FILES = runpy.run_path(str(Path(__file__).with_name("verification_files.py")))
ExportError, require = FILES["ExportError"], FILES["require"]

BATCH_SIZES = (1, 2, 7, 64)
TOLERANCE = 1e-5
CLASSIFY = {"valid", "fraction", "fraction_lower", "fraction_upper", "concentration", "asked_probability"}
EMBED = {"valid", "latent_mean", "latent_stddev", "pose", "pose_concentration"}
SIGNATURES: dict[str, tuple[set[str], set[str]]] = {
    "serving_default": ({"image_bytes"}, CLASSIFY),
    "classify_bytes": ({"image_bytes"}, CLASSIFY),
    "classify": ({"image"}, CLASSIFY),
    "embed": ({"image"}, EMBED),
    "embed_bytes": ({"image_bytes"}, EMBED),
    "reconstruct": ({"image"}, {"canonical_view", "reconstruction"}),
    "sample": ({"image", "seed"}, {"fraction_samples"}),
}
INPUT_TYPES = {"image_bytes": tf.string, "image": tf.float32, "seed": tf.int32}
# Ops of Python, whose load succeeds and whose first request fails; and ops that answer differently each time.
REFUSED = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction", "XlaLaunch", "RngReadAndSkip")
REFUSED_STARTS = ("Random", "Stateful", "TruncatedNormal", "Multinomial", "ParameterizedTruncatedNormal", "Addons>")
WARM_UP_SIZES, WARM_UP_LIMIT = (1, 64), 1000


class Served:
    """A version in a session of TF Serving's C++ loader, with its golden examples."""

    def __init__(self, path: Path) -> None:
        self.path, self.graph = path, tf.Graph()
        with self.graph.as_default():
            self.session = tf.compat.v1.Session(graph=self.graph)
            self.meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(path))
        self.signatures = {
            name: signature for name, signature in self.meta.signature_def.items() if not name.startswith("__")
        }
        with np.load(path / "assets.extra" / "golden.npz") as golden:
            self.golden = {name: golden[name] for name in golden.files}
        self.inputs = {name.removeprefix("input/"): v for name, v in self.golden.items() if name.startswith("input/")}

    def run(self, signature: str, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        """The outputs of a signature, which must be finite float32 of the batch's length."""
        definition = self.signatures[signature]
        fetches = {name: info.name for name, info in definition.outputs.items()}
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        outputs = self.session.run(fetches, feeds)
        rows = len(next(iter(inputs.values())))
        for name, value in outputs.items():
            what = f"{signature}/{name} at batch {rows}"
            require(value.dtype == np.float32, f"{what} is {value.dtype}")
            require(value.shape[:1] == (rows,), f"{what} has shape {value.shape}")
            require(bool(np.isfinite(value).all()), f"{what} is not finite")
        return outputs

    def batch(self, signature: str, rows: np.ndarray) -> dict[str, Any]:
        """Rows of the golden inputs of a signature."""
        return {name: self.inputs[name][rows] for name in self.signatures[signature].inputs}


def difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative where values exceed 1; poses are compared on the circle."""
    gap = found.astype(np.float64) - expected
    if name == "pose":
        gap = (gap + np.pi) % (2 * np.pi) - np.pi
    return float(np.max(np.abs(gap) / np.maximum(1.0, np.abs(expected)), initial=0.0))


def check_signatures(served: Served) -> str:
    """Names, types and shapes of all inputs and outputs."""
    found = set(served.signatures)
    require(found == set(SIGNATURES), f"signatures are {', '.join(sorted(found))}")
    for name, (inputs, outputs) in SIGNATURES.items():
        definition = served.signatures[name]
        require(set(definition.inputs) == inputs, f"{name} takes {', '.join(sorted(definition.inputs))}")
        require(set(definition.outputs) == outputs, f"{name} gives {', '.join(sorted(definition.outputs))}")
        for key, info in definition.inputs.items():
            require(info.dtype == INPUT_TYPES[key].as_datatype_enum, f"{name} takes {key} of another type")
        for key, info in [*definition.inputs.items(), *definition.outputs.items()]:
            dims = info.tensor_shape.dim
            require(bool(dims) and dims[0].size == -1, f"{name}/{key} does not leave the batch's size open")
        for key, info in definition.outputs.items():
            require(info.dtype == tf.float32.as_datatype_enum, f"{name} gives {key} that is not float32")
    answers = len((served.path / "assets/labels.txt").read_text("utf-8").splitlines())
    width = served.signatures["classify"].outputs["fraction"].tensor_shape.dim[-1].size
    require(width == answers, f"fraction has {width} columns for {answers} answers")
    return f"{len(SIGNATURES)} signatures, float32 outputs"


def check_operations(served: Served) -> str:
    """No op of Python, of Addons, or of random state, in any function."""
    definition = served.graph.as_graph_def()
    functions = [node for function in definition.library.function for node in function.node_def]
    names = {node.op for node in [*definition.node, *functions]}
    refused = {name for name in names if name in REFUSED or name.startswith(REFUSED_STARTS)}
    refused.discard("StatefulPartitionedCall")
    require(not refused, f"the graph holds {', '.join(sorted(refused))}")
    return f"{len(names)} kinds of ops"


def check_golden(served: Served) -> str:
    """Every signature at every batch size against the numbers of the trained model."""
    largest = 0.0
    for signature in SIGNATURES:
        for size in BATCH_SIZES:
            rows = np.arange(size) % len(served.inputs["seed"])
            outputs, again = (served.run(signature, served.batch(signature, rows)) for _ in range(2))
            for name, value in outputs.items():
                require(
                    bool((value == again[name]).all()), f"{signature}/{name} at batch {size} changes from call to call"
                )
                gap = difference(name, value, served.golden[f"output/{signature}/{name}"][rows])
                require(gap <= TOLERANCE, f"{signature}/{name} at batch {size} is off by {gap:.1e}")
                largest = max(largest, gap)
    return f"batches of {', '.join(map(str, BATCH_SIZES))}; largest difference {largest:.0e}"


def check_decoding(served: Served) -> str:
    """Pictures as bytes give what the same pictures give as pixels."""
    rows, largest = np.arange(len(served.inputs["seed"])), 0.0
    for by_bytes, by_image in (("classify_bytes", "classify"), ("embed_bytes", "embed")):
        expected = served.run(by_image, served.batch(by_image, rows))
        for name, value in served.run(by_bytes, served.batch(by_bytes, rows)).items():
            largest = max(largest, difference(name, value, expected[name]))
    require(largest <= TOLERANCE, f"bytes and pixels differ by {largest:.1e}")
    return f"{len(rows)} kinds of pictures; largest difference {largest:.0e}"


def broken_pictures(jpeg: bytes, png: bytes) -> list[bytes]:
    """Byte strings that are no picture, not a whole one, or one of absurd size."""
    frame = jpeg.index(b"\xff\xc0") + 5
    huge = jpeg[:frame] + b"\xff\xff\xff\xff" + jpeg[frame + 4 :]
    others = [b"GIF89a" + bytes(60), b"BM" + bytes(60), b"RIFF\x40\0\0\0WEBPVP8 " + bytes(60), b"<html>"]
    damaged = [jpeg[: len(jpeg) // 2], jpeg[:20], jpeg[:4] + bytes(40) + jpeg[44:], png[: len(png) // 2]]
    return [b"", *others, *damaged, huge, png[:16] + b"\x7f\xff\xff\xff" * 2 + png[24:]]


def check_broken(served: Served) -> str:
    """Broken bytes get valid = 0 and neutral numbers; their neighbours what they get alone."""
    good = [bytes(picture) for picture in served.inputs["image_bytes"][:2]]
    broken = broken_pictures(*good)
    for signature in ("serving_default", "classify_bytes", "embed_bytes"):
        outputs = served.run(signature, {"image_bytes": [good[0], *broken, good[1]]})
        expected = [1.0, *[0.0] * len(broken), 1.0]
        wrong = np.flatnonzero(outputs["valid"] != expected)
        require(wrong.size == 0, f"{signature} gives rows {wrong.tolist()} the wrong valid")
        alone = served.run(signature, {"image_bytes": broken[:1]})
        for name, value in outputs.items():
            neighbours = difference(name, value[[0, -1]], served.golden[f"output/{signature}/{name}"][:2])
            require(
                neighbours <= TOLERANCE, f"{signature}/{name} of a broken row's neighbour is off by {neighbours:.1e}"
            )
            require(bool((value[1:-1] == alone[name]).all()), f"{signature}/{name} differs between broken rows")
    return f"{len(broken)} kinds of broken bytes"


def read_warm_up(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Signature and inputs of every warm-up request."""
    requests = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = message_class("PredictionLog").FromString(record.numpy()).predict_log.request
        tensors = {entry.key: TensorProto.FromString(entry.value) for entry in request.inputs}
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in tensors.items()}
        requests.append((request.model_spec.signature_name, inputs))
    return requests


def check_warm_up(served: Served) -> str:
    """Warm-up requests for every signature at batches of 1 and the largest; all of them are answered."""
    requests = read_warm_up(served.path / "assets.extra" / "tf_serving_warmup_requests")
    require(len(requests) <= WARM_UP_LIMIT, f"{len(requests)} requests; TF Serving takes {WARM_UP_LIMIT}")
    found = set()
    for signature, inputs in requests:
        require(signature in SIGNATURES, f"a request for {signature!r}")
        served.run(signature, inputs)
        found.add((signature, len(next(iter(inputs.values())))))
    missing = {(name, size) for name in SIGNATURES for size in WARM_UP_SIZES} - found
    require(not missing, f"no request for {sorted(missing)}")
    return f"{len(requests)} requests answered"


def checks(path: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Names and checks in order; all but the first and last need a version that loads."""
    yield "files and assets", functools.partial(FILES["check_files"], path)
    loaded: list[Served] = []

    def load() -> str:
        loaded.append(Served(path))
        require(not any(name.startswith("tfgalaxy.") for name in sys.modules), "tfgalaxy was imported")
        return f"TensorFlow {tf.__version__}, without tfgalaxy"

    yield "loads in a fresh process", load
    if loaded:
        for name, check in CHECKS.items():
            yield name, functools.partial(check, loaded[0])
    yield "serving configuration", functools.partial(FILES["check_configuration"], path)


CHECKS: dict[str, Callable[[Served], str]] = {
    "names, types and shapes": check_signatures,
    "operations": check_operations,
    "golden examples": check_golden,
    "bytes and pixels agree": check_decoding,
    "broken bytes": check_broken,
    "warm-up requests": check_warm_up,
}


def main(export: str, result: str) -> None:
    """Runs all checks and writes their results."""
    rows = []
    for name, check in checks(Path(export).absolute()):
        try:
            rows.append({"name": name, "passed": True, "detail": check()})
        except Exception as error:  # whatever an export does wrong, the others are still checked
            detail = str(error) if isinstance(error, ExportError) else f"{type(error).__name__}: {error}"
            rows.append({"name": name, "passed": False, "detail": " ".join(detail.split())[:500]})
    Path(result).write_text(json.dumps(rows), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
