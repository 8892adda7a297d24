"""Training: it learns, it resumes to the same result, and its files can be used."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.cars.dataset import CLASSES, LabelledImages, read_dataset
from drive.cli import main
from drive.engine.onnx_file import read_metadata
from drive.errors import InputError, WeightsError

train = pytest.importorskip("drive.cars.train")
from drive.cars import export  # noqa: E402
from drive.cars.batches import TrainingBatches  # noqa: E402
from drive.cars.tiny_yolo_drive import (  # noqa: E402
    ANCHORS,
    DARKNET_LAYERS,
    build_tiny_yolo_drive,
    load_darknet_weights,
)

SETTINGS = train.TrainingSettings(epochs=2, batch=2, learning_rate=1e-3, frozen=0)
SMALL = ((64, 96),)


@pytest.fixture
def data(tmp_path: Path) -> LabelledImages:
    """Four pictures of white cars on black."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rows = ["image,class,x1,y1,x2,y2"]
    for number in range(4):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[20:50, 20 + number : 60 + number] = 255
        cv2.imwrite(str(folder / f"images/{number}.png"), picture)
        rows.append(f"{number}.png,car,{20 + number},20,{60 + number},50")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return read_dataset(folder)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "TRAINING_SIZES", SMALL)


def test_batches_depend_on_seed_and_epoch_alone(data: LabelledImages) -> None:
    def images(seed: int, epoch: int) -> np.ndarray:
        batches = TrainingBatches(data, ANCHORS, SMALL, 2, seed)
        return np.concatenate([batch.images for batch in batches.epoch(epoch)])

    assert images(0, 1).shape == (4, 64, 96, 3)
    assert np.array_equal(images(0, 1), images(0, 1))
    assert not np.array_equal(images(0, 1), images(0, 2))
    assert not np.array_equal(images(0, 1), images(1, 1))


def test_no_picture_is_an_input_error(data: LabelledImages) -> None:
    with pytest.raises(InputError, match="at least one labelled picture"):
        TrainingBatches(data.select([False] * 4), ANCHORS, SMALL, 2, 0)


