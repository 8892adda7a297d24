"""What every runtime looks like from outside: a batch of pictures in, arrays out.

Knows no runtime; `openvino_engine`, `onnx_engine` and `keras_engine` each wrap one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from drive.core.errors import InputError, MissingFileError

Shape = tuple[int | None, ...]

MODEL_SUFFIXES = (".onnx", ".keras")
"""Of the files that drive writes itself; others are read too."""


class Engine(Protocol):
    """A network ready to run. An engine serves one thread at a time.

    Attributes:
        name: the runtime: "openvino", "onnx" or "keras".
        input_name: the input's name in the model file.
        input_dtype: element type that the model declares for its input.
        input_shape: (N, H, W, C) with None where any size will do.
        metadata: what the model file says about itself.
        fallback_reason: why a runtime that was to be preferred is not used, None if none was.
    """

    name: str
    input_name: str
    input_dtype: np.dtype
    input_shape: Shape
    metadata: dict[str, str]
    fallback_reason: str | None

    def predict(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the network.

        Args:
            batch: (N, H, W, C) of the type `input_dtype`.

        Returns:
            The outputs in the order of the model, channels last, float32.

        Raises:
            InputError: the batch has another type or shape.
        """
        ...


def check_batch(batch: np.ndarray, dtype: np.dtype, shape: Shape) -> None:
    """Raise `InputError` unless the batch has this type and this shape (None: any size)."""
    fits = len(batch.shape) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, batch.shape, strict=False)
    )
    if batch.dtype != dtype or not fits:
        raise InputError(
            f"the network expects a batch of {np.dtype(dtype).name} in shape {shape} "
            f"(None: any size); received: {batch.dtype.name} in shape {batch.shape}"
        )


def check_model_file(
    path: str | Path,
    suffixes: Sequence[str] = MODEL_SUFFIXES,
    usable: Callable[[Path], bool] | None = None,
) -> None:
    """Refuse what is no file, before a reader does so in its own words.

    Args:
        path: of the model file.
        suffixes: of what may stand in its place, the best first, for the message.
        usable: whether a file may stand in its place; None for any with such a suffix.

    Raises:
        MissingFileError: there is nothing.
        InputError: it is a folder; names a model file in it, if there is one.
    """
    if Path(path).is_file():
        return
    if not Path(path).is_dir():
        raise MissingFileError(f"There is no model file {path}. Check the path")
    inside = (file for suffix in suffixes for file in sorted(Path(path).glob(f"*{suffix}")))
    example = next((file for file in inside if usable is None or usable(file)), None)
    raise InputError(
        f"{path} is a folder. Expected a model file ({', '.join(suffixes)})"
        + (f", such as {example}" if example else "")
    )
