"""Rewrite an int8 file of our quantiser for ONNX Runtime.

`quantise` rounds after activations, as OpenVINO fuses them. ONNX Runtime has int8 convolutions only
if rounding follows them directly, so it is added there, in the range the later one implies.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from drive.core.types import Array, FloatArray
from drive.runtime.quantised_graph import (
    ACTIVATION_LEVELS,
    PASSING,
    Range,
    constants,
    quantise_activation,
    sort_nodes,
    store_quantised,
)

FURTHEST_BELOW = 0.5
"""Lower end of the range before a leaky ReLU, as a share of its upper end. Few values are below it,
and the leaky ReLU leaves a tenth of their error; all levels become finer."""


def for_onnx_runtime(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the rounding that makes convolutions int8 in ONNX Runtime."""
    changed: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    graph = changed.graph
    producers = {name: node for node in graph.node for name in node.output}
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        weights = producers.get(node.input[1])
        entry = _rounding_above(producers, node.input[0])
        if weights is None or weights.op_type != "DequantizeLinear" or entry is None:
            continue
        scale, zero = (_value(graph, name) for name in entry.input[1:3])
        if producers[node.input[0]] is not entry:
            # round again to the same levels: without loss, but visible to ONNX Runtime
            suffix = f"int8_for_{node.name}"
            node.input[0] = quantise_activation(graph, node.input[0], scale, zero, suffix)
        if len(node.input) > 2:
            _round_bias(graph, node, scale * _value(graph, weights.input[1]))
        _round_output(graph, node)
    sort_nodes(graph)
    return changed


def _rounding_above(producers: Mapping[str, onnx.NodeProto], name: str) -> onnx.NodeProto | None:
    """Return the rounding whose levels a tensor has; concatenated tensors share one scale."""
    producer = producers.get(name)
    while producer is not None and producer.op_type in PASSING:
        producer = producers.get(producer.input[0])
    return producer if producer is not None and producer.op_type == "DequantizeLinear" else None


def _round_bias(graph: onnx.GraphProto, node: onnx.NodeProto, scales: FloatArray) -> None:
    """Store a bias as int32 in the steps of the sums of the convolution."""
    steps = np.round(_value(graph, node.input[2]).astype(np.float64) / scales)
    limits = np.iinfo(np.int32)
    steps = np.clip(steps, limits.min, limits.max).astype(np.int32)
    node.input[2] = store_quantised(graph, f"{node.name}/bias/int32", steps, scales)


def _round_output(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Round between a convolution and its leaky ReLU, if one follows and is rounded."""
    readers = [reader for reader in graph.node if node.output[0] in reader.input]
    if len(readers) != 1 or readers[0].op_type != "LeakyRelu":
        return
    leaky = readers[0]
    rounding = next(
        (n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == leaky.output[0]),
        None,
    )
    if rounding is None:
        return
    scale, zero = (float(_value(graph, name)) for name in rounding.input[1:3])
    slope = next(a.f for a in leaky.attribute if a.name == "alpha")
    high = (ACTIVATION_LEVELS - zero) * scale
    before = Range(max(-zero * scale / slope, -FURTHEST_BELOW * high), high)
    leaky.input[0] = quantise_activation(graph, node.output[0], *before.scale_and_zero())


def _value(graph: onnx.GraphProto, name: str) -> Array:
    return numpy_helper.to_array(constants(graph)[name])
