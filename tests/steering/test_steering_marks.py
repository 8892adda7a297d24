"""Frames of marked stretches neither train nor validate nor test, and come back when undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.recordings.excluded import ExcludedRange, add_mark, remove_mark
from drive.recordings.labels import smooth_labels
from drive.recordings.recording import Recording, open_recordings
from drive.steering.cache import CachedRecording
from drive.steering.evaluate import predict_recording
from drive.steering.preprocess import ROAD
from drive.steering.split import Part, Split, split_recordings
from drive.steering.state import fingerprint

Maker = Callable[..., CachedRecording]
MARK = ExcludedRange(1.0, 2.0, "autopilot")


def times(parts: list[Part]) -> np.ndarray:
    return np.concatenate([part.recording.time_s[part.rows] for part in parts])


def test_marked_frames_are_in_no_part_of_one_drive(make_drive: Maker) -> None:
    drive = make_drive(angles=np.zeros(600), fps=10)
    marks = (ExcludedRange(3, 5), ExcludedRange(40, 46.0), ExcludedRange(56, 57))
    split = split_recordings([replace(drive, bad=marks)], "0.25", "0.1")
    plain = split_recordings([drive], "0.25", "0.1")
    for use, left_out in (("training", 21), ("validation", 61), ("test", 11)):
        got, all_of_it = times(getattr(split, use)), times(getattr(plain, use))
        assert set(got) < set(all_of_it)
        assert len(all_of_it) - len(got) == left_out
        assert not any(((got >= m.start_s) & (got <= m.end_s)).any() for m in marks)


def test_marked_frames_are_in_no_part_of_several_drives(make_drive: Maker) -> None:
    drives = [make_drive(f"track{n}/epoch01") for n in range(3)]
    marked = [replace(drive, bad=(MARK,)) for drive in drives]
    split = split_recordings(marked, "track1", "track2")
    assert [len(p) for p in (*split.training, *split.validation, *split.test)] == [49, 49, 49]
    assert fingerprint(split) != fingerprint(split_recordings(drives, "track1", "track2"))


def test_a_drive_that_is_bad_from_end_to_end_is_left_out(make_drive: Maker) -> None:
    drives = [make_drive(f"track{n}/epoch01") for n in range(3)]
    drives[2] = replace(drives[2], bad=(ExcludedRange(0, 99),))
    split = split_recordings(drives, "0.3")
    assert [p.recording.name for p in split.validation] == ["track1/epoch01"]
    with pytest.raises(InputError, match=r"nothing is left.*\[\[bad\]\]"):
        split_recordings(drives[2:], "0.3")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def read(read_training: Callable[..., Any]) -> Callable[[Path], tuple[Split, dict, list[str]]]:
    """What `train-steering` reads of a recording: its split, its counts, what it says."""

    def read(folder: Path) -> tuple[Split, dict, list[str]]:
        found = read_training(folder, "--validation", "0.3", "--no-side-cameras")
        said = [*found.reporter.warnings, *found.reporter.messages]
        return found.split, found.run.record.counts, said

    return read


@pytest.mark.usefixtures("own_cache")
def test_training_reads_fewer_frames_and_gets_them_back_without_decoding(
    make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, read: Callable
) -> None:
    folder = make_recording("town", np.sin(np.arange(200) / 9), fps=20)
    before, _, said = read(folder)
    assert "validation: town/epoch01 (60 frames, after a gap of 100 frames left out" in said[-1]
    monkeypatch.setattr(Recording, "frames", lambda *_, **__: pytest.fail("decoded again"))
    add_mark(folder, MARK)
    split, counts, said = read(folder)
    assert len(split.training[0]) == len(before.training[0]) - 20
    assert counts["frames_marked_bad"] == {"town/epoch01": 21}
    assert "town/epoch01: 21 frames in excluded ranges are left out" in said
    remove_mark(folder, MARK)
    split, counts, _ = read(folder)
    assert fingerprint(split) == fingerprint(before)
    assert "frames_marked_bad" not in counts


class Straight:
    """A pilot that always answers zero."""

    crop, members = ROAD, 1

    def predict_prepared(self, images: np.ndarray) -> np.ndarray:
        return np.zeros(len(images), np.float32)

    def restated(self, angles: np.ndarray, *_: object) -> np.ndarray:
        return angles


def test_evaluation_leaves_marked_frames_out_and_counts_them(
    make_recording: Callable[..., Path],
) -> None:
    folder = make_recording("town", [9.0 if 20 <= i <= 40 else 0.0 for i in range(80)])
    add_mark(folder, MARK)
    (recording,) = open_recordings([folder])
    answers = predict_recording(recording, Straight())  # type: ignore[arg-type]
    assert (len(answers.time_s), answers.marked_bad) == (59, 21)
    assert not answers.truth_deg.any()
    add_mark(folder, ExcludedRange(0, 99))
    (recording,) = open_recordings([folder])
    with pytest.raises(InputError, match="every frame is excluded"):
        predict_recording(recording, Straight())  # type: ignore[arg-type]


def test_wrong_labels_do_not_leak_into_smoothed_ones(make_recording: Callable[..., Path]) -> None:
    folder = make_recording("town", [90.0 if 20 <= i <= 40 else 1.0 for i in range(80)])
    add_mark(folder, MARK)
    (recording,) = open_recordings([folder])
    smooth = smooth_labels(recording, 0.5).angle_deg
    good = np.r_[0:20, 41:80]
    assert np.allclose(smooth[good], 1.0)
    assert np.allclose(smooth[20:41], 90.0)


@pytest.mark.usefixtures("own_cache")
def test_evaluate_steering_reports_marks(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = make_recording("town", np.sin(np.arange(60) / 9)), tmp_path / "out"
    add_mark(folder, MARK)
    assert main(["evaluate-steering", str(folder), "--out", str(out)]) == 0
    assert json.loads((out / "metrics.json").read_text())["n"] == 39
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["frames_marked_bad"] == {"town/epoch01": 21}
    assert "21 frames in excluded ranges are left out" in capsys.readouterr().err
