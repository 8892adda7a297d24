from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from drive.core.errors import DivergedError, InputError, WeightsError
from drive.results.names import HISTORY
from drive.steering import train
from drive.steering.cache import CachedRecording
from drive.steering.dataset import Samples
from drive.steering.evaluate import evaluate
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.network import build_network
from drive.steering.predict import load_steering
from drive.steering.preprocess import ROAD
from drive.steering.split import Split, split_recordings
from drive.steering.state import read_state
from drive.steering.train import TrainingResult, predict_samples, predictions_for, train_steering
from drive.steering.training_settings import TrainingSettings
from drive.training.state import STATE


@dataclass(frozen=True)
class Learnt:
    """A training and what came out."""

    folder: Path
    settings: TrainingSettings
    result: TrainingResult


@dataclass(frozen=True)
class Files:
    """A network and where it lies on disk."""

    model: keras.Model
    metadata: dict[str, str]
    keras: Path
    onnx: Path


Maker = Callable[..., CachedRecording]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def split(make_drive: Maker) -> Split:
    rng = np.random.default_rng(0)
    drives = [make_drive(f"t{n}/epoch01", rng.uniform(-5, 5, 64)) for n in range(2)]
    return split_recordings(drives, "0.5")


CONSTANT = {"schedule": "constant"}
"""Not a cosine, which depends on the number of epochs."""


def quick(**changes: object) -> TrainingSettings:
    return TrainingSettings(
        **{
            "epochs": 2,
            "batch": 32,
            "balance": False,
            "batch_norm": False,
            "warm_up": 0,
            **CONSTANT,
            **changes,
        }
    )


def losses(folder: Path) -> np.ndarray:
    with (folder / HISTORY).open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row["loss"]), float(row["val_loss"])] for row in rows])


