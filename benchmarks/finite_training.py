"""Trains on what is hard on numbers, and looks for any that is not finite; docs/reliability.md shows what came of it.

    python benchmarks/finite_training.py [--steps 200] [--markdown FILE]

Alternating steps of the default losses with a small network, in float32 and mixed bfloat16, on the same batch again
and again: simulated galaxies with their votes; black, white and grey images and single bright pixels; and votes of
nobody, of a million for every answer, and for one answer alone. After every step all terms are looked at, and all
weights and statistics at the end. Exit code 1 if any number was not finite.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from reliability_report import machine_line, replace_part, table

from tfgalaxy.data.simulation import simulate_arrays
from tfgalaxy.models import GalaxyVAE, ModelConfig
from tfgalaxy.training.config import TrainingConfig
from tfgalaxy.training.regimes import make_optimizers
from tfgalaxy.training.weight_average import get_values, set_values

SIZE, BATCH = 32, 8
MODEL = ModelConfig(image_size=SIZE, radii=16, angles=16, encoder_filters=(8, 16), decoder_filters=(8, 8))


def inputs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images [B, S, S, 3] and votes [B, A] of each kind."""
    pictures, votes, _ = simulate_arrays(BATCH, image_size=2 * SIZE, questions="gz1")
    half = SIZE // 2
    galaxies = pictures[:, half : half + SIZE, half : half + SIZE].astype(np.float32) / 255
    pixel = np.zeros_like(galaxies)
    pixel[np.arange(BATCH), np.arange(BATCH) + 4, 9] = 1
    one_answer = np.zeros_like(votes)
    one_answer[:, 0] = 40
    constants = {"black": 0.0, "grey": 0.5, "white": 1.0}
    return {
        "simulated galaxies": (galaxies, votes),
        **{f"{name} images": (np.full_like(galaxies, value), votes) for name, value in constants.items()},
        "one bright pixel": (pixel, votes),
        "no votes": (galaxies, np.zeros_like(votes)),
        "a million votes for each answer": (galaxies, np.full_like(votes, 1e6)),
        "votes for one answer alone": (galaxies, one_answer),
        "black images, a million votes": (np.zeros_like(galaxies), np.full_like(votes, 1e6)),
    }


class Trainer:
    """A model that is trained from the same start on each kind of input; its step is traced once."""

    def __init__(self, precision: str) -> None:
        self.model = GalaxyVAE("gz1", MODEL.replace(precision=precision))
        optimizers = make_optimizers(TrainingConfig(), labels=BATCH)
        self.model.compile(**optimizers)
        groups = [self.model.state_variables]
        for optimizer in optimizers.values():
            variables = optimizer.variables
            groups.append(list(variables() if callable(variables) else variables))
        self.variables = [variable for group in groups for variable in group]
        self.start = get_values(self.variables)
        self.step = tf.function(self.model.train_step)

    def run(self, images: np.ndarray, votes: np.ndarray, steps: int) -> tuple[int, str]:
        """Steps taken with finite terms, and the first term or weight that was not finite."""
        set_values(self.variables, self.start)
        data: Any = ((tf.constant(images), tf.constant(votes, tf.float32)), tf.constant(images))
        for done in range(steps):
            self.model.reset_metrics()
            terms = {name: float(value) for name, value in self.step(data).items()}
            broken = [f"{name} = {value}" for name, value in terms.items() if not np.isfinite(value)]
            if broken:
                return done, broken[0]
        names = (variable.name for variable in self.variables)
        values = zip(names, get_values(self.variables), strict=True)
        return steps, next((name for name, value in values if not np.isfinite(value).all()), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--markdown", type=Path, help="replaces the part named finite of this file")
    options = parser.parse_args()
    rows, broken = [], False
    trainers = {precision: Trainer(precision) for precision in ("float32", "mixed_bfloat16")}
    for name, (images, votes) in inputs().items():
        row = [name]
        for trainer in trainers.values():
            steps, fault = trainer.run(images, votes, options.steps)
            row.append(f"{steps} steps, all finite" if not fault else f"{fault} after {steps} steps")
            broken |= bool(fault)
        rows.append(row)
        print(*row, sep="; ", flush=True)
    text = f"{table(['input', *trainers], rows)}\n\n{machine_line()}."
    print(text)
    if options.markdown:
        replace_part(options.markdown, "finite", text)
    sys.exit(broken)


if __name__ == "__main__":
    main()
