"""Translate Keras layers to ONNX: one small function per layer, found by class name.

An unknown layer or setting raises an error, so that nothing is silently written wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from drive.conversion import onnx_elementwise as elementwise
from drive.conversion.onnx_graph import NHWC_TO_NCHW, Call, GraphBuilder, Value, unsupported
from drive.core.errors import DriveError
from drive.runtime.onnx_file import kernel_to_onnx

if TYPE_CHECKING:
    import keras

Converter = Callable[[GraphBuilder, Call], Value]


def convert_layer(graph: GraphBuilder, call: Call) -> Value:
    """Add one use of a Keras layer to the graph and return its output."""
    layer = call.layer
    converter = CONVERTERS.get(type(layer).__name__)
    if converter is None:
        raise DriveError(
            f"layer '{layer.name}' cannot be written as ONNX: its type must be one of "
            f"{', '.join(sorted(CONVERTERS))}; got {type(layer).__name__}"
        )
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise unsupported(layer, "data_format", layer.data_format, "'channels_last'")
    return converter(graph, call)


def _conv2d(graph: GraphBuilder, call: Call) -> Value:
    layer, x = call.layer, graph.channels_first(call.inputs[0])
    kernel = kernel_to_onnx(np.asarray(layer.kernel, np.float32))
    parameters = [graph.kernel(f"{layer.name}/kernel", kernel)]
    if layer.use_bias:
        parameters.append(graph.floats(f"{layer.name}/bias", layer.bias))
    result = graph.node(
        "Conv",
        [x.name, *parameters],
        layer.name,
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
        group=layer.groups,
        auto_pad=_auto_pad(layer),
    )
    return elementwise.activate(graph, call, call.output(result, True))


def _auto_pad(layer: keras.Layer) -> str:
    """Translate padding: Keras' 'same' puts the odd pixel at the end, as SAME_UPPER does."""
    names = {"same": "SAME_UPPER", "valid": "VALID"}
    if layer.padding not in names:
        raise unsupported(layer, "padding", layer.padding, "'same' or 'valid'")
    return names[layer.padding]


def _dense(graph: GraphBuilder, call: Call) -> Value:
    layer, x = call.layer, graph.as_keras(call.inputs[0])
    kernel = graph.kernel(f"{layer.name}/kernel", np.asarray(layer.kernel, np.float32))
    result = graph.node("MatMul", [x.name, kernel], layer.name)
    if layer.use_bias:
        bias = graph.floats(f"{layer.name}/bias", layer.bias)
        result = graph.node("Add", [result, bias], f"{layer.name}/biased")
    return elementwise.activate(graph, call, call.output(result, False))


def _batch_normalisation(graph: GraphBuilder, call: Call) -> Value:
    layer = call.layer
    if layer.axis not in (-1, call.inputs[0].rank - 1):
        raise unsupported(layer, "axis", layer.axis, "the last one")
    (x,), first = _images_first(graph, call)
    channels = layer.moving_mean.shape[0]
    scale = layer.gamma if layer.scale else np.ones(channels)
    offset = layer.beta if layer.center else np.zeros(channels)
    parameters = {
        "gamma" if layer.scale else "ones": scale,
        "beta" if layer.center else "zeros": offset,
        "moving_mean": layer.moving_mean,
        "moving_variance": layer.moving_variance,
    }
    names = [graph.floats(f"{layer.name}/{key}", array) for key, array in parameters.items()]
    result = graph.node(
        "BatchNormalization", [x.name, *names], layer.name, epsilon=float(layer.epsilon)
    )
    return call.output(result, first)


def _max_pooling(graph: GraphBuilder, call: Call) -> Value:
    layer, x = call.layer, graph.channels_first(call.inputs[0])
    sizes = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides)}
    result = graph.node("MaxPool", [x.name], layer.name, **sizes, auto_pad=_auto_pad(layer))
    return call.output(result, True)


def _zero_padding(graph: GraphBuilder, call: Call) -> Value:
    layer, x = call.layer, graph.channels_first(call.inputs[0])
    (top, bottom), (left, right) = layer.padding
    pads = graph.integers(f"{layer.name}/pads", [0, 0, top, left, 0, 0, bottom, right])
    return call.output(graph.node("Pad", [x.name, pads], layer.name, mode="constant"), True)


def _upsampling(graph: GraphBuilder, call: Call) -> Value:
    layer = call.layer
    if layer.interpolation != "nearest":
        raise unsupported(layer, "interpolation", layer.interpolation, "'nearest'")
    x = graph.channels_first(call.inputs[0])
    inputs = [x.name, "", graph.floats(f"{layer.name}/scales", np.array([1, 1, *layer.size]))]
    nearest = {"mode": "nearest", "nearest_mode": "floor"}
    nearest |= {"coordinate_transformation_mode": "asymmetric"}
    return call.output(graph.node("Resize", inputs, layer.name, **nearest), True)


def _images_first(graph: GraphBuilder, call: Call) -> tuple[list[Value], bool]:
    """Return the inputs, images with channels first, and whether they are images."""
    first = call.inputs[0].rank == 4
    return [graph.channels_first(value) if first else value for value in call.inputs], first


def _concatenate(graph: GraphBuilder, call: Call) -> Value:
    values, first = _images_first(graph, call)
    axis = call.layer.axis % values[0].rank
    stored_axis = NHWC_TO_NCHW.index(axis) if first else axis
    result = graph.node(
        "Concat", [value.name for value in values], call.layer.name, axis=stored_axis
    )
    return call.output(result, first)


def _add(graph: GraphBuilder, call: Call) -> Value:
    values, first = _images_first(graph, call)
    result = values[0].name
    for value in values[1:]:
        result = graph.node("Add", [result, value.name], call.layer.name)
    return call.output(result, first)


def _average(graph: GraphBuilder, call: Call) -> Value:
    total = _add(graph, call)
    share = graph.floats(f"{call.layer.name}/share", np.asarray(1 / len(call.inputs)))
    return call.output(
        graph.node("Mul", [total.name, share], call.layer.name), total.channels_first
    )


def _flatten(graph: GraphBuilder, call: Call) -> Value:
    layer, x = call.layer, graph.as_keras(call.inputs[0])
    return call.output(graph.node("Flatten", [x.name], layer.name, axis=1), False)


def _reshape(graph: GraphBuilder, call: Call) -> Value:
    layer, x = call.layer, graph.as_keras(call.inputs[0])
    target = graph.integers(f"{layer.name}/shape", [0, *layer.target_shape])  # 0: unchanged
    return call.output(graph.node("Reshape", [x.name, target], layer.name), False)


def _permute(graph: GraphBuilder, call: Call) -> Value:
    return graph.permute(call.inputs[0], (0, *call.layer.dims), call.shape)


CONVERTERS: dict[str, Converter] = {
    "Activation": elementwise.activation,
    "Add": _add,
    "Average": _average,
    "BatchNormalization": _batch_normalisation,
    "Concatenate": _concatenate,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "Dropout": elementwise.as_it_is,
    "ELU": elementwise.elu,
    "Flatten": _flatten,
    "LeakyReLU": elementwise.leaky_relu,
    "MaxPooling2D": _max_pooling,
    "Permute": _permute,
    "ReLU": elementwise.relu,
    "Rescaling": elementwise.rescaling,
    "Reshape": _reshape,
    "SpatialDropout2D": elementwise.as_it_is,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _zero_padding,
}
