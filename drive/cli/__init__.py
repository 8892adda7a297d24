"""The command line: one of the callers of `drive.tasks`."""

from drive.cli.commands import COMMANDS, main

__all__ = ["COMMANDS", "main"]
