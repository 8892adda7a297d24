"""Keras as an engine: the runtime that training uses, on whatever backend Keras is set to.

Knows nothing of what a network is for: a `.keras` file brings its network with it; for an `.onnx`
file of ours the caller hands in the function that builds the network, and the weights are put in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError, WeightsError
from drive.runtime.base import Shape, check_batch
from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

Builder = Callable[[dict[str, str]], "keras.Model"]


class KerasEngine:
    """A Keras model, given or loaded.

    Args:
        model: with one input, (N, H, W, C).
        metadata: what the model's file says about itself.
    """

    name = "keras"

    def __init__(self, model: keras.Model, metadata: dict[str, str] | None = None) -> None:
        """Wrap a model as it is."""
        self._model = model
        source = model.inputs[0]
        self.input_name: str = source.name
        self.input_dtype: np.dtype = np.dtype(source.dtype)
        self.input_shape: Shape = tuple(source.shape)
        self.metadata = dict(metadata or {})
        self.fallback_reason: str | None = None

    @property
    def model(self) -> keras.Model:
        """The Keras model itself."""
        return self._model

    @classmethod
    def load(cls, path: str | Path, build: Builder | None = None) -> KerasEngine:
        """Load a `.keras` file, or an `.onnx` file of ours into the network that `build` makes.

        Raises:
            InputError: an `.onnx` file without `build` or of int8, or another kind of file.
            WeightsError: the file is damaged or holds another network's weights.
        """
        load_keras()
        suffix = Path(path).suffix.lower()
        if suffix == ".keras":
            return cls(_load_keras(path))
        if suffix != ".onnx" or build is None:
            raise InputError(
                f"the keras engine runs .keras files, and .onnx files whose network drive can "
                f"build; use the engine openvino or onnx for others; received: {path}"
            )
        from drive.runtime.onnx_file import load_onnx_weights, read_metadata

        metadata = read_metadata(path)
        if metadata.get("precision") == "int8":
            raise InputError(
                f"the keras engine runs float weights; give it the float file that the int8 one "
                f"was made from, or use the engine openvino or onnx; received: {path}"
            )
        model = build(metadata)
        load_onnx_weights(model, path)
        return cls(model, metadata)

    def predict(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the network; see `Engine.predict`. Pictures as uint8 are taken as well as float32."""
        if batch.dtype == np.uint8:
            batch = batch.astype(self.input_dtype)
        check_batch(batch, self.input_dtype, self.input_shape)
        results = self._model(batch, training=False)
        if not isinstance(results, list | tuple):
            results = [results]
        return [_to_numpy(result) for result in results]


def _to_numpy(tensor: object) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(tensor))


def _load_keras(path: str | Path) -> keras.Model:
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: Keras cannot read this model: {reason}") from error
