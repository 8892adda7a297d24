"""Packages that only some commands need, and what to type when one is missing."""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType

from drive.core.errors import InputError
from drive.core.shipped import CHECKOUT

EXTRAS = {"keras": "train", "tensorflow": "train", "optuna": "train", "ray": "ray"}
"""The extra of `pyproject.toml` that installs each package."""

NAMES = {"keras": "Keras", "tensorflow": "TensorFlow", "optuna": "Optuna", "ray": "Ray"}


class MissingPackageError(InputError, ImportError):
    """A package that this work needs is not installed. Says how to install it."""


def load_extra(package: str, purpose: str = "") -> ModuleType:
    """Import a package of `EXTRAS`, or say how to install it; `purpose` is what needs it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        raise MissingPackageError(
            f"{purpose} requires {NAMES[missing]}, which is not installed. "
            f"Run: {install_command(EXTRAS[missing])}".lstrip()
        ) from error


def install_command(extra: str) -> str:
    """Return the pip command that adds an extra to this installation.

    It names the version: PyPI has another project of the name `drive`.
    """
    try:
        version = metadata.version("drive")
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        return f'pip install "{CHECKOUT}[{extra}]"'
    return f'pip install "drive[{extra}]=={version}"'
