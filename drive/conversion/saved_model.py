"""Write Keras networks as TensorFlow SavedModels, and run them.

A SavedModel is a folder. Its signature takes `image` and returns the outputs under the names of our
ONNX files. The metadata is in `assets.extra`, which TensorFlow leaves for such files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.core.types import Array, DType, FloatArray
from drive.runtime.base import Shape, check_batch, refused
from drive.runtime.quiet import load_keras, silent_stderr

if TYPE_CHECKING:
    import keras

SIGNATURE = "serving_default"
INPUT = "image"
METADATA = Path("assets.extra") / "drive.json"


def write_saved_model(
    model: keras.Model,
    folder: str | Path,
    metadata: Mapping[str, str],
    shape: Shape,
    dtype: str = "uint8",
) -> None:
    """Write a Keras model with one input, (N, H, W, C), as a SavedModel in a new folder.

    Sizes of None are dynamic. The model is not changed.
    """
    load_keras()
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise InputError(f"SavedModel and LiteRT require KERAS_BACKEND=tensorflow; got {backend}")
    import tensorflow

    network = with_input(model, shape, dtype)
    names = [f"output_{tensor._keras_history.operation.name}" for tensor in network.outputs]

    def serve(image: tensorflow.Tensor) -> dict[str, tensorflow.Tensor]:
        results = network(image)
        return dict(zip(names, results if len(names) > 1 else [results], strict=True))

    archive = keras.export.ExportArchive()  # its track() would store the weights twice
    specification = tensorflow.TensorSpec(shape, dtype, name=INPUT)
    archive.add_endpoint(SIGNATURE, serve, input_signature=[specification])
    with silent_stderr():
        archive.write_out(str(folder), verbose=False)
    place = Path(folder) / METADATA
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(dict(metadata), indent=1, ensure_ascii=False), encoding="utf-8")


def with_input(model: keras.Model, shape: Shape, dtype: str) -> keras.Model:
    """Return a copy of a functional model whose input has this shape and type."""
    import keras

    image = keras.Input(shape[1:], batch_size=shape[0], dtype=dtype, name=INPUT)
    copy = keras.models.clone_model(model, input_tensors=image)
    copy.set_weights(model.get_weights())
    outputs = copy.outputs if len(copy.outputs) > 1 else copy.outputs[0]
    return keras.Model(image, outputs, name=model.name)


class SavedModelEngine:
    """A SavedModel that `write_saved_model` wrote, in TensorFlow."""

    name = "saved-model"

    def __init__(self, folder: str | Path) -> None:
        load_keras()
        import tensorflow

        try:
            self.metadata: dict[str, str] = dict(json.loads((Path(folder) / METADATA).read_bytes()))
            with silent_stderr():
                self._model = tensorflow.saved_model.load(str(folder))
            self._serve = self._model.signatures[SIGNATURE]
        except (OSError, ValueError, KeyError) as error:
            raise refused(folder, "not a SavedModel of drive", error, line=0) from error
        source = self._serve.structured_input_signature[1][INPUT]
        self.input_name = INPUT
        self.input_dtype: DType = np.dtype(source.dtype.as_numpy_dtype)
        self.input_shape: Shape = tuple(source.shape)
        self.fallback_reason: str | None = None

    def predict(self, batch: Array) -> list[FloatArray]:
        """Run the network; see `Engine.predict`."""
        import tensorflow

        check_batch(batch, self.input_dtype, self.input_shape)
        results = self._serve(**{INPUT: tensorflow.constant(batch)})
        return [results[name].numpy() for name in output_names(self.metadata)]


def output_names(metadata: Mapping[str, str]) -> list[str]:
    """Return the names of the outputs in order, from the metadata entry `outputs`."""
    return list(json.loads(metadata["outputs"]))
