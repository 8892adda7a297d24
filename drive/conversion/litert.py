"""Write Keras networks as LiteRT files (`.tflite`), float or int8, and run them.

A file has one input size and a batch of one. Its metadata table has ours as JSON.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from drive.conversion.saved_model import INPUT, SIGNATURE, output_names, write_saved_model
from drive.core.types import Array, DType, FloatArray, Image
from drive.runtime.base import Shape, check_batch, refused
from drive.runtime.quiet import load_keras, silent_stderr

if TYPE_CHECKING:
    import keras
    from tensorflow import lite

METADATA = "drive"
Example = dict[str, Array]


def write_litert(
    model: keras.Model,
    path: str | Path,
    metadata: Mapping[str, str],
    size: tuple[int, int],
    calibration: Sequence[Image] = (),
    *,
    float_first: bool = False,
) -> None:
    """Write a Keras model with one input as a `.tflite` file; its input is (1, H, W, 3) uint8.

    With `calibration`, (1, H, W, 3) uint8 each, weights and activations become int8 in the ranges
    of these images; outputs stay float32. With `float_first` convolutions on the image itself and
    all dense layers stay float, as in `drive.conversion.quantise`.
    """
    load_keras()
    shape = (1, *size, 3)
    with TemporaryDirectory() as folder:
        home = Path(folder) / "saved_model"
        rounds_pixels = bool(calibration) and not float_first
        write_saved_model(model, home, metadata, shape, "float32" if rounds_pixels else "uint8")
        convert = _convert_partly if calibration and float_first else _convert
        data = convert(home, calibration)
    Path(path).write_bytes(_with_metadata(data, metadata))


def _convert(saved_model: Path, calibration: Sequence[Image]) -> bytes:
    from tensorflow import uint8

    converter = _converter(saved_model, (lambda: _examples(calibration)) if calibration else None)
    if calibration:
        converter.inference_input_type = uint8
    with _silence():
        return bytes(converter.convert())


def _convert_partly(saved_model: Path, calibration: Sequence[Image]) -> bytes:
    """Convert to int8, except for the first convolutions and dense layers."""
    from tensorflow import lite

    converter = _converter(saved_model, lambda: ({INPUT: image} for image in calibration))
    kept = lite.experimental.QuantizationDebugOptions(
        denylisted_nodes=_first_convolutions(_convert(saved_model, ())),
        denylisted_ops=["FULLY_CONNECTED"],
    )
    with _silence():
        debugger = lite.experimental.QuantizationDebugger(converter=converter, debug_options=kept)
        return bytes(debugger.get_nondebug_quantized_model())


def _converter(
    saved_model: Path, examples: Callable[[], Iterable[Example]] | None
) -> lite.TFLiteConverter:
    """Return a converter that writes int8 in the ranges of the examples, if there are any."""
    from tensorflow import lite

    converter = lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[SIGNATURE])
    if examples is not None:
        converter.optimizations = [lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter


def _first_convolutions(data: bytes) -> list[str]:
    """Return the names of the outputs of convolutions on the image itself, in a float file."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    graph = model.subgraphs[0]
    untouched, found = set(graph.inputs), []
    for operator in graph.operators:
        if untouched.isdisjoint(operator.inputs):
            continue
        kind = model.operatorCodes[operator.opcodeIndex].builtinCode
        if kind == schema.BuiltinOperator.CONV_2D:
            found.append(graph.tensors[operator.outputs[0]].name.decode())
        else:
            untouched.update(operator.outputs)
    return found


def _examples(images: Sequence[Image]) -> Iterator[Example]:
    """Yield the images as the converter takes them.

    The first one gets a 0 and a 255, so that the input has scale 1 and takes pixels unchanged.
    """
    for number, image in enumerate(images):
        values = image.astype(np.float32)
        if number == 0:
            values.flat[:2] = 0, 255
        yield {INPUT: values}


def _with_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a file with our entry in its metadata table."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    text = json.dumps(dict(metadata), ensure_ascii=False).encode()
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text, np.uint8)
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def read_litert_metadata(data: bytes) -> dict[str, str]:
    """Return the metadata that `write_litert` wrote; empty for files of other programs."""
    load_keras()
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    for number in range(model.MetadataLength()):
        entry = model.Metadata(number)
        if entry.Name() == METADATA.encode():
            return dict(json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()))
    return {}


class LiteRtEngine:
    """A `.tflite` file that `write_litert` wrote, in TensorFlow's interpreter."""

    name = "litert"

    def __init__(self, path: str | Path) -> None:
        load_keras()
        from tensorflow import lite

        data = Path(path).read_bytes()
        try:
            with _silence():
                self._interpreter = lite.Interpreter(model_content=data)
                self._interpreter.allocate_tensors()
            self.metadata: dict[str, str] = read_litert_metadata(data)
            self._names = output_names(self.metadata)
            self._run = self._interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, KeyError, RuntimeError) as error:
            raise refused(path, "not a .tflite file of drive", error, line=0) from error
        source = self._interpreter.get_input_details()[0]
        self.input_name = INPUT
        self.input_dtype: DType = np.dtype(source["dtype"])
        self.input_shape: Shape = (None, *(int(size) for size in source["shape"][1:]))
        self.fallback_reason: str | None = None

    def predict(self, batch: Array) -> list[FloatArray]:
        """Run the network image by image; see `Engine.predict`."""
        check_batch(batch, self.input_dtype, self.input_shape)
        rows = [self._run(**{INPUT: image[None]}) for image in batch]
        return [np.concatenate([row[name] for row in rows]) for name in self._names]


@contextmanager
def _silence() -> Iterator[None]:
    with silent_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
