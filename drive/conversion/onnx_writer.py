"""Write functional and sequential Keras networks as ONNX files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import onnx
from onnx import TensorProto, helper

from drive.conversion.onnx_graph import Call, GraphBuilder, Value
from drive.conversion.onnx_layers import convert_layer
from drive.core.errors import InputError
from drive.core.files import atomic

if TYPE_CHECKING:
    import keras

InputType = Literal["uint8", "float32"]
INPUT_TYPES: dict[str, int] = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
IMAGE_AXES = ("batch", "height", "width", "channels")  # names of dynamic axes


def write_onnx(
    keras_model: keras.Model,
    path: str | Path,
    metadata: Mapping[str, str],
    half: bool = True,
    input_dtype: InputType = "uint8",
) -> None:
    """Write a Keras model with one input, (N, H, W, C), as an ONNX file; H and W may be None.

    The batch size stays dynamic and channels stay last. `half` stores kernels as float16 (about 3
    digits); uint8 input takes images without conversion. Raises `DriveError` with the name of a
    layer or setting that is not supported.
    """
    if input_dtype not in INPUT_TYPES:
        raise InputError(f"input_dtype must be one of {list(INPUT_TYPES)}; got {input_dtype}")
    if len(keras_model.inputs) != 1:
        raise InputError(f"the model must have one input; got {len(keras_model.inputs)}")
    model = _convert(keras_model, GraphBuilder(half), metadata, input_dtype)
    with atomic(path) as part:
        onnx.save(model, str(part))


def _convert(
    keras_model: keras.Model, graph: GraphBuilder, metadata: Mapping[str, str], input_dtype: str
) -> onnx.ModelProto:
    source = keras_model.inputs[0]
    name = str(source.name)
    sizes = [size or axis for size, axis in zip(source.shape, IMAGE_AXES, strict=False)]
    inputs = [helper.make_tensor_value_info(name, INPUT_TYPES[input_dtype], sizes)]
    values = {id(source): _input_value(graph, name, tuple(source.shape), input_dtype)}
    outputs = []
    for tensor in keras_model.outputs:
        value = graph.as_keras(_convert_tensor(graph, tensor, values))
        name = f"output_{tensor._keras_history.operation.name}"
        name = graph.node("Identity", [value.name], name)
        sizes = ["batch", *(size or f"{name}_{n}" for n, size in enumerate(tensor.shape) if n)]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))
    return graph.model(inputs, outputs, keras_model.name, metadata)


def _input_value(
    graph: GraphBuilder, name: str, shape: tuple[int | None, ...], input_dtype: str
) -> Value:
    """Return the input as layers take it: float32, channels first if it is an image."""
    value = Value(name, shape)
    if value.rank == 4:
        value = graph.channels_first(value)
    if input_dtype != "float32":
        cast = graph.node("Cast", [value.name], f"{name}/float", to=TensorProto.FLOAT)
        value = Value(cast, shape, value.channels_first)
    return value


def _convert_tensor(
    graph: GraphBuilder, tensor: keras.KerasTensor, values: dict[int, Value]
) -> Value:
    """Return the value of a Keras tensor; convert what it is computed from first."""
    if id(tensor) not in values:
        history = tensor._keras_history
        node = history.operation._inbound_nodes[history.node_index]
        inputs = [_convert_tensor(graph, source, values) for source in node.input_tensors]
        call = Call(history.operation, inputs, tuple(tensor.shape))
        values[id(tensor)] = convert_layer(graph, call)
    return values[id(tensor)]
