"""Trainings that version 0.1 stopped resume."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.cli import main
from drive.core.options import OptionField, fields_of
from drive.runtime.keras_file import save_model
from drive.steering.state import fingerprint
from drive.steering.train import BEST, SteeringCourse
from drive.steering.training_data import TrainingData, TrainingDataOptions
from drive.steering.training_settings import TrainingSettings
from drive.tasks.train_steering import TrainSteeringConfig, _as_config
from drive.training.state import STATE
from tests.conftest import other_value

SETTINGS = {
    "epochs": 1,
    "batch": 16,
    "optimizer": "adam",
    "learning_rate": None,
    "patience": 12,
    "variant": "published",
    "balance": True,
    "augment": True,
    "seed": 0,
    "dropout": 0.0,
    "batch_norm": False,
    "l2": 0.0,
    "schedule": "constant",
    "restart_epochs": 10,
    "restart_factor": 2.0,
    "warm_up": 100,
    "tensorboard": False,
    "viewpoints": False,
    "mirror": False,
    "looks": "mild",
    "return_s": 2.0,
    "fps": 2.0,
    "backbone": None,
    "backbone_weights": "imagenet",
    "freeze_epochs": 5,
    "depth_rate": 0.3,
}
OVERRIDES = (
    *("unit", "positive", "full_scale_deg", "lag_s", "height_m", "fov_deg", "horizon", "side_m"),
    *("wheelbase_m", "lane_m", "steering_ratio", "speed_mps", "speed_unit", "understeer"),
)
DATA = {
    "exclude": None,
    "validation": "0.25",
    "test": None,
    "stride": 1,
    "crop": "0.4,0.875",
    "steering": None,
    "overrides": dict.fromkeys(OVERRIDES),
    "auto_lag": False,
    "smooth_labels_s": 0.0,
    "target": "angle",
    "side_cameras": "where there are any",
}
EPOCH = {"epoch": 1, "loss": 9.5, "val_loss": 0.001, "learning_rate": 0.0005, "seconds": 1.0}


def test_a_training_that_version_0_1_stopped_resumes(
    make_recording: Callable[..., Path],
    read_training: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recording = make_recording("town", np.sin(np.arange(160) / 9) * 5, fps=20)
    split = read_training(recording, "--validation", "0.25").split
    settings, out = TrainingSettings.from_state(SETTINGS), tmp_path / "stopped"
    (out / STATE).parent.mkdir(parents=True)
    model = SteeringCourse(split, settings).compiled(frozen=False)
    data = {"recordings": [str(recording)], **DATA}
    notes = {"data": data, "frames": fingerprint(split)}
    save_model(model, out / STATE, {"settings": SETTINGS, "history": [EPOCH], "notes": notes})
    save_model(model, out / BEST, {})
    assert main(["train-steering", "--resume", str(out), "--epochs", "2", "--quiet"]) == 0
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert (float(rows[0]["loss"]), float(rows[1]["learning_rate"])) == (9.5, 0.0005)
    record = json.loads((out / "run.json").read_text())
    assert record["settings"]["recordings"] == [str(recording)]
    assert (record["settings"]["batch"], record["settings"]["epochs"]) == (16, 2)
    assert {name: record["training"][name] for name in SETTINGS} == {**SETTINGS, "epochs": 2}
    assert {name: record["data"][name] for name in data} == data


def test_settings_from_before_an_option_mean_what_they_meant() -> None:
    older = {name: SETTINGS[name] for name in SETTINGS if name not in ("batch_norm", "warm_up")}
    settings = TrainingSettings.from_state(older)
    assert (settings.batch_norm, settings.warm_up) == (False, 0)
    assert (TrainingSettings().batch_norm, TrainingSettings().warm_up) == (True, 50)


@pytest.mark.parametrize(
    "declared",
    [each for each in fields_of(TrainingDataOptions) if each.name not in ("recordings", "cache")],
    ids=lambda declared: declared.name,
)
def test_every_option_of_the_data_survives_a_resume(declared: OptionField) -> None:
    value = "0.3,0.9" if declared.name == "crop" else other_value(declared)
    asked = TrainSteeringConfig(**{declared.name: value})
    kept = json.loads(
        json.dumps(TrainingData.from_options(asked, None, asked.overrides()).as_json())
    )
    resuming = TrainSteeringConfig(resume="outputs/001-train-steering")
    resumed = _as_config(resuming, TrainingSettings(), TrainingData.from_json(kept))
    assert getattr(resumed, declared.name) == value != declared.default
