"""Flicker: the share of frames in which the box of an object vanishes and returns.

Knows numbers of tracks, boxes and times; no image, no network and not the tracker. Constant
memory: what is remembered is what was seen of late.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from drive.core.types import Box, Detection
from drive.detection.nms import intersection_over_union

FORGET_FRAMES = 10_000
"""Frames after which a number that has not come back is forgotten; no tracker waits that long."""

LINK_IOU = 0.3  # least overlap of two boxes on one object
LINK_GAP_S = 1.0  # seconds that an object without a number may be away
SHARE_DIGITS = 4


class Flicker:
    """Counts, for each number, the frames from its first box to its last and those without a box.

    An object that goes and comes back under another number is two objects here: read the number
    of tracks beside the share.

    Attributes:
        tracks: numbers met.
        frames: frames from the first to the last box, summed over the numbers.
        absent: those of them without a box.
    """

    def __init__(self) -> None:
        self.tracks = self.frames = self.absent = 0
        self._frame = 0
        self._last: dict[Hashable, int] = {}

    def add(self, numbers: Iterable[Hashable | None]) -> None:
        """Take in the numbers of one frame's boxes; None (a box without a track) does not count.

        Call it for every frame in turn, also for those without boxes.
        """
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
    """Numbers boxes by overlap with the last box alone: no motion, no scores, no smoothing.

    With it, `Flicker` measures boxes that no tracker numbered, or a tracker's without believing
    its numbers.
    """

    def __init__(self, min_iou: float = LINK_IOU, gap_s: float = LINK_GAP_S) -> None:
        self._min_iou = min_iou
        self._gap_s = gap_s
        self._count = 0
        self._links: list[tuple[int, Box, float]] = []

    def number(self, boxes: Sequence[Box], time_s: float) -> list[int]:
        """Return a number for each box of one frame, the greatest overlap first."""
        self._links = [link for link in self._links if time_s - link[2] <= self._gap_s]
        numbers = [0] * len(boxes)
        if boxes and self._links:
            overlap = intersection_over_union(
                np.array(boxes), np.array([box for _, box, _ in self._links])
            )
            while overlap.max() > self._min_iou:
                box, link = np.unravel_index(overlap.argmax(), overlap.shape)
                numbers[int(box)] = self._links[int(link)][0]
                overlap[box, :] = 0
                overlap[:, link] = 0
        for index, number in enumerate(numbers):
            if not number:
                self._count += 1
                numbers[index] = self._count
        fresh = set(numbers)
        self._links = [link for link in self._links if link[0] not in fresh]
        self._links += [(n, box, time_s) for n, box in zip(numbers, boxes, strict=True)]
        return numbers


class FlickerReport:
    """Flicker of what a tracker shows, beside that of the same detections without a tracker."""

    def __init__(self) -> None:
        self._shown = Flicker()
        self._found = Flicker()
        self._linker = Linker()

    def add_shown(self, detections: Sequence[Detection]) -> None:
        """Take in the boxes that one frame shows."""
        self._shown.add(detection.track_id for detection in detections)

    def add_found(self, detections: Sequence[Detection], time_s: float) -> None:
        """Take in what the detector found in one frame, above its thresholds."""
        self._found.add(self._linker.number([detection.box for detection in detections], time_s))

    def results(self) -> dict[str, int | float | None]:
        """Return `tracks`, `flicker` and `flicker_untracked`, shares rounded; None before boxes."""
        return {
            "tracks": self._shown.tracks,
            "flicker": _rounded(self._shown.share),
            "flicker_untracked": _rounded(self._found.share),
        }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, SHARE_DIGITS)
