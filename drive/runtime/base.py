"""The interface of every runtime: a batch of images in, arrays out.

`openvino_engine`, `onnx_engine` and `keras_engine` implement it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from drive.core.errors import InputError, MissingFileError
from drive.core.types import Array, DType, FloatArray

Shape = tuple[int | None, ...]

MODEL_SUFFIXES = (".onnx", ".keras")
"""Of the files that drive writes; others are read too."""


class Engine(Protocol):
    """A network that is ready to run. Use an engine from one thread at a time.

    Attributes:
        name: of the runtime: "openvino", "onnx" or "keras".
        input_name: of the input in the model file.
        input_dtype: element type of the input.
        input_shape: (N, H, W, C); None for any size.
        metadata: of the model file, key by key.
        fallback_reason: why a preferred runtime is not used; None if it is used.
    """

    name: str
    input_name: str
    input_dtype: DType
    input_shape: Shape
    metadata: dict[str, str]
    fallback_reason: str | None

    def predict(self, batch: Array) -> list[FloatArray]:
        """Run the network.

        Args:
            batch: (N, H, W, C) of type `input_dtype`.

        Returns:
            The outputs in the model's order, float32, channels last.

        Raises:
            InputError: the batch has another type or shape.
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


def check_model_file(
    path: str | Path,
    suffixes: Sequence[str] = MODEL_SUFFIXES,
    usable: Callable[[Path], bool] | None = None,
) -> None:
    """Raise an error unless a path is a file.

    Args:
        path: of the model file.
        suffixes: of files to suggest if the path is a folder, best first.
        usable: whether a file may be suggested; None for all.

    Raises:
        MissingFileError: the path does not exist.
        InputError: it is a folder; suggests a model file in it.
    """
    if Path(path).is_file():
        return
    if not Path(path).is_dir():
        raise MissingFileError(f"there is no model file {path}")
    inside = (file for suffix in suffixes for file in sorted(Path(path).glob(f"*{suffix}")))
    example = next((file for file in inside if usable is None or usable(file)), None)
    raise InputError(
        f"{path} is a folder; expected a model file ({', '.join(suffixes)})"
        + (f", such as {example}" if example else "")
    )
