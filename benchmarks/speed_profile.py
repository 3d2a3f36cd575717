"""Where the time of each step goes: processor time by part of the model, on one thread, from TensorFlow's profiler."""

from __future__ import annotations

import collections
import contextlib
import functools
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import tensorflow as tf
from speed_data import Galaxies, Sizes
from speed_steps import CLASSIFY, Step, classify_step, make_model, our_steps

from tfgalaxy.export import Predictor
from tfgalaxy.layers import equivariant_transformer_sequence as sequence
from tfgalaxy.models import GalaxyVAE, galaxy_vae, two_clocks
from tfgalaxy.training.precision import probe_precision

__all__ = ["by_part", "marked", "profile_text"]

# Functions by the part that their operations are counted for; where they are nested, the innermost one's.
FUNCTIONS = {
    "random views": [(two_clocks, "random_view"), (two_clocks, "vary_pixels")],
    "view of the pixels for the ELBO": [(two_clocks, "transform")],
    "sampling": [(sequence, "moved_sample"), (sequence, "apply_sparse_to_rows")],
    "turn": [(sequence, "turn_rings")],
    "pixels' likelihood": [(two_clocks, "pixel_log_prob")],
    "contrast": [(two_clocks, "contrast")],
    "votes' likelihood": [(two_clocks, "vote_log_prob"), (two_clocks, "smooth_votes")],
    "intervals": [(galaxy_vae, "fraction_interval")],
}
METHODS = {
    "pose": ["transformer.pose"],
    "encoder": ["encoder.call"],
    "posterior": ["encoder.posterior"],
    "decoder": ["decoder.call"],
    "head": ["head.call"],
    "optimiser": ["vae_optimizer.apply_gradients", "classifier_optimizer.apply_gradients"],
}
PARTS = [*FUNCTIONS, *METHODS]
REST = "all else"
MARK = re.compile(r"part\.(\d+)\.")
REPEATS = 10


def _scoped(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the part's mark in the names of its operations and, by TensorFlow, of their gradients."""
    number = PARTS.index(part)

    @functools.wraps(function)
    def scoped(*arguments: Any, **options: Any) -> Any:
        with tf.name_scope(f"part.{number}."):
            return function(*arguments, **options)

    return scoped


@contextlib.contextmanager
def marked(model: GalaxyVAE) -> Iterator[None]:
    """Within it, what is traced carries the marks."""
    owners: list[tuple[str, Any, str]] = [
        (part, owner, name) for part, functions in FUNCTIONS.items() for owner, name in functions
    ]
    for part, paths in METHODS.items():
        for path in paths:
            layer, method = path.split(".")
            owners.append((part, getattr(model, layer), method))
    with contextlib.ExitStack() as stack:
        for part, owner, name in owners:
            stack.enter_context(mock.patch.object(owner, name, _scoped(part, getattr(owner, name))))
        yield


def _operations(step: Step) -> Iterator[tuple[str, float]]:
    """Name and milliseconds of every operation of one step: of several, the median, for a pause of the process counts
    in full for the operation that it falls into.
    """
    durations: dict[str, list[float]] = collections.defaultdict(list)
    # Here, for its place is TensorFlow's own affair.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    step.run()
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options=options):
            for _ in range(REPEATS):
                step.run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # "name:type" is an operation; what else the profiler tells of has spaces or "::" in its name.
                name, colon, kind = plane.event_metadata[event.metadata_id].name.partition(":")
                if colon and re.fullmatch(r"_?[A-Z]\w+", kind) and " " not in name:
                    durations[name].append(event.duration_ps / 1e9)
    for name, values in durations.items():
        yield name, statistics.median(values) * len(values) / REPEATS


def by_part(step: Step) -> dict[tuple[str, bool], float]:
    """Milliseconds by part, forward and backward."""
    total: dict[tuple[str, bool], float] = collections.defaultdict(float)
    for name, milliseconds in _operations(step):
        marks = MARK.findall(name)
        part = PARTS[int(marks[-1])] if marks else REST
        total[part, "gradient_tape" in name] += milliseconds
    return total


def _table(name: str, total: dict[tuple[str, bool], float]) -> str:
    whole = sum(total.values())
    sums = {part: total[part, False] + total[part, True] for part in [*PARTS, REST]}
    lines = [f"**{name}**: {whole:,.1f} ms", "", "| part | forward, ms | backward, ms | share |", "|---|---|---|---|"]
    for part, both in sorted(sums.items(), key=lambda item: -item[1]):
        if both:
            share = 100 * both / whole
            lines.append(f"| {part} | {total[part, False]:.2f} | {total[part, True]:.2f} | {share:.1f} % |")
    return "\n".join(lines) + "\n"


def profile_text(sizes: Sizes) -> str:
    """A table for each training step, in the dtype that is faster here, and for `classify`, as Markdown.

    To be called before TensorFlow has run anything: the number of its threads cannot be changed afterwards.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    probe = probe_precision()
    galaxies = Galaxies.simulated(sizes.batch, sizes)
    model, exact = make_model(sizes, probe.precision), make_model(sizes, "float32")
    with marked(model):
        steps = our_steps(model, galaxies)
    with marked(exact):
        steps[CLASSIFY] = classify_step(Predictor.from_model(exact), galaxies)
    head = f"One thread, batches of {sizes.batch}; training in {probe.precision}, `classify` in float32.\n"
    return "\n".join([head, *(_table(name, by_part(step)) for name, step in steps.items())])
