"""Load a network, or an ensemble in one file, that also outputs the mean map of each convolution.

Convolutions follow one another, with elementwise layers and batch normalisation between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

from drive.core.errors import InputError
from drive.runtime.base import Engine, check_model_file

if TYPE_CHECKING:
    import keras
    import onnx

    from drive.runtime.keras_engine import Builder

ACTIVATIONS = (
    *("Relu", "Elu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus"),
    *("ReLU", "ELU", "LeakyReLU", "Activation"),
)
IN_PLACE = (
    *("BatchNormalization", "Mul", "Add", "Sub", "Div", "Cast", "Identity", "Transpose"),
    *("Dropout", "SpatialDropout2D", "GaussianNoise", "Rescaling", "InputLayer"),
)
"""Operators and layers that keep each value at its place in the image and may be between two
convolutions. After the last convolution any layer is allowed."""

DILATED = "a dilated convolution"
MOST_MEMBERS = 64  # paths, one per network of an ensemble; residual networks have far more
FIRST_INPUT_COUNTS = ("Conv", "BatchNormalization", "MatMul", "Gemm", "Reshape")  # not parameters


@dataclass(frozen=True, slots=True)
class Window:
    """The window of a convolution, (rows, columns) of pixels per output value and between two."""

    name: str
    kernel: tuple[int, int]
    stride: tuple[int, int]


Windows = tuple[Window, ...]
Value: TypeAlias = Any  # the output of a step: an ONNX name or a Keras tensor


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator or layer on the path from input to output."""

    kind: str  # name of the operator or the class
    name: str
    output: Value
    window: Window | None = None  # of a convolution
    activates: bool = False  # its output has been through an activation


_Look = Callable[[Value], tuple[_Step | None, list[Value]]]


def load_with_maps(
    path: str | Path, engine: str = "auto", build: Builder | None = None
) -> tuple[Engine, tuple[Windows, ...]]:
    """Load a model file with the mean feature maps as additional outputs.

    Returns the engine and the convolutions of each member of an ensemble, from the input on.
    `predict` returns the outputs of the network, then, member by member, an (N, rows, columns)
    array per convolution: the mean over the channels of its activated output, values below 0
    counted as 0. Raises `InputError` if the convolutions do not follow one another.
    """
    model_path = Path(path)
    check_model_file(path)
    suffix = model_path.suffix.lower()
    if suffix not in (".onnx", ".keras"):
        raise InputError(f"feature maps require an .onnx or .keras file; got {path}")
    if engine == "keras" or suffix == ".keras":
        return _load_keras(model_path, build)
    return _load_onnx(model_path, engine)


def _load_onnx(path: Path, engine: str) -> tuple[Engine, tuple[Windows, ...]]:
    import onnx
    from onnx import TensorProto, helper

    from drive.runtime import load_engine
    from drive.runtime.onnx_file import read_model

    model = read_model(path)
    windows, tensors = _members(model.graph.output[0].name, _onnx_look(model.graph), path)
    for name in tensors:
        positive, mean = f"{name}/positive", f"{name}/mean_map"
        model.graph.node.append(helper.make_node("Relu", [name], [positive]))
        node = helper.make_node("ReduceMean", [positive], [mean], axes=[1], keepdims=0)
        model.graph.node.append(node)
        sizes = ["batch", f"{name}/rows", f"{name}/columns"]
        model.graph.output.append(helper.make_tensor_value_info(mean, TensorProto.FLOAT, sizes))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        extended = Path(folder) / path.name
        onnx.save(model, str(extended))
        return load_engine(extended, engine), windows


def _load_keras(path: Path, build: Builder | None) -> tuple[Engine, tuple[Windows, ...]]:
    from drive.runtime.keras_engine import KerasEngine

    engine = KerasEngine.load(path, build)
    import keras
    from keras import ops

    windows, tensors = _members(engine.model.outputs[0], _keras_look, path)
    maps = [ops.mean(ops.relu(tensor), axis=-1) for tensor in tensors]
    model = keras.Model(engine.model.inputs[0], [*engine.model.outputs, *maps])
    return KerasEngine(model, engine.metadata), windows


