"""Follows objects from frame to frame: the same car keeps the same `track_id`.

Times are seconds, so that a variable frame rate, a stride or a gap changes nothing. Association has
two steps as in ByteTrack: detections above the threshold first, then weaker ones, which may
continue a track but never begin one. A confirmed track that is missed is held for a moment at its
predicted place, with a falling score. One that is weak for long is hidden until it is strong again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from drive.core.errors import InputError, in_range
from drive.core.types import Box, Detection
from drive.detection.association import Expected, associate
from drive.detection.motion import Motion
from drive.detection.nms import intersection_over_union, overlaps_of

LOW_SHARE = 0.5  # share of the threshold that continues a track
CONFIRM_HITS = 3  # detections that confirm a track
CONFIDENT_SHARE = 0.5  # of the way from the threshold to 1: one such detection confirms at once
COAST_S = 1.0  # seconds that a track is remembered after its last detection
HOLD_S = 0.3  # maximum seconds that a track without a detection is shown
PRESENCE_MEMORY_S = 0.5  # time constant of how regularly a track is found
TENTATIVE_S = 0.25  # seconds that an unconfirmed track is remembered
WEAK_S = 0.5  # seconds that a track with only weak detections is shown
MIN_IOU = 0.2  # of the boxes with margins, for a detection to belong to a track
MARGIN = 0.2  # share of width and height added on each side of a box for matching
DRIFT_PER_S = 4.0  # growth of the margin per second, divided by the detections of the track
SETTLED_HITS = 6  # detections after which a motion is known as well as it will be
MATCHED_INTERVALS = 1.5  # usual times between two updates that every track is remembered, at least

DUPLICATE_IOU = 0.4  # above it, a box is a second one on a tracked object of its label
DUPLICATE_ACROSS_IOU = 0.6  # of two labels: more than the overlap of a person and a motorcycle
SCORE_MEMORY_S = 0.3  # time constant of the smoothed score
HELD_SCORE_S = 0.6  # time constant of its fall while a track is held
VOTE_MEMORY_S = 2.0  # time constant of the vote on the label
EDGE_SHARE = 0.01  # share of the view's sides: a box this close to an edge is leaving
RARE_VOTE = 0.1  # share of the votes; a label with less does not count as one of the track


class _Track:
    """One object: its motion, its labels and their scores."""

    def __init__(self, detection: Detection, time_s: float) -> None:
        self.motion = Motion(detection.box, time_s)
        self.latest = detection
        self.score = detection.score
        self.strong_s = time_s
        self.number: int | None = None
        self._presence = 1.0
        self.missed = 0  # updates since the last detection
        self._votes = {detection.label: detection.score}

    @property
    def label(self) -> str:
        """The label with the highest sum of recent scores."""
        return max(self._votes, key=self._votes.__getitem__)

    def expected(self, time_s: float) -> Expected:
        """Return where it should be at `time_s`, and how far from there it may be found."""
        elapsed_s = time_s - self.motion.last_s
        drift = DRIFT_PER_S * elapsed_s / min(self.motion.hits, SETTLED_HITS)
        least = RARE_VOTE * sum(self._votes.values())
        labels = {label for label, votes in self._votes.items() if votes >= least}
        return Expected(self.motion.predict(time_s), labels, MARGIN + drift)

    def shown(self, box: Box, score: float) -> Detection:
        """Return the latest detection, as the track knows it."""
        return replace(self.latest, label=self.label, score=score, box=box, track_id=self.number)

    def steadiness(self, threshold: float) -> float:
        """Return how regularly and how confidently it was found before it was missed, 0 to 1."""
        return self._presence * (min(self.score / threshold, 1.0) if threshold > 0 else 1.0)

    def observe(self, detection: Detection, time_s: float, strong: bool) -> None:
        elapsed_s = time_s - self.motion.last_s
        keep = math.exp(-elapsed_s / PRESENCE_MEMORY_S)
        self._presence = keep * self._presence + (1 - keep) / (1 + self.missed)
        self.missed = 0
        self.latest = detection
        self.motion.observe(detection.box, time_s)
        fresh = 1 - math.exp(-elapsed_s / SCORE_MEMORY_S)
        fresh = max(fresh, 1 / self.motion.hits)  # the mean of the first ones
        self.score += fresh * (detection.score - self.score)
        fading = math.exp(-elapsed_s / VOTE_MEMORY_S)
        self._votes = {label: votes * fading for label, votes in self._votes.items()}
        self._votes[detection.label] = self._votes.get(detection.label, 0.0) + detection.score
        if strong:
            self.strong_s = time_s


class Tracker:
    """Connects detections over time: detections of the same object get the same `track_id`.

    A track is confirmed, and gets a `track_id`, after three detections, or at once if the score is
    high or it is the first frame.

    Example:
        >>> detector = load_detector()
        >>> tracker = Tracker(detector.thresholds)
        >>> for frame in read_frames("video.mp4"):
        ...     found = detector.detect(frame.image, conf=tracker.low_conf)
        ...     for car in tracker.update(found, frame.time_s):
        ...         print(frame.time_s, car.track_id, car.label, car.box)

    Args:
        thresholds: minimum score to begin a track: by label (the detector's `thresholds`), or one
            for all; None if the detector has dropped weak detections already.
        low_share: share of the threshold that continues a track.
        confirm_hits: detections that confirm a track, unless one has a high score (halfway from
            the threshold to 1) or is in the first frame.
        coast_s: seconds that a confirmed track is remembered after its last detection.
        hold_s: maximum seconds that a confirmed track is shown after its last detection.
        weak_s: seconds that a track is shown after its last detection above the threshold.
        min_iou: minimum overlap, with margins, of a detection and its track's predicted box.

    Raises:
        InputError: a setting is out of range.

    Source: Zhang et al., "ByteTrack", ECCV 2022, for the two thresholds.
    """

    def __init__(
        self,
        thresholds: Mapping[str, float] | float | None = None,
        *,
        low_share: float = LOW_SHARE,
        confirm_hits: int = CONFIRM_HITS,
        coast_s: float = COAST_S,
        hold_s: float = HOLD_S,
        weak_s: float = WEAK_S,
        min_iou: float = MIN_IOU,
    ) -> None:
        self._thresholds = thresholds
        self._low_share = in_range("low_share", low_share, 0, 1)
        self._confirm_hits = in_range("confirm_hits", confirm_hits, 1)
        self._coast_s = in_range("coast_s", coast_s, 0)
        self._hold_s = in_range("hold_s", hold_s, 0)
        self._weak_s = in_range("weak_s", weak_s, 0)
        self._min_iou = in_range("min_iou", min_iou, 0, 1)
        self._tracks: list[_Track] = []
        self._view: Box | None = None
        self._time_s = -np.inf
        self._interval_s = np.inf  # until the second update says more
        self._confirmed = 0

    @property
    def low_conf(self) -> float | None:
        """The minimum score that can matter: the `conf` to call the detector with."""
        if self._thresholds is None:
            return None
        if isinstance(self._thresholds, Mapping):
            return self._low_share * min(self._thresholds.values())
        return self._low_share * self._thresholds

    def threshold(self, label: str) -> float:
        """Return the minimum score that begins a track.

        Raises:
            InputError: `label` has no threshold.
        """
        if not isinstance(self._thresholds, Mapping):
            return self._thresholds or 0.0
        if label not in self._thresholds:
            known = ", ".join(self._thresholds)
            raise InputError(f"label must be one of {known}; got {label!r}")
        return self._thresholds[label]

    def update(
        self, detections: Sequence[Detection], time_s: float, view: Box | None = None
    ) -> list[Detection]:
        """Add the detections of one frame.

        Args:
            detections: with boxes in source pixels; scores below `low_conf` are ignored.
            time_s: the frame's presentation timestamp in seconds; must not decrease.
            view: where the detector looked, in source pixels: boxes are cut at its edges, and a box
                that was last at an edge is not held. None if unknown.

        Returns:
            The confirmed tracks, best first, with boxes in source pixels: those found in this frame
            with a slightly smoothed box, and those held (missed in this frame, but probably still
            there) where they should be. The label is the vote of the last seconds; the score is
            smoothed, and falls while the track is held.

        Raises:
            InputError: `time_s` is before that of the last call, or a label has no threshold.
        """
        if not time_s >= self._time_s:
            raise InputError(
                f"time_s must not be before the last call, {self._time_s}; got {time_s}"
            )
        first = self._time_s == -np.inf
        self._forget(time_s)
        if not first:
            self._interval_s = time_s - self._time_s
        self._time_s, self._view = time_s, view
        ordered = sorted(detections, key=lambda detection: -detection.score)
        high = [d for d in ordered if d.score >= self.threshold(d.label)]
        low = [
            d
            for d in ordered
            if self._low_share * self.threshold(d.label) <= d.score < self.threshold(d.label)
        ]
        believed = [track for track in self._tracks if track.number is not None]
        tentative = [track for track in self._tracks if track.number is None]
        rest = self._continue(believed, high, strong=True)
        rest = self._continue(tentative, rest, strong=True)
        self._continue([t for t in believed if t.motion.last_s < time_s], low, strong=False)
        for track in self._tracks:
            if track.motion.last_s < time_s:
                track.missed += 1
        self._merge()
        for detection in rest:
            self._begin(detection, at_once=first)
        return self._shown(time_s)

    def coast(self, time_s: float) -> list[Detection]:
        """Return the tracks at `time_s`, after the last update, without new detections.

        For frames between two on which the network runs; changes nothing.
        """
        return self._shown(time_s)

    def _forget(self, time_s: float) -> None:
        """Drop tracks that have been missed, or weak, for too long."""
        least_s = MATCHED_INTERVALS * self._interval_s
        weak_s = self._weak_s + self._coast_s

        def stays(track: _Track) -> bool:
            away_s = time_s - track.motion.last_s
            limit_s = self._coast_s if track.number is not None else TENTATIVE_S
            return away_s <= max(limit_s, least_s) and time_s - track.strong_s <= max(
                weak_s, least_s
            )

        self._tracks = [track for track in self._tracks if stays(track)]

    def _continue(
        self, tracks: Sequence[_Track], detections: Sequence[Detection], *, strong: bool
    ) -> list[Detection]:
        """Assign detections to tracks; return those that belong to none."""
        expected = [track.expected(self._time_s) for track in tracks]
        pairs = associate(detections, expected, self._min_iou)
        for index, place in pairs.items():
            track = tracks[place]
            track.observe(detections[index], self._time_s, strong)
            if track.motion.hits >= self._confirm_hits or self._is_confident(detections[index]):
                self._confirm(track)
        return [d for index, d in enumerate(detections) if index not in pairs]

    def _begin(self, detection: Detection, at_once: bool) -> None:
        """Begin a track, unless the object has another detection in this frame."""
        here = [track for track in self._tracks if track.motion.last_s == self._time_s]
        overlaps = overlaps_of(detection.box, [track.motion.box for track in here])
        same = np.array([track.label == detection.label for track in here], bool)
        if np.any(overlaps > np.where(same, DUPLICATE_IOU, DUPLICATE_ACROSS_IOU)):
            return
        track = _Track(detection, self._time_s)
        self._tracks.append(track)
        if at_once or self._confirm_hits <= 1 or self._is_confident(detection):
            self._confirm(track)

    def _confirm(self, track: _Track) -> None:
        if track.number is None:
            self._confirmed += 1
            track.number = self._confirmed

    def _is_confident(self, detection: Detection) -> bool:
        threshold = self.threshold(detection.label)
        return detection.score >= threshold + CONFIDENT_SHARE * (1 - threshold)

    def _merge(self) -> None:
        """Of two tracks on one object, keep the one with more detections."""
        here = [track for track in self._tracks if track.motion.last_s == self._time_s]
        if len(here) < 2:
            return
        here.sort(key=lambda track: -track.motion.hits)
        boxes = np.array([track.motion.box for track in here])
        same = np.triu(intersection_over_union(boxes, boxes), 1) > DUPLICATE_ACROSS_IOU
        gone = {id(here[index]) for index in np.flatnonzero(same.any(axis=0))}
        self._tracks = [track for track in self._tracks if id(track) not in gone]

    def _shown(self, time_s: float) -> list[Detection]:
        """Return the boxes of confirmed tracks at `time_s`, best first."""
        found: list[Detection] = []
        held: list[Detection] = []
        for track in self._tracks:
            if track.number is None or time_s - track.strong_s > self._weak_s:
                continue
            box = self._cut(track.motion.predict(time_s))
            if box is None:
                continue
            if track.motion.last_s == self._time_s:
                found.append(track.shown(box, track.score))
            elif self._is_held(track, time_s):
                away_s = time_s - track.motion.last_s
                score = track.score * math.exp(-away_s / HELD_SCORE_S)
                held.append(track.shown(box, score))
        return sorted(found + _apart(held, found), key=lambda detection: -detection.score)

    def _is_held(self, track: _Track, time_s: float) -> bool:
        """Return whether a missed track is probably still there: not longer than it was seen.

        Held boxes of unsteady tracks lay beside their cars: they are held less long.
        """
        seen_s = track.motion.last_s - track.motion.first_s
        steady_s = self._hold_s * track.steadiness(self.threshold(track.label))
        if time_s - track.motion.last_s > min(steady_s, seen_s):
            return False
        return self._view is None or not _leaves(
            track.motion.box, track.motion.predict(time_s), self._view
        )

    def _cut(self, box: Box) -> Box | None:
        """Cut a box at the edges of the view; None if nothing is left."""
        view = self._view
        if view is None:
            return box
        inside = Box(
            max(box.x1, view.x1), max(box.y1, view.y1), min(box.x2, view.x2), min(box.y2, view.y2)
        )
        return inside if inside.x1 < inside.x2 and inside.y1 < inside.y2 else None


def _apart(held: Sequence[Detection], found: Sequence[Detection]) -> list[Detection]:
    """Return the held boxes that do not lie on a found object."""
    if not held or not found:
        return list(held)
    overlaps = intersection_over_union(
        np.array([d.box for d in held]), np.array([d.box for d in found])
    )
    return [d for d, most in zip(held, overlaps.max(axis=1), strict=True) if most <= DUPLICATE_IOU]


def _leaves(last: Box, now: Box, view: Box) -> bool:
    """Return whether a box that was `last` and should be `now` is leaving the view."""
    margin_x, margin_y = EDGE_SHARE * view.width, EDGE_SHARE * view.height
    return any(
        box.x1 < view.x1 + margin_x
        or box.x2 > view.x2 - margin_x
        or box.y1 < view.y1 + margin_y
        or box.y2 > view.y2 - margin_y
        for box in (last, now)
    )
