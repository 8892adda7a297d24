"""Tracks through crossings, gaps, weak scores and uneven frame times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.types import Box, Detection
from drive.detection.tracker import Tracker

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


def centre(detection: Detection) -> float:
    return (detection.box.x1 + detection.box.x2) / 2


def test_a_car_gets_one_number_and_is_shown_with_its_third_detection() -> None:
    tracker = Tracker(THRESHOLD)
    tracker.update([], 0.0)
    frames = follow(tracker, every(0.04, 0.44, 0.04), lambda t: car(100 + 200 * t))
    assert [ids(found) for found in frames] == [[], []] + [[1]] * 8


def test_a_sure_detection_is_shown_at_once() -> None:
    tracker = Tracker(THRESHOLD)
    tracker.update([], 0.0)
    assert ids(tracker.update([car(100, score=0.7), car(400, score=0.4)], 0.04)) == [1]


def test_what_is_there_when_the_source_begins_is_shown_at_once() -> None:
    assert ids(Tracker(THRESHOLD).update([car(100), car(400)], 0.0)) == [1, 2]


def test_a_single_doubtful_detection_is_never_shown() -> None:
    tracker = Tracker(THRESHOLD)
    tracker.update([], 0.0)
    shown = [tracker.update([car(100)], 0.04), *follow(tracker, every(0.04, 1, 0.08))]
    assert shown == [[]] * len(shown)


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
    assert ids(tracker.update([car(100)], 1.0)) == []
    assert ids(tracker.update([car(100)], 1.04)) == []
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


def test_cars_before_a_bus_keep_to_their_labels() -> None:
    tracker = Tracker(THRESHOLD, confirm_hits=1)
    bus = lambda t: car(120, width=110, label="bus", score=0.4)  # noqa: E731
    first = tracker.update([car(100), bus(0)], 0.0)
    assert [(d.label, d.track_id) for d in first] == [("car", 1), ("bus", 2)]
    for time_s in every(0.04, 1.0, 0.04):
        found = tracker.update([bus(time_s), car(100)], time_s)
        assert {(d.label, d.track_id) for d in found} == {("bus", 2), ("car", 1)}


def test_a_vehicle_that_changes_its_label_stays_one_track() -> None:
    tracker = Tracker({"car": 0.3, "truck": 0.2})
    labels = ["car"] * 10 + ["truck", "car", "truck", "truck", "car"] * 4
    for index, label in enumerate(labels):
        found = tracker.update([car(100 + 4 * index, label=label)], index / 25)
        assert [(d.label, d.track_id) for d in found] == [("car", 1)]


def test_the_label_follows_what_it_is_called_for_long() -> None:
    tracker = Tracker(THRESHOLD)
    follow(tracker, every(0.04, 0.4), lambda t: car(100))
    frames = follow(tracker, every(0.04, 2.0, 0.4), lambda t: car(100, label="truck"))
    assert {track_id for found in frames for track_id in ids(found)} == {1}
    assert [found[0].label for found in (frames[0], frames[-1])] == ["car", "truck"]


def test_a_second_box_on_a_tracked_vehicle_begins_no_track() -> None:
    tracker = Tracker(THRESHOLD)
    both = [lambda t: car(100), lambda t: car(104, label="truck", score=0.4)]
    for found in follow(tracker, every(0.04, 1.0), *both):
        assert ids(found) == [1]


def test_two_tracks_that_come_to_lie_on_one_vehicle_become_the_older() -> None:
    tracker = Tracker(THRESHOLD)
    follow(tracker, every(0.04, 0.4), lambda t: car(100))
    towards = lambda t: car(160 - 140 * (t - 0.4), label="truck", score=0.9)  # noqa: E731
    frames = follow(tracker, every(0.04, 0.84, 0.4), lambda t: car(100), towards)
    assert sorted(ids(frames[3])) == [1, 2]
    assert ids(frames[-1]) == [1]


def test_a_person_on_a_motorcycle_is_two() -> None:
    tracker = Tracker(THRESHOLD)
    rider = Detection("person", 0.5, Box(100, 80, 130, 150))
    cycle = Detection("motorcycle", 0.6, Box(98, 105, 132, 160))
    for time_s in every(0.04, 1.0):
        found = tracker.update([cycle, rider], time_s)
        assert [(d.label, d.track_id) for d in found] == [("motorcycle", 1), ("person", 2)]


@pytest.mark.parametrize("rate", [10, 25, 30, 60])
def test_a_missed_car_is_held_and_a_vanished_one_goes_in_time_at_any_rate(rate: int) -> None:
    tracker = Tracker(THRESHOLD, hold_s=0.31)
    follow(tracker, every(1 / rate, 1.0), lambda t: car(100 + 100 * t))
    scores = []
    for time_s in every(1 / rate, 2.0, 1.0):
        shown = tracker.update([], time_s)
        gap_s = time_s - (1.0 - 1 / rate)
        assert len(shown) == (gap_s <= 0.31)
        for held in shown:
            assert held.track_id == 1
            assert centre(held) == pytest.approx(100 + 100 * time_s, abs=0.1)
            scores.append(held.score)
    assert scores == sorted(scores, reverse=True) and scores[0] < 0.5


def test_a_car_is_held_no_longer_than_it_was_seen() -> None:
    tracker = Tracker(THRESHOLD)
    follow(tracker, every(0.04, 0.1), lambda t: car(100))  # three frames, 0.08 s
    assert [len(found) for found in follow(tracker, every(0.04, 0.3, 0.12))] == [1, 1, 0, 0, 0]


def test_a_car_that_drives_out_of_the_view_is_not_held() -> None:
    tracker = Tracker(THRESHOLD)
    view = Box(0, 0, 640, 360)
    for time_s in every(0.04, 1.0):
        x = 20 + 600 * time_s
        (found,) = tracker.update([car(min(x, 606))], time_s, view)
        assert found.box.x2 <= 640
    assert tracker.update([], 1.0, view) == []


def test_a_held_box_gives_way_to_what_is_found_there() -> None:
    tracker = Tracker(THRESHOLD)
    follow(tracker, every(0.04, 1.0), lambda t: car(100))
    bus = car(104, label="bus", score=0.9, width=85)  # another vehicle, in front of it
    assert [d.label for d in tracker.update([bus], 1.0)] == ["bus"]


def test_a_track_of_weak_detections_is_hidden_after_a_while_and_comes_back() -> None:
    tracker = Tracker(THRESHOLD, weak_s=0.5)
    follow(tracker, every(0.04, 1.0), lambda t: car(100))
    frames = follow(tracker, every(0.04, 1.9, 1.0), lambda t: car(100, score=0.1))
    assert [len(found) for found in frames] == [1] * 12 + [0] * 11
    assert ids(tracker.update([car(100)], 1.92)) == [1]


def test_a_track_of_weak_detections_ends() -> None:
    tracker = Tracker(THRESHOLD, weak_s=0.5, coast_s=1.0)
    follow(tracker, every(0.04, 1.0), lambda t: car(100))
    follow(tracker, every(0.04, 3.0, 1.0), lambda t: car(100, score=0.1))
    assert 1 not in ids(tracker.update([car(100, score=0.9)], 3.0))


def test_small_boxes_at_a_low_rate_keep_their_number() -> None:
    rng = np.random.default_rng(4)
    tracker = Tracker(THRESHOLD)
    numbers = set()
    for time_s in every(0.12, 3.0):  # every third frame of 25 a second
        x, y = 100 + 40 * time_s + rng.normal(0, 2), 100 + rng.normal(0, 1.5)
        numbers |= set(ids(tracker.update([car(x, y, width=14)], time_s)))
    assert numbers == {1}


def test_a_low_rate_does_not_drag_behind_a_car_that_comes_near() -> None:
    tracker = Tracker(THRESHOLD)
    for time_s in every(0.12, 2.4):
        distance_m = 50 - 18 * time_s
        (found,) = tracker.update([car(300, width=2000 / distance_m)], time_s)
    assert found.box.width == pytest.approx(2000 / distance_m, rel=0.05)


def test_one_picture_a_second_is_tracked_too() -> None:
    frames = follow(Tracker(THRESHOLD), every(1.5, 15), lambda t: car(100 + 2 * t))
    assert {track_id for found in frames for track_id in ids(found)} == {1}


def test_coasting_moves_the_boxes_on_and_changes_nothing() -> None:
    tracker = Tracker(THRESHOLD)
    follow(tracker, every(0.1, 1.0), lambda t: car(100 + 100 * t))
    for _ in range(2):
        (guess,) = tracker.coast(0.95)
        assert guess.track_id == 1
        assert (guess.box.x1 + guess.box.x2) / 2 == pytest.approx(195)
    tracker.update([], 1.0)
    (held,) = tracker.coast(1.05)
    assert centre(held) == pytest.approx(205)
    assert tracker.coast(1.5) == []


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
    with pytest.raises(InputError, match="confirm_hits must be at least 1; got 0"):
        Tracker(THRESHOLD, confirm_hits=0)
    with pytest.raises(InputError, match="coast_s must be at least 0; got -1"):
        Tracker(THRESHOLD, coast_s=-1)
    tracker = Tracker(THRESHOLD)
    tracker.update([], 1.0)
    tracker.update([car(100)], 1.0)
    with pytest.raises(InputError, match=r"last call, 1\.0; got 0\.5"):
        tracker.update([], 0.5)


@dataclass(frozen=True, slots=True)
class Measured(Detection):
    """A detection with a value that the tracker does not know."""

    height_m: float | None = None


def test_a_track_keeps_what_its_latest_detection_says() -> None:
    tracker = Tracker(0.5)
    for time_s, height_m in ((0.0, 1.4), (0.1, 1.5)):
        (shown,) = tracker.update(
            [Measured("car", 0.9, Box(10, 10, 50, 40), None, height_m)], time_s
        )
        assert isinstance(shown, Measured)
        assert (shown.height_m, shown.track_id) == (height_m, 1)
    (held,) = tracker.coast(0.2)
    assert isinstance(held, Measured)
    assert held.height_m == 1.5
