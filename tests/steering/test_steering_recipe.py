"""What a training chooses by itself: its start, length, crop, moves and mirror images."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import DivergedError
from drive.core.shipped import STEERING, STEERING_START
from drive.recordings.camera import Camera
from drive.recordings.vehicle import Car
from drive.runtime.keras_file import load_model
from drive.steering import train
from drive.steering.augment import CORRECTION_SHARE, reach_of_moves
from drive.steering.cache import CachedRecording
from drive.steering.dataset import Samples
from drive.steering.final_fit import FINAL
from drive.steering.preprocess import ROAD
from drive.steering.recipe import Outlook, look_ahead, suited
from drive.steering.road_crop import LOW_CAMERA_CROP, around, crop_for
from drive.steering.split import Part, Split, split_recordings
from drive.steering.start import CONVOLUTION_RATE
from drive.steering.state import read_state
from drive.steering.train import SteeringCourse, predict_samples, train_steering
from drive.steering.training_settings import FEWEST_STEPS, MOST_PASSES, PASSES, TrainingSettings
from drive.training.fit import TrainingResult

Maker = Callable[..., CachedRecording]
WITH_BAR_CODE = ("--crop", "0,0.9")
"""The number of a frame is drawn at its top; the rest is the same everywhere."""


def split_of(make_drive: Maker, angles: np.ndarray) -> Split:
    return split_recordings([make_drive("a/1", angles), make_drive("b/1", angles)], "0.5")


# the start


def test_a_training_starts_from_the_convolutions_that_ship(make_drive: Maker) -> None:
    shipped = load_model(STEERING_START)
    network = SteeringCourse(
        split_of(make_drive, np.linspace(-5, 5, 60)), TrainingSettings()
    ).network
    for name in ("conv1", "conv1_norm", "conv5", "conv5_norm"):
        for ours, theirs in zip(
            network.get_layer(name).get_weights(),
            shipped.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    ours, theirs = (each.get_layer("dense100").get_weights()[0] for each in (network, shipped))
    assert not np.array_equal(ours, theirs)
    assert not network.get_layer("conv3_norm").trainable


@pytest.mark.parametrize(
    "changes", [{"start": "random"}, {"variant": "elu"}, {"batch_norm": False}]
)
def test_other_networks_start_from_random_weights(
    make_drive: Maker, changes: dict[str, object]
) -> None:
    settings = TrainingSettings(**changes)
    network = SteeringCourse(split_of(make_drive, np.linspace(-5, 5, 60)), settings).network
    shipped = load_model(STEERING_START).get_layer("conv1").get_weights()[0]
    assert not np.array_equal(network.get_layer("conv1").get_weights()[0], shipped)
    assert all(layer.trainable for layer in network.layers if layer.weights)


def test_shipped_convolutions_learn_slower_and_their_normalisation_not_at_all(
    make_drive: Maker, out: Path
) -> None:
    split, settings = split_of(make_drive, np.linspace(-5, 5, 60)), TrainingSettings(epochs=1)
    optimizer = SteeringCourse(split, settings).compiled(frozen=False).optimizer
    factors = optimizer.rate_factors
    assert {name: factors[name] for name in ("conv1", "conv5")} == {
        "conv1": CONVOLUTION_RATE,
        "conv5": CONVOLUTION_RATE,
    }
    trained = train_steering(split, out, settings).model
    shipped = load_model(STEERING_START)
    for name in ("conv1_norm", "conv4_norm"):
        for ours, theirs in zip(
            trained.get_layer(name).get_weights(),
            shipped.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(
        trained.get_layer("conv5").get_weights()[0], shipped.get_layer("conv5").get_weights()[0]
    )


@pytest.mark.slow
def test_from_scratch_is_an_option_that_a_resumed_training_keeps(
    make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    recording = make_recording(angles=np.sin(np.arange(160) / 9) * 5, fps=10)
    out = tmp_path / "out"
    options = ["--epochs", "1", "--validation", "0.3", "--from-scratch", "--quiet", "--no-report"]
    assert main(["train-steering", str(recording), *options, "--out", str(out)]) == 0
    assert read_state(out)[0].start == "random"
    assert main(["train-steering", "--resume", str(out), "--epochs", "2", "--quiet"]) == 0
    record = json.loads((out / "run.json").read_text())
    assert (record["settings"]["from_scratch"], record["settings"]["epochs"]) == (True, 2)


# the unit of the labels


@pytest.mark.slow
def test_degrees_of_a_wheel_and_small_units_train_alike(make_drive: Maker, tmp_path: Path) -> None:
    angles = np.sin(np.arange(96) / 7) * 5
    settings = TrainingSettings(epochs=2, viewpoints=False)
    found = {}
    for factor in (1.0, 15.0, 0.1):
        split = split_of(make_drive, angles)
        for part in (*split.training, *split.validation):
            part.recording.angle_deg[:] = angles * factor  # the images stay
        model = train_steering(split, tmp_path / str(factor), settings).model
        found[factor] = predict_samples(model, Samples(split.validation)) / factor
    np.testing.assert_allclose(found[15.0], found[1.0], atol=0.25)
    np.testing.assert_allclose(found[0.1], found[1.0], atol=0.25)


# the length


@pytest.mark.parametrize(
    ("frames", "batch", "epochs"),
    [
        (3200, 32, PASSES),
        (32_000, 32, PASSES),
        (640, 32, FEWEST_STEPS // 20),
        (40, 32, MOST_PASSES),
        (1600, 16, PASSES),
    ],
)
def test_a_training_is_as_long_as_its_frames_need(frames: int, batch: int, epochs: int) -> None:
    settings = TrainingSettings(batch=batch).for_frames(frames)
    assert settings.epochs == epochs
    assert settings.patience == max(4, round(epochs / 2))
    given = TrainingSettings(epochs=3, patience=0).for_frames(frames)
    assert (given.epochs, given.patience) == (3, 0)


def test_the_first_line_says_how_long_it_will_take(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = make_recording(angles=np.sin(np.arange(160) / 9) * 5, fps=10)
    options = ["--epochs", "2", "--batch", "16", "--validation", "0.3", "--no-report"]
    assert main(["train-steering", str(recording), *options, "--out", str(tmp_path / "o")]) == 0
    said = capsys.readouterr().err
    assert "training: 2 epochs, 8 steps of 16 frames, then again on all frames; 1 minute" in said


# the final training


def test_the_final_training_is_on_all_frames_and_what_is_saved(
    make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    recording = make_recording(angles=np.sin(np.arange(160) / 9) * 5, fps=10)
    options = ["--epochs", "2", "--validation", "0.3", "--quiet", "--no-report", *WITH_BAR_CODE]
    out, without = tmp_path / "out", tmp_path / "without"
    command = ["train-steering", str(recording), *options]
    assert main([*command, "--out", str(out)]) == 0
    assert main([*command, "--no-final-fit", "--out", str(without)]) == 0
    final, notes = read_state(out / FINAL)
    assert final.epochs == 2
    assert [(trains, frames) for _, trains, frames, *_ in notes["frames"]] == [(True, 160)]
    assert not (without / FINAL).exists()
    kept, other = (load_model(each / "model.keras") for each in (out, without))
    assert not np.array_equal(kept.get_weights()[0], other.get_weights()[0])
    same = [(each / "predictions.csv").read_text() for each in (out, without)]
    assert same[0] == same[1]  # of the network that has not seen the validation data
    assert main(["train-steering", "--resume", str(out), "--quiet"]) == 0
    again = load_model(out / "model.keras")
    for ours, theirs in zip(again.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_a_final_training_after_a_resumption_begins_with_the_given_weights(
    make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    recording = make_recording(angles=np.sin(np.arange(160) / 9) * 5, fps=10)
    options = ["--epochs", "1", "--validation", "0.3", "--quiet", "--no-report", "--no-mirror"]
    out, weights = tmp_path / "out", STEERING.with_suffix(".keras")
    command = ["train-steering", str(recording), *options, "--weights", str(weights)]
    assert main([*command, "--out", str(out)]) == 0
    unbroken = load_model(out / "model.keras").get_weights()
    shutil.rmtree(out / FINAL)  # as if it was stopped before
    assert main(["train-steering", "--resume", str(out), "--quiet"]) == 0
    for ours, theirs in zip(load_model(out / "model.keras").get_weights(), unbroken, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_final_training_that_diverges_leaves_the_network_before(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = train.train_steering

    def diverging(split: Split, *arguments: object, **named: object) -> TrainingResult:
        if not split.validation:
            raise DivergedError("the loss is not finite")
        return trained(split, *arguments, **named)

    monkeypatch.setattr(train, "train_steering", diverging)
    recording = make_recording(angles=np.sin(np.arange(160) / 9) * 5, fps=10)
    out = tmp_path / "out"
    options = ["--epochs", "1", "--validation", "0.3", "--no-report", "--no-mirror"]
    assert main(["train-steering", str(recording), *options, "--out", str(out)]) == 0
    assert "the network of the validation is kept" in capsys.readouterr().err
    assert (out / "model.onnx").exists()


# the crop


def test_the_crop_follows_the_horizon() -> None:
    assert str(around(0.49)) == "0.41,0.875"
    assert str(around(0.38)) == "0.3,0.875"
    assert around(0.05).top == 0.2
    assert around(0.9).bottom - around(0.9).top == pytest.approx(0.3, abs=0.01)  # and no less
    cameras = [Camera(horizon=0.38), Camera(horizon=0.49), Camera(horizon=0.50)]
    assert crop_for(cameras) == around(0.49)


def test_without_a_known_horizon_the_crop_is_the_usual_one() -> None:
    assert crop_for([Camera(), Camera()]) == ROAD
    assert crop_for([Camera(), Camera(horizon=0.38)]) == around(0.38)


def test_a_camera_just_above_the_floor_sees_almost_all() -> None:
    assert crop_for([Camera(height_m=0.13, horizon=0.4)]) == LOW_CAMERA_CROP


# moved cameras


def test_moves_are_in_proportion_to_the_recorded_angles() -> None:
    wide, narrow = np.linspace(-40, 40, 100), np.linspace(-0.4, 0.4, 100)
    usual = Car(), 20.0, 1.2, 2.0
    assert reach_of_moves(wide, *usual) == 1.0
    small = reach_of_moves(narrow, *usual)
    assert 0 < small < 0.3
    assert reach_of_moves(narrow * 2, *usual) == pytest.approx(2 * small)
    wheel = Car(steering_ratio=15), 20.0, 1.2, 2.0
    assert reach_of_moves(narrow * 15, *wheel) == pytest.approx(small)
    assert reach_of_moves(narrow, *wheel) == pytest.approx(small / 15, rel=1e-3)


def test_where_the_speed_is_known_moves_are_large_on_a_straight_road_too() -> None:
    narrow = np.linspace(-0.4, 0.4, 100)
    assert reach_of_moves(narrow, Car(), 20.0, 1.2, 2.0, True) == 1.0
    assert reach_of_moves(narrow, Car(), 20.0, 0.12, 2.0, True) == pytest.approx(0.1)


def test_a_low_camera_is_moved_less() -> None:
    wide = np.linspace(-40, 40, 100)
    assert reach_of_moves(wide, Car(), 20.0, 0.12, 2.0) == pytest.approx(0.1)


def test_the_angles_that_lead_back_do_not_drown_the_recorded_ones(make_drive: Maker) -> None:
    angles = np.sin(np.arange(400) / 9)
    recording = make_drive("a/1", angles)
    seen = CachedRecording(
        **{
            **{name: getattr(recording, name) for name in recording.__dataclass_fields__},
            "view": Camera(horizon=0.45).view(200, 66),
        }
    )
    split = Split([Part(seen, np.arange(400))], [])
    made = SteeringCourse(split, TrainingSettings(epochs=1)).batches
    moved = np.concatenate([batch.angle_deg for batch in made.epoch(0)])
    added = math.sqrt(max(0.0, float(np.var(moved) - np.var(angles))))
    assert 0.1 * np.std(angles) < added < 1.3 * CORRECTION_SHARE * np.std(angles)


# what a regression says beforehand


def test_mirror_images_are_used_where_they_help(make_drive: Maker) -> None:
    one_way = np.abs(np.sin(np.arange(150) / 9)) * 5
    split = split_recordings([make_drive("a/1", one_way), make_drive("b/1", -one_way)], "b/1")
    outlook = look_ahead(split)
    assert outlook is not None
    chosen = suited(TrainingSettings(), split, outlook)
    assert chosen.mirror is outlook.mirror
    assert suited(TrainingSettings(mirror=False), split, outlook).mirror is False
    assert suited(TrainingSettings(), split, None).mirror is False
    assert 0.5 < outlook.explained <= 1
    assert outlook.validation_rmse_deg > 0


def test_one_of_both_is_recommended() -> None:
    outlook = Outlook(explained=0.6, mirror=True, validation_rmse_deg=1.0)
    assert outlook.beside(1.2).endswith("Try --backbone detector, which trains the regression")
    assert outlook.beside(1.02).endswith("Use this network")
    assert "this network 0.800 degrees, the regression" in outlook.beside(0.8)


def test_what_it_says_is_reported_and_recorded(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = make_recording(angles=np.sin(np.arange(160) / 9) * 5, fps=10)
    out = tmp_path / "out"
    options = ["--epochs", "1", "--validation", "0.3", "--no-report", *WITH_BAR_CODE]
    assert main(["train-steering", str(recording), *options, "--out", str(out)]) == 0
    assert "a regression on the detector's features explains" in capsys.readouterr().err
    record = json.loads((out / "run.json").read_text())
    assert set(record["ridge"]) == {"explained", "mirror", "validation_rmse_deg"}
    assert record["training"]["mirror"] == record["ridge"]["mirror"]
