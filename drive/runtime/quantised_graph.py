"""Decide where an ONNX graph is quantised, and write that into the graph.

Activations become uint8 where they enter a convolution, but not before its activation function,
since OpenVINO fuses the two. Weights become int8 with one scale per output channel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from drive.core.types import Array, FloatArray

ACTIVATION_LEVELS = 255  # of uint8
WEIGHT_LEVELS = 127  # of int8, on either side of zero

PAIR_LEVELS = 127
"""Maximum sum of two neighbouring weights of one sign. Processors without VNNI (Intel before 2019,
AMD before 2022) add the products of two neighbours in 16 bits and saturate; 128 x 255 just fits.
Without this limit AP50 of cars fell by 0.03 there. Clipping the few large pairs instead of a
coarser scale cost more (0.875 to 0.838)."""

PASSING = ("MaxPool", "Resize", "Concat")
"""Operators that select or repeat values; int8 passes through them unchanged."""


@dataclass(frozen=True, slots=True)
class Range:
    """Minimum and maximum of an activation."""

    low: float
    high: float

    def scale_and_zero(self) -> tuple[np.float32, np.uint8]:
        """Return the step and the level of 0, which is exact (arXiv 1712.05877, section 3)."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        scale = np.float32((high - low) / ACTIVATION_LEVELS or 1.0)
        return scale, np.uint8(np.clip(round(-low / float(scale)), 0, ACTIVATION_LEVELS))


@dataclass(slots=True)
class Plan:
    """What is to be quantised.

    `entries` are the tensors that become uint8, each with the (node, input number) that read it;
    `groups` are concatenated before a convolution and need one scale.
    """

    convolutions: list[onnx.NodeProto]  # whose weights become int8
    entries: dict[str, list[tuple[onnx.NodeProto, int]]] = field(default_factory=dict)
    groups: list[set[str]] = field(default_factory=list)


def constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Return the stored arrays by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def widen_kernels(graph: onnx.GraphProto) -> None:
    """Replace kernels that are stored as float16 with a cast by float32 ones."""
    stored = constants(graph)
    for node in [n for n in graph.node if n.op_type == "Cast" and n.input[0] in stored]:
        tensor = stored[node.input[0]]
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        for reader in graph.node:
            for number, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[number] = tensor.name
        graph.node.remove(node)


def make_plan(graph: onnx.GraphProto, keep_float: Collection[str] = ()) -> Plan:
    """Return what to quantise: every convolution with stored weights, except those named."""
    stored = constants(graph)
    producers = {name: node for node in graph.node for name in node.output}
    found = [node for node in graph.node if node.op_type == "Conv" and node.input[1] in stored]
    plan = Plan([node for node in found if node.name not in keep_float])
    for node in plan.convolutions:
        entries = _enter(plan, producers, node, 0)
        if len(entries) > 1:
            _unite(plan.groups, entries)
    return plan


def first_convolutions(graph: onnx.GraphProto) -> list[str]:
    """Return the names of the convolutions on the image itself: those without one before them."""
    untouched = {value.name for value in graph.input}
    found = []
    for node in graph.node:
        if untouched.isdisjoint(node.input):
            continue
        if node.op_type == "Conv":
            found.append(node.name)
        else:
            untouched.update(node.output)
    return found


def insert(
    graph: onnx.GraphProto, plan: Plan, ranges: Mapping[str, Range], means: Mapping[str, FloatArray]
) -> None:
    """Write the plan into a graph with float32 kernels.

    `ranges` are those of the tensors of `plan.entries`, `means` the (C,) means per channel of each
    convolution's first input.
    """
    united = dict(ranges)
    for group in plan.groups:
        parts = [ranges[name] for name in group]
        whole = Range(min(part.low for part in parts), max(part.high for part in parts))
        united.update(dict.fromkeys(group, whole))
    for name, readers in plan.entries.items():
        output = quantise_activation(graph, name, *united[name].scale_and_zero())
        for node, number in readers:
            node.input[number] = output
    for node in plan.convolutions:
        _quantise_weights(graph, node, means.get(node.name))
    sort_nodes(graph)


def quantise_activation(
    graph: onnx.GraphProto,
    name: str,
    scale: np.float32 | Array,
    zero: np.uint8 | Array,
    suffix: str = "int8",
) -> str:
    """Add the two nodes that turn a tensor into uint8 and back; return the name of the result."""
    base = f"{name}/{suffix}"
    parameters = [store(graph, f"{base}/scale", scale), store(graph, f"{base}/zero", zero)]
    stored = add_node(graph, "QuantizeLinear", [name, *parameters], f"{base}/stored")
    return add_node(graph, "DequantizeLinear", [stored, *parameters], base)


