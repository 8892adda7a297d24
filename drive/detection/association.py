"""Which detection belongs to which track: overlap with a margin, the greatest first.

The margin (Yang et al., WACV 2023): boxes of small cars jitter by as much as they are wide. Greedy:
the optimal assignment swaps tracks of cars side by side when one is missed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from drive.core.types import Box, Detection
from drive.detection.nms import overlap_of_pairs

LEAST_MARGIN = 3.0  # pixels per side: the jitter of the smallest boxes does not shrink further
MOST_MARGIN = 1.0  # share of the sides; a wider margin reaches the neighbours

STRANGE_LABEL_IOU = 0.5
"""Minimum overlap, without margin, with a track that never had the label: one vehicle with two
labels. With less they are two objects: a car in front of a truck, a person on a motorcycle."""
STRANGE_LABEL_SHARE = 0.6  # share of the overlap that counts then: tracks of the label go first


@dataclass(frozen=True, slots=True)
class Expected:
    """Where a track should be, its labels so far, and a margin as a share of width and height."""

    box: Box
    labels: Collection[str]
    margin: float


def associate(
    detections: Sequence[Detection], tracks: Sequence[Expected], min_overlap: float
) -> dict[int, int]:
    """Return the index of the track by index of its detection, in order of falling overlap.

    A pair must overlap, with margins, by more than `min_overlap`.
    """
    if not detections or not tracks:
        return {}
    return greatest_pairs(_overlaps(detections, tracks), min_overlap)


def greatest_pairs(overlap: np.ndarray, least: float) -> dict[int, int]:
    """Return the column by row of an (N, M) overlap, the greatest first, all above `least`."""
    overlap, pairs = overlap.copy(), {}
    while overlap.max(initial=0) > least:
        row, column = map(int, np.unravel_index(overlap.argmax(), overlap.shape))
        pairs[row] = column
        overlap[row, :] = overlap[:, column] = 0
    return pairs


def _overlaps(detections: Sequence[Detection], tracks: Sequence[Expected]) -> np.ndarray:
    """Return (detections, tracks) overlaps; 0 where they cannot belong together."""
    found = np.array([d.box for d in detections], np.float64)[:, None, :]
    expected = np.array([t.box for t in tracks], np.float64)[None, :, :]
    share = np.minimum([t.margin for t in tracks], MOST_MARGIN)[None, :, None]
    overlap = overlap_of_pairs(_widened(found, share), _widened(expected, share))
    strange = np.array([[d.label not in t.labels for t in tracks] for d in detections])
    if strange.any():
        close = overlap_of_pairs(found, expected) > STRANGE_LABEL_IOU
        overlap[strange] *= np.where(close[strange], STRANGE_LABEL_SHARE, 0)
    return overlap


def _widened(boxes: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return (N, M, 4) boxes with a margin on each side."""
    margin = np.maximum(share * (boxes[..., 2:] - boxes[..., :2]), LEAST_MARGIN)
    return np.concatenate([boxes[..., :2] - margin, boxes[..., 2:] + margin], axis=-1)
