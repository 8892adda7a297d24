"""The int8 form: what is stored, that it computes the same, that every runtime takes it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import numpy_helper

from drive.conversion.onnx_writer import write_onnx
from drive.conversion.quantise import quantise
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.files import sha256
from drive.runtime import load_engine
from drive.runtime.int8_form import is_int8
from drive.runtime.onnx_engine import _source
from drive.runtime.onnx_file import read_metadata
from drive.runtime.quantised_graph import quantised_weights

METADATA = {"network": "tiny", "classes": '["car"]'}
SIZES = ((32, 64), (48, 48))


def network() -> keras.Model:
    """Two heads, a pool, a join of two scales: all that tiny-yolo-drive consists of."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.LeakyReLU(0.1, name="leaky1")(layers.Conv2D(8, 3, padding="same", name="conv1")(x))
    fine = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(16, 3, padding="same", name="conv2")(fine)
    coarse = layers.MaxPooling2D(2, name="pool2")(layers.LeakyReLU(0.1, name="leaky2")(x))
    up = layers.UpSampling2D(2, name="up")(coarse)
    x = layers.Concatenate(name="join")([up, fine])
    x = layers.LeakyReLU(0.1, name="leaky3")(layers.Conv2D(8, 3, padding="same", name="conv3")(x))
    heads = [layers.Conv2D(5, 1, name="head4")(coarse), layers.Conv2D(5, 1, name="head2")(x)]
    return keras.Model(image, heads, name="tiny")


