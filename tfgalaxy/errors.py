"""The one error that the package raises for bad input."""

from __future__ import annotations

from typing import Any

__all__ = ["InputError", "shorten"]


def shorten(value: Any, limit: int = 120) -> str:
    """`repr(value)` on one line of at most `limit` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


class InputError(ValueError):
    """Input that breaks a rule: names the argument, the rule, the value and the remedy, on one line.

    Args:
        argument: the argument, option, column or file that is wrong.
        rule: what must hold, as in "must be at least 1".
        value: what was given; shown as its `repr`, shortened.
        remedy: what to do about it, as a sentence.

    Example:
        >>> str(InputError("batch_size", "must be at least 1", 0, "Give a positive integer."))
        'batch_size must be at least 1, not 0. Give a positive integer.'
    """

    def __init__(self, argument: str, rule: str | None = None, value: Any = None, remedy: str = "") -> None:
        self.argument = argument
        self.rule = rule
        self.value = value
        self.remedy = remedy
        # Keras re-raises an error from within a layer as its class of one message, to which it adds the layer's name.
        super().__init__(argument if rule is None else f"{argument} {rule}, not {shorten(value)}. {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call InputError(message) when a worker process raises it, and lose the parts.
        return (InputError, (self.argument, self.rule, self.value, self.remedy))
