"""Run networks in ONNX Runtime, which works on every processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from drive.core.types import Array, DType, FloatArray
from drive.runtime.base import Shape, check_batch, refused
from drive.runtime.file_form import peek_metadata
from drive.runtime.int8_form import is_int8

ELEMENT_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class OnnxEngine:
    """A network on the CPU in ONNX Runtime, for batches of any size."""

    name = "onnx"

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        try:
            self._session = open_session(_source(Path(path)), threads)
        except Exception as error:  # its exceptions have no public base class
            raise refused(path, "ONNX Runtime cannot read this model", error) from error
        source = self._session.get_inputs()[0]
        self.input_name: str = source.name
        self.input_dtype: DType = np.dtype(ELEMENT_TYPES[source.type])
        self.input_shape: Shape = tuple(
            size if isinstance(size, int) else None for size in source.shape
        )
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.fallback_reason: str | None = None

    def predict(self, batch: Array) -> list[FloatArray]:
        """Run the network; see `Engine.predict`."""
        check_batch(batch, self.input_dtype, self.input_shape)
        return list(self._session.run(None, {self.input_name: np.ascontiguousarray(batch)}))


def open_session(model: str | bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """Load a file, or its contents; 0 threads is ONNX Runtime's choice."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only; warnings are about graph optimisation
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _source(path: Path) -> str | bytes:
    """Return what to load: int8 files of our quantiser rewritten, all others unchanged."""
    if not is_int8(peek_metadata(path)):
        return str(path)
    from drive.runtime.onnx_file import read_model
    from drive.runtime.onnx_int8 import for_onnx_runtime

    return bytes(for_onnx_runtime(read_model(path)).SerializeToString())
