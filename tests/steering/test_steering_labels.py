"""Labels of a training: smoothed and moved where asked for, tested as recorded, and noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.recordings import horizon, labels
from drive.recordings.horizon import HorizonEstimate
from drive.recordings.motion import LagEstimate
from drive.recordings.recording import Recording
from drive.steering.split import Split
from drive.steering.state import fingerprint
from drive.steering.training_data import TrainingData
from drive.steering.training_split import read_split
from drive.tasks._run import Run

KEYS = np.where(np.arange(600) // 10 % 2, 8.0, 0.0)


@pytest.fixture
def read(
    make_recording: Callable[..., Path], read_training: Callable[..., Any]
) -> Callable[..., tuple[Split, Run]]:
    folder = make_recording("town", KEYS, fps=20)

    def read(*options: str) -> tuple[Split, Run]:
        found = read_training(folder, *options)
        return found.split, found.run

    return read


def angles(split: Split, use: str = "training") -> np.ndarray:
    (part,) = getattr(split, use)
    return part.angle_deg


def recorded(split: Split, use: str) -> np.ndarray:
    (part,) = getattr(split, use)
    return KEYS[part.recording.frame_index[part.rows]]


def test_labels_may_be_learnt_as_recorded(read: Callable[..., Any]) -> None:
    split, run = read("--no-smooth-labels")
    assert angles(split).tolist() == recorded(split, "training").tolist()
    assert "lag_taken_out_s" not in run.record.extra


@pytest.mark.parametrize("options", [("--smooth-labels", "0.4"), ()], ids=["asked", "keyboard"])
def test_smooth_labels_teach_but_do_not_validate_or_test(
    read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, options: Sequence[str]
) -> None:
    plain, _ = read("--test", "0.2", "--no-smooth-labels")
    monkeypatch.setattr(Recording, "frames", lambda *_, **__: pytest.fail("decoded again"))
    split, _ = read("--test", "0.2", *options)
    for use in ("training", "final"):
        assert np.abs(np.diff(angles(split, use))).max() < 4
        assert np.abs(np.diff(angles(plain, use))).max() == 8
    for use in ("validation", "test"):
        assert angles(split, use).tolist() == recorded(split, use).tolist()
        (part,), (same,) = getattr(split, use), getattr(plain, use)
        assert part.rows.tolist() == same.rows.tolist()


def test_a_recognised_keyboard_is_reported(
    make_recording: Callable[..., Path], read_training: Callable[..., Any]
) -> None:
    folder = make_recording("town", KEYS, fps=20)
    told = " ".join(read_training(folder).reporter.messages)
    assert "town/epoch01: steered with a keyboard" in told
    assert "--no-smooth-labels" in told
    wheel = make_recording("city", 5 * np.sin(np.arange(600) / 40), fps=20)
    assert "keyboard" not in " ".join(read_training(wheel).reporter.messages)


def test_the_final_training_spans_training_validation_and_the_gap(read: Callable[..., Any]) -> None:
    split, _ = read("--test", "0.2")
    (final,), (training,), (validation,) = split.final, split.training, split.validation
    assert final.rows.tolist() == list(range(training.rows[0], validation.rows[-1] + 1))


def test_odd_widths_are_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="--smooth-labels"):
        read("--smooth-labels", "-1")


def test_auto_lag_moves_the_labels_and_says_so(
    read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "find_lag", lambda *_: LagEstimate(0.2, 0.9))
    split, run = read("--auto-lag", "--no-smooth-labels")
    rows = split.training[0].rows
    assert angles(split).tolist() == pytest.approx(KEYS[rows + 4].tolist(), abs=1e-4)
    assert run.record.extra["lag_taken_out_s"] == {"town/epoch01": 0.2}
    monkeypatch.setattr(labels, "find_lag", lambda *_: LagEstimate(-0.2, 0.9))
    split, run = read("--auto-lag", "--no-smooth-labels")
    assert angles(split).tolist() == recorded(split, "training").tolist()
    assert run.record.extra["lag_taken_out_s"] == {"town/epoch01": 0.0}


def test_the_horizon_is_estimated_where_nothing_says_where_it_is(
    read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def estimate(recording: Recording) -> HorizonEstimate:
        asked.append(recording.name)
        return HorizonEstimate(0.43, True, 20, 0.01)

    monkeypatch.setattr(horizon, "estimate_horizon", estimate)
    split, run = read()
    assert {part.recording.camera.horizon for part in split.training} == {0.43}
    assert run.record.extra["horizon"]["town/epoch01"]["trusted"]
    split, run = read("--horizon", "0.4")
    assert {part.recording.camera.horizon for part in split.training} == {0.4}
    assert "horizon" not in run.record.extra
    read()
    assert asked == ["town/epoch01"]


def test_what_an_older_training_asked_can_still_be_read(
    make_recording: Callable[..., Path], read_training: Callable[..., Any], tmp_path: Path
) -> None:
    crop = ("--crop", "0.4,0.875")
    found = read_training(make_recording("town", KEYS, fps=20), "--no-smooth-labels", *crop)
    said = found.data.as_json()
    assert TrainingData.from_json(json.loads(json.dumps(said))) == found.data
    for newer in ("auto_lag", "smooth_labels_s", "raw_labels", "target", "side_cameras", "test"):
        del said[newer]
    older = TrainingData.from_json(said)
    assert (older.side_cameras, older.target, older.test) == ("no", "angle", None)
    split = read_split(older, str(tmp_path / "cache"), found.run)
    assert fingerprint(split) == fingerprint(found.split)
