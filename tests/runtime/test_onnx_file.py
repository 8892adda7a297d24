"""A network written as ONNX computes what it computes in Keras, in every runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import DriveError, InputError, MissingFileError, WeightsError
from drive.runtime import load_engine
from drive.runtime.file_form import peek_metadata
from drive.runtime.onnx_file import load_onnx_weights, read_metadata

EXACT = 1e-4
HALF = 2e-2  # kernels carry 11 bits, values here are of the order of 1


def steering_like() -> keras.Model:
    """Strided valid convolutions, ELU, channels-last flattening, dense layers."""
    return keras.Sequential(
        [
            keras.Input((33, 50, 3), name="image"),
            layers.Rescaling(1 / 127.5, offset=-1.0, name="scale"),
            layers.Conv2D(6, 5, strides=2, activation="elu", name="conv1"),
            layers.Conv2D(8, 3, name="conv2"),
            layers.ELU(name="elu2"),
            layers.Dropout(0.5, name="dropout"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="relu", name="dense1"),
            layers.Dense(1, name="angle"),
        ]
    )


def two_heads() -> keras.Model:
    """Batch normalisation, leaky ReLU, upsampling, concatenation; any size; two outputs."""
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)
    x = layers.Conv2D(5, 3, padding="same", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="norm1")(x)
    fine = layers.LeakyReLU(negative_slope=0.1, name="leaky1")(x)
    x = layers.MaxPooling2D(2, name="pool1")(fine)
    x = layers.MaxPooling2D(2, strides=1, padding="same", name="pool2")(x)
    x = layers.Conv2D(7, 3, padding="same", activation="sigmoid", name="conv2")(x)
    coarse = layers.Conv2D(4, 1, name="coarse")(x)
    x = layers.UpSampling2D(2, name="up")(x)
    x = layers.Concatenate(name="join")([x, fine])
    return keras.Model(image, [layers.Conv2D(4, 1, name="fine")(x), coarse], name="two-heads")


def channels_first_flattening() -> keras.Model:
    """Permute before Flatten as tiny YOLO v1 has it, then a reshape to a grid."""
    image = keras.Input((12, 10, 3), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh", name="conv1")(image)
    x = layers.Add(name="add")([x, x])
    x = layers.Permute((3, 1, 2), name="first")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(24, name="dense")(x)
    x = layers.Reshape((2, 3, 4), name="grid")(x)
    return keras.Model(image, layers.Conv2D(2, 1, name="last")(x))


def padded_and_averaged() -> keras.Model:
    """Zeros around a picture, more on one side; values with a ceiling; a mean of three layers."""
    image = keras.Input((12, 10, 3), name="image")
    x = layers.ZeroPadding2D(((3, 1), (0, 2)), name="pad")(image)
    x = layers.ReLU(max_value=120.0, name="ceiling")(x)
    x = layers.Rescaling(1 / 127.5, offset=[-1.0, -0.8, 0.3], name="scale")(x)
    branches = [layers.Conv2D(4, 3, name=f"branch{n}")(x) for n in range(3)]
    x = layers.Flatten(name="flatten")(layers.Average(name="mean")(branches))
    return keras.Model(image, layers.Dense(2, name="last")(x))


NETWORKS: list[Callable[[], keras.Model]] = [
    steering_like,
    two_heads,
    channels_first_flattening,
    padded_and_averaged,
]


def randomised(model: keras.Model) -> keras.Model:
    """Give every weight, biases and moving averages too, a value that shows when misplaced."""
    rng = np.random.default_rng(5)
    for variable in model.variables:
        if variable.dtype == "float32":
            spread = rng.uniform(0.5, 1.5) * np.sqrt(1 / max(1, np.prod(variable.shape[:-1])))
            values = spread * rng.standard_normal(variable.shape)
            variable.assign(np.abs(values) + 0.1 if "variance" in variable.name else values)
    return model


def pictures(model: keras.Model, count: int) -> np.ndarray:
    """Return random uint8 pictures that fit the model's input."""
    _, height, width, _ = model.inputs[0].shape
    shape = (count, height or 8, width or 12, 3)
    return np.random.default_rng(6).integers(0, 256, shape, dtype=np.uint8)


def outputs(model: keras.Model, batch: np.ndarray) -> list[np.ndarray]:
    """Return what Keras computes."""
    result = model(batch.astype(np.float32), training=False)
    return [np.asarray(array) for array in (result if isinstance(result, list) else [result])]


