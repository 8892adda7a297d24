"""The command line: one of the callers of `drive.tasks`."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drive.cli.commands import COMMANDS as COMMANDS
    from drive.cli.commands import main as main

__all__ = ["COMMANDS", "main", "start"]


def start() -> int:
    """Run the program; a Ctrl-C while it still loads ends it with one line, too."""
    try:
        from drive.cli.commands import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("drive: interrupted\n")
        return 130


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'drive.cli' has no attribute {name!r}")
    from drive.cli import commands

    return getattr(commands, name)
