"""Training: it learns, it resumes to the same result, and its files can be used."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import DivergedError, InputError
from drive.detection.dataset import CLASSES, LabelledImages, read_dataset
from drive.detection.detector import DEFAULT_WEIGHTS
from drive.detection.evaluate import DetectionMetrics
from drive.detection.training_settings import TrainingSettings
from drive.results.history import read_history
from drive.runtime.onnx_file import read_metadata
from drive.tasks import train_detector
from drive.tasks._detector_training import _warn_if_worse
from drive.tasks._run import Run

train = pytest.importorskip("drive.detection.train")
import keras  # noqa: E402

from drive.detection import export, schedule  # noqa: E402
from drive.detection.batches import TrainingBatches  # noqa: E402
from drive.detection.tiny_yolo_drive import ANCHORS, STRIDES, build_tiny_yolo_drive, onnx_metadata  # noqa: E402

SETTINGS = TrainingSettings(epochs=2, batch=2, learning_rate=1e-3, freeze=0, frozen_epochs=0)
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
    with pytest.raises(InputError, match="at least one labelled image; got none"):
        TrainingBatches(data.select([False] * 4), ANCHORS, SMALL, 2, 0)


@pytest.mark.parametrize(
    ("frozen_epochs", "rule"), [(-1, "at least 0; got -1"), (3, r"from 0 to epochs \(2\); got 3")]
)
def test_frozen_epochs_are_some_of_the_epochs(frozen_epochs: int, rule: str) -> None:
    with pytest.raises(InputError, match=f"frozen_epochs must be {rule}"):
        replace(SETTINGS, frozen_epochs=frozen_epochs)


def test_a_quarter_of_the_epochs_is_frozen_by_default() -> None:
    assert TrainingSettings(epochs=10).frozen == 2
    assert TrainingSettings(epochs=10, frozen_epochs=0).frozen == 0


@pytest.mark.parametrize("name", ["epochs", "batch", "learning_rate"])
def test_settings_are_checked(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be (at least 1|above 0); got 0"):
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

        result = train.train_detector(
            network, data, data, tmp_path / folder, settings, resume=resume, progress=progress
        )
        return [(row.epoch, row.loss, row.val_loss) for row in result.history]

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
    with pytest.raises(InputError, match=r"began with, .*; expected \{'seed': 0\}, .*'seed': 1"):
        train.train_detector(*again, replace(settings, seed=1), resume=True)
    fewer = data.select([True, True, True, False])
    with pytest.raises(InputError, match=r"expected \{'images': 4\}"):
        train.train_detector(again[0], fewer, *again[2:], settings, resume=True)
    with pytest.raises(InputError, match="no training to resume"):
        train.train_detector(*again[:3], tmp_path, settings, resume=True)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_frozen_phase_leaves_the_backbone_alone_and_the_next_one_does_not(
    data: LabelledImages, tmp_path: Path
) -> None:
    network = build_tiny_yolo_drive()
    before = {layer.name: layer.get_weights() for layer in network.layers if layer.weights}

    def changed(**settings: int) -> set[str]:
        chosen = replace(SETTINGS, epochs=1, **settings)
        trained = train.train_detector(network, data, data, tmp_path, chosen).model
        return {
            name
            for name, weights in before.items()
            if not np.array_equal(weights[0], trained.get_layer(name).get_weights()[0])
        }

    backbone = {f"conv{number}" for number in range(1, 8)}
    assert changed(frozen_epochs=1) == set(before) - backbone
    assert changed(freeze=2) == set(before) - {"conv1", "conv2"}


def test_a_short_training_is_not_averaged_over_its_beginning(data: LabelledImages) -> None:
    network = build_tiny_yolo_drive(1)
    for epochs, momentum in ((4, 0.5), (5000, train.AVERAGE)):  # 0.5: over 2 of 8 steps
        settings = replace(SETTINGS, epochs=epochs)
        model = train.DetectorCourse(network, data, data, settings).compiled(frozen=False)
        assert model.optimizer.ema_momentum == momentum


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
    assert "show training images" in capsys.readouterr().err  # none was kept apart

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
    assert "10 for training, 2 for validation, none held out for measuring" in said.err
    assert "1 epoch of 5 steps of 2 images, 5 in all" in said.err
    assert "before" in said.err
    assert set(results["validation_int8"]["ap50"]) == {"car", "stop sign"}
    assert json.loads(read_metadata(results["int8"])["classes"]) == ["car", "stop sign"]
    again = [*line[:3], results["int8"], *line[4:-1], str(tmp_path / "again")]
    assert main(again) == 2  # float weights are what training goes on from
    assert "got an int8 file" in capsys.readouterr().err
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
    assert "must be among car, stop sign; got bus" in capsys.readouterr().err


def test_an_empty_list_of_classes_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = yolo_set(tmp_path / "yolo", 8, ("car", "cone"))
    out = ["--out", str(tmp_path / "out")]
    assert main(["train-detector", str(images), "--classes", "", *out]) == 2
    assert "--classes must be a list such as car,bus with each class" in capsys.readouterr().err


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
    assert "warning: no training image has a box of tram: it will not be found" in said
    assert "left out: car" in said
    assert "held out (evaluate-detector --split test)" in said
    model = tmp_path / "out/detector.onnx"
    assert json.loads(read_metadata(model)["thresholds"])["bus"] == 0.2
    assert main([*line, "--classes", "tram"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].count("no image has a box") == 1


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


def test_a_training_that_made_it_worse_says_so() -> None:
    run = Run("train-detector", train_detector.TrainDetectorConfig("data"))

    def metrics(map50: float, **ap50: float) -> DetectionMetrics:
        return DetectionMetrics(3, 9, ap50, map50, map50)

    before = metrics(0.834, car=0.834)
    for after in (before, metrics(0.618, car=0.9, cone=0.336)):
        _warn_if_worse(after, before, 3, run)
    assert not run.record.warnings
    _warn_if_worse(metrics(0.618, car=0.618), before, 3, run)
    (said,) = run.record.warnings
    assert "mean AP50 fell from 0.834 to 0.618 on 3 validation images" in said


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_training_stops_when_nothing_gets_better(data: LabelledImages, tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=9, frozen_epochs=2, patience=1, learning_rate=1e-12)
    result = train.train_detector(build_tiny_yolo_drive(), data, data, tmp_path, settings)
    assert result.stopped_early
    assert len(result.history) == 4  # patience counts from the end of the frozen epochs


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_without_validation_the_last_epoch_is_the_best_and_nothing_stops_early(
    data: LabelledImages, tmp_path: Path
) -> None:
    none = data.select([False] * 4)
    settings = replace(SETTINGS, epochs=3, patience=1)
    result = train.train_detector(build_tiny_yolo_drive(), data, none, tmp_path, settings)
    assert result.best.epoch == len(result.history) == 3
    assert math.isnan(result.best.val_loss)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_tensorboard_shows_losses_weights_and_gradients(
    data: LabelledImages, tmp_path: Path
) -> None:
    import tensorflow as tf

    settings = replace(SETTINGS, epochs=2, frozen_epochs=1, tensorboard=True)
    train.train_detector(build_tiny_yolo_drive(), data, data, tmp_path, settings)
    (path,) = (tmp_path / "tensorboard").iterdir()
    records = tf.compat.v1.io.tf_record_iterator(str(path))
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    frozen, unfrozen = ({v.tag: v for v in event.summary.value} for event in events[2:])
    row = read_history(tmp_path / "history.csv")[1]
    assert unfrozen["val_loss"].simple_value == pytest.approx(row.val_loss, rel=1e-6)
    assert "gradients/conv1/kernel" not in frozen
    assert unfrozen["gradients/conv1/kernel"].histo.sum_squares > 0
    assert frozen["gradients/head8/kernel"].histo.sum_squares > 0


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_diverging_training_exports_the_best_epoch_before(
    data: LabelledImages, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = train.DetectorCourse.validation_loss

    def loss(course: train.DetectorCourse, model: keras.Model) -> float | None:
        second = (tmp_path / "out/history.csv").read_text().count("\n") > 1
        return math.nan if second else real(course, model)

    monkeypatch.setattr(train.DetectorCourse, "validation_loss", loss)
    config = train_detector.TrainDetectorConfig(
        yolo_set(tmp_path / "yolo", 12, ("car", "cone")),
        weights=str(start),
        epochs=3,
        batch=2,
        int8=False,
        out=str(tmp_path / "out"),
    )
    with pytest.raises(DivergedError, match="not finite in epoch 2; epoch 1, the best") as caught:
        train_detector.train_detector(config)
    result = caught.value.result
    assert isinstance(result, train_detector.TrainDetectorResult)
    assert (result.epochs, result.best_epoch) == (1, 1)
    assert result.model is not None
    assert result.model.is_file()
    assert (tmp_path / "out/run.json").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_the_rate_search_trains_nothing_that_is_kept(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drive.training import find_rate

    monkeypatch.setattr(find_rate, "FEWEST_STEPS", 20)
    config = train_detector.TrainDetectorConfig(
        yolo_set(tmp_path / "yolo", 12, ("car", "cone")),
        weights=str(start),
        batch=2,
        find_lr=True,
        out=str(tmp_path / "out"),
        report=False,
    )
    found = train_detector.train_detector(config).found_rate
    assert found is not None
    assert found.steps <= 20
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"learning_rate_finder.csv", "learning_rate_finder.png", "run.json"}


def test_resuming_takes_no_other_options(tmp_path: Path) -> None:
    def resumed(**options: object) -> None:
        folder = str(tmp_path / "stopped")
        train_detector.train_detector(train_detector.TrainDetectorConfig(resume=folder, **options))

    with pytest.raises(InputError, match="--find-lr trains nothing that could resume"):
        resumed(find_lr=True)
    with pytest.raises(InputError, match=r"--resume continues with .* Leave out --batch"):
        resumed(batch=4)
    with pytest.raises(InputError, match="no training to resume"):
        resumed()


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_training_that_version_0_1_left_resumes_to_the_same_result(
    data: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drive.detection.old_checkpoint import stopped_config

    settings = replace(SETTINGS, epochs=3, frozen_epochs=1)
    keras.utils.set_random_seed(1)
    start = build_tiny_yolo_drive().get_weights()

    def run(folder: str, stop_after: int, resume: bool = False) -> list[float]:
        network = build_tiny_yolo_drive()
        network.set_weights(start)
        (tmp_path / folder).mkdir(exist_ok=True)

        def on_epoch(row: object) -> None:
            if row.epoch == stop_after:
                raise KeyboardInterrupt

        result = train.train_detector(
            network, data, data, tmp_path / folder, settings, resume=resume, on_epoch=on_epoch
        )
        return [loss for row in result.history for loss in (row.loss, row.val_loss)]

    whole = run("whole", stop_after=9)
    with pytest.raises(KeyboardInterrupt):
        run("old", stop_after=2)
    make_old(tmp_path / "old", train.DetectorCourse(build_tiny_yolo_drive(), data, data, settings))
    with pytest.raises(InputError, match=r"version 0\.1 .* Name the DATASET"):
        stopped_config(str(tmp_path / "old"))
    np.testing.assert_allclose(run("old", stop_after=9, resume=True), whole, rtol=1e-4)


def make_old(folder: Path, course: object) -> None:
    """Turn a state into what version 0.1 wrote: a checkpoint of an optimiser with a schedule."""
    import h5py

    model = course.compiled(frozen=False)
    state = folder / "checkpoint/state.keras"
    model.load_weights(state)
    values = [keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
    names = [variable.path.split("/")[-1] for variable in model.optimizer.variables]
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 8)
    old = keras.optimizers.AdamW(schedule, weight_decay=1e-4, use_ema=True)
    old.build(model.trainable_variables)
    kept = [value for name, value in zip(names, values, strict=True) if name != "learning_rate"]
    for variable, value in zip(old.variables, kept, strict=True):
        variable.assign(value)
    model.compile(old, jit_compile=False)
    model.save_weights(folder / "checkpoint.weights.h5")
    with h5py.File(folder / "checkpoint.weights.h5", "a") as file:
        file.attrs["drive_epochs"] = 2
    settings = course.settings.settings()
    old_settings = {
        **{name: settings[name] for name in ("epochs", "batch", "learning_rate", "seed")},
        "frozen": settings["freeze"],
        "frozen_epochs": settings["frozen_epochs"],
        "classes": list(CLASSES),
        "pictures": 4,
    }
    (folder / "training.json").write_text(json.dumps(old_settings))
    state.unlink()


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


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_result_of_an_unbroken_one(
    start: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        **{"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    quick = [
        "from drive.runtime.quiet import load_keras; load_keras()",
        "from drive.detection import export, schedule, train",
        "train.TRAINING_SIZES = export.INPUT_SIZES = ((64, 96),)",
        "schedule.LEAST_STEPS = 8",
        "from drive.cli import main; import sys; sys.exit(main(sys.argv[1:]))",
    ]
    command = [sys.executable, "-c", "\n".join(quick), "train-detector", "--quiet"]
    pictures = str(yolo_set(tmp_path / "yolo", 12, ("car", "cone")))
    options = [pictures, "--weights", str(start), "--epochs", "4", "--batch", "2", "--no-int8"]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    subprocess.run([*command, *options, "--out", str(unbroken)], env=environment, check=True)
    process = subprocess.Popen([*command, *options, "--out", str(broken)], env=environment)
    try:
        deadline = time.monotonic() + 120
        while not rows_of(broken / "history.csv")[1:]:
            assert process.poll() is None, "training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (broken / "detector.onnx").exists()
    subprocess.run([*command, "--resume", str(broken)], env=environment, check=True)
    losses = [
        [[float(row["loss"]), float(row["val_loss"])] for row in rows_of(folder / "history.csv")]
        for folder in (unbroken, broken)
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
    record = json.loads((broken / "run.json").read_text())
    assert (record["settings"]["datasets"], record["settings"]["epochs"]) == ([pictures], 4)
    assert (broken / "detector.onnx").exists()


def rows_of(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