@pytest.mark.parametrize("name", ["epochs", "batch", "learning_rate"])
def test_settings_are_checked(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be above 0; received: 0"):
        replace(SETTINGS, **{name: 0})


def test_the_network_has_the_topology_of_yolov3_tiny() -> None:
    network = build_tiny_yolo_drive(80)
    assert network.count_params() == 8_858_734 - sum(
        3 * n for n in (16, 32, 64, 128, 256, 512, 1024, 256, 512, 128, 256)
    )  # Darknet's count, less gamma, mean and variance of each folded normalisation
    outputs = build_tiny_yolo_drive()(np.zeros((1, 64, 96, 3), np.uint8))
    assert [tuple(output.shape) for output in outputs] == [(1, 2, 3, 33), (1, 4, 6, 33)]


def test_folding_and_rows_of_our_classes(tmp_path: Path) -> None:
    network = build_tiny_yolo_drive()
    coco = build_tiny_yolo_drive(80)
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for number, name in enumerate(DARKNET_LAYERS, start=1):
        layer, key = coco.get_layer(name), f"conv{number:02d}"
        arrays[f"{key}_kernel"] = rng.normal(0, 0.05, layer.kernel.shape).astype(np.float16)
        filters = layer.kernel.shape[-1]
        if name.startswith("head"):
            arrays[f"{key}_bias"] = np.arange(filters, dtype=np.float32)
        else:
            for part, low in (("beta", -1), ("gamma", 0.5), ("mean", -1), ("variance", 0.5)):
                arrays[f"{key}_{part}"] = rng.uniform(low, 2, filters).astype(np.float32)
    np.savez(tmp_path / "w.npz", **arrays)
    load_darknet_weights(network, tmp_path / "w.npz")

    x = rng.normal(0, 1, 27).astype(np.float32)  # one 3x3x3 window through convolution 1
    raw = x @ arrays["conv01_kernel"].reshape(27, 16).astype(np.float32)
    normal = (raw - arrays["conv01_mean"]) / (np.sqrt(arrays["conv01_variance"]) + 1e-6)
    expected = normal * arrays["conv01_gamma"] + arrays["conv01_beta"]
    kernel, bias = network.get_layer("conv1").get_weights()
    np.testing.assert_allclose(x @ kernel.reshape(27, 16) + bias, expected, atol=1e-4)

    bias = network.get_layer("head16").get_weights()[1]
    assert bias[:11].tolist() == [0, 1, 2, 3, 4, 7, 10, 12, 8, 6, 5]  # car, bus, truck, ...
    assert bias[11] == 85

    del arrays["conv05_mean"]
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(WeightsError, match="conv05_mean"):
        load_darknet_weights(network, tmp_path / "w.npz")
    with pytest.raises(WeightsError, match="received: \\['tram'\\]"):
        load_darknet_weights(network, tmp_path / "w.npz", (*CLASSES[:5], "tram"))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_resumed_training_ends_like_an_unbroken_one(
    data: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = build_tiny_yolo_drive().get_weights()

    def run(folder: str, resume: bool = False, fail_at: int | None = None) -> list:
        network = build_tiny_yolo_drive()
        network.set_weights(start)
        (tmp_path / folder).mkdir(exist_ok=True)

        def progress(batches: object, total: object = None, description: str = "") -> object:
            if description.startswith(f"epoch {fail_at}/"):
                raise KeyboardInterrupt
            return batches

        history = train.train_detector(
            network, data, data, tmp_path / folder, SETTINGS, resume, progress
        )
        return [(row.epoch, row.loss, row.val_loss) for row in history]

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("broken", fail_at=2)
    with (tmp_path / "broken/history.csv").open("a") as file:
        file.write("2,9,9,9,9\n")  # killed after the history was written, before the checkpoint
    resumed = run("broken", resume=True)
    np.testing.assert_allclose(resumed, whole, rtol=1e-4)
    assert whole[1][2] < whole[0][2]  # it learns

    with (tmp_path / "broken/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "learning_rate", "seconds"]

    with pytest.raises(InputError, match="the settings it began with"):
        train.train_detector(
            build_tiny_yolo_drive(),
            data,
            data,
            tmp_path / "broken",
            replace(SETTINGS, seed=1),
            True,
        )
    with pytest.raises(InputError, match="nothing to resume"):
        train.train_detector(build_tiny_yolo_drive(), data, data, tmp_path, SETTINGS, True)


@pytest.mark.slow
def test_the_commands_train_export_and_evaluate(
    data: LabelledImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = ["train-detector", "--extra", str(tmp_path / "data"), "--epochs", "1", "--batch", "2"]
    assert main([*line, "--out", str(out), "--quiet"]) == 0
    written = {path.name for path in out.iterdir()}
    assert {"detector.onnx", "detector.keras", "history.csv", "loss.png", "run.json"} <= written

    measure = ["evaluate-detector", str(tmp_path / "data"), "--weights", str(out / "detector.onnx")]
    assert main([*measure, "--out", str(tmp_path / "measured"), "--quiet"]) == 0
    metrics = json.loads((tmp_path / "measured/metrics.json").read_text())
    assert {"images", "boxes", "ap50", "map50", "map50_95"} <= set(metrics)
    assert (metrics["images"], metrics["boxes"]) == (4, 4)
    assert (tmp_path / "measured/precision_recall.png").exists()
    assert "AP50" in capsys.readouterr().out

    assert main([*line, "--out", str(out)]) == 2
    assert main([*line, "--resume", str(tmp_path / "nowhere")]) == 2
    assert main(["train-detector"]) == 2
    assert main([*measure, "--origin", "nowhere", "--out", str(tmp_path / "none")]) == 2


def test_thresholds_are_chosen_where_boxes_are_enough(
    data: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_tiny_yolo_drive()
    for name in ("head16", "head32"):
        kernel, bias = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([0 * kernel, np.full_like(bias, -12)])
    path = tmp_path / "d.onnx"
    thresholds, measured = export.export_detector(network, path, data, {"bus": 0.4})
    assert measured is not None
    assert measured.classes["car"].boxes == 4
    assert thresholds == {**dict.fromkeys(CLASSES, 0.3), "bus": 0.4}
    assert json.loads(read_metadata(path)["thresholds"]) == thresholds

    monkeypatch.setattr(export, "FEWEST_BOXES", 4)
    thresholds, _ = export.export_detector(network, path, data)
    assert thresholds["car"] == 0.1  # nothing is found: the lowest there is
    assert json.loads(read_metadata(path)["thresholds"]) == thresholds