@pytest.mark.parametrize("engine", ["openvino", "onnx", "keras"])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("build", NETWORKS)
def test_same_values_as_keras(
    build: Callable[[], keras.Model], half: bool, engine: str, tmp_path: Path
) -> None:
    model = randomised(build())
    batch = pictures(model, 2)
    expected = outputs(model, batch)
    write_onnx(model, tmp_path / "m.onnx", {"network": "test"}, half=half)

    running = load_engine(tmp_path / "m.onnx", engine=engine, threads=1, build=lambda _: build())

    results = running.predict(batch)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        assert result.shape == wanted.shape
        assert np.std(wanted) > 1e-3
        tolerance = (HALF if half else EXACT) * max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(result, wanted, atol=tolerance)
    assert running.name == engine
    assert running.metadata == {"network": "test"}


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_any_batch_and_picture_size(engine: str, tmp_path: Path) -> None:
    model = randomised(two_heads())
    write_onnx(model, tmp_path / "m.onnx", {}, half=False, input_dtype="float32")
    running = load_engine(tmp_path / "m.onnx", engine=engine, threads=1)
    rng = np.random.default_rng(1)
    for shape in [
        (1, 8, 8, 3),
        (3, 16, 24, 3),
        (2, 8, 10, 3),
        (1, 12, 8, 3),
        (1, 4, 4, 3),
        (1, 8, 8, 3),
    ]:
        batch = rng.uniform(0, 255, shape).astype(np.float32)
        for result, wanted in zip(running.predict(batch), outputs(model, batch), strict=True):
            np.testing.assert_allclose(result, wanted, atol=EXACT)


def test_half_stores_kernels_in_half_the_space_and_biases_whole(tmp_path: Path) -> None:
    model = randomised(steering_like())
    write_onnx(model, tmp_path / "half.onnx", {})
    types = {t.name: t.data_type for t in onnx.load(tmp_path / "half.onnx").graph.initializer}
    assert types["conv1/kernel"] == types["dense1/kernel"] == onnx.TensorProto.FLOAT16
    assert types["conv1/bias"] == types["angle/bias"] == onnx.TensorProto.FLOAT


@pytest.mark.parametrize("build", NETWORKS)
def test_weights_come_back(build: Callable[[], keras.Model], tmp_path: Path) -> None:
    model, other = randomised(build()), build()
    write_onnx(model, tmp_path / "m.onnx", {}, half=False)
    load_onnx_weights(other, tmp_path / "m.onnx")
    for layer, copy in zip(model.layers, other.layers, strict=True):
        for wanted, received in zip(layer.weights, copy.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(received), np.asarray(wanted))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    write_onnx(steering_like(), tmp_path / "m.onnx", {})
    with pytest.raises(WeightsError, match="fine/kernel"):
        load_onnx_weights(two_heads(), tmp_path / "m.onnx")


def test_weights_of_another_shape_leave_the_model_as_it_was(tmp_path: Path) -> None:
    def network(width: int) -> keras.Model:
        image = keras.Input((4, 4, 3))
        x = layers.Conv2D(2, 3, name="conv")(image)
        x = layers.Flatten(name="flat")(x)
        return keras.Model(image, layers.Dense(width, name="dense")(x))

    write_onnx(network(5), tmp_path / "m.onnx", {})
    model = network(6)
    before = np.asarray(model.get_layer("conv").kernel).copy()
    with pytest.raises(WeightsError, match=r"dense/kernel.*\(8, 6\).*got \(8, 5\)"):
        load_onnx_weights(model, tmp_path / "m.onnx")
    np.testing.assert_array_equal(np.asarray(model.get_layer("conv").kernel), before)


def test_metadata_comes_back(tmp_path: Path) -> None:
    metadata = {"network": "x", "classes": '["car", "bus"]', "note": "groß"}
    write_onnx(steering_like(), tmp_path / "m.onnx", metadata)
    assert read_metadata(tmp_path / "m.onnx") == metadata
    assert load_engine(tmp_path / "m.onnx", "openvino").metadata == metadata
    assert load_engine(tmp_path / "m.onnx", "onnx").metadata == metadata


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        (layers.GaussianNoise(0.1, name="noise"), "noise.*GaussianNoise"),
        (layers.Conv2D(2, 3, activation="gelu", name="conv"), "conv.*activation.*gelu"),
        (layers.UpSampling2D(2, interpolation="bilinear", name="up"), "up.*bilinear"),
        (layers.ReLU(negative_slope=0.3, name="bent"), "bent.*0.3"),
    ],
)
def test_what_cannot_be_said_in_onnx_is_named(
    layer: keras.Layer, match: str, tmp_path: Path
) -> None:
    image = keras.Input((8, 8, 3))
    with pytest.raises(DriveError, match=match):
        write_onnx(keras.Model(image, layer(image)), tmp_path / "m.onnx", {})
    assert list(tmp_path.iterdir()) == []


def test_unknown_input_type(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float16"):
        write_onnx(steering_like(), tmp_path / "m.onnx", {}, input_dtype="float16")  # type: ignore[arg-type]


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="absent"):
        read_metadata(tmp_path / "absent.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"this is no network" * 20)
    with pytest.raises(WeightsError, match="damaged"):
        read_metadata(damaged)
    with pytest.raises(WeightsError, match="damaged"):
        load_onnx_weights(steering_like(), damaged)


def test_metadata_is_peeked_at_without_reading_the_network(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    write_onnx(steering_like(), path, {"network": "a", "empty": "", "umlaut": "Straßenbahn"})
    assert peek_metadata(path) == read_metadata(path)
    assert peek_metadata(path)["umlaut"] == "Straßenbahn"
    path.write_bytes(path.read_bytes()[:-40])
    assert peek_metadata(path) == {}
