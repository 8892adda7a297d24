from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.errors import InputError
from drive.frames.reader import read_frames
from drive.frames.recording import Recording, open_recordings
from drive.steering import cache
from drive.steering.preprocess import RoadCrop, preprocess

Maker = Callable[..., Path]


def the_recording(folder: Path, **options: object) -> Recording:
    (recording,) = open_recordings([folder], **options)
    return recording


def test_cached_frames_are_what_prediction_sees(make_recording: Maker, tmp_path: Path) -> None:
    recording = the_recording(make_recording(angles=np.arange(12)))
    drive = cache.open_drive(recording, tmp_path / "cache")
    with read_frames(recording.path) as frames:
        expected = np.stack([preprocess(frame.image) for frame in frames])
    assert np.array_equal(drive.images, expected)
    assert drive.angle_deg.tolist() == list(range(12))
    assert np.allclose(np.diff(drive.time_s), 0.05)


def test_the_second_time_nothing_is_decoded(
    make_recording: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = the_recording(make_recording(angles=np.arange(12)))
    first = cache.open_drive(recording, tmp_path / "cache")
    monkeypatch.setattr(Recording, "frames", lambda *_, **__: pytest.fail("decoded again"))
    second = cache.open_drive(recording, tmp_path / "cache")
    assert isinstance(second.images, np.memmap)
    assert np.array_equal(first.images, second.images)


def test_other_angles_stride_or_crop_make_another_cache(
    make_recording: Maker, tmp_path: Path
) -> None:
    folder = make_recording(angles=np.arange(12))
    recording, home = the_recording(folder), tmp_path / "cache"
    mirrored = the_recording(folder, overrides={"positive": "left"})
    assert len(cache.open_drive(recording, home)) == 12
    assert cache.open_drive(mirrored, home).angle_deg[3] == -3
    assert cache.open_drive(recording, home, stride=3).frame_index.tolist() == [0, 3, 6, 9]
    other = cache.open_drive(recording, home, crop=RoadCrop(0.1, 0.9))
    assert not np.array_equal(other.images, cache.open_drive(recording, home).images)
    assert len(list(home.iterdir())) == 4


def test_frames_without_an_angle_are_left_out(make_recording: Maker, tmp_path: Path) -> None:
    recording = the_recording(make_recording(angles=[0, 1, float("nan"), 3, 4], frames=5))
    drive = cache.open_drive(recording, tmp_path / "cache")
    assert drive.frame_index.tolist() == [0, 1, 3, 4]
    assert drive.angle_deg.tolist() == [0, 1, 3, 4]
    assert len(drive.images) == 4


def test_an_interrupted_decoding_leaves_nothing(
    make_recording: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "preprocess", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.open_drive(the_recording(make_recording()), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_recording_without_any_angle_is_refused(make_recording: Maker, tmp_path: Path) -> None:
    recording = the_recording(make_recording(angles=[float("nan")] * 5))
    with pytest.raises(InputError, match="no frame has a steering angle"):
        cache.open_drive(recording, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_said(make_recording: Maker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--cache"):
        cache.open_drive(the_recording(make_recording()), tmp_path / "file")
