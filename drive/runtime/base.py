"""The interface of every runtime: a batch of images in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.types import Array, DType, FloatArray

Shape = tuple[int | None, ...]

MODEL_SUFFIXES = (".onnx", ".keras")  # of the files that drive writes; others are read too


class Engine(Protocol):
    """A network that is ready to run. Threads may share an engine."""

    name: str  # of the runtime
    input_name: str
    input_dtype: DType
    input_shape: Shape  # (N, H, W, C)
    metadata: dict[str, str]  # of the model file
    fallback_reason: str | None  # why a preferred runtime is not used; None if it is used

    def predict(self, batch: Array) -> list[FloatArray]:
        """Return the float32 outputs, channels last, of a batch of type `input_dtype`.

        Raises `InputError` if the batch has another type or shape.
        """
        ...


def check_batch(batch: Array, dtype: DType, shape: Shape) -> None:
    """Raise `InputError` unless the batch has this type and this shape (None: any size)."""
    fits = len(batch.shape) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, batch.shape, strict=False)
    )
    if batch.dtype != dtype or not fits:
        raise InputError(
            f"a batch must be {np.dtype(dtype).name} in shape {shape} (None: any size); "
            f"got {batch.dtype.name} in shape {batch.shape}"
        )


def refused(path: str | Path, what: str, error: Exception, line: int = -1) -> WeightsError:
    """Return the error for a file that a runtime refuses; of its reason, only one line."""
    reason = (str(error).strip().splitlines() or ["unknown"])[line]
    return WeightsError(f"{path}: {what}: {reason}")


def check_model_file(
    path: str | Path,
    suffixes: Sequence[str] = MODEL_SUFFIXES,
    usable: Callable[[Path], bool] | None = None,
) -> None:
    """Raise `MissingFileError` unless a path exists, and `InputError` if it is a folder.

    The error suggests a `usable` file in the folder with one of the suffixes, best first.
    """
    if Path(path).is_file():
        return
    if not Path(path).is_dir():
        raise MissingFileError(f"there is no model file {path}")
    text = f"{path} is a folder; expected a model file ({', '.join(suffixes)})"
    inside = (file for suffix in suffixes for file in sorted(Path(path).glob(f"*{suffix}")))
    if example := next((file for file in inside if usable is None or usable(file)), None):
        text += f", such as {example}"
    raise InputError(text)
