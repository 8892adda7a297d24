"""Networks for other classes: what was known stays bit by bit, what is new begins quiet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import WeightsError

pytest.importorskip("keras")
from drive.conversion.onnx_writer import write_onnx
from drive.detection.tiny_yolo_drive import (
    ANCHORS,
    BOX_VALUES,
    STRIDES,
    build_tiny_yolo_drive,
    onnx_metadata,
)
from drive.detection.transfer import (
    NEW_PROBABILITY,
    start_from_onnx,
    weights_classes,
    weights_thresholds,
)

OLD = ("car", "bus")
NEW = ("cone", "bus")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a network for cars (threshold 0.4) and buses (0.2), with biases of all sorts."""
    network = build_tiny_yolo_drive(len(OLD))
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(0, 1, bias.shape)])
    path = tmp_path_factory.mktemp("start") / "start.onnx"
    metadata = onnx_metadata(dict(zip(OLD, (0.4, 0.2), strict=True)), [(64, 96)])
    write_onnx(network, path, metadata, half=False)
    return path


def outputs(network: object, classes: int) -> list[np.ndarray]:
    """The raw heads on a picture, (cells, anchors, 5 + C) each."""
    picture = np.random.default_rng(1).integers(0, 256, (1, 64, 96, 3), np.uint8)
    heads = network(picture)  # type: ignore[operator]
    return [
        np.asarray(head).reshape(-1, len(ANCHORS[stride]), BOX_VALUES + classes)
        for head, stride in zip(heads, STRIDES, strict=True)
    ]


def test_the_same_classes_give_the_same_outputs(start: Path) -> None:
    a, b = build_tiny_yolo_drive(2), build_tiny_yolo_drive(2)
    start_from_onnx(a, start, OLD)
    start_from_onnx(b, start, OLD[::-1])
    for one, other in zip(outputs(a, 2), outputs(b, 2), strict=True):
        np.testing.assert_allclose(one[..., :5], other[..., :5], atol=1e-4)
        np.testing.assert_allclose(one[..., [6, 5]], other[..., 5:], atol=1e-4)


def test_known_classes_stay_and_new_ones_begin_quiet(start: Path) -> None:
    old, new = build_tiny_yolo_drive(2), build_tiny_yolo_drive(3)
    start_from_onnx(old, start, OLD)
    start_from_onnx(new, start, (*NEW, "tram"))
    for before, after in zip(outputs(old, 2), outputs(new, 3), strict=True):
        np.testing.assert_allclose(after[..., :5], before[..., :5], atol=1e-4)
        np.testing.assert_allclose(after[..., 6], before[..., 6], atol=1e-4)
    for stride in STRIDES:
        bias = new.get_layer(f"head{stride}").get_weights()[1].reshape(-1, BOX_VALUES + 3)
        np.testing.assert_allclose(1 / (1 + np.exp(-bias[:, 5])), NEW_PROBABILITY, rtol=1e-5)
        kernel = new.get_layer(f"head{stride}").get_weights()[0]
        rows = kernel.reshape(-1, len(ANCHORS[stride]), BOX_VALUES + 3)
        assert 0.005 < rows[..., 5].std() < 0.02
        assert not np.allclose(rows[..., 5], rows[..., 7])  # new classes are not copies


def test_what_a_file_says_about_its_classes(start: Path) -> None:
    assert weights_classes(start) == OLD
    assert weights_thresholds(start, NEW) == {"bus": 0.2}


def test_another_network_is_refused_and_nothing_changed(start: Path, tmp_path: Path) -> None:
    import keras

    image = keras.Input((None, None, 3), dtype="uint8")
    network = keras.Model(image, keras.layers.Conv2D(2, 3, name="conv1")(image))
    write_onnx(network, tmp_path / "other.onnx", {"network": "steering"})
    with pytest.raises(WeightsError, match="got network steering"):
        weights_classes(tmp_path / "other.onnx")
    metadata = onnx_metadata(dict.fromkeys(OLD, 0.3), [(64, 96)])
    write_onnx(network, tmp_path / "thin.onnx", metadata)
    model = build_tiny_yolo_drive(2)
    before = model.get_weights()
    with pytest.raises(WeightsError, match=r"layer conv1 must have shapes.*another version"):
        start_from_onnx(model, tmp_path / "thin.onnx", OLD)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
