"""Run networks in OpenVINO, the fastest runtime on Intel and AMD processors."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino

from drive.core.types import Array, DType, FloatArray
from drive.runtime.base import Shape, check_batch, refused

MAX_COMPILED = 4  # compiled input shapes kept; each holds its own copy of the weights


class OpenVinoEngine:
    """A network on the CPU in OpenVINO, from an `.onnx` or `.xml` file.

    Dynamic shapes are slow in OpenVINO, so the model is compiled for each input shape; the last few
    are kept.
    """

    name = "openvino"

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        self._lock = threading.Lock()  # a compiled model has one request, which threads share
        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(str(path))
        except RuntimeError as error:
            raise refused(path, "OpenVINO cannot read this model", error) from error
        self._settings = _settings(threads)
        self._compiled: dict[tuple[int, ...], openvino.CompiledModel] = {}
        source = self._model.inputs[0]
        self.input_name: str = source.get_any_name()
        self.input_dtype: DType = np.dtype(source.get_element_type().to_dtype())
        self.input_shape: Shape = tuple(
            None if size.is_dynamic else size.get_length() for size in source.get_partial_shape()
        )
        self.metadata = _metadata(self._model)
        self.fallback_reason: str | None = None

    def predict(self, batch: Array) -> list[FloatArray]:
        """Run the network; see `Engine.predict`."""
        check_batch(batch, self.input_dtype, self.input_shape)
        with self._lock:
            compiled = self._compile(batch.shape)
            results = compiled(np.ascontiguousarray(batch))
            return [np.asarray(results[output]) for output in compiled.outputs]

    def _compile(self, shape: tuple[int, ...]) -> openvino.CompiledModel:
        """Return the model compiled for `shape`; drop the one that was not used for longest."""
        compiled = self._compiled.pop(shape, None)
        if compiled is None:
            self._model.reshape({self.input_name: list(shape)})
            compiled = self._core.compile_model(self._model, "CPU", self._settings)
        self._compiled[shape] = compiled  # the latest one is the last one
        if len(self._compiled) > MAX_COMPILED:
            del self._compiled[next(iter(self._compiled))]
        return compiled


def _settings(threads: int) -> dict[str, str | int]:
    settings: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # without it, bfloat16 on some processors
        "ENABLE_CPU_PINNING": False,  # with it, every process takes the first cores
    }
    return settings | ({"INFERENCE_NUM_THREADS": threads} if threads else {})


def _metadata(model: openvino.Model) -> dict[str, str]:
    """Return the ONNX metadata, which OpenVINO keeps as the runtime info `framework`."""
    if not model.has_rt_info("framework"):
        return {}
    entries = model.get_rt_info("framework").value
    return {key: str(getattr(value, "value", value)) for key, value in entries.items()}
