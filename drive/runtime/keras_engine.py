"""Run `.keras` files, and the weights of `.onnx` files of drive, in Keras on any backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.core.types import Array, DType, FloatArray
from drive.runtime.base import Shape, check_batch
from drive.runtime.int8_form import is_int8
from drive.runtime.keras_file import as_arrays, load_model
from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

Builder = Callable[[dict[str, str]], "keras.Model"]


class KerasEngine:
    """A Keras model with one input, (N, H, W, C)."""

    name = "keras"

    def __init__(self, model: keras.Model, metadata: dict[str, str] | None = None) -> None:
        self.model = model
        source = model.inputs[0]
        self.input_name: str = source.name
        self.input_dtype: DType = np.dtype(source.dtype)
        self.input_shape: Shape = tuple(source.shape)
        self.metadata = dict(metadata or {})
        self.fallback_reason: str | None = None

    @classmethod
    def load(cls, path: str | Path, build: Builder | None = None) -> KerasEngine:
        """Load a `.keras` file, or the weights of an `.onnx` file into the network of `build`."""
        suffix = Path(path).suffix.lower()
        if suffix == ".keras":
            return cls(load_model(path))
        load_keras()
        if suffix != ".onnx" or build is None:
            raise InputError(
                "the keras engine runs .keras files, and .onnx files of drive; use the engine "
                f"openvino or onnx for others; got {path}"
            )
        from drive.runtime.onnx_file import load_onnx_weights, read_metadata

        metadata = read_metadata(path)
        if is_int8(metadata):
            raise InputError(
                "the keras engine requires float weights; name the float file, or use the engine "
                f"openvino or onnx; got {path}"
            )
        model = build(metadata)
        load_onnx_weights(model, path)
        return cls(model, metadata)

    def predict(self, batch: Array) -> list[FloatArray]:
        """Run the network; see `Engine.predict`. Takes uint8 images as well as float32."""
        if batch.dtype == np.uint8:
            batch = batch.astype(self.input_dtype)
        check_batch(batch, self.input_dtype, self.input_shape)
        return as_arrays(self.model(batch, training=False))
