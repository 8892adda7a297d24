"""Reads the weights files of Darknet, the C framework in which YOLO was published.

Little-endian: a header, then per layer its biases and its kernel, as (out, in, row, column) or
(in, out). Source: Darknet, src/parser.c, load_weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import MissingFileError, WeightsError

if TYPE_CHECKING:
    import keras

HEADER_BYTES = 16
VALUE = np.dtype("<f4")


def check_size(path: str | Path, network: str, parameters: int) -> None:
    """Check that a weights file holds exactly this many parameters, without reading it."""
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"there is no weights file {path}")
    expected, found = HEADER_BYTES + VALUE.itemsize * parameters, file.stat().st_size
    if found != expected:
        raise WeightsError(
            f"{path}: weights of {network} must have exactly {expected:,} bytes; got {found:,}. "
            "Is the file complete, and for this network?"
        )


def load_darknet_weights(model: keras.Model, path: str | Path) -> None:
    """Fill the convolutions and dense layers of `model`, in its own order, from a weights file."""
    check_size(path, model.name, model.count_params())
    values = np.memmap(path, VALUE, "r", offset=HEADER_BYTES)
    position = 0
    for layer in model.layers:
        if not layer.weights:
            continue
        kernel_shape = tuple(layer.kernel.shape)
        bias_end = position + kernel_shape[-1]
        kernel_end = bias_end + int(np.prod(kernel_shape))
        layer.bias.assign(values[position:bias_end])
        layer.kernel.assign(kernel_from_darknet(values[bias_end:kernel_end], kernel_shape))
        position = kernel_end


def kernel_from_darknet(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a kernel in Keras' order, (row, column, in, out) or (in, out), from flat values."""
    if len(shape) == 2:
        return values.reshape(shape)
    rows, columns, inputs, outputs = shape
    return values.reshape(outputs, inputs, rows, columns).transpose(2, 3, 1, 0)
