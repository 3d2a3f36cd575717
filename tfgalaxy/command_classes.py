"""How the `tfgalaxy` command parses and fails: classes of its click commands."""

from __future__ import annotations

import atexit
import gc
import os
import shlex
from collections.abc import Container, Sequence
from typing import Any

import click

from tfgalaxy.errors import InputError, shorten

__all__ = ["CommandGroup", "ManyValuesCommand", "repeat_names", "resume_command"]


WORDS = "tfgalaxy.words"


class CommandGroup(click.Group):
    """Turns the package's errors into one line and exit code 2, and Ctrl-C into one line and exit code 130."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, context: click.Context) -> Any:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # What is imported stays: looking for garbage among it every 700 objects takes half a second and more.
        gc.set_threshold(10_000)
        # The interpreter would look through half a million objects of TensorFlow's before it ends: 1 to 3 seconds.
        atexit.register(gc.freeze)
        try:
            return super().invoke(context)
        except InputError as error:
            click.echo(f"tfgalaxy: {error}", err=True)
            context.exit(2)
        except OSError as error:
            click.echo(f"tfgalaxy: {error.filename or 'system'}: {error.strerror or shorten(error)}", err=True)
            context.exit(1)
        except KeyboardInterrupt:
            go_on = f"; go on with: {resume_command(context.meta[WORDS])}" if "train" in context.meta[WORDS][:1] else ""
            click.echo(f"stopped{go_on}", err=True)
            context.exit(130)


class ManyValuesCommand(click.Command):
    """Lets an option that may be repeated take all words up to the next option: `--labels 100 300`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        return super().parse_args(ctx, repeat_names(args, names))


def resume_command(words: Sequence[str]) -> str:
    """The shell command that goes on with what an interrupted command has left.

    Example:
        >>> resume_command(["train", "--images", "my images", "--output", "RUN"])
        "tfgalaxy train --images 'my images' --output RUN --resume"
    """
    return shlex.join(["tfgalaxy", *words, *(() if "--resume" in words else ("--resume",))])


def repeat_names(arguments: Sequence[str], names: Container[str]) -> list[str]:
    """Names an option again before each further value that it is given.

    Example:
        >>> repeat_names(["--labels", "100", "300", "--seeds", "5"], {"--labels"})
        ['--labels', '100', '--labels', '300', '--seeds', '5']
    """
    result: list[str] = []
    current: str | None = None
    for argument in arguments:
        if argument.startswith("-"):
            current = argument if argument in names else None
        elif current is not None and result[-1] != current:
            result.append(current)
        result.append(argument)
    return result
