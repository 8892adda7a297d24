"""A float ONNX file as int8: a third of the time and half the size, from a few hundred examples.

Post-training quantisation: the float network is run on examples, the ranges of its activations are
noted, and weights and activations become whole numbers of 8 bits. The result is a plain ONNX file
(QuantizeLinear, DequantizeLinear) that OpenVINO and ONNX Runtime run; training does not go on from
it. Knows nothing of what a network is for; where a graph is quantised is in `quantise_graph`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from drive.core.errors import InputError, WeightsError
from drive.core.files import atomic
from drive.results.run_folder import sha256
from drive.runtime.base import check_batch, check_model_file
from drive.runtime.quantised_graph import (
    Plan,
    Range,
    first_convolutions,
    insert,
    make_plan,
    widen_kernels,
)

PRECISION = "precision"
INT8 = "int8"
CALIBRATED_ON = "calibrated_on"
FLOAT_SHA256 = "float_sha256"
"""Keys of the metadata that an int8 file has besides those of its float file."""


def quantise(
    float_path: str | Path,
    int8_path: str | Path,
    batches: Iterable[np.ndarray],
    *,
    keep_float: Collection[str] = (),
    float_first: bool = False,
) -> int:
    """Write the int8 form of a float ONNX file, whole or not at all.

    Every convolution's weights are stored as int8, one byte each, with a scale for each output
    channel; its input is rounded to uint8. Input sizes that are free stay free. The metadata is
    carried over, with `precision` ("int8"), `calibrated_on` (a number of examples) and
    `float_sha256` (of the float file) added.

    Args:
        float_path: written by `write_onnx`.
        int8_path: the file to write.
        batches: examples as the network will see them, each (N, H, W, C) of the type and size that
            the network takes; sizes may differ from batch to batch. The range of an activation is
            the mean over the batches of its extremes, so give batches of one. A few hundred do.
        keep_float: names of convolutions that stay as they are.
        float_first: the convolutions that see the picture itself stay as they are too.

    Returns:
        The number of examples that were used.

    Raises:
        MissingFileError: there is no float file.
        WeightsError: it is no ONNX file, is int8 already, or has no convolution to quantise.
        InputError: there is no batch, one has another type or shape, or `keep_float` names a
            convolution that is not there.
    """
    model = _read(float_path)
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


def is_int8(metadata: Mapping[str, str]) -> bool:
    """Whether a model file with this metadata was written by `quantise`."""
    return metadata.get(PRECISION) == INT8


def _read(path: str | Path) -> onnx.ModelProto:
    check_model_file(path)
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's decoder raises its own types, and they vary
        raise WeightsError(f"{path}: not an ONNX file ({error}); expected one") from error
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise WeightsError(f"{path}: a float model expected; received: one that is int8 already")
    return model


def _check(
    model: onnx.ModelProto, plan: Plan, keep_float: Collection[str], path: str | Path
) -> None:
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    unknown = sorted(set(keep_float) - set(names))
    if unknown:
        raise InputError(
            f"keep_float names convolutions of {path}, which are {', '.join(names) or 'none'}; "
            f"received: {', '.join(unknown)}"
        )
    if not plan.convolutions:
        raise WeightsError(
            f"{path}: a model with convolutions to quantise expected; received: none"
        )


def _measure(
    model: onnx.ModelProto, plan: Plan, batches: Iterable[np.ndarray]
) -> tuple[dict[str, Range], dict[str, np.ndarray], int]:
    """Run the float model; return ranges of activations, channel means by node, and N."""
    inputs = {node.name: node.input[0] for node in plan.convolutions}
    names = list(dict.fromkeys([*plan.entries, *inputs.values()]))
    session = _session(model, names)
    source = session.get_inputs()[0]
    shape = tuple(size if isinstance(size, int) else None for size in source.shape)
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(_element_type(model)))
    lows: dict[str, list[float]] = {name: [] for name in names}
    highs: dict[str, list[float]] = {name: [] for name in names}
    totals: dict[str, Any] = dict.fromkeys(names, 0.0)
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
        raise InputError("quantising needs at least one batch of examples; received: none")
    ranges = {n: Range(float(np.mean(lows[n])), float(np.mean(highs[n]))) for n in plan.entries}
    return ranges, {node: totals[name] / examples for node, name in inputs.items()}, examples


def _session(model: onnx.ModelProto, names: Iterable[str]) -> Any:
    """Return the float model in ONNX Runtime, which gives out any of its tensors."""
    import onnxruntime

    watched = onnx.ModelProto.FromString(model.SerializeToString())
    outputs = {value.name for value in watched.graph.output}
    watched.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in names if name not in outputs
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _element_type(model: onnx.ModelProto) -> int:
    return int(model.graph.input[0].type.tensor_type.elem_type)
