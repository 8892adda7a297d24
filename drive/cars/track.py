"""Follows objects from frame to frame: the same car keeps the same number.

Knows detections and times, no picture and no network. Times are seconds, not frames, so that a
variable frame rate, a stride or a gap in the video changes nothing.

Association in two steps as in ByteTrack (Zhang et al., ECCV 2022): detections above the threshold
first, then the weaker ones, which may continue a track but never begin one. Both thresholds are
relative to the detector's own, for a tiny network's good scores are another's bad ones. Boxes are
compared with a margin around them (Yang et al., WACV 2023), since those of small cars jitter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from drive.cars.suppress import intersection_over_union
from drive.errors import InputError
from drive.types import Box, Detection

LOW_SHARE = 0.5  # of its threshold is enough for a detection to continue a track
CONFIRM_HITS = 3  # detections until a track is believed and gets its number
COAST_S = 0.7  # seconds that a track outlives its last detection
MIN_IOU = 0.2  # of the boxes with their margins, for a detection to belong to a track
MARGIN = 0.2  # of its width and height, added on each side of a box for matching
MEMORY = 5  # detections that the motion is estimated from
MIN_SIDE = 1.0  # pixels; a predicted box does not shrink below


@dataclass(slots=True, eq=False)
class _Track:
    """One object: state and velocity are centre x, y, width, height in pixels (per second)."""

    label: str
    score: float
    state: np.ndarray
    time_s: float
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(4))
    hits: int = 1
    track_id: int | None = None

    def predict(self, time_s: float) -> np.ndarray:
        """Return the state at `time_s`, had the object kept its velocity."""
        state = self.state + self.velocity * (time_s - self.time_s)
        state[2:] = np.maximum(state[2:], MIN_SIDE)
        return state

    def observe(self, state: np.ndarray, time_s: float) -> None:
        """Correct the motion with a new detection.

        The gains are those of the straight line of least squares through the last detections,
        at most `MEMORY` of them: smooth, and without lag at constant velocity (Brookner, "Tracking
        and Kalman Filtering Made Easy", 1998, section 1.2.10).
        """
        self.hits += 1
        n = min(self.hits, MEMORY)
        position_gain = 2 * (2 * n - 1) / (n * (n + 1))
        velocity_gain = 6 / (n * (n + 1))
        predicted, elapsed_s = self.predict(time_s), time_s - self.time_s
        error = state - predicted
        self.state = predicted + position_gain * error
        self.state[2:] = np.maximum(self.state[2:], MIN_SIDE)
        if elapsed_s > 0:
            self.velocity = self.velocity + velocity_gain * error / elapsed_s
        self.time_s = time_s


class Tracker:
    """Gives detections the number of the object that they show; numbers count from 1.

    Args:
        thresholds: least score to begin a track: for each label (the detector's `thresholds`), or
            one for all; None when the detector has dropped all weak detections already.
        low_share: share of the threshold that is enough to continue a track.
        confirm_hits: detections until a track gets its number.
        coast_s: seconds that a track outlives its last detection.
        min_iou: least overlap, margins included, of a detection and where its track should be.

    Raises:
        InputError: a setting is outside its range.
    """

    def __init__(
        self,
        thresholds: Mapping[str, float] | float | None = None,
        *,
        low_share: float = LOW_SHARE,
        confirm_hits: int = CONFIRM_HITS,
        coast_s: float = COAST_S,
        min_iou: float = MIN_IOU,
    ) -> None:
        _check_range("low_share", low_share, 0, 1)
        _check_range("confirm_hits", confirm_hits, 1, np.inf)
        _check_range("coast_s", coast_s, 0, np.inf)
        _check_range("min_iou", min_iou, 0, 1)
        self._thresholds = thresholds
        self._low_share = low_share
        self._confirm_hits = confirm_hits
        self._coast_s = coast_s
        self._min_iou = min_iou
        self._tracks: list[_Track] = []
        self._time_s = -np.inf
        self._confirmed = 0

    @property
    def low_conf(self) -> float | None:
        """The least score that is of use: the `conf` to call the detector with."""
        if self._thresholds is None:
            return None
        if isinstance(self._thresholds, Mapping):
            return self._low_share * min(self._thresholds.values())
        return self._low_share * self._thresholds

    def update(self, detections: Sequence[Detection], time_s: float) -> list[Detection]:
        """Take in the detections of one frame.

        Args:
            detections: with boxes in source pixels; scores from `low_conf` on are of use.
            time_s: the frame's presentation timestamp in seconds; must not go back.

        Returns:
            Detections of confirmed tracks, with `track_id` and a slightly smoothed box; and those
            above the threshold whose track is not confirmed yet, as they are. Best first.

        Raises:
            InputError: `time_s` lies before that of the last call.
        """
        if not time_s >= self._time_s:
            raise InputError(f"time_s must not go back from {self._time_s}; received: {time_s}")
        self._time_s = time_s
        self._tracks = [t for t in self._tracks if time_s - t.time_s <= self._coast_s]
        high = [d for d in detections if d.score >= self._threshold(d.label)]
        low = [
            d
            for d in detections
            if self._low_share * self._threshold(d.label) <= d.score < self._threshold(d.label)
        ]
        pairs = self._match(self._tracks, high, time_s)
        matched = {id(track) for track in pairs.values()}
        believed = [t for t in self._tracks if t.track_id is not None and id(t) not in matched]
        weak_pairs = self._match(believed, low, time_s)
        results = [
            self._take(pairs.get(index), detection, time_s) for index, detection in enumerate(high)
        ]
        results += [self._take(track, low[index], time_s) for index, track in weak_pairs.items()]
        return sorted(results, key=lambda detection: -detection.score)

    def coast(self, time_s: float) -> list[Detection]:
        """Return where the objects seen in the last update should be at `time_s`.

        For frames between two on which the network runs; changes nothing. Scores are the last ones.
        """
        return [
            Detection(track.label, track.score, _box(track.predict(time_s)), track.track_id)
            for track in self._tracks
            if track.track_id is not None and track.time_s == self._time_s
        ]

    def _threshold(self, label: str) -> float:
        if not isinstance(self._thresholds, Mapping):
            return self._thresholds or 0.0
        if label not in self._thresholds:
            known = ", ".join(self._thresholds)
            raise InputError(f"the tracker has thresholds for {known}; received: label={label!r}")
        return self._thresholds[label]

    def _match(
        self, tracks: Sequence[_Track], detections: Sequence[Detection], time_s: float
    ) -> dict[int, _Track]:
        """Pair detections (by index) with tracks of their label, the greatest overlap first."""
        if not tracks or not detections:
            return {}
        expected = np.array([_box(track.predict(time_s)) for track in tracks])
        found = np.array([detection.box for detection in detections])
        overlap = intersection_over_union(_widened(found), _widened(expected))
        same_label = np.array([[d.label == t.label for t in tracks] for d in detections])
        overlap[~same_label] = 0
        pairs: dict[int, _Track] = {}
        while overlap.max() > self._min_iou:
            detection, track = np.unravel_index(overlap.argmax(), overlap.shape)
            pairs[int(detection)] = tracks[int(track)]
            overlap[detection, :] = 0
            overlap[:, track] = 0
        return pairs

    def _take(self, track: _Track | None, detection: Detection, time_s: float) -> Detection:
        """Give a detection to its track, or begin one, and return what to report."""
        state = _state(detection.box)
        if track is None:
            track = _Track(detection.label, detection.score, state, time_s)
            self._tracks.append(track)
        else:
            track.observe(state, time_s)
            track.score = detection.score
        if track.track_id is None and track.hits >= self._confirm_hits:
            self._confirmed += 1
            track.track_id = self._confirmed
        if track.track_id is None:
            return detection
        return Detection(track.label, detection.score, _box(track.state), track.track_id)


def _state(box: Box) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], np.float64)


def _box(state: np.ndarray) -> Box:
    x, y, width, height = map(float, state)
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _widened(boxes: np.ndarray) -> np.ndarray:
    """Return (N, 4) boxes with a margin on each side."""
    margin = MARGIN * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InputError(f"{name} must be in {least}..{most}; received: {name}={value}")
