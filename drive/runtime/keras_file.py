"""Keras models in `.keras` files, with JSON notes as an entry of the archive that Keras ignores."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drive.core.errors import WeightsError
from drive.core.files import atomic
from drive.core.types import FloatArray
from drive.runtime.base import check_model_file, refused
from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

NOTES = "drive.json"


def save_model(model: keras.Model, path: str | Path, notes: Mapping[str, Any]) -> None:
    """Write a model, with its optimiser if it is compiled, and notes."""
    with atomic(path) as part:
        model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(NOTES, json.dumps(dict(notes), indent=1))


def read_notes(path: str | Path) -> dict[str, Any]:
    """Return the notes of a `.keras` file; empty if it has none."""
    check_model_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(NOTES)) if NOTES in archive.namelist() else {}
    except (zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise WeightsError(f"{path} is not a complete .keras file ({error})") from error


def load_model(path: str | Path, compiled: bool = False) -> keras.Model:
    """Load the model of a `.keras` file; with its optimiser if `compiled`."""
    load_keras()
    import keras

    check_model_file(path)
    try:
        return keras.saving.load_model(path, compile=compiled)
    except (ValueError, OSError, KeyError) as error:
        raise refused(path, "Keras cannot read this model", error, line=0) from error


def as_arrays(outputs: object) -> list[FloatArray]:
    """Return the output of a model, or its list of outputs, as arrays."""
    from keras import ops

    each = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [np.asarray(ops.convert_to_numpy(output)) for output in each]
