"""A network that also tells what its convolutions computed: the mean of each one's feature maps.

Works on files whose convolutions stand one behind the other, with activations, batch
normalisation and the like between them, and on ensembles of such networks in one file; others are
refused in one line. An `.onnx` file is given
more outputs and run like any other, so TensorFlow is not needed for it; a `.keras` file becomes a
model with more outputs. Knows graphs of layers; not what a network or its maps are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.runtime.base import Engine, check_model_file

if TYPE_CHECKING:
    import onnx

    from drive.runtime.keras_engine import Builder

CHANNELS_FIRST_AXIS, CHANNELS_LAST_AXIS = 1, -1
MEAN_MAP = "mean_map"
ACTIVATIONS = (
    *("Relu", "Elu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus"),
    *("ReLU", "ELU", "LeakyReLU", "Activation"),
)
IN_PLACE = (
    *("BatchNormalization", "Mul", "Add", "Sub", "Div", "Cast", "Identity", "Transpose"),
    *("Dropout", "SpatialDropout2D", "GaussianNoise", "Rescaling", "InputLayer"),
)
"""Operators and layers that leave each value at its place in the picture, and may stand between
two convolutions. What comes behind the last convolution does not matter."""

DILATED = "a dilated convolution"
MOST_MEMBERS = 64
"""Ways from the picture to the answer: one for each network of an ensemble. A residual network
has two to the power of its blocks."""

FIRST_INPUT_COUNTS = ("Conv", "BatchNormalization", "MatMul", "Gemm", "Reshape")
"""Operators whose further inputs are parameters, whatever they come from."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution walks over its input.

    Attributes:
        name: of the layer.
        kernel: (rows, columns) of pixels that one output value sees.
        stride: (rows, columns) from one output value to the next.
    """

    name: str
    kernel: tuple[int, int]
    stride: tuple[int, int]


Windows = tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator or layer on the way from the picture to the answer.

    Attributes:
        kind: the operator's or the class's name.
        window: of a convolution, else None.
        activates: whether its output has been through an activation.
        output: what it gives: an ONNX name or a Keras tensor.
    """

    kind: str
    name: str
    output: Any
    window: Window | None = None
    activates: bool = False


_Look = Callable[[Any], tuple[_Step | None, list[Any]]]


def load_with_maps(
    path: str | Path, engine: str = "auto", build: Builder | None = None
) -> tuple[Engine, tuple[Windows, ...]]:
    """Load a model file that has more outputs than it was saved with.

    Args:
        path: `.onnx` or `.keras` file.
        engine: "openvino", "onnx", "keras" or "auto".
        build: makes the Keras network of an `.onnx` file; only the engine keras needs it.

    Returns:
        The engine, and for each member of the ensemble (one, where it is none) its convolutions,
        from the picture upwards. `predict` gives the network's own outputs first, then, member by
        member, for each convolution an (N, rows, columns) array: the mean over the channels of
        its output behind the activation, values below 0 counted as 0.

    Raises:
        MissingFileError: there is no such file.
        InputError: the network's convolutions do not stand one behind the other, as those of
            residual networks.
        WeightsError: the file is damaged.
    """
    model_path = Path(path)
    check_model_file(path)
    suffix = model_path.suffix.lower()
    if suffix not in (".onnx", ".keras"):
        raise InputError(f"feature maps come from .onnx and .keras files; received: {path}")
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
        positive, mean = f"{name}/positive", f"{name}/{MEAN_MAP}"
        model.graph.node.append(helper.make_node("Relu", [name], [positive]))
        node = helper.make_node(
            "ReduceMean", [positive], [mean], axes=[CHANNELS_FIRST_AXIS], keepdims=0
        )
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
    maps = [ops.mean(ops.relu(tensor), axis=CHANNELS_LAST_AXIS) for tensor in tensors]
    model = keras.Model(engine.model.inputs[0], [*engine.model.outputs, *maps])
    return KerasEngine(model, engine.metadata), windows


def _members(answer: Any, look: _Look, path: Path) -> tuple[tuple[Windows, ...], list[Any]]:
    """The convolutions of each network in a file, and what all of them give.

    Raises:
        InputError: two ways from the picture to the answer lead through one convolution.
    """
    ways = list(islice(_ways(answer, look), MOST_MEMBERS + 1))
    if len(ways) > MOST_MEMBERS:
        raise _refusal(path, f"more than {MOST_MEMBERS} ways through the network")
    members: list[Windows] = []
    tensors: list[Any] = []
    seen: set[str] = set()
    for way in ways:
        windows, outputs = _convolutions(way, path)
        if shared := [window.name for window in windows if window.name in seen]:
            raise _refusal(path, f"more than one way through '{shared[0]}'")
        seen |= {window.name for window in windows}
        members.append(windows)
        tensors += outputs
    return tuple(members), tensors


def _ways(answer: Any, look: _Look) -> Iterator[list[_Step]]:
    """Every way from the picture to what `answer` names, as its steps in that order."""
    step, sources = look(answer)
    if not sources:
        yield [step] if step else []
    for source in sources:
        for way in _ways(source, look):
            yield [*way, step] if step else way


def _convolutions(steps: list[_Step], path: Path) -> tuple[Windows, list[Any]]:
    """The convolutions on the way, and what each gives behind its activation.

    Raises:
        InputError: something between them moves values to other places in the picture.
    """
    windows: list[Window] = []
    tensors: list[Any] = []
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
            activated = True  # what comes behind here is no part of the picture any more
        elif windows and step.activates and not activated:
            tensors[-1], activated = step.output, True
    if not windows:
        raise _refusal(path, "it has none")
    return tuple(windows), tensors


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: what this network looks at cannot be shown, which takes convolutions that stand "
        f"one behind the other; received: {reason}"
    )


def _onnx_look(graph: onnx.GraphProto) -> _Look:
    """A function from a value's name to the operator that gives it and the names that it takes."""
    producers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}

    def look(name: str) -> tuple[_Step | None, list[Any]]:
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


def _keras_look(tensor: Any) -> tuple[_Step | None, list[Any]]:
    """The layer that gives a Keras tensor, and the tensors that it takes."""
    history = tensor._keras_history
    layer = history.operation
    return _keras_step(layer, tensor), list(layer._inbound_nodes[history.node_index].input_tensors)


def _keras_step(layer: Any, tensor: Any) -> _Step:
    kind = type(layer).__name__
    if kind != "Conv2D":
        return _Step(kind, layer.name, tensor, activates=kind in ACTIVATIONS)
    if tuple(layer.dilation_rate) != (1, 1):
        return _Step(DILATED, layer.name, tensor)
    window = Window(layer.name, _pair(layer.kernel_size), _pair(layer.strides))
    activates = getattr(layer.activation, "__name__", "") != "linear"
    return _Step(kind, layer.name, tensor, window, activates)


def _pair(sizes: Any) -> tuple[int, int]:
    rows, columns = (int(size) for size in sizes)
    return rows, columns
