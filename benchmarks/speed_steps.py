"""Steps of ours and of the yardstick in turns: images per second, ratios, and shares of the arithmetic peak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf
from speed_arithmetic import in_turns, product_flops, product_of_matrices
from speed_data import Galaxies, Sizes
from speed_report import Measured, Section
from yardstick import Yardstick

from tfgalaxy.export import Predictor
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.config import TrainingConfig
from tfgalaxy.training.regimes import make_optimizers

__all__ = ["CLASSIFY", "Step", "classify_step", "make_model", "measure_steps", "our_steps"]

SUPERVISED, ELBO, PAIR, CLASSIFY = "supervised step", "ELBO step", "alternating pair", "classify"
# How many times the yardstick's images per second are to be reached.
TARGETS = {SUPERVISED: 6, ELBO: 8, PAIR: 10, CLASSIFY: 8}
PEAK_SHARES = {SUPERVISED: 25}
DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16}
YARDSTICK = "yardstick"
LABELS = 1000  # of the run whose schedules of the learning rate are taken


class Step(NamedTuple):
    """A step that can be timed.

    Attributes:
        run: does it and waits for its result.
        images: that one step takes.
        flops: of its products; 0 where it does not matter.
    """

    run: Callable[[], Any]
    images: int
    flops: int = 0

    @classmethod
    def traced(cls, method: Callable[..., Any], images: int, *arguments: Any) -> Step:
        """A method in one `tf.function`, on the same batch again and again."""
        function = tf.function(method)
        flops = product_flops(function.get_concrete_function(*arguments))
        return cls(lambda: tf.nest.map_structure(lambda result: result.numpy(), function(*arguments)), images, flops)


def make_model(sizes: Sizes, precision: str) -> GalaxyVAE:
    """Ours, compiled as `tfgalaxy train` does it."""
    model = GalaxyVAE(sizes.questions, sizes.model.replace(precision=precision))
    model.compile(**make_optimizers(TrainingConfig(), LABELS))
    return model


def our_steps(model: GalaxyVAE, galaxies: Galaxies) -> dict[str, Step]:
    """The three training steps that `fit` takes, metrics included, one `tf.function` each."""
    images, votes, count = galaxies.colour(), tf.constant(galaxies.votes), len(galaxies.images)
    return {
        SUPERVISED: Step.traced(model.train_step, count, (images, votes)),
        ELBO: Step.traced(model.train_step, count, images),
        PAIR: Step.traced(model.train_step, 2 * count, ((images, votes), images)),
    }


def classify_step(predictor: Predictor, galaxies: Galaxies) -> Step:
    """The exported signature on decoded images."""
    function, images = predictor.function("classify"), galaxies.colour()
    return Step(lambda: function(image=images)["fraction"].numpy(), len(galaxies.images))


def yardstick_steps(sizes: Sizes, galaxies: Galaxies) -> dict[str, Step]:
    """The same steps of the research code's network."""
    yardstick, count = Yardstick(sizes.model.image_size), len(galaxies.images)
    images, votes = galaxies.grey(), galaxies.first_votes()
    return {
        SUPERVISED: Step.traced(yardstick.classifier_step, count, images, votes),
        ELBO: Step.traced(yardstick.vae_step, count, images),
        PAIR: Step.traced(yardstick.pair_step, 2 * count, images, votes, images),
        CLASSIFY: Step.traced(yardstick.classify, count, images),
    }


