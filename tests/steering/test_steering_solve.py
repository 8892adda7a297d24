"""`--backbone detector`: the network that is solved, its files, and the commands that use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.core.reporter import KeepingReporter
from drive.results.history import read_history
from drive.steering.cache import CachedRecording
from drive.steering.detector_network import as_network, build_on_detector
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.predict import load_steering
from drive.steering.preprocess import RoadCrop
from drive.steering.ridge import fit_ridge
from drive.steering.solve import solve_steering
from drive.steering.split import Part, Split
from drive.steering.training_data import TrainingData
from drive.steering.training_settings import TrainingSettings
from drive.tasks._run import Run
from drive.tasks._steering_training import SteeringTraining
from drive.tasks.train_steering import TrainSteeringConfig
from drive.video.writer import VideoWriter

BENDS = np.sin(np.arange(150) / 6) * 5
EVEN = RoadCrop(even=True)


def show_road(recording: Path, angles: np.ndarray) -> None:
    """Give a recording a video of a road that leans by the angles."""
    with VideoWriter(recording / "epoch01_front.mp4") as writer:
        for index, angle in enumerate(angles):
            image = np.full((96, 160, 3), 60, np.uint8)
            cv2.line(image, (80, 96), (int(80 + 8 * angle), 30), (220, 220, 220), 5)
            writer.write(image, index / 10)


def whole(recording: CachedRecording) -> Part:
    return Part(recording, np.arange(len(recording)))


@pytest.fixture(scope="module")
def even_drive(make_drive: Callable[..., CachedRecording]) -> CachedRecording:
    return replace(make_drive(angles=BENDS), crop=EVEN)


@pytest.mark.parametrize("suffix", [".keras", ".onnx"])
def test_the_network_in_both_files_predicts_what_the_regression_does(
    even_drive: CachedRecording, tmp_path: Path, suffix: str
) -> None:
    fit = fit_ridge([whole(even_drive)])
    assert fit
    model = as_network(fit, scale_deg=3.0)
    metadata = describe(model, "published", EVEN, BENDS, ["a"])
    assert metadata["backbone"] == "detector"
    assert metadata["crop"] == "0.4,0.875,even"
    path = save_trained(model, tmp_path / "model.keras", metadata).with_suffix(suffix)
    steering = load_steering(path)
    assert steering.crop == EVEN
    predicted = steering.predict_prepared(even_drive.images)
    rounding = 0.1  # of the colours, to whole levels, in the regression
    np.testing.assert_allclose(predicted, fit.predict(even_drive.images), atol=rounding)
    loaded, notes = load_network(path)
    assert notes == metadata
    answers = loaded.predict_on_batch(even_drive.images[:4]).reshape(-1)
    np.testing.assert_allclose(answers, predicted[:4], atol=1e-3)


def test_exposure_is_evened_once(
    make_drive: Callable[..., CachedRecording], even_drive: CachedRecording
) -> None:
    drive = make_drive(angles=BENDS)
    dark = replace(drive, images=(drive.images * [0.02, 1, 1]).astype(np.uint8))
    fits = [fit_ridge([whole(replace(dark, crop=crop))]) for crop in (RoadCrop(), EVEN)]
    assert fits[0]
    assert fits[1]
    assert [fit.even for fit in fits if fit] == [False, True]
    assert not np.allclose(fits[0].weights, fits[1].weights)


def test_what_is_solved_has_one_epoch_and_says_what_it_explains(
    even_drive: CachedRecording,
) -> None:
    rows = np.arange(len(even_drive))
    split = Split([Part(even_drive, rows[:100])], [Part(even_drive, rows[110:])])
    reporter = KeepingReporter()
    result = solve_steering(split, TrainingSettings(backbone="detector", mirror=False), reporter)
    (row,) = result.history
    assert result.best == row
    assert row.loss < row.val_loss < np.var(BENDS) / 4
    assert "in cross-validation it explains" in reporter.messages[0]
    assert "mirror" not in reporter.messages[0]
    solved = solve_steering(
        replace(split, validation=[]), TrainingSettings(backbone="detector", mirror=True), reporter
    )
    assert np.isnan(solved.history[0].val_loss)
    assert "and their mirror images" in reporter.messages[1]


@pytest.mark.parametrize("given", [None, True])
def test_the_solution_on_all_frames_chooses_mirror_images_again(
    given: bool | None, even_drive: CachedRecording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []

    def solve(_split: Split, settings: TrainingSettings, *_: object) -> None:
        asked.append(settings.mirror)

    monkeypatch.setattr("drive.tasks._steering_training.solve_steering", solve)
    config = TrainSteeringConfig(backbone="detector", mirror=given)
    run = Run("train-steering", config, KeepingReporter())
    settings = TrainingSettings(backbone="detector", mirror=True)  # as resolved by the first one
    split = Split([whole(even_drive)], [])
    data = TrainingData.from_options(config, None, {})
    training = SteeringTraining(config, settings, data, split, run)
    training._solved(Split(split.training, []), tmp_path, settings)
    assert asked == [given]


def test_too_few_frames_are_an_error(even_drive: CachedRecording) -> None:
    few = Split([Part(even_drive, np.arange(20))], [])
    with pytest.raises(InputError, match=r"at least 50 training frames.*got 20 frames"):
        solve_steering(few, TrainingSettings(backbone="detector"), KeepingReporter())


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="scale_deg must be above 0"):
        build_on_detector(0.0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--epochs", "3"], "--epochs does not apply to --backbone detector"),
        (["--freeze-epochs", "2"], "--freeze-epochs does not apply"),
        (["--ensemble", "2"], "--ensemble does not apply"),
        (["--find-lr"], "--find-lr does not apply"),
        (["--side-cameras"], "--side-cameras does not apply"),
        (["--weights", "model.keras"], "model.keras"),
    ],
)
def test_options_of_steps_are_refused(
    options: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["train-steering", "nowhere", "--backbone", "detector", *options]
    assert main([*command, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1


def test_there_is_nothing_to_search(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["tune-steering", "nowhere", "--backbone", "detector", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "--backbone detector has no settings to search" in capsys.readouterr().err


def test_train_then_use_the_files(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recording, out = make_recording("town", BENDS, fps=10), tmp_path / "out"
    show_road(recording, BENDS)
    command = ["train-steering", str(recording), "--backbone", "detector", "--quiet"]
    command += ["--validation", "0.3", "--cache", str(tmp_path / "cache")]
    assert main([*command, "--out", str(out)]) == 0
    (row,) = read_history(out / "history.csv")
    assert np.isfinite([row.loss, row.val_loss]).all()
    record = json.loads((out / "run.json").read_text())
    assert record["data"]["crop"].endswith(",even")
    assert (out / "loss.png").is_file()
    assert not (out / "augmented_views.png").exists()
    model = out / "model.onnx"
    use = ["--weights", str(model), "--quiet", "--out"]
    assert main(["evaluate-steering", str(recording), *use, str(tmp_path / "evaluated")]) == 0
    metrics = json.loads((tmp_path / "evaluated" / "metrics.json").read_text())
    assert metrics["n"] == len(BENDS)
    frame = np.random.default_rng(0).integers(0, 90, (120, 200, 3), np.uint8)
    steering = load_steering(model)
    brighter = (np.clip(frame / 255, 0, 1) ** 0.8 * 255).astype(np.uint8)
    assert steering.predict(brighter) == pytest.approx(steering.predict(frame), abs=1.0)
    again = ["train-steering", str(recording), "--weights", str(model), "--quiet"]
    assert main([*again, "--out", str(tmp_path / "again")]) == 2
    assert "has the backbone detector; got --backbone none" in capsys.readouterr().err
    video = str(recording / "epoch01_front.mp4")
    explain = ["predict-steering", video, "--explain", *use, str(tmp_path / "explained")]
    assert main(explain) == 2
    assert "showing what the network looks at requires convolutions" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_exported_as_any_network(
    make_recording: Callable[..., Path], make_drive: Callable[..., CachedRecording], tmp_path: Path
) -> None:
    recording = make_recording("town", BENDS, fps=10)
    show_road(recording, BENDS)
    fit = fit_ridge([whole(replace(make_drive(angles=BENDS), crop=EVEN))])
    assert fit
    metadata = describe(as_network(fit, 3.0), "published", EVEN, BENDS, ["a"])
    model = save_trained(as_network(fit, 3.0), tmp_path / "model.keras", metadata)
    for suffix in (".onnx", ".keras"):
        formats = ["--format", "openvino", "onnx", "--frames", str(recording / "epoch01_front.mp4")]
        out = ["--out", str(tmp_path / f"exported{suffix}"), "--quiet"]
        assert main(["export", str(model.with_suffix(suffix)), *formats, *out]) == 0
    exported = load_steering(next((tmp_path / "exported.keras").glob("*.onnx")))
    assert exported.crop == EVEN
    how = json.loads(exported.metadata["preprocessing"])["crop"]
    assert "each RGB value" in how["even"]
