"""Translate elementwise Keras layers to ONNX: activations and scaling, which keep the layout."""

from __future__ import annotations

import numpy as np

from drive.conversion.onnx_graph import Call, GraphBuilder, Value, unsupported

ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "elu": ("Elu", {"alpha": 1.0}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),  # the slope of keras.activations.leaky_relu
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
}


def activate(graph: GraphBuilder, call: Call, value: Value) -> Value:
    """Apply the `activation` of a layer."""
    layer = call.layer
    kind = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if kind == "linear":
        return value
    if kind not in ACTIVATIONS:
        known = ", ".join(["linear", *ACTIVATIONS])
        raise unsupported(layer, "activation", kind, f"one of {known}")
    operator, attributes = ACTIVATIONS[kind]
    result = graph.node(operator, [value.name], f"{layer.name}/{kind}", **attributes)
    return Value(result, value.shape, value.channels_first)


def activation(graph: GraphBuilder, call: Call) -> Value:
    """Translate an Activation layer."""
    return activate(graph, call, call.inputs[0])


def rescaling(graph: GraphBuilder, call: Call) -> Value:
    """Translate a Rescaling layer: one factor and offset, or one per channel."""
    layer, x = call.layer, call.inputs[0]
    result = x.name
    for operator, setting in (("Mul", layer.scale), ("Add", layer.offset)):
        array = np.asarray(setting, np.float32)
        if array.ndim == 1 and x.channels_first:
            array = array[:, None, None]
        constant = graph.floats(f"{layer.name}/{operator.lower()}_by", array)
        result = graph.node(operator, [result, constant], layer.name)
    return call.output(result, x.channels_first)


def _in_place(
    graph: GraphBuilder, call: Call, operator: str, *others: str, **attributes: float
) -> Value:
    x = call.inputs[0]
    result = graph.node(operator, [x.name, *others], call.layer.name, **attributes)
    return call.output(result, x.channels_first)


def leaky_relu(graph: GraphBuilder, call: Call) -> Value:
    """Translate a LeakyReLU layer."""
    return _in_place(graph, call, "LeakyRelu", alpha=float(call.layer.negative_slope))


def relu(graph: GraphBuilder, call: Call) -> Value:
    """Translate a ReLU layer, with or without a maximum."""
    layer = call.layer
    if layer.negative_slope or layer.threshold:
        settings = (layer.negative_slope, layer.threshold)
        raise unsupported(layer, "slope, threshold", settings, "(0, 0)")
    if layer.max_value is None:
        return _in_place(graph, call, "Relu")
    least = graph.floats(f"{layer.name}/least", np.asarray(0.0))
    most = graph.floats(f"{layer.name}/most", np.asarray(layer.max_value))
    return _in_place(graph, call, "Clip", least, most)


def elu(graph: GraphBuilder, call: Call) -> Value:
    """Translate an ELU layer."""
    return _in_place(graph, call, "Elu", alpha=float(call.layer.alpha))


def as_it_is(graph: GraphBuilder, call: Call) -> Value:
    """Translate a layer that does nothing when the network runs, such as Dropout."""
    return call.inputs[0]
