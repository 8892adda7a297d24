from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.recordings.recording import open_recordings
from drive.steering.cache import CachedRecording
from drive.steering.split import GAP_S, refuse_doubled, split_by_time, split_recordings

Maker = Callable[..., CachedRecording]


@pytest.fixture
def drives(make_drive: Maker) -> list[CachedRecording]:
    return [make_drive(f"track{n}/epoch01") for n in range(5)]


def names(parts: list) -> list[str]:
    return [part.recording.name for part in parts]


@pytest.mark.parametrize("validation", ["0.2", "0.5", "0.99", "track2", "track1/epoch01, track4"])
def test_drives_are_never_shared(drives: list[CachedRecording], validation: str) -> None:
    split = split_recordings(drives, validation)
    training, held_out = set(names(split.training)), set(names(split.validation))
    assert training and held_out
    assert not training & held_out
    assert training | held_out == {drive.name for drive in drives}
    assert all(len(part) == len(part.recording) for part in split.training + split.validation)


def test_a_share_takes_the_last_drives(drives: list[CachedRecording]) -> None:
    assert names(split_recordings(drives, "0.4").validation) == ["track3/epoch01", "track4/epoch01"]


def test_one_drive_is_divided_in_time_with_a_gap(make_drive: Maker) -> None:
    drive = make_drive(angles=np.zeros(600), fps=10)
    split = split_recordings([drive], "0.25")
    training, validation = split.training[0], split.validation[0]
    last_trained = drive.time_s[training.rows].max()
    first_validated = drive.time_s[validation.rows].min()
    assert first_validated - last_trained > GAP_S
    assert first_validated - last_trained < GAP_S + 0.3
    assert len(validation) == pytest.approx(150, abs=2)


def test_the_gap_is_time_and_not_frames(make_drive: Maker) -> None:
    drive = make_drive(angles=np.zeros(600), fps=30)
    split = split_by_time(drive, 0.2, gap_s=2.0)
    lost = len(drive) - len(split.training[0]) - len(split.validation[0])
    assert lost == pytest.approx(60, abs=2)


def test_a_drive_too_short_for_the_gap_is_refused(make_drive: Maker) -> None:
    with pytest.raises(InputError, match="too short"):
        split_recordings([make_drive(angles=np.zeros(30), fps=10)], "0.2")


@pytest.mark.parametrize("validation", ["track9", "1.5", "0", "track0,track1,track2,track3,track4"])
def test_a_wrong_choice_is_refused(drives: list[CachedRecording], validation: str) -> None:
    with pytest.raises(InputError, match="validation"):
        split_recordings(drives, validation)


def test_a_test_drive_neither_teaches_nor_chooses(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drives = [make_drive(f"track{i}/epoch01") for i in range(5)]
    split = split_recordings(drives, "0.25", "track1")
    assert names(split.test) == ["track1/epoch01"]
    assert names(split.validation) == ["track4/epoch01"]
    assert len(split.training) == 3
    assert names(split_recordings(drives, "track0", "0.4").test) == [
        "track3/epoch01",
        "track4/epoch01",
    ]
    with pytest.raises(InputError, match="--validation and --test both name"):
        split_recordings(drives, "track1", "track1")
    with pytest.raises(InputError, match="--test: there is no recording"):
        split_recordings(drives, "0.25", "moon")


def test_what_leaves_no_drive_is_blamed(drives: list[CachedRecording]) -> None:
    all_of_them = "track0,track1,track2,track3,track4"
    with pytest.raises(InputError, match=f"^--test {all_of_them} leaves no recording to train on"):
        split_recordings(drives, "0.2", all_of_them)
    with pytest.raises(InputError, match=r"^--validation track1 leaves no .* beside --test track0"):
        split_recordings(drives[:2], "track1", "track0")


def test_strides_that_leave_too_few_frames_are_named(make_drive: Maker) -> None:
    drive = make_drive(angles=np.zeros(3), fps=0.3)
    strided = replace(drive, frame_index=100 * drive.frame_index)
    with pytest.raises(InputError, match=r"\(3 frames\): too short.*a smaller --stride"):
        split_recordings([strided], "0.99")
    with pytest.raises(InputError, match=r"or choose other shares$"):
        split_recordings([drive], "0.99")


def test_a_doubled_recording_is_refused(make_recording: Callable[..., Path]) -> None:
    folder = make_recording("town")
    refuse_doubled(open_recordings([folder]))
    with pytest.raises(InputError, match=r"epoch01_front\.mp4 is given more than once"):
        refuse_doubled(open_recordings([folder, folder / "epoch01_front.mp4"]))


def test_the_end_of_a_single_drive_tests_after_a_gap(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drive = make_drive(angles=np.zeros(1000), fps=10)
    split = split_recordings([drive], "0.2", "0.2")
    rows = [part.rows for part in (*split.training, *split.validation, *split.test)]
    assert rows[2][-1] == 999
    assert len(rows[2]) == pytest.approx(200, abs=2)
    for before, after in itertools.pairwise(rows):
        assert drive.time_s[after[0]] - drive.time_s[before[-1]] >= GAP_S
    assert len(rows[1]) >= 140
