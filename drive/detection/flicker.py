"""Flicker: the share of frames in which the box of an object vanishes and returns."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from drive.core.types import Box, Detection
from drive.detection.association import greatest_pairs
from drive.detection.nms import intersection_over_union

FORGET_FRAMES = 10_000  # after which a track is forgotten; no tracker waits that long
LINK_IOU = 0.3  # minimum overlap of two boxes on one object
LINK_GAP_S = 1.0  # seconds that an object without a track may be away
SHARE_DIGITS = 4


class Flicker:
    """Counts, per track, the frames from its first box to its last, and those without (`absent`).

    An object that returns as another track counts as two: read `tracks` beside the share.
    """

    def __init__(self) -> None:
        self.tracks = self.frames = self.absent = 0
        self._frame = 0
        self._last: dict[Hashable, int] = {}

    def add(self, numbers: Iterable[Hashable | None]) -> None:
        """Add the tracks of one frame's boxes (None: without a track); also for empty frames."""
        for number in {number for number in numbers if number is not None}:
            before = self._last.pop(number, None)  # goes to the end: the oldest come first
            self._last[number] = self._frame
            if before is None:
                self.tracks += 1
                self.frames += 1
            else:
                self.frames += self._frame - before
                self.absent += self._frame - before - 1
        self._frame += 1
        while self._last:
            oldest = next(iter(self._last))
            if self._frame - self._last[oldest] <= FORGET_FRAMES:
                return
            del self._last[oldest]

    @property
    def share(self) -> float | None:
        """`absent` over `frames`; None before the first track."""
        return self.absent / self.frames if self.frames else None


class Linker:
    """Numbers boxes only by overlap with the last box: no motion, no scores, no smoothing."""

    def __init__(self, min_iou: float = LINK_IOU, gap_s: float = LINK_GAP_S) -> None:
        self._min_iou, self._gap_s = min_iou, gap_s
        self._count = 0
        self._links: list[tuple[int, Box, float]] = []

    def number(self, boxes: Sequence[Box], time_s: float) -> list[int]:
        """Return a number per box of one frame, the greatest overlap first."""
        self._links = [link for link in self._links if time_s - link[2] <= self._gap_s]
        overlap = intersection_over_union(
            np.reshape(boxes, (-1, 4)), np.reshape([box for _, box, _ in self._links], (-1, 4))
        )
        pairs = greatest_pairs(overlap, self._min_iou)
        numbers = []
        for index in range(len(boxes)):
            self._count += index not in pairs
            numbers.append(self._links[pairs[index]][0] if index in pairs else self._count)
        self._links = [link for link in self._links if link[0] not in numbers]
        self._links += [(n, box, time_s) for n, box in zip(numbers, boxes, strict=True)]
        return numbers


class FlickerReport:
    """Flicker of the tracks, beside that of the same detections without a tracker."""

    def __init__(self) -> None:
        self._shown, self._found = Flicker(), Flicker()
        self._linker = Linker()

    def add_shown(self, detections: Sequence[Detection]) -> None:
        """Add the boxes that one frame shows."""
        self._shown.add(detection.track_id for detection in detections)

    def add_found(self, detections: Sequence[Detection], time_s: float) -> None:
        """Add what the detector found in one frame, above its thresholds."""
        self._found.add(self._linker.number([detection.box for detection in detections], time_s))

    def results(self) -> dict[str, int | float | None]:
        """Return `tracks`, `flicker` and `flicker_untracked`, rounded; None without boxes."""
        return {
            "tracks": self._shown.tracks,
            "flicker": _rounded(self._shown.share),
            "flicker_untracked": _rounded(self._found.share),
        }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, SHARE_DIGITS)
