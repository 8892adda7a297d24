"""Read our ONNX files: the graph, its metadata, and its weights back into Keras.

Weights are stored under `LAYER/kernel`, `LAYER/bias` and so on, so one file serves for running and
for fine-tuning. `drive.conversion.onnx_writer` writes these files; `load_engine` runs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from drive.core.errors import WeightsError
from drive.runtime.base import check_model_file

if TYPE_CHECKING:
    import keras


def load_onnx_weights(keras_model: keras.Model, path: str | Path) -> None:
    """Put the weights of a file that `write_onnx` wrote into a Keras model, by layer name.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: the file is no ONNX file, or layers, names or shapes do not match the model;
            the model is then left as it was.
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
            f"{path}: the weights are not those of the network '{keras_model.name}'; "
            f"missing in the file: {missing or 'none'}; not in the network: {unknown or 'none'}"
        )
    arrays = {name: stored[name] for name in wanted}
    for name, variable in wanted.items():
        if arrays[name].shape != tuple(variable.shape):
            raise WeightsError(
                f"{path}: '{name}' expected in shape {tuple(variable.shape)}, as the network "
                f"'{keras_model.name}' has it; received: {arrays[name].shape}"
            )
    for name, variable in wanted.items():
        variable.assign(arrays[name].astype(np.float32))


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file that `write_onnx` wrote, in Keras' order of axes.

    Returns:
        By `LAYER/kernel`, `LAYER/bias` and so on; kernels as they are stored, maybe float16.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: the file is no ONNX file.
    """
    return {
        tensor.name: kernel_from_onnx(numpy_helper.to_array(tensor))
        for tensor in read_model(path).graph.initializer
    }


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return what `write_onnx` was given as metadata.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: the file is no ONNX file.
    """
    return {entry.key: entry.value for entry in read_model(path).metadata_props}


def read_model(path: str | Path) -> onnx.ModelProto:
    """Return a file's graph.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: it is no ONNX file.
    """
    check_model_file(path)
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's decoder raises its own types, and they vary
        raise WeightsError(f"{path}: not an ONNX file ({error}); expected one") from error
    if not model.graph.node:
        raise WeightsError(f"{path}: an ONNX file with a network expected; received: an empty one")
    return model


def kernel_to_onnx(kernel: np.ndarray) -> np.ndarray:
    """Reorder a kernel: (row, column, in, out) to (out, in, row, column); dense ones stay."""
    return kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel


def kernel_from_onnx(kernel: np.ndarray) -> np.ndarray:
    """Undo `kernel_to_onnx`."""
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel
