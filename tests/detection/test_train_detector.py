"""Training: it learns, it resumes to the same result, and its files can be used."""

from __future__ import annotations

import csv
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import InputError, as_option
from drive.detection.dataset import CLASSES, LabelledImages, read_dataset
from drive.detection.detector import DEFAULT_WEIGHTS
from drive.runtime.onnx_file import read_metadata
from drive.tasks import train_detector
from drive.tasks._common import Context

train = pytest.importorskip("drive.detection.train")
import keras  # noqa: E402

from drive.detection import export, schedule  # noqa: E402
from drive.detection.batches import TrainingBatches  # noqa: E402
from drive.detection.tiny_yolo_drive import (  # noqa: E402
    ANCHORS,
    STRIDES,
    build_tiny_yolo_drive,
    onnx_metadata,
)

SETTINGS = train.TrainingSettings(epochs=2, batch=2, learning_rate=1e-3, frozen=0)
SMALL = ((64, 96),)


@pytest.fixture
def data(white_cars: Path) -> LabelledImages:
    return read_dataset(white_cars)


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


@pytest.mark.parametrize("frozen_epochs", [-1, 3])
def test_frozen_epochs_are_some_of_the_epochs(frozen_epochs: int) -> None:
    with pytest.raises(
        InputError, match=rf"--frozen-epochs is .* 0 to --epochs, 2; .*{frozen_epochs}"
    ):
        replace(SETTINGS, frozen_epochs=frozen_epochs)


