"""Tracks through crossings, gaps, weak scores and uneven frame times."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from drive.cars.track import Tracker
from drive.errors import InputError
from drive.types import Box, Detection

THRESHOLD = 0.17
Path = Callable[[float], Detection]


def car(
    x: float, y: float = 100, width: float = 60, score: float = 0.5, label: str = "car"
) -> Detection:
    """Return a detection with its centre at x, y."""
    height = width * 0.7
    return Detection(
        label, score, Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    )


def every(step_s: float, end_s: float, start_s: float = 0.0) -> list[float]:
    return np.arange(start_s, end_s, step_s).tolist()


def follow(tracker: Tracker, times: Iterable[float], *paths: Path) -> list[list[Detection]]:
    return [tracker.update([path(time) for path in paths], time) for time in times]


def ids(detections: list[Detection]) -> list[int | None]:
    return [detection.track_id for detection in detections]


def test_a_car_gets_one_number_after_three_frames() -> None:
    frames = follow(Tracker(THRESHOLD), every(0.04, 0.4), lambda t: car(100 + 200 * t))
    assert [ids(found) for found in frames] == [[None], [None]] + [[1]] * 8


def test_two_cars_that_cross_keep_their_numbers() -> None:
    tracker = Tracker(THRESHOLD)
    right = lambda t: car(100 + 200 * t, 100, score=0.6)  # noqa: E731
    left = lambda t: car(500 - 200 * t, 112, score=0.5)  # noqa: E731
    frames = follow(tracker, every(0.04, 2.0), right, left)
    towards_right = [found[0] for found in frames[3:]]
    towards_left = [found[1] for found in frames[3:]]
    assert {found.track_id for found in towards_right} == {towards_right[0].track_id}
    assert {found.track_id for found in towards_left} == {towards_left[0].track_id}
    assert towards_right[0].track_id != towards_left[0].track_id
    assert towards_right[-1].box.x1 > towards_left[-1].box.x1


def test_a_gap_is_coasted_at_the_cars_own_speed() -> None:
    tracker = Tracker(THRESHOLD)
    path = lambda t: car(100 + 400 * t)  # noqa: E731
    follow(tracker, every(0.04, 0.4), path)
    follow(tracker, every(0.04, 0.7, 0.4))  # 0.3 s without: 120 px on, no overlap with the last box
    assert ids(tracker.update([path(0.72)], 0.72)) == [1]


def test_a_gap_that_is_too_long_ends_the_track() -> None:
    tracker = Tracker(THRESHOLD, coast_s=0.5)
    follow(tracker, every(0.04, 0.4), lambda t: car(100))
    assert ids(tracker.update([car(100)], 1.0)) == [None]
    assert ids(tracker.update([car(100)], 1.04)) == [None]
    assert ids(tracker.update([car(100)], 1.08)) == [2]


def test_uneven_frame_times_do_not_disturb() -> None:
    rng = np.random.default_rng(8)
    times = np.cumsum(rng.choice([0.02, 0.033, 0.1, 0.25], 60)).tolist()
    frames = follow(Tracker(THRESHOLD), times, lambda t: car(100 + 150 * t))
    assert {track_id for found in frames[2:] for track_id in ids(found)} == {1}
    for time_s, (found,) in list(zip(times, frames, strict=True))[2:]:
        centre = (found.box.x1 + found.box.x2) / 2
        assert centre == pytest.approx(100 + 150 * time_s, abs=1e-6)  # no lag


def test_weak_detections_continue_a_track_and_begin_none() -> None:
    tracker = Tracker(THRESHOLD)
    times = every(0.04, 0.4)
    follow(tracker, times[:5], lambda t: car(100))
    weak = [car(100, score=0.1), car(400, score=0.1), car(100, score=0.05)]
    for time_s in times[5:]:
        assert ids(tracker.update(weak, time_s)) == [1]


def test_thresholds_follow_the_label() -> None:
    tracker = Tracker({"car": 0.4, "bus": 0.1}, confirm_hits=1)
    assert tracker.low_conf == pytest.approx(0.05)
    found = tracker.update([car(100, score=0.3), car(300, score=0.3, label="bus")], 0.0)
    assert [(d.label, d.track_id) for d in found] == [("bus", 1)]


def test_without_thresholds_every_detection_counts() -> None:
    tracker = Tracker(confirm_hits=1)
    assert tracker.low_conf is None
    assert ids(tracker.update([car(100, score=0.01)], 0.0)) == [1]


def test_smoothing_calms_jitter() -> None:
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 4, 100)
    tracker = Tracker(THRESHOLD)
    times = every(0.04, 4.0)
    centres = []
    for time_s, shift in zip(times, noise, strict=True):
        (found,) = tracker.update([car(100 + 50 * time_s + shift)], time_s)
        centres.append((found.box.x1 + found.box.x2) / 2 - 50 * time_s - 100)
    assert np.std(np.diff(centres[10:])) < 0.7 * np.std(np.diff(noise[10:]))


def test_labels_do_not_mix() -> None:
    tracker = Tracker(THRESHOLD, confirm_hits=1)
    assert ids(tracker.update([car(100), car(100, label="bus", score=0.4)], 0.0)) == [1, 2]
    found = tracker.update([car(100, label="bus", score=0.9), car(100)], 0.04)
    assert [(d.label, d.track_id) for d in found] == [("bus", 2), ("car", 1)]


def test_coasting_moves_the_boxes_on_and_changes_nothing() -> None:
    tracker = Tracker(THRESHOLD)
    follow(tracker, every(0.1, 1.0), lambda t: car(100 + 100 * t))
    for _ in range(2):
        (guess,) = tracker.coast(0.95)
        assert guess.track_id == 1
        assert (guess.box.x1 + guess.box.x2) / 2 == pytest.approx(195)
    tracker.update([], 1.0)
    assert tracker.coast(1.05) == []


def test_nothing_is_lost_in_a_crowd() -> None:
    rng = np.random.default_rng(10)
    places = [(float(x), float(y)) for x, y in rng.uniform(0, 2000, (40, 2))]
    tracker = Tracker(THRESHOLD)
    for time_s in every(0.04, 0.4):
        found = tracker.update([car(x, y, width=30) for x, y in places], time_s)
        assert len(found) == len(places)
    numbers = [track_id for track_id in ids(found) if track_id is not None]
    assert sorted(numbers) == list(range(1, 41))


def test_wrong_settings_and_times() -> None:
    with pytest.raises(InputError, match="confirm_hits=0"):
        Tracker(THRESHOLD, confirm_hits=0)
    with pytest.raises(InputError, match="coast_s=-1"):
        Tracker(THRESHOLD, coast_s=-1)
    tracker = Tracker(THRESHOLD)
    tracker.update([], 1.0)
    tracker.update([car(100)], 1.0)
    with pytest.raises(InputError, match=r"received: 0\.5"):
        tracker.update([], 0.5)
