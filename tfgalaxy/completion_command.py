"""`tfgalaxy completion`: the script that lets a shell complete the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["SHELLS", "completion_script"]

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "tfgalaxy"


def completion_script(command: click.Command, shell: str) -> str:
    """The script to be sourced by a shell.

    Args:
        command: whose words are completed, by calling it with `_TFGALAXY_COMPLETE` set.
        shell: one of `SHELLS`.
    """
    completion = get_completion_class(shell)
    assert completion is not None  # the command line takes no other names
    # Click's source() starts bash to see whether it is new enough, and says so among the script's lines.
    maker = completion(command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE")
    return maker.source_template % maker.source_vars()