def _members(output: Value, look: _Look, path: Path) -> tuple[tuple[Windows, ...], list[Value]]:
    """Return the convolutions of each network in a file, and their outputs."""
    ways = list(islice(_ways(output, look), MOST_MEMBERS + 1))
    if len(ways) > MOST_MEMBERS:
        raise _refusal(path, f"more than {MOST_MEMBERS} paths through the network")
    members: list[Windows] = []
    tensors: list[Value] = []
    seen: set[str] = set()
    for way in ways:
        windows, outputs = _convolutions(way, path)
        if shared := [window.name for window in windows if window.name in seen]:
            raise _refusal(path, f"more than one path through '{shared[0]}'")
        seen |= {window.name for window in windows}
        members.append(windows)
        tensors += outputs
    return tuple(members), tensors


def _ways(output: Value, look: _Look) -> Iterator[list[_Step]]:
    """Yield every path from the input to `output`, as its steps in order."""
    step, sources = look(output)
    if not sources:
        yield [step] if step else []
    for source in sources:
        for way in _ways(source, look):
            yield [*way, step] if step else way


def _convolutions(steps: list[_Step], path: Path) -> tuple[Windows, list[Value]]:
    """Return the convolutions on a path, and their activated outputs."""
    windows: list[Window] = []
    tensors: list[Value] = []
    activated = False
    last = max((n for n, step in enumerate(steps) if step.window), default=-1)
    for number, step in enumerate(steps):
        if step.window:
            windows.append(step.window)
            tensors.append(step.output)
            activated = step.activates
        elif step.kind == DILATED:
            raise _refusal(path, f"{step.kind} at '{step.name}'")
        elif number < last and step.kind not in (*IN_PLACE, *ACTIVATIONS):
            raise _refusal(path, f"{step.kind} '{step.name}' between them")
        elif number > last and step.kind not in (*IN_PLACE, *ACTIVATIONS):
            activated = True  # from here on values have no place in the image
        elif windows and step.activates and not activated:
            tensors[-1], activated = step.output, True
    if not windows:
        raise _refusal(path, "none")
    return tuple(windows), tensors


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: showing what the network looks at requires convolutions that follow one another; "
        f"got {reason}"
    )


def _onnx_look(graph: onnx.GraphProto) -> _Look:
    """Return a function from the name of a value to its operator and the names of its inputs."""
    producers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}

    def look(name: str) -> tuple[_Step | None, list[Value]]:
        node = producers.get(name)
        if node is None:
            return None, []
        taken = node.input[:1] if node.op_type in FIRST_INPUT_COUNTS else node.input
        return _onnx_step(node), [source for source in taken if source and source not in constants]

    return look


def _onnx_step(node: onnx.NodeProto) -> _Step:
    from onnx import helper

    name, output = node.name or node.output[0], node.output[0]
    if node.op_type != "Conv":
        return _Step(node.op_type, name, output, activates=node.op_type in ACTIVATIONS)
    settings = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    if "kernel_shape" not in settings or any(size != 1 for size in settings.get("dilations", [])):
        return _Step(DILATED, name, output)
    kernel, stride = settings["kernel_shape"], settings.get("strides", [1, 1])
    return _Step("Conv", name, output, Window(name, _pair(kernel), _pair(stride)))


def _keras_look(tensor: keras.KerasTensor) -> tuple[_Step | None, list[Value]]:
    """Return the layer of a Keras tensor, and its input tensors."""
    history = tensor._keras_history
    layer = history.operation
    return _keras_step(layer, tensor), list(layer._inbound_nodes[history.node_index].input_tensors)


def _keras_step(layer: keras.Layer, tensor: keras.KerasTensor) -> _Step:
    kind = type(layer).__name__
    if kind != "Conv2D":
        return _Step(kind, layer.name, tensor, activates=kind in ACTIVATIONS)
    if tuple(layer.dilation_rate) != (1, 1):
        return _Step(DILATED, layer.name, tensor)
    window = Window(layer.name, _pair(layer.kernel_size), _pair(layer.strides))
    activates = getattr(layer.activation, "__name__", "") != "linear"
    return _Step(kind, layer.name, tensor, window, activates)


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    rows, columns = (int(size) for size in sizes)
    return rows, columns
