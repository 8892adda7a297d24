"""ONNX Runtime as an engine: runs on every processor.

Knows nothing of what a network is for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from drive.core.errors import WeightsError
from drive.runtime.base import Shape, check_batch

ELEMENT_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
QUANTISED = b"QuantizeLinear"  # an operator's name stands in the file as it is
ERRORS_ONLY = 3  # ONNX Runtime's log level; its warnings are about graph optimisation


class OnnxEngine:
    """A network on the processor through ONNX Runtime.

    Args:
        path: `.onnx` file.
        threads: processor threads; 0 leaves the number to ONNX Runtime.

    Raises:
        WeightsError: ONNX Runtime cannot read the file.
    """

    name = "onnx"

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        """Read the model and prepare it for batches of any size."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                _source(Path(path)), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no public base class
            reason = str(error).strip().splitlines()[-1]
            raise WeightsError(f"{path}: ONNX Runtime cannot read this model: {reason}") from error
        source = self._session.get_inputs()[0]
        self.input_name: str = source.name
        self.input_dtype: np.dtype = np.dtype(ELEMENT_TYPES[source.type])
        self.input_shape: Shape = tuple(
            size if isinstance(size, int) else None for size in source.shape
        )
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.fallback_reason: str | None = None

    def predict(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the network; see `Engine.predict`."""
        check_batch(batch, self.input_dtype, self.input_shape)
        return list(self._session.run(None, {self.input_name: np.ascontiguousarray(batch)}))


def _source(path: Path) -> str | bytes:
    """Return what to load: an int8 file of ours as ONNX Runtime wants it, others as they are."""
    data = path.read_bytes()
    if QUANTISED not in data:
        return str(path)
    import onnx

    from drive.runtime.onnx_int8 import for_onnx_runtime

    return for_onnx_runtime(onnx.ModelProto.FromString(data)).SerializeToString()