@pytest.fixture(scope="module")
def learnt(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """A training that was long enough to learn something."""
    folder = tmp_path_factory.mktemp("learnt")
    settings = quick(epochs=10, batch=16, learning_rate=2e-3, augment=False)
    return Learnt(folder, settings, train_steering(split, folder, settings))


def test_it_learns_where_a_line_leans(split: Split, learnt: Learnt) -> None:
    metrics = evaluate(predictions_for(learnt.result.model, split.validation))
    assert metrics.rmse_deg < 0.5 * metrics.baselines.mean
    assert not metrics.hardly_varies


def test_the_best_epoch_is_what_comes_out(split: Split, learnt: Learnt) -> None:
    samples = Samples(split.validation)
    error = predict_samples(learnt.result.model, samples) - samples.angle_deg
    assert np.mean(error**2) == pytest.approx(learnt.result.best.val_loss, rel=1e-4)
    assert learnt.result.best.val_loss == losses(learnt.folder)[:, 1].min()


def test_the_history_has_the_columns_of_the_interface(learnt: Learnt) -> None:
    head = (learnt.folder / HISTORY).read_text().splitlines()[0]
    assert head == "epoch,loss,val_loss,learning_rate,seconds"


def test_training_stops_when_nothing_gets_better(split: Split, out: Path) -> None:
    settings = quick(epochs=20, patience=2, learning_rate=1e-12)
    result = train_steering(split, out, settings)
    assert result.stopped_early
    assert len(result.history) == result.best.epoch + 2
    resumed = train_steering(split, out, settings, resume=True)
    assert len(resumed.history) == len(result.history)


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("adadelta", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_resuming_gives_the_history_of_an_unbroken_run(
    split: Split, tmp_path: Path, optimizer: str
) -> None:
    settings = quick(epochs=2, optimizer=optimizer)
    train_steering(split, tmp_path / "unbroken", settings)
    train_steering(split, tmp_path / "broken", quick(epochs=1, optimizer=optimizer))
    train_steering(split, tmp_path / "broken", settings, resume=True)
    np.testing.assert_allclose(losses(tmp_path / "broken"), losses(tmp_path / "unbroken"), 1e-3)


def test_resuming_with_other_settings_or_frames_is_refused(
    split: Split, make_drive: Maker, learnt: Learnt
) -> None:
    with pytest.raises(InputError, match="settings it began with"):
        train_steering(split, learnt.folder, quick(batch=8), resume=True)
    other = split_recordings([make_drive("x/1"), make_drive("y/1")], "0.5")
    with pytest.raises(InputError, match="their excluded ranges or their split"):
        train_steering(other, learnt.folder, learnt.settings, resume=True)


def test_a_training_that_diverges_says_so_and_what_to_try(split: Split, out: Path) -> None:
    with pytest.raises(DivergedError, match=r"diverged: try a tenth of the --learning-rate"):
        train_steering(split, out, quick(learning_rate=1e30))


def test_a_validation_loss_that_is_no_number_ends_the_training(
    split: Split, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "mean_squared_error", lambda *_: math.inf)
    with pytest.raises(DivergedError, match=r"validation loss is not finite in epoch 1.*--find-lr"):
        train_steering(split, out, quick(epochs=1))


def test_nothing_to_resume_is_said(out: Path) -> None:
    with pytest.raises(InputError, match="no training to resume"):
        read_state(out)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch": 0}, {"learning_rate": -1.0}, {"optimizer": "sgd"}]
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainingSettings(**wrong)


@pytest.fixture(params=["published", "elu"], scope="module")
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A network with random weights, and its two files."""
    folder = tmp_path_factory.mktemp(request.param)
    model = build_network(request.param, scale_deg=3.0)
    metadata = describe(model, request.param, ROAD, np.array([1.0, 2.0]), ["a", "b"])
    onnx = save_trained(model, folder / "model.keras", metadata)
    return Files(model, metadata, folder / "model.keras", onnx)


@pytest.mark.parametrize("engine", ["openvino", "onnx", "keras"])
def test_the_onnx_file_answers_as_the_network_does(files: Files, engine: str) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 66, 200, 3), np.uint8)
    expected = files.model.predict_on_batch(pictures).reshape(-1)
    pilot = load_steering(files.onnx, engine)
    np.testing.assert_allclose(pilot.predict_prepared(pictures), expected, atol=1e-4)
    assert pilot.engine.name == engine
    assert pilot.training_mean_deg == 1.5


def test_both_files_carry_the_same_notes_and_weights(files: Files) -> None:
    from_onnx, onnx_notes = load_network(files.onnx)
    from_keras, keras_notes = load_network(files.keras)
    assert onnx_notes == keras_notes == files.metadata
    for one, other in zip(from_onnx.get_weights(), from_keras.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_keras_file_is_read_with_its_crop_and_mean(files: Files) -> None:
    pilot = load_steering(files.keras)
    assert pilot.crop == ROAD
    assert pilot.training_mean_deg == 1.5


def test_a_keras_file_of_another_program_is_refused(files: Files, tmp_path: Path) -> None:
    files.model.save(tmp_path / "plain.keras")
    with pytest.raises(WeightsError, match="does not say"):
        load_network(tmp_path / "plain.keras")
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(WeightsError, match="not a complete"):
        load_network(tmp_path / "text.keras")


COMMAND = [sys.executable, str(ROOT / "run.py"), "train-steering"]
OPTIONS = ["--epochs", "5", "--batch", "8", "--quiet", "--validation", "0.3"]


@pytest.fixture
def recording(make_recording: Callable[..., Path]) -> Path:
    return make_recording(angles=np.sin(np.arange(300) / 9) * 5, fps=20, size=(320, 160))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    one_thread = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    return {**os.environ, **one_thread, "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.mark.slow
def test_a_training_killed_in_an_epoch_resumes_to_the_same_history(
    recording: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    command = [*COMMAND, str(recording), *OPTIONS]
    subprocess.run([*command, "--out", str(unbroken)], env=environment, check=True)
    process = subprocess.Popen([*command, "--out", str(broken)], env=environment)
    try:
        _wait_for_rows(broken / HISTORY, 2, process)
        time.sleep(0.2)  # into the next epoch
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert (broken / STATE).exists()
    assert not (broken / "model.onnx").exists()
    assert len(losses(broken)) < 5
    resume = [*COMMAND, "--resume", str(broken), "--quiet"]
    subprocess.run(resume, env=environment, check=True)
    np.testing.assert_allclose(losses(broken), losses(unbroken), rtol=1e-3)
    assert (broken / "model.onnx").exists()


def _wait_for_rows(path: Path, rows: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "training ended before it could be killed"
        if path.exists() and len(path.read_text().splitlines()) > rows:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {rows} epochs within two minutes")
