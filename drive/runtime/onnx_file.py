"""Read ONNX files of drive (`drive.conversion.onnx_writer`): graph, metadata, weights for Keras.

Weights are stored as `LAYER/kernel`, `LAYER/bias` and so on, so the same file can be fine-tuned.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from drive.core.errors import WeightsError
from drive.core.types import FloatArray
from drive.runtime.base import check_model_file

if TYPE_CHECKING:
    import keras


def load_onnx_weights(keras_model: keras.Model, path: str | Path) -> None:
    """Load the weights of a file that `write_onnx` wrote into a Keras model, by layer name.

    Raises `WeightsError`, with the model unchanged, if names or shapes differ.
    """
    stored = read_weights(path)
    wanted = {
        f"{layer.name}/{variable.name}": variable
        for layer in keras_model.layers
        for variable in layer.variables
        if not variable.name.startswith("seed_generator")
    }
    missing = [name for name in wanted if name not in stored]
    kinds = {name.rsplit("/", 1)[1] for name in wanted}
    unknown = [n for n in stored if n.rsplit("/", 1)[-1] in kinds and n not in wanted]
    if missing or unknown:
        raise WeightsError(
            f"{path}: the weights are of another network than '{keras_model.name}': "
            f"missing in the file: {missing or 'none'}; not in the network: {unknown or 'none'}"
        )
    for name, variable in wanted.items():
        if stored[name].shape != tuple(variable.shape):
            raise WeightsError(
                f"{path}: '{name}' of '{keras_model.name}' must have shape "
                f"{tuple(variable.shape)}; got {stored[name].shape}"
            )
    for name, variable in wanted.items():
        variable.assign(stored[name].astype(np.float32))


def read_weights(path: str | Path) -> dict[str, FloatArray]:
    """Return the arrays of a file that `write_onnx` wrote, by `LAYER/kernel` and so on.

    Axes are in Keras' order; kernels may be float16.
    """
    return {
        tensor.name: kernel_from_onnx(numpy_helper.to_array(tensor))
        for tensor in read_model(path).graph.initializer
    }


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a file."""
    return {entry.key: entry.value for entry in read_model(path).metadata_props}


def read_model(path: str | Path) -> onnx.ModelProto:
    """Return the model of a file; raise `WeightsError` if it is not an ONNX file."""
    check_model_file(path)
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's decoder raises its own types, and they vary
        raise WeightsError(f"{path}: not an ONNX file ({error})") from error
    if not model.graph.node:
        raise WeightsError(f"{path}: the ONNX file holds no network")
    return model


def kernel_to_onnx(kernel: FloatArray) -> FloatArray:
    """Reorder a kernel from (row, column, in, out) to (out, in, row, column); not dense ones."""
    return kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel


def kernel_from_onnx(kernel: FloatArray) -> FloatArray:
    """Undo `kernel_to_onnx`."""
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel
