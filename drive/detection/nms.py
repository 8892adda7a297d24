"""Overlap of boxes, and non-maximum suppression: of boxes on one object, keep the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drive.core.types import Box


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return (N, M) overlaps of (N, 4) with (M, 4) boxes x1 y1 x2 y2; 0 if both are empty."""
    return overlap_of_pairs(a[:, None], b[None])


def overlaps_of(box: Box, others: Sequence[Box] | np.ndarray) -> np.ndarray:
    """Return the (N,) overlaps of one box with others."""
    many = np.asarray(others, np.float64).reshape(-1, 4)
    return overlap_of_pairs(np.array(box, np.float64), many)


def overlap_of_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the overlaps of boxes (..., 4) that broadcast against each other."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.clip(sides, 0, None), axis=-1)
    union = _area(a) + _area(b) - shared
    result: np.ndarray = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return result


def suppress(
    boxes: np.ndarray,
    scores: np.ndarray,
    class_ids: np.ndarray,
    iou: float,
    across_iou: float = 1.0,
) -> np.ndarray:
    """Return the (K,) indices of the boxes to keep, best first: greedy non-maximum suppression.

    A box is dropped if it overlaps a better one of its class by more than `iou`, or one of another
    class by more than `across_iou` (1: never). Of equal scores the earlier box is the better one.
    """
    kept: list[int] = []
    waiting = np.argsort(-scores, kind="stable")
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        overlap = intersection_over_union(boxes[best : best + 1], boxes[waiting])[0]
        limit = np.where(class_ids[waiting] == class_ids[best], iou, across_iou)
        waiting = waiting[overlap <= limit]
    return np.array(kept, dtype=np.intp)


def _area(boxes: np.ndarray) -> np.ndarray:
    sides = np.clip(np.asarray(boxes[..., 2:] - boxes[..., :2], np.float64), 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])
