"""What a search maximises or minimises, checked before the first trial."""

from __future__ import annotations

import keras_tuner

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError

__all__ = ["DIRECTIONS", "check_objective", "objective"]

# All that the validation of a run reports, with the direction that is better.
DIRECTIONS = {
    "val_log_likelihood": "max",
    "val_accuracy": "max",
    "val_multinomial_log_likelihood": "max",
    "val_loss": "min",
    "val_elbo": "max",
    "val_pixel_log_prob": "max",
    "val_kl_divergence": "min",
}


def objective(name: str = "val_log_likelihood", direction: str | None = None) -> keras_tuner.Objective:
    """An objective by name, for any KerasTuner tuner.

    Args:
        name: one of `DIRECTIONS`.
        direction: "max" or "min"; only a name's own is taken.

    Raises:
        InputError: another name, listing those there are, or the wrong direction.
    """
    known = ", ".join(DIRECTIONS)
    check(name in DIRECTIONS, "objective", f"must be one of {known}", name, "Validation reports no other.")
    right = DIRECTIONS[name]
    rule = f"must have the direction {right!r} for {name}"
    check(direction in (None, right), "objective", rule, direction, "Leave the direction out.")
    return keras_tuner.Objective(name, right)


def check_objective(given: keras_tuner.Objective) -> None:
    """Ends a search whose tuner was given an objective that trials do not report, before a trial has trained.

    Raises:
        keras_tuner.errors.FatalValueError: as `objective` says; unlike other errors it is not taken for a failed trial.
    """
    parts = getattr(given, "objectives", [given])
    try:
        for part in parts:
            objective(part.name, part.direction)
    except InputError as error:
        raise keras_tuner.errors.FatalValueError(str(error)) from error
