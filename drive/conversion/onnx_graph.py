"""Build an ONNX graph: nodes, initialisers and the layout of each value.

Keras stores images with channels last, ONNX with channels first. Each `Value` knows its layout, so
a transposition is written only where a layer needs the other one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from drive.core.errors import DriveError
from drive.core.types import Array

if TYPE_CHECKING:
    import keras

OPSET = 17  # 2022: read by OpenVINO since 2022.3 and by ONNX Runtime since 1.12
IR_VERSION = 8  # the file format version that goes with opset 17
NHWC_TO_NCHW = (0, 3, 1, 2)
NCHW_TO_NHWC = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor in the graph."""

    name: str
    shape: tuple[int | None, ...]  # in Keras' order (channels last); None for dynamic axes
    channels_first: bool = False  # how a rank-4 tensor is stored

    @property
    def rank(self) -> int:
        """The number of axes, including the batch."""
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a Keras layer: the layer, its inputs, the shape of its output."""

    layer: keras.Layer
    inputs: list[Value]
    shape: tuple[int | None, ...]

    def output(self, name: str, channels_first: bool) -> Value:
        """Return the output, stored under `name` in the graph."""
        return Value(name, self.shape, channels_first)


class GraphBuilder:
    """Collects nodes and initialisers; `half` stores kernels as float16, with a cast to float32."""

    def __init__(self, half: bool) -> None:
        self.half = half
        self.nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}
        self._names: set[str] = set()

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add one operator and return the name of its only output."""
        output = self._unique(name)
        node = helper.make_node(operator, list(inputs), [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, name: str, array: Array) -> str:
        """Store `array` under exactly `name`; once if a layer is used twice."""
        if name not in self._initialisers:
            self._initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def floats(self, name: str, array: Array) -> str:
        """Store an array in single precision."""
        return self.constant(name, np.asarray(array, np.float32))

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Store a list of whole numbers, such as a shape."""
        return self.constant(name, np.asarray(values, np.int64))

    def kernel(self, name: str, array: Array) -> str:
        """Store a kernel, in half precision if the builder is set to it."""
        if not self.half:
            return self.floats(name, array)
        stored = self.constant(name, np.asarray(array, np.float16))
        return self.node("Cast", [stored], f"{name}/float", to=TensorProto.FLOAT)

    def channels_first(self, value: Value) -> Value:
        """Return `value` stored as (batch, channel, row, column)."""
        if value.channels_first:
            return value
        return Value(self._transpose(value.name, NHWC_TO_NCHW), value.shape, True)

    def as_keras(self, value: Value) -> Value:
        """Return `value` stored with channels last."""
        if not value.channels_first:
            return value
        return Value(self._transpose(value.name, NCHW_TO_NHWC), value.shape, False)

    def permute(self, value: Value, axes: Sequence[int], shape: tuple[int | None, ...]) -> Value:
        """Reorder the axes; nothing is written if they are stored in this order already."""
        stored = NHWC_TO_NCHW if value.channels_first else tuple(range(value.rank))
        order = tuple(stored.index(axis) for axis in axes)
        if order == tuple(range(value.rank)):
            return Value(value.name, shape)
        return Value(self._transpose(value.name, order), shape)

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        name: str,
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """Return the checked model with its metadata."""
        stored = list(self._initialisers.values())
        graph = helper.make_graph(self.nodes, name, inputs, outputs, stored)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="drive"
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model)
        return model

    def _transpose(self, name: str, axes: Sequence[int]) -> str:
        return self.node("Transpose", [name], f"{name}/transposed", perm=list(axes))

    def _unique(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self._names:
            count += 1
            candidate = f"{name}_{count}"
        self._names.add(candidate)
        return candidate


def unsupported(layer: keras.Layer, setting: str, value: object, expected: str) -> DriveError:
    """Return the error for an unsupported setting of a layer."""
    return DriveError(
        f"layer '{layer.name}' ({type(layer).__name__}) cannot be written as ONNX: "
        f"{setting} must be {expected}; got {value!r}"
    )
