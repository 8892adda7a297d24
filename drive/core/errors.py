"""The errors that drive raises: one family, by what the caller can do."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)


class DriveError(Exception):
    """Base of every error that drive raises; its text is one line for the user.

    Attributes:
        result: of a task that failed after it had written its files; None otherwise.
    """

    result: object = None


class InputError(DriveError, ValueError):
    """The input or the arguments are invalid. Says what, where, and what was expected."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder does not exist."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class WeightsError(InputError):
    """A weights or model file is damaged or belongs to another network."""


class DivergedError(DriveError):
    """The loss of a training is NaN or infinite."""


class MismatchError(DriveError):
    """A network that was converted for another runtime does not compute what the original does."""


class EncodeError(DriveError, OSError):
    """A result (video, image, table) could not be written."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def as_option(name: str) -> str:
    """Return the command-line option of a setting: `--restart-epochs` of `restart_epochs`."""
    return f"--{name.replace('_', '-')}"


def in_range(name: str, value: Number, least: float, most: float = math.inf) -> Number:
    """Return the value of an argument; raise `InputError` unless it is in the range."""
    if not least <= value <= most:
        limits = f"from {least:g} to {most:g}" if most < math.inf else f"at least {least:g}"
        raise InputError(f"{name} must be {limits}; got {value:g}")
    return value


def check_image(image: object) -> None:
    """Raise `InputError` unless the image is (H, W, 3) uint8 and has pixels."""
    shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", None)
    if shape is None or dtype != "uint8" or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        got = type(image).__name__ if shape is None else f"{dtype} in shape {shape}"
        raise InputError(f"image must be (H, W, 3) uint8; got {got}")


def check_images(images: Iterable[object]) -> None:
    """Raise `InputError` unless it is a sequence of images; none is allowed."""
    for image in images if hasattr(images, "__len__") else [images]:
        check_image(image)


def as_path(path: object) -> Path:
    """Return a path that a caller gave as text or `Path`; raise `InputError` for anything else."""
    if isinstance(path, str | os.PathLike):
        return Path(path)
    raise InputError(f"a path must be text or a Path; got {path!r}")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`; None if none is similar."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return an error text for an unknown name, with the most similar one and all of them."""
    names = list(known)
    near = nearest_name(name, names)
    hint = "" if near is None else f"Did you mean {near}? "
    return f"unknown {what} {name!r}. {hint}Expected one of: {', '.join(names)}"
