"""A network that also tells what its convolutions computed: the mean of each one's feature maps.

Works on files whose convolutions stand one behind the other, with activations, batch
normalisation and the like between them; others are refused in one line. An `.onnx` file is given
more outputs and run like any other, so TensorFlow is not needed for it; a `.keras` file becomes a
model with more outputs. Knows graphs of layers; not what a network or its maps are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from drive.engine.base import Engine
from drive.errors import InputError, MissingFileError

if TYPE_CHECKING:
    import keras
    import onnx

    from drive.engine.keras_engine import Builder

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

BRANCH, DILATED = "a branch", "a dilated convolution"
"""What is refused wherever it stands: convolutions beside the walk would go unseen."""

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


def load_with_maps(
    path: str | Path, engine: str = "auto", build: Builder | None = None
) -> tuple[Engine, tuple[Window, ...]]:
    """Load a model file that has more outputs than it was saved with.

    Args:
        path: `.onnx` or `.keras` file.
        engine: "openvino", "onnx", "keras" or "auto".
        build: makes the Keras network of an `.onnx` file; only the engine keras needs it.

    Returns:
        The engine and its convolutions, from the picture upwards. `predict` gives the network's
        own output first, then for each convolution an (N, rows, columns) array: the mean over the
        channels of its output behind the activation, values below 0 counted as 0.

    Raises:
        MissingFileError: there is no such file.
        InputError: the network's convolutions do not stand one behind the other, as those of
            residual networks and of ensembles.
        WeightsError: the file is damaged.
    """
    model_path = Path(path)
    if not model_path.is_file():
        raise MissingFileError(f"no such model file; received: {path}")
    suffix = model_path.suffix.lower()
    if suffix not in (".onnx", ".keras"):
        raise InputError(f"feature maps come from .onnx and .keras files; received: {path}")
    if engine == "keras" or suffix == ".keras":
        return _load_keras(model_path, build)
    return _load_onnx(model_path, engine)


def _load_onnx(path: Path, engine: str) -> tuple[Engine, tuple[Window, ...]]:
    import onnx
    from onnx import TensorProto, helper

    from drive.engine import load_engine
    from drive.engine.onnx_file import read_model

    model = read_model(path)
    windows, tensors = _convolutions(_onnx_steps(model.graph), path)
    for name in tensors:
        positive, mean = f"{name}/positive", f"{name}/{MEAN_MAP}"
        axes = {"axes": [CHANNELS_FIRST_AXIS], "keepdims": 0}
        model.graph.node.append(helper.make_node("Relu", [name], [positive]))
        model.graph.node.append(helper.make_node("ReduceMean", [positive], [mean], **axes))
        sizes = ["batch", f"{name}/rows", f"{name}/columns"]
        model.graph.output.append(helper.make_tensor_value_info(mean, TensorProto.FLOAT, sizes))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        extended = Path(folder) / path.name
        onnx.save(model, str(extended))
        return load_engine(extended, engine), windows


def _load_keras(path: Path, build: Builder | None) -> tuple[Engine, tuple[Window, ...]]:
    from drive.engine.keras_engine import KerasEngine

    engine = KerasEngine.load(path, build)
    import keras
    from keras import ops

    windows, tensors = _convolutions(_keras_steps(engine.model), path)
    maps = [ops.mean(ops.relu(tensor), axis=CHANNELS_LAST_AXIS) for tensor in tensors]
    model = keras.Model(engine.model.inputs[0], [*engine.model.outputs, *maps])
    return KerasEngine(model, engine.metadata), windows


def _convolutions(steps: list[_Step], path: Path) -> tuple[tuple[Window, ...], list[Any]]:
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
        elif step.kind in (BRANCH, DILATED):
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


def _onnx_steps(graph: onnx.GraphProto) -> list[_Step]:
    """The operators from the picture to the first output; branches end the walk with a step."""
    producers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    steps: list[_Step] = []
    name = graph.output[0].name
    while name in producers:
        node = producers[name]
        steps.append(_onnx_step(node))
        sources = [source for source in node.input if source and source not in constants]
        if len(sources) > 1 and node.op_type not in FIRST_INPUT_COUNTS:
            steps[-1] = _Step(BRANCH, node.name or name, name)
        name = node.input[0] if node.input[0] in sources else sources[0]
    return steps[::-1]


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


def _keras_steps(model: keras.Model) -> list[_Step]:
    """The layers from the picture to the first output; branches end the walk with a step."""
    steps: list[_Step] = []
    tensor = model.outputs[0]
    while True:
        history = tensor._keras_history
        layer = history.operation
        sources = layer._inbound_nodes[history.node_index].input_tensors
        steps.append(_keras_step(layer, tensor))
        if len(sources) > 1:
            steps[-1] = _Step(BRANCH, layer.name, tensor)
        if not sources:
            return steps[::-1]
        tensor = sources[0]


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
