"""The errors that drive raises on purpose: one family, told apart by what the caller can do.

Knows nothing of commands or exit codes; `drive.cli` turns `InputError` into exit status 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DriveError(Exception):
    """Base of every error that drive raises on purpose. Its text is one line for the user.

    Attributes:
        result: the result of a task that failed after it had written its files; None otherwise.
    """

    result: object = None


class InputError(DriveError, ValueError):
    """The input or the arguments are wrong: the user can mend it. Says what, where and how."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or a folder that was named does not exist."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class WeightsError(InputError):
    """A weights or model file is damaged, of the wrong size or for another network."""


class DivergedError(DriveError):
    """The loss of a training is no longer a number."""


class MismatchError(DriveError):
    """A network that was written for another runtime does not answer as the original does."""


class EncodeError(DriveError, OSError):
    """A result (video, picture, table) could not be written."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def as_option(name: str) -> str:
    """How the command line calls a setting: `restart_epochs` is `--restart-epochs`."""
    return f"--{name.replace('_', '-')}"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The one of the known names that `name` was probably meant to be; None where none is near."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """The words of a complaint about an unknown name: what it is, the nearest one, all of them."""
    names = list(known)
    near = nearest_name(name, names)
    hint = "" if near is None else f"Did you mean {near}? "
    return f"unknown {what} {name!r}. {hint}Expected one of: {', '.join(names)}"