def examples(count: int = 12, seed: int = 0) -> list[np.ndarray]:
    """Smooth coloured noise in both sizes, one picture a batch."""
    rng = np.random.default_rng(seed)
    return [
        np.kron(rng.integers(0, 256, (1, h // 8, w // 8, 3)), np.ones((1, 8, 8, 1))).astype("uint8")
        for h, w in (SIZES[number % 2] for number in range(count))
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("int8")
    float_path, int8_path = folder / "tiny.onnx", folder / "tiny-int8.onnx"
    write_onnx(network(), float_path, METADATA)
    assert quantise(float_path, int8_path, iter(examples())) == 12
    return float_path, int8_path


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_int8_computes_what_float_computes_at_every_size(
    engine: str, files: tuple[Path, Path]
) -> None:
    exact, rounded = load_engine(files[0], "onnx"), load_engine(files[1], engine)
    assert rounded.input_shape == (None, None, None, 3)
    batches = [np.concatenate(examples(4, seed=1)[::2]), *examples(2, seed=2)]
    for batch in batches:
        for found, expected in zip(rounded.predict(batch), exact.predict(batch), strict=True):
            assert found.shape == expected.shape
            assert 0 < relative_error(found, expected) < 0.08


def test_weights_take_one_byte_each_and_no_float_kernel_is_left(files: tuple[Path, Path]) -> None:
    graph = onnx.load(str(files[1])).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kernels = [name for name, array in stored.items() if array.ndim == 4]
    layers = ("conv1", "conv2", "conv3", "head2", "head4")
    assert sorted(kernels) == [f"{name}/kernel/int8" for name in layers]
    for name in kernels:
        assert stored[name].dtype == np.int8
        assert stored[f"{name}/scale"].shape == (len(stored[name]),)  # one for each channel
        assert (np.abs(stored[name]).reshape(len(stored[name]), -1).max(axis=1) > 63).all()


def test_no_sum_of_two_products_needs_more_than_16_bits(files: tuple[Path, Path]) -> None:
    for tensor in onnx.load(str(files[1])).graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 4:
            check_pairs(array)


@pytest.mark.parametrize("channels", [3, 4])
def test_scales_leave_room_for_two_neighbours_of_one_sign(channels: int) -> None:
    weights = np.random.default_rng(0).normal(size=(6, channels, 3, 3)).astype(np.float32)
    weights[0] = np.abs(weights[0])
    weights[1, :2] = 4.0
    weights[2] = 0
    weights[3] *= np.tile([1, 1e-3], 2)[:channels, None, None]  # no pair of two large ones
    steps, scales = quantised_weights(weights)
    check_pairs(steps)
    lost = np.abs(steps * scales[:, None, None, None] - weights)
    assert (lost.max(axis=(1, 2, 3)) <= scales / 2 + 1e-6).all()  # rounded, nothing is cut
    assert np.abs(steps[1]).max() in (63, 64)
    assert lost[2].max() == 0
    if channels == 4:
        assert np.abs(steps[3]).max() > 120


def check_pairs(steps: np.ndarray) -> None:
    """Neighbours are channels of the same place; with an odd number, any two in a row."""
    channels = steps.shape[1]
    flat = steps.transpose(0, 2, 3, 1).reshape(len(steps), -1).astype(int)
    for part in (np.maximum(flat, 0), np.minimum(flat, 0)):
        sums = part[:, 1:] + part[:, :-1]
        assert np.abs(sums[:, :: 2 if channels % 2 == 0 else 1]).max() * 255 <= 32767


def test_metadata_is_carried_over_and_says_where_from(files: tuple[Path, Path]) -> None:
    extra = {"precision": "int8", "calibrated_on": "12", "float_sha256": sha256(files[0])}
    assert read_metadata(files[1]) == METADATA | extra
    assert load_engine(files[1], "openvino").metadata == METADATA | extra
    assert load_engine(files[1], "onnx").metadata == METADATA | extra
    assert is_int8(read_metadata(files[1]))
    assert not is_int8(read_metadata(files[0]))


def test_openvino_runs_every_convolution_in_int8(files: tuple[Path, Path]) -> None:
    core = openvino.Core()
    model = core.read_model(str(files[1]))
    model.reshape([1, *SIZES[0], 3])
    settings = {"PERF_COUNT": True, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.infer([examples(1)[0]])
    kinds = {
        entry.node_name: entry.exec_type
        for entry in request.profiling_info
        if entry.node_type in ("Convolution", "Pooling", "MaxPool")
    }
    assert len(kinds) == 7
    assert all(kind.lower().endswith("i8") for kind in kinds.values()), kinds


def test_onnx_runtime_runs_its_int8_convolutions(files: tuple[Path, Path], tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(_source(files[1]), options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(str(tmp_path / "optimised.onnx")).graph.node]
    assert operators.count("QLinearConv") == 3  # all but the two small heads


def test_constant_channels_and_named_convolutions(tmp_path: Path, files: tuple[Path, Path]) -> None:
    model = network()
    kernel, bias = model.get_layer("conv2").get_weights()
    kernel[..., 0] = 0
    model.get_layer("conv2").set_weights([kernel, bias + 1])
    write_onnx(model, tmp_path / "a.onnx", METADATA)
    quantise(tmp_path / "a.onnx", tmp_path / "b.onnx", examples(), keep_float=["head2"])
    names = {tensor.name for tensor in onnx.load(str(tmp_path / "b.onnx")).graph.initializer}
    assert "head2/kernel" in names
    assert "head4/kernel" not in names
    batch = examples(1, seed=5)[0]
    found = load_engine(tmp_path / "b.onnx").predict(batch)
    expected = load_engine(tmp_path / "a.onnx").predict(batch)
    assert all(relative_error(f, e) < 0.05 for f, e in zip(found, expected, strict=True))


def test_the_layer_that_sees_the_picture_may_stay_float(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    quantise(files[0], tmp_path / "first.onnx", examples(), float_first=True)
    names = {tensor.name for tensor in onnx.load(str(tmp_path / "first.onnx")).graph.initializer}
    assert "conv1/kernel" in names
    assert not names & {"conv2/kernel", "conv3/kernel", "head4/kernel", "head2/kernel"}


def test_what_cannot_be_quantised_is_refused(tmp_path: Path, files: tuple[Path, Path]) -> None:
    out = tmp_path / "out.onnx"
    with pytest.raises(MissingFileError, match="absent"):
        quantise(tmp_path / "absent.onnx", out, examples())
    with pytest.raises(WeightsError, match="int8 already"):
        quantise(files[1], out, examples())
    with pytest.raises(InputError, match="at least one batch"):
        quantise(files[0], out, [])
    with pytest.raises(InputError, match="float32"):
        quantise(files[0], out, [examples()[0].astype(np.float32)])
    with pytest.raises(InputError, match=r"head4.*got head8"):
        quantise(files[0], out, examples(), keep_float=["head8"])
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    write_onnx(dense, tmp_path / "dense.onnx", METADATA, input_dtype="float32")
    with pytest.raises(WeightsError, match="convolutions to quantise"):
        quantise(tmp_path / "dense.onnx", out, [np.zeros((1, 4), np.float32)])
    (tmp_path / "text.onnx").write_bytes(b"no network" * 9)
    with pytest.raises(WeightsError, match="text"):
        quantise(tmp_path / "text.onnx", out, examples())
    assert not list(tmp_path.glob("out*"))


def test_the_keras_engine_asks_for_the_float_file(files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="float weights"):
        load_engine(files[1], "keras", build=lambda _: network())