def measure_steps(sizes: Sizes, precision: str, predictor: Predictor) -> Iterator[Section]:
    """Both sections.

    Args:
        sizes: how much of everything.
        precision: that `--precision auto` chooses, by which ours is judged; the other one stands beside it.
        predictor: of a model as it is exported, in float32.
    """
    galaxies = Galaxies.simulated(sizes.batch, sizes)
    dtypes = [precision, *(dtype for dtype in DTYPES if dtype != precision and sizes.both_dtypes)]
    models = {dtype: make_model(sizes, dtype) for dtype in dtypes}
    steps = {
        (dtype, name): step for dtype, model in models.items() for name, step in our_steps(model, galaxies).items()
    }
    steps["float32", CLASSIFY] = classify_step(predictor, galaxies)
    steps |= {(YARDSTICK, name): step for name, step in yardstick_steps(sizes, galaxies).items()}
    products = {dtype: product_of_matrices(sizes.matrix, DTYPES[dtype]) for dtype in {*dtypes, "float32"}}
    seconds = _seconds(steps, products, sizes)
    yield Section(
        "Steps, and how many times the yardstick", [*_speeds(steps, seconds), *_ratios(steps, seconds, dtypes)]
    )
    yield Section("Share of the arithmetic peak", list(_shares(steps, products, seconds, dtypes)))


Key = tuple[str, str]
Seconds = dict[Key, list[float]]
MATRICES = "matrices"


def _seconds(steps: dict[Key, Step], products: dict[str, Any], sizes: Sizes) -> Seconds:
    functions: dict[Key, Callable[[], Any]] = {key: step.run for key, step in steps.items()}
    functions |= {(dtype, MATRICES): _waited(product) for dtype, (product, _) in products.items()}
    calls = {key: sizes.slow_steps if key[0] == YARDSTICK else sizes.steps for key in steps}
    return in_turns(functions, sizes.repeats, calls)


def _waited(function: Any) -> Callable[[], Any]:
    return lambda: function().numpy()


def _speeds(steps: dict[Key, Step], seconds: Seconds) -> Iterator[Measured]:
    for (who, name), step in steps.items():
        yield Measured.of(f"{name}, {who}", (step.images / one for one in seconds[who, name]), "images/s")


def _ratios(steps: dict[Key, Step], seconds: Seconds, dtypes: list[str]) -> Iterator[Measured]:
    for name, target in TARGETS.items():
        compared = seconds[YARDSTICK, name]
        used = ["float32"] if name == CLASSIFY else dtypes
        for position, dtype in enumerate(used):
            judged = None if position else target
            yield Measured.of(
                f"{name}, {dtype}, over the yardstick", _over(compared, seconds[dtype, name]), "times", judged, True
            )
    # The research code's pair has a third step, an ELBO step on the labelled images, which ours sees in the pool.
    sums = [sum(both) for both in zip(seconds[YARDSTICK, ELBO], seconds[YARDSTICK, SUPERVISED], strict=True)]
    without = _over(sums, seconds[dtypes[0], PAIR])
    yield Measured.of(f"{PAIR}, {dtypes[0]}, over one without its second ELBO step", without, "times")


def _over(first: list[float], second: list[float]) -> list[float]:
    """Ratios of what was measured in the same turn."""
    return [one / other for one, other in zip(first, second, strict=True)]


def _shares(
    steps: dict[Key, Step], products: dict[str, Any], seconds: Seconds, dtypes: list[str]
) -> Iterator[Measured]:
    for dtype, (_, flops) in products.items():
        speeds = (flops / one / 1e9 for one in seconds[dtype, MATRICES])
        yield Measured.of(f"product of large matrices, {DTYPES[dtype].name}", speeds, "GFLOP/s")
    for (who, name), step in steps.items():
        if not step.flops or (who == YARDSTICK and name == CLASSIFY):
            continue
        dtype = "float32" if who == YARDSTICK else who
        peaks = [products[dtype][1] / one for one in seconds[dtype, MATRICES]]
        shares = [100 * step.flops / one / peak for one, peak in zip(seconds[who, name], peaks, strict=True)]
        target = PEAK_SHARES.get(name) if who == dtypes[0] else None
        title = f"{name}, {who}: {step.flops / step.images / 1e6:,.0f} MFLOP an image"
        yield Measured.of(title, shares, "% of the peak", target, True)
