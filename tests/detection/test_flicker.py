"""Flicker by hand-made numbers, and by overlap alone."""

from __future__ import annotations

import numpy as np
import pytest

from drive.core.types import Box, Detection
from drive.detection.flicker import FORGET_FRAMES, Flicker, Linker
from drive.detection.tracker import Tracker


def test_exact_on_a_hand_made_example() -> None:
    flicker = Flicker()
    # 1 lives in frames 0..5 and is away in 2 and 3; 2 in frames 1..2, whole; 3 in one frame.
    for numbers in ([1], [1, 2], [2, None], [], [1, 3], [1], []):
        flicker.add(numbers)
    assert (flicker.tracks, flicker.frames, flicker.absent) == (3, 6 + 2 + 1, 2)
    assert flicker.share == pytest.approx(2 / 9)


def test_without_tracks_there_is_no_share() -> None:
    flicker = Flicker()
    flicker.add([])
    flicker.add([None, None])
    assert (flicker.tracks, flicker.share) == (0, None)


def test_a_number_twice_in_a_frame_counts_once() -> None:
    flicker = Flicker()
    flicker.add([4, 4])
    assert (flicker.tracks, flicker.frames) == (1, 1)


def test_memory_does_not_grow_with_the_numbers() -> None:
    flicker = Flicker()
    for number in range(3 * FORGET_FRAMES):
        flicker.add([number])
    assert flicker.tracks == 3 * FORGET_FRAMES
    assert len(flicker._last) <= FORGET_FRAMES + 1


def test_links_follow_overlap_and_end_with_time() -> None:
    linker = Linker(gap_s=0.5)
    still, other = Box(0, 0, 10, 10), Box(50, 0, 60, 10)
    assert linker.number([still, other], 0.0) == [1, 2]
    assert linker.number([], 0.1) == []
    assert linker.number([Box(51, 0, 61, 10), Box(1, 0, 11, 10)], 0.2) == [2, 1]
    assert linker.number([Box(20, 0, 30, 10)], 0.3) == [3]
    assert linker.number([still], 0.8) == [4]


def test_tracked_boxes_flicker_less_than_what_was_found() -> None:
    rng = np.random.default_rng(3)
    tracker, untracked, tracked, by_number = Tracker(0.3), Flicker(), Flicker(), Flicker()
    raw_links, links = Linker(), Linker()
    for index in range(300):
        time_s = index / 25
        found = []
        for lane in range(4):
            x, y = 100 + 30 * time_s * (1 + lane / 4), 100 * lane + rng.normal(0, 1)
            if rng.random() > 0.2:  # missed one time in five
                score = rng.uniform(0.15, 0.7)  # and below the threshold one time in four
                found.append(Detection("car", score, Box(x, y, x + 60, y + 40)))
        strong = [d for d in found if d.score >= 0.3]
        untracked.add(raw_links.number([d.box for d in strong], time_s))
        shown = tracker.update(found, time_s)
        tracked.add(links.number([d.box for d in shown], time_s))
        by_number.add(d.track_id for d in shown)
    assert by_number.tracks == 4
    assert untracked.share is not None and tracked.share is not None
    assert untracked.share > 0.3
    assert by_number.share is not None and by_number.share < 0.01
    assert tracked.share < 0.01
