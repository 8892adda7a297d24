from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import MissingFileError, WeightsError
from drive.core.files import sha256
from drive.recordings.recording import open_recordings
from drive.runtime.int8_form import usual_form
from drive.steering.evaluate import evaluate, predict_recording
from drive.steering.predict import DEFAULT_MODEL, SteeringModel, load_steering

SAMPLE_DRIVE = Path(__file__).resolve().parents[2] / "data" / "sample" / "epoch03_front.mp4"


class EngineOfBrightness:
    """Answers the mean brightness of each picture; stands for any runtime."""

    name = "test"
    input_name = "image"
    input_dtype = np.dtype(np.uint8)
    fallback_reason = None

    def __init__(self, metadata: dict[str, str], channels: int = 3) -> None:
        self.metadata = metadata
        self.input_shape = (None, 66, 200, channels)

    def predict(self, batch: np.ndarray) -> list[np.ndarray]:
        return [batch[..., 0].mean(axis=(1, 2), dtype=np.float64)[:, None]]


def test_one_frame_gives_a_float_and_several_an_array() -> None:
    pilot = SteeringModel(EngineOfBrightness({}))
    frames = [np.full((90, 160, 3), level, np.uint8) for level in (10, 20, 30)]
    assert pilot.predict(frames[1]) == pytest.approx(20, abs=1)
    angles = pilot.predict_batch(frames)
    assert angles.shape == (3,)
    assert angles.dtype == np.float32
    assert angles.tolist() == pytest.approx([10, 20, 30], abs=1)


def test_frames_may_differ_in_size_and_there_may_be_none() -> None:
    pilot = SteeringModel(EngineOfBrightness({}))
    assert (
        len(pilot.predict_batch([np.zeros((90, 160, 3), "u1"), np.zeros((48, 64, 3), "u1")])) == 2
    )
    assert pilot.predict_batch([]).shape == (0,)


def test_the_crop_of_the_model_is_used() -> None:
    frame = np.zeros((100, 160, 3), np.uint8)
    frame[:50] = 200
    assert SteeringModel(EngineOfBrightness({"crop": "0,0.5"})).predict(frame) > 190
    assert SteeringModel(EngineOfBrightness({"crop": "0.5,1"})).predict(frame) < 10


def test_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="tiny-yolo"):
        SteeringModel(EngineOfBrightness({"network": "tiny-yolo"}))
    with pytest.raises(WeightsError, match="got one for images of"):
        SteeringModel(EngineOfBrightness({}, channels=1))
    detector = DEFAULT_MODEL.with_name("tiny-yolo-drive.onnx")
    with pytest.raises(WeightsError, match="got tiny-yolo-drive") as refusal:
        load_steering(detector)
    assert str(refusal.value).startswith(f"{detector}: ") and "--weights" in str(refusal.value)


def test_a_missing_model_is_said() -> None:
    with pytest.raises(MissingFileError, match=r"absent\.onnx"):
        load_steering("absent.onnx")


def test_the_shipped_files_hold_the_same_network() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), np.uint8)
    runs, learns = load_steering(DEFAULT_MODEL), load_steering(DEFAULT_MODEL.with_suffix(".keras"))
    np.testing.assert_allclose(
        runs.predict_prepared(pictures), learns.predict_prepared(pictures), atol=1e-3
    )
    assert runs.metadata == learns.metadata
    on_racing_tracks = ("street-1", "ruudskogen", "wheel-2", "wheel-1", "spring", "e-track-2")
    for kept_out in (*on_racing_tracks, "brondehach"):
        assert kept_out not in runs.metadata["trained_on"]


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnx"])
def test_the_int8_form_that_ships_runs_and_answers_as_the_float_one(engine: str) -> None:
    (recording,) = open_recordings([SAMPLE_DRIVE])
    runs, exact = load_steering(engine=engine), load_steering(DEFAULT_MODEL)
    assert runs.engine.metadata["precision"] == "int8"
    assert runs.engine.metadata["float_sha256"] == sha256(DEFAULT_MODEL)
    assert runs.crop == exact.crop
    images = [sample.frame.image for sample in islice(recording.samples(), 0, 60, 6)]
    apart = runs.predict_batch(images) - exact.predict_batch(images)
    assert np.sqrt(np.mean(apart**2)) < 0.25  # 0.13 measured, where answers vary by 1.5


def test_keras_runs_the_float_form() -> None:
    assert usual_form(DEFAULT_MODEL, "keras") == DEFAULT_MODEL


@pytest.mark.slow
def test_the_shipped_network_beats_the_baselines_on_a_drive_kept_out(shared: Path) -> None:
    """It never learnt from this track; recoveries on it were among those that chose the epoch."""
    (recording,) = open_recordings([shared / "recordings" / "torcs" / "eroad"])
    pilot = load_steering()
    metrics = evaluate([predict_recording(recording, pilot)], pilot.training_mean_deg)
    assert metrics.rmse_deg < 0.8
    assert all(metrics.rmse_deg < value for value in asdict(metrics.baselines).values())
