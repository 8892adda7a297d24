"""Quantise a float ONNX file to int8 after training: a third of the time, half the size.

The result is plain ONNX (QuantizeLinear, DequantizeLinear), which cannot be trained further.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper

from drive.core.errors import InputError, WeightsError
from drive.core.files import atomic, sha256
from drive.core.types import Array, FloatArray
from drive.runtime.base import check_batch
from drive.runtime.int8_form import CALIBRATED_ON, INT8, PRECISION
from drive.runtime.onnx_file import read_model
from drive.runtime.quantised_graph import (
    Plan,
    Range,
    first_convolutions,
    insert,
    make_plan,
    widen_kernels,
)

if TYPE_CHECKING:
    import onnxruntime

FLOAT_SHA256 = "float_sha256"  # metadata key: the SHA-256 of the float file


def quantise(
    float_path: str | Path,
    int8_path: str | Path,
    batches: Iterable[Array],
    *,
    keep_float: Collection[str] = (),
    float_first: bool = False,
) -> int:
    """Write the int8 form of a file that `write_onnx` wrote; return the number of examples.

    Weights of convolutions become int8 with one scale per output channel; their inputs are rounded
    to uint8. Batches are (N, H, W, C) of the network's input type, of any size; a few hundred
    examples are enough. The range of an activation is the mean over the batches of its extremes, so
    use batches of one. Convolutions named in `keep_float` stay float; with `float_first` those on
    the image itself too.
    """
    model = read_model(float_path)
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise WeightsError(f"{float_path}: the weights must be float; got int8 already")
    widen_kernels(model.graph)
    if float_first:
        keep_float = [*keep_float, *first_convolutions(model.graph)]
    plan = make_plan(model.graph, keep_float)
    _check(model, plan, keep_float, float_path)
    ranges, means, examples = _measure(model, plan, batches)
    insert(model.graph, plan, ranges, means)
    extra = {PRECISION: INT8, CALIBRATED_ON: str(examples), FLOAT_SHA256: sha256(float_path)}
    helper.set_model_props(model, {e.key: e.value for e in model.metadata_props} | extra)
    onnx.checker.check_model(model)
    with atomic(int8_path) as part:
        onnx.save(model, str(part))
    return examples


def _check(
    model: onnx.ModelProto, plan: Plan, keep_float: Collection[str], path: str | Path
) -> None:
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    unknown = sorted(set(keep_float) - set(names))
    if unknown:
        raise InputError(
            f"keep_float must name convolutions of {path} ({', '.join(names) or 'none'}); "
            f"got {', '.join(unknown)}"
        )
    if not plan.convolutions:
        raise WeightsError(f"{path}: there are no convolutions to quantise")


def _measure(
    model: onnx.ModelProto, plan: Plan, batches: Iterable[Array]
) -> tuple[dict[str, Range], dict[str, FloatArray], int]:
    """Run the float model; return activation ranges, channel means by node, and N."""
    inputs = {node.name: node.input[0] for node in plan.convolutions}
    names = list(dict.fromkeys([*plan.entries, *inputs.values()]))
    session = _session(model, names)
    source = session.get_inputs()[0]
    shape = tuple(size if isinstance(size, int) else None for size in source.shape)
    element = int(model.graph.input[0].type.tensor_type.elem_type)
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(element))
    lows: dict[str, list[float]] = {name: [] for name in names}
    highs: dict[str, list[float]] = {name: [] for name in names}
    totals: dict[str, FloatArray] = {name: np.zeros(1) for name in names}
    examples = 0
    for batch in batches:
        check_batch(batch, kind, shape)
        values = session.run(names, {source.name: np.ascontiguousarray(batch)})
        examples += len(batch)
        for name, value in zip(names, values, strict=True):
            lows[name].append(float(value.min()))
            highs[name].append(float(value.max()))
            totals[name] = totals[name] + len(batch) * value.mean(axis=(0, 2, 3), dtype=np.float64)
    if not examples:
        raise InputError("quantising requires at least one batch of examples; got none")
    ranges = {n: Range(float(np.mean(lows[n])), float(np.mean(highs[n]))) for n in plan.entries}
    return ranges, {node: totals[name] / examples for node, name in inputs.items()}, examples


def _session(model: onnx.ModelProto, names: Iterable[str]) -> onnxruntime.InferenceSession:
    from drive.runtime.onnx_engine import open_session

    watched = onnx.ModelProto.FromString(model.SerializeToString())
    outputs = {value.name for value in watched.graph.output}
    watched.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in names if name not in outputs
    )
    return open_session(watched.SerializeToString())
