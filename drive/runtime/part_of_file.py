"""Load the first layers of a network from its `.onnx` file, as features for something else."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.runtime import load_engine
from drive.runtime.base import Engine

if TYPE_CHECKING:
    import onnx


def load_until(
    path: str | Path, output: str, shape: tuple[int, ...], engine: str = "auto", threads: int = 0
) -> Engine:
    """Load a network up to one of its values, which `predict` then returns.

    Args:
        path: a float `.onnx` file of drive.
        output: name of the value, such as "pool5".
        shape: of one image's value, as it is stored: channels first for an image.
        engine, threads: see `load_engine`.

    Raises:
        InputError: the file has no value of this name.
        MissingFileError, WeightsError: see `load_engine`.

    Example:
        >>> engine = load_until(DETECTOR, "pool5", (256, 2, 6))
        >>> engine.predict(images)[0].shape  # of (N, 66, 200, 3) uint8 RGB
        (N, 256, 2, 6)
    """
    import onnx

    from drive.runtime.onnx_file import read_model

    model = read_model(path)
    _cut(model.graph, output, shape, path)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        part = Path(folder) / "part.onnx"
        onnx.save(model, str(part))
        return load_engine(part, engine, threads)


def _cut(graph: onnx.GraphProto, output: str, shape: tuple[int, ...], path: str | Path) -> None:
    """Leave only what `output` is computed from, and make it the graph's output."""
    from onnx import TensorProto, helper

    wanted, kept = {output}, []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    if not kept:
        raise InputError(f"{path} has no value '{output}'")
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted]
    for field in (graph.node, graph.initializer, graph.output, graph.value_info):
        del field[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", *shape])
    graph.output.append(value)