@pytest.mark.parametrize("name", ["epochs", "batch", "learning_rate"])
def test_settings_are_checked(name: str) -> None:
    with pytest.raises(InputError, match=f"{as_option(name)} is above 0; received: 0"):
        replace(SETTINGS, **{name: 0})


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("broken_at", [2, 3])
def test_a_resumed_training_ends_like_an_unbroken_one(
    data: LabelledImages, tmp_path: Path, broken_at: int
) -> None:
    settings = replace(SETTINGS, epochs=3, frozen_epochs=2)
    keras.utils.set_random_seed(1)
    start = build_tiny_yolo_drive().get_weights()
    titles: list[str] = []

    def run(folder: str, resume: bool = False, fail_at: int | None = None) -> list:
        network = build_tiny_yolo_drive()
        network.set_weights(start)
        (tmp_path / folder).mkdir(exist_ok=True)

        def progress(batches: object, total: object = None, description: str = "") -> object:
            titles.append(description)
            if description.startswith(f"epoch {fail_at}/"):
                raise KeyboardInterrupt
            return batches

        history = train.train_detector(
            network, data, data, tmp_path / folder, settings, resume, progress
        )
        return [(row.epoch, row.loss, row.val_loss) for row in history]

    whole = run("whole")
    assert [", backbone frozen" in title for title in titles] == [True, True, False]
    assert "min to go" in titles[1]
    with pytest.raises(KeyboardInterrupt):
        run("broken", fail_at=broken_at)  # 2: within the frozen phase; 3: between the phases
    with (tmp_path / "broken/history.csv").open("a") as file:
        file.write(f"{broken_at},9,9,9,9\n")  # killed after the history, before the checkpoint
    resumed = run("broken", resume=True)
    np.testing.assert_allclose(resumed, whole, rtol=1e-4)
    assert whole[2][1] < whole[0][1]  # it learns: the training loss falls

    with (tmp_path / "broken/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "learning_rate", "seconds"]

    again = (build_tiny_yolo_drive(), data, data, tmp_path / "broken")
    with pytest.raises(InputError, match=r"began with; expected \{'seed': 0\}; .*'seed': 1"):
        train.train_detector(*again, replace(settings, seed=1), True)
    fewer = data.select([True, True, True, False])
    with pytest.raises(InputError, match=r"expected \{'pictures': 4\}"):
        train.train_detector(again[0], fewer, *again[2:], settings, True)
    with pytest.raises(InputError, match="nothing to resume"):
        train.train_detector(build_tiny_yolo_drive(), data, data, tmp_path, settings, True)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_frozen_phase_leaves_the_backbone_alone_and_the_next_one_does_not(
    data: LabelledImages, tmp_path: Path
) -> None:
    network = build_tiny_yolo_drive()
    before = {layer.name: layer.get_weights() for layer in network.layers if layer.weights}

    def changed() -> set[str]:
        return {
            name
            for name, weights in before.items()
            if not np.array_equal(weights[0], network.get_layer(name).get_weights()[0])
        }

    train.train_detector(
        network, data, data, tmp_path, replace(SETTINGS, epochs=1, frozen_epochs=1)
    )
    backbone = {f"conv{number}" for number in range(1, 8)}
    assert changed() == set(before) - backbone
    train.train_detector(network, data, data, tmp_path, replace(SETTINGS, epochs=1, frozen=2))
    assert changed() == set(before) - {"conv1", "conv2"}


def test_a_short_training_is_not_averaged_over_its_beginning() -> None:
    phase = train._phase_of(0, SETTINGS)
    short = train._compiled(build_tiny_yolo_drive(1), SETTINGS, phase, 4)
    long = train._compiled(build_tiny_yolo_drive(1), SETTINGS, phase, 5000)
    assert short.optimizer.ema_momentum == 0.5  # over 2 of 8 steps
    assert long.optimizer.ema_momentum == SETTINGS.average


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A weights file of a network that knows cars and buses; nobody trained it."""
    network = build_tiny_yolo_drive(2)
    path = tmp_path / "start.onnx"
    write_onnx(network, path, onnx_metadata({"car": 0.4, "bus": 0.2}, SMALL))
    return path


@pytest.fixture
def quick(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps on small pictures."""
    monkeypatch.setattr(schedule, "LEAST_STEPS", 2)
    monkeypatch.setattr(export, "INPUT_SIZES", SMALL)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_the_commands_train_export_and_evaluate(
    data: LabelledImages, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = ["train-detector", "--extra", str(tmp_path / "data"), "--epochs", "1", "--batch", "2"]
    line += ["--weights", str(start), "--quiet", "--no-int8"]
    assert main([*line, "--out", str(out)]) == 0
    written = {path.name for path in out.iterdir()}
    assert {"detector.onnx", "detector.keras", "history.csv", "loss.png", "run.json"} <= written
    assert {"precision_recall.png", "predictions.png"} <= written
    assert "show pictures that trained" in capsys.readouterr().err  # none was kept apart

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


def yolo_set(folder: Path, pictures: int, names: tuple[str, ...]) -> Path:
    """Bright squares and dark discs on noise, labelled as YOLO text; a picture without a box."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(pictures):
        picture = rng.integers(90, 140, (96, 128, 3), np.uint8)
        rows = []
        for kind in range(2) if number else ():
            side = int(rng.integers(24, 36))
            x, y = int(rng.integers(0, 62 - side)) + 64 * kind, int(rng.integers(0, 94 - side))
            if kind:
                cv2.circle(picture, (x + side // 2, y + side // 2), side // 2, (0, 0, 60), -1)
            else:
                picture[y : y + side, x : x + side] = (30, 220, 250)
            shares = (x + side / 2) / 128, (y + side / 2) / 96, side / 128, side / 96
            rows.append(" ".join(map(str, (kind, *shares))))
        cv2.imwrite(str(folder / f"images/{number:02d}.png"), picture)
        (folder / f"labels/{number:02d}.txt").write_text("\n".join(rows) + "\n")
    (folder / "data.yaml").write_text(f"names: [{', '.join(names)}]\n")
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_new_classes_from_a_list_train_and_are_found_under_their_names(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = yolo_set(tmp_path / "yolo", 12, ("car", "Stop Sign"))
    out = tmp_path / "out"
    line = ["train-detector", str(pictures), "--weights", str(start), "--epochs", "1"]
    line += ["--batch", "2", "--json", "--out", str(out)]
    assert main(line) == 0
    said = capsys.readouterr()
    results = json.loads(said.out.splitlines()[-1])
    assert results["classes"] == ["car", "stop sign"]
    assert results["thresholds"] == {"car": 0.4, "stop sign": export.USUAL_THRESHOLD}
    assert set(results["validation"]["ap50"]) == {"car", "stop sign"}
    assert set(results["validation_before"]["ap50"]) == {"car"}  # all that the start can be asked
    assert "classes: car, stop sign (new: stop sign)" in said.err
    assert "10 train, 2 choose, none is held out for measuring" in said.err
    assert "1 epoch of 5 steps of 2 pictures, 5 in all" in said.err
    assert "before" in said.err
    assert set(results["validation_int8"]["ap50"]) == {"car", "stop sign"}
    assert json.loads(read_metadata(results["int8"])["classes"]) == ["car", "stop sign"]
    again = [*line[:3], results["int8"], *line[4:-1], str(tmp_path / "again")]
    assert main(again) == 2  # float weights are what training goes on from
    assert "received: an int8 file" in capsys.readouterr().err
    assert json.loads(read_metadata(out / "detector.onnx")["classes"]) == ["car", "stop sign"]
    assert cv2.imread(str(out / "predictions.png")).shape[1] > 1000

    model = ["--weights", str(out / "detector.onnx"), "--quiet"]
    assert main(["evaluate-detector", str(pictures), *model, "--out", str(tmp_path / "e")]) == 0
    assert "stop sign" in json.loads((tmp_path / "e/metrics.json").read_text())["ap50"]
    detect = ["detect", str(pictures / "images"), *model, "--out", str(tmp_path / "d")]
    assert main([*detect, "--classes", "stop sign", "--conf", "0.01"]) == 0
    with (tmp_path / "d/detections.csv").open() as file:
        assert {row["class"] for row in csv.DictReader(file)} <= {"stop sign"}
    assert main([*detect, "--classes", "bus", "--overwrite"]) == 2
    assert "knows the classes car, stop sign; received: bus" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_named_classes_win_and_those_without_a_box_are_pointed_out(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = yolo_set(tmp_path / "yolo", 8, ("car", "cone"))
    line = ["train-detector", str(pictures), "--weights", str(start), "--epochs", "1"]
    line += ["--batch", "2", "--no-int8", "--out", str(tmp_path / "out"), "--hold-out"]
    assert main([*line, "--classes", "cone,tram,bus"]) == 0
    said = capsys.readouterr().err
    assert "warning: no box of tram trains" in said
    assert "left out: car" in said
    assert "are held out (evaluate-detector --split test)" in said
    model = tmp_path / "out/detector.onnx"
    assert json.loads(read_metadata(model)["thresholds"])["bus"] == 0.2
    assert main([*line, "--classes", "tram"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].count("no picture with a box") == 1


@pytest.mark.slow
def test_twenty_pictures_teach_new_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "TRAINING_SIZES", ((96, 128),))
    monkeypatch.setattr(export, "INPUT_SIZES", ((96, 128),))
    if not DEFAULT_WEIGHTS.is_file():
        pytest.skip("the weights that ship are absent")
    pictures = yolo_set(tmp_path / "yolo", 20, ("square", "disc"))
    line = ["train-detector", str(pictures), "--json", "--no-int8", "--out", str(tmp_path / "out")]
    assert main(line) == 0
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert results["epochs"] == 10
    assert results["validation"]["map50"] > 0.9
    assert "validation_before" not in results  # the start knows neither


def test_a_training_that_made_it_worse_says_so(capsys: pytest.CaptureFixture) -> None:
    context = Context("train-detector", Namespace(quiet=True), [])
    before = {"map50": 0.834, "ap50": {"car": 0.834}}
    worse = {"map50": 0.618, "ap50": {"car": 0.618}}
    others = {"map50": 0.618, "ap50": {"car": 0.9, "stop sign": 0.336}}
    for after in (before, others):
        results = {"validation_before": before, "validation": after}
        train_detector._warn_where_worse(results, 3, context)
    assert not capsys.readouterr().err
    results = {"validation_before": before, "validation": worse}
    train_detector._warn_where_worse(results, 3, context)
    said = capsys.readouterr().err
    assert "mean AP50 fell from 0.834 to 0.618 on 3 validation pictures" in said


def test_thresholds_are_chosen_where_boxes_are_enough(
    data: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_tiny_yolo_drive()
    for name in (f"head{stride}" for stride in STRIDES):
        kernel, bias = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([0 * kernel, np.full_like(bias, -12)])
    path = tmp_path / "d.onnx"
    given = {"bus": 0.4, "cone": 0.6}  # cones are none of this network's classes
    exported = export.export_detector(network, path, data, given)
    thresholds = exported.thresholds
    assert exported.measured is not None
    assert exported.measured.classes["car"].boxes == 4
    assert [found == [] for found in exported.found] == [True] * 4
    assert thresholds == {**dict.fromkeys(CLASSES, export.USUAL_THRESHOLD), "bus": 0.4}
    assert json.loads(read_metadata(path)["thresholds"]) == thresholds

    monkeypatch.setattr(export, "FEWEST_BOXES", 4)
    thresholds = export.export_detector(network, path, data).thresholds
    assert thresholds["car"] == 0.1  # nothing is found: the lowest there is
    assert json.loads(read_metadata(path)["thresholds"]) == thresholds