def store_quantised(graph: onnx.GraphProto, base: str, steps: Array, scales: FloatArray) -> str:
    """Store integers with a scale per output channel; return the name of their values."""
    parameters = [
        store(graph, base, steps),
        store(graph, f"{base}/scale", scales.astype(np.float32)),
        store(graph, f"{base}/zero", np.zeros(len(scales), steps.dtype)),
    ]
    return add_node(graph, "DequantizeLinear", parameters, f"{base}/float", axis=0)


def add_node(
    graph: onnx.GraphProto, operator: str, inputs: list[str], output: str, **attributes: Any
) -> str:
    """Add an operator named as its output, and return that."""
    graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
    return output


def store(graph: onnx.GraphProto, name: str, array: Array | np.generic) -> str:
    """Store an array and return its name."""
    graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return name


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Sort nodes so that each follows those whose outputs it reads, as ONNX requires."""
    waiting = list(graph.node)
    known = {"", *constants(graph), *(value.name for value in graph.input)}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        waiting = [node for node in waiting if not known.issuperset(node.input)]
        if not ready:
            raise ValueError(f"nodes without a producer: {[node.name for node in waiting]}")
        ordered += ready
        known.update(name for node in ready for name in node.output)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def quantised_weights(weights: FloatArray) -> tuple[Array, FloatArray]:
    """Return (O, I, ...) weights as int8, and the (O,) scales; see `PAIR_LEVELS` for the limits."""
    rows = np.moveaxis(weights, 1, -1)  # runtimes store the channels of the input side by side
    flat = rows.reshape(len(rows), -1)
    step = 2 if rows.shape[-1] % 2 == 0 else 1  # with an odd number, pairs may start anywhere
    peaks = np.abs(flat).max(axis=1) / WEIGHT_LEVELS
    if flat.shape[1] > 1:
        for part in (np.maximum(flat, 0), np.maximum(-flat, 0)):
            pairs = (part[:, :-1] + part[:, 1:])[:, ::step].max(axis=1)
            peaks = np.maximum(peaks, pairs / PAIR_LEVELS)
    scales = np.where(peaks > 0, peaks, 1.0).astype(np.float32)
    steps = np.round(weights / _along(scales, weights.ndim))
    return np.clip(steps, -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8), scales


def _quantise_weights(
    graph: onnx.GraphProto, node: onnx.NodeProto, means: FloatArray | None
) -> None:
    """Store weights as int8 and correct the bias for it (arXiv 1906.04721, section 4.2)."""
    stored = constants(graph)
    name = node.input[1]
    weights = numpy_helper.to_array(stored[name]).astype(np.float32)
    steps, scales = quantised_weights(weights)
    if means is not None and weights.shape[1] == len(means):
        lost = weights - steps * _along(scales, weights.ndim)
        shift = lost.sum(axis=tuple(range(2, weights.ndim))) @ means
        _add_to_bias(graph, node, shift.astype(np.float32))
    base = f"{name}/int8"
    if f"{base}/scale" not in stored:
        store_quantised(graph, base, steps, scales)
    node.input[1] = f"{base}/float"
    if not any(name in reader.input for reader in graph.node):
        graph.initializer.remove(stored[name])


def _add_to_bias(graph: onnx.GraphProto, node: onnx.NodeProto, shift: FloatArray) -> None:
    if len(node.input) < 3:
        node.input.append(store(graph, f"{node.name}/bias", shift))
        return
    tensor = constants(graph)[node.input[2]]
    corrected = numpy_helper.to_array(tensor).astype(np.float32) + shift
    tensor.CopyFrom(numpy_helper.from_array(corrected, tensor.name))


def _enter(
    plan: Plan, producers: Mapping[str, onnx.NodeProto], node: onnx.NodeProto, number: int
) -> set[str]:
    """Note where the inputs of a node become uint8; return the names of these tensors."""
    name = node.input[number]
    producer = producers.get(name)
    if producer is None or producer.op_type not in PASSING:
        readers = plan.entries.setdefault(name, [])
        if not any(reader is node and place == number for reader, place in readers):
            readers.append((node, number))
        return {name}
    places = range(len(producer.input)) if producer.op_type == "Concat" else (0,)
    return set().union(*(_enter(plan, producers, producer, place) for place in places))


def _unite(groups: list[set[str]], names: Iterable[str]) -> None:
    """Add a group, merged with the groups that share a tensor with it."""
    whole = set(names)
    for group in [group for group in groups if group & whole]:
        whole |= group
        groups.remove(group)
    groups.append(whole)


def _along(values: FloatArray, rank: int) -> FloatArray:
    """Return (O,) values in a shape that broadcasts over (O, ...) of this rank."""
    return values.reshape(-1, *[1] * (rank - 1))
