"""The horizon from motion: found where a car drives straight on, not claimed where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.core.errors import InputError
from drive.recordings.camera import Camera, move_camera
from drive.recordings.horizon import (
    HorizonEstimate,
    estimate_horizon,
    horizon_of_pairs,
    stored_horizon,
    with_horizon,
)
from drive.recordings.recording import Recording, open_recordings

WIDTH, HEIGHT = 320, 180


def scene(horizon: float, count: int, step_m: float, seed: int = 0) -> Iterator[np.ndarray]:
    """Grey pictures of stones on a flat road and of walls beside it, a step apart."""
    rng = np.random.default_rng(seed)
    view = Camera(horizon=horizon).view(WIDTH, HEIGHT)
    ahead_m = rng.uniform(3, 80, 700)
    right_m = np.where(rng.random(700) < 0.6, rng.uniform(-8, 8, 700), rng.choice([-7, 7], 700))
    up_m = np.where(np.abs(right_m) == 7, rng.uniform(0, 4, 700), 0)
    shade = rng.integers(0, 255, 700)
    for number in range(count):
        picture = np.full((HEIGHT, WIDTH), 128, np.uint8)
        away_m = ahead_m - number * step_m
        for i in np.argsort(-away_m):
            if away_m[i] < 2.5:
                continue
            x = view.centre_x + view.focal_x * right_m[i] / away_m[i]
            y = view.horizon_y + view.focal_y * (view.camera_m - up_m[i]) / away_m[i]
            half = view.focal_x * 0.12 / away_m[i]
            corners = np.array([[x - half, y - half], [x + half, y + half]]) * 16
            first, last = (tuple(map(int, corner.round())) for corner in corners)
            cv2.rectangle(picture, first, last, int(shade[i]), -1, cv2.LINE_AA, 4)
        yield cv2.GaussianBlur(picture, (3, 3), 0)


@pytest.mark.parametrize("horizon", [0.38, 0.5, 0.6])
def test_driving_straight_on_shows_the_horizon(horizon: float) -> None:
    estimate = horizon_of_pairs(pairwise(scene(horizon, 10, 0.8)))
    assert estimate.trusted
    assert estimate.share == pytest.approx(horizon, abs=0.015)
    assert estimate.pairs >= 6
    assert f"{estimate.share:.2f} of the height (estimated from motion)" in str(estimate)


def test_what_does_not_drive_straight_on_is_not_trusted() -> None:
    still = next(scene(0.4, 1, 0))
    view = Camera(horizon=0.4).view(WIDTH, HEIGHT)
    turning = [move_camera(still, view, 0.0, 0.8 * number) for number in range(10)]
    noise = np.random.default_rng(0).integers(0, 255, (10, HEIGHT, WIDTH), dtype=np.uint8)
    for pictures in ([still] * 10, turning, list(noise), [np.zeros_like(still)] * 10, []):
        estimate = horizon_of_pairs(pairwise(pictures))
        assert not estimate.trusted
        assert estimate.share == 0.5
        assert "assumed" in str(estimate)


def test_moments_that_contradict_each_other_are_not_trusted() -> None:
    pairs = [*pairwise(scene(0.35, 7, 0.8)), *pairwise(scene(0.65, 7, 0.8, seed=1))]
    estimate = horizon_of_pairs(pairs)
    assert not estimate.trusted
    assert estimate.spread > 0.2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Udacity folder: four seconds of driving straight on, ten pictures a second."""
    home = tmp_path / "straight"
    (home / "IMG").mkdir(parents=True)
    rows = []
    for number, picture in enumerate(scene(0.42, 40, 0.8)):
        name = f"center_2016_12_01_13_30_{number // 10:02d}_{number % 10}00.jpg"
        cv2.imwrite(str(home / "IMG" / name), picture)
        rows.append(f"{name},left.jpg,right.jpg,0.0,0.1,0,18.0")
    (home / "driving_log.csv").write_text("\n".join(rows) + "\n")
    return home


def test_a_recording_is_looked_at_at_several_moments(folder: Path) -> None:
    (recording,) = open_recordings([folder])
    estimate = estimate_horizon(recording)
    assert estimate.trusted
    assert estimate.share == pytest.approx(0.42, abs=0.02)
    there = with_horizon(recording, estimate)
    assert there.config.camera == replace(recording.config.camera, horizon=estimate.share)
    assert there.digest == recording.digest


def test_the_estimate_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording,) = open_recordings([folder])
    first = stored_horizon(recording, tmp_path / "cache")
    monkeypatch.setattr("drive.recordings.horizon.read_image", lambda _: pytest.fail("read again"))
    assert stored_horizon(recording, tmp_path / "cache") == first
    (tmp_path / "file").write_text("")
    monkeypatch.undo()
    with pytest.raises(InputError, match="written"):
        stored_horizon(recording, tmp_path / "file")


def test_a_video_that_stands_still_assumes_the_middle(make_recording: Callable[..., Path]) -> None:
    (recording,) = open_recordings([make_recording("still")])
    assert estimate_horizon(recording) == HorizonEstimate(0.5, False, 0, 1.0)


def test_slow_and_bending_moments_are_passed_over(
    make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recordings([make_recording("bends", frames=4)])[0]
    rows = np.arange(240)
    recording = replace(
        recording,
        frame_index=rows,
        time_s=rows * 0.5,
        angle_deg=np.where(rows % 20 == 7, 0.1, 5.0).astype(np.float32),
        speed=np.where(rows // 20 == 3, 0.0, 10.0),
    )
    asked: list[float] = []

    def images(_: Recording, start_s: float) -> Iterator[tuple[float, np.ndarray]]:
        asked.append(start_s)
        return (_ for _ in ())

    monkeypatch.setattr("drive.recordings.horizon._images", images)
    estimate_horizon(recording)
    assert len(asked) == 12
    straight = [start_s for start_s in asked if (start_s / 0.5) % 20 == 7]
    assert len(straight) == 11


@pytest.mark.parametrize(
    ("drive", "low", "high"),
    [("torcs/street-1", 0.47, 0.52), ("udacity_sim", 0.35, 0.41), ("deeptesla", 0.48, 0.55)],
)
def test_real_drives_have_the_horizon_where_the_eye_sees_it(
    shared: Path, drive: str, low: float, high: float
) -> None:
    (recording,) = open_recordings([shared / "recordings" / drive])
    estimate = estimate_horizon(recording)
    assert estimate.trusted
    assert low < estimate.share < high
