from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.recordings.camera import Camera
from drive.recordings.recording import Recording, open_recordings
from drive.recordings.vehicle import Car
from drive.steering import cache
from drive.steering.preprocess import RoadCrop, preprocess, preprocess_with_margins
from drive.video.reader import read_frames

Maker = Callable[..., Path]


def the_recording(folder: Path, **options: object) -> Recording:
    (recording,) = open_recordings([folder], **options)
    return recording


def test_cached_frames_are_what_prediction_sees(make_recording: Maker, tmp_path: Path) -> None:
    recording = the_recording(make_recording(angles=np.arange(12)))
    drive = cache.open_cached(recording, tmp_path / "cache")
    with read_frames(recording.path) as frames:
        expected = np.stack([preprocess(frame.image) for frame in frames])
    assert np.array_equal(drive.images, expected)
    assert drive.angle_deg.tolist() == list(range(12))
    assert np.allclose(np.diff(drive.time_s), 0.05)


def test_the_second_time_nothing_is_decoded(
    make_recording: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = the_recording(make_recording(angles=np.arange(12)))
    first = cache.open_cached(recording, tmp_path / "cache")
    monkeypatch.setattr(Recording, "frames", lambda *_, **__: pytest.fail("decoded again"))
    second = cache.open_cached(recording, tmp_path / "cache")
    assert isinstance(second.images, np.memmap)
    assert np.array_equal(first.images, second.images)


def test_another_stride_or_crop_makes_another_cache(make_recording: Maker, tmp_path: Path) -> None:
    recording, home = the_recording(make_recording(angles=np.arange(12))), tmp_path / "cache"
    assert len(cache.open_cached(recording, home)) == 12
    assert cache.open_cached(recording, home, stride=3).frame_index.tolist() == [0, 3, 6, 9]
    other = cache.open_cached(recording, home, crop=RoadCrop(0.1, 0.9))
    assert not np.array_equal(other.images, cache.open_cached(recording, home).images)
    assert len(list(home.iterdir())) == 3


def test_a_crop_at_the_sides_keeps_its_margins(make_recording: Maker, tmp_path: Path) -> None:
    recording, crop = the_recording(make_recording(angles=np.arange(3))), RoadCrop(0.4, 0.9, 0.2)
    drive = cache.open_cached(recording, tmp_path / "cache", crop=crop)
    frames = [frame.image for frame in recording.frames()]
    assert np.array_equal(drive.images, [preprocess(frame, crop) for frame in frames])
    assert drive.wide is not None
    assert np.array_equal(drive.wide, [preprocess_with_margins(frame, crop) for frame in frames])
    assert drive.view is not None
    assert drive.view.centre_x == 100


def test_other_angles_decode_nothing_again(
    make_recording: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, home = make_recording(angles=np.arange(12)), tmp_path / "cache"
    plain = cache.open_cached(the_recording(folder), home)
    monkeypatch.setattr(Recording, "frames", lambda *_, **__: pytest.fail("decoded again"))
    mirrored = cache.open_cached(the_recording(folder, overrides={"positive": "left"}), home)
    assert mirrored.angle_deg.tolist() == (-plain.angle_deg).tolist()
    assert mirrored.digest != plain.digest


def test_a_drive_carries_its_speeds_camera_and_car(make_recording: Maker, tmp_path: Path) -> None:
    folder = make_recording(angles=np.arange(3))
    rows = "frame,wheel,speed\n0,1,36\n1,nan,72\n2,3,nan\n"
    (folder / "epoch01_steering.csv").write_text(rows)
    car, camera = Car(speed_mps=15, speed_unit="km/h"), Camera(height_m=2)
    recording = the_recording(folder, overrides={"car": car, "camera": camera})
    drive = cache.open_cached(recording, tmp_path / "cache")
    assert drive.angle_deg.tolist() == [1, 3]
    assert drive.speed_mps.tolist() == pytest.approx([10, 15])
    assert (drive.car, drive.camera) == (car, camera)


def test_a_drive_without_speeds_has_the_car_s(
    make_drive: Callable[..., cache.CachedRecording],
) -> None:
    drive = make_drive(angles=[1, 2, 3])
    assert drive.speed_mps.tolist() == [20, 20, 20]


def test_frames_without_an_angle_are_left_out(make_recording: Maker, tmp_path: Path) -> None:
    recording = the_recording(make_recording(angles=[0, 1, float("nan"), 3, 4], frames=5))
    drive = cache.open_cached(recording, tmp_path / "cache")
    assert drive.frame_index.tolist() == [0, 1, 3, 4]
    assert drive.angle_deg.tolist() == [0, 1, 3, 4]
    assert len(drive.images) == 4


def test_an_interrupted_decoding_leaves_nothing(
    make_recording: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "preprocess_with_margins", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.open_cached(the_recording(make_recording()), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_recording_without_any_angle_is_refused(make_recording: Maker, tmp_path: Path) -> None:
    recording = the_recording(make_recording(angles=[float("nan")] * 5))
    with pytest.raises(InputError, match="no frame has a steering angle"):
        cache.open_cached(recording, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_said(make_recording: Maker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--cache"):
        cache.open_cached(the_recording(make_recording()), tmp_path / "file")
