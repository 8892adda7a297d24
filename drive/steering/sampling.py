"""Which training frames an epoch uses: all curves, and a subsample of straight driving.

Else a network learns to predict zero; see arXiv 1604.07316, section 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BINS = 25
"""Bins of the absolute angle, of equal width up to the angle that 99 % of frames stay below."""

REACH_PERCENT = 99.0


def bin_of_angle(angle_deg: np.ndarray) -> np.ndarray:
    """Return the (N,) bin of each absolute angle; the last bin has no upper end."""
    size = np.abs(angle_deg)
    reach = float(np.percentile(size, REACH_PERCENT)) or 1.0
    return np.asarray(np.minimum((size / reach * BINS).astype(np.int64), BINS - 1))


def frames_per_bin(bins: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Return frames per bin and epoch: at most the mean of bins with frames, of these a share."""
    counts = np.bincount(bins, minlength=BINS)
    cap = round(counts.sum() / max(1, np.count_nonzero(counts)))
    result: np.ndarray = np.minimum(
        counts, np.ceil(np.minimum(counts, cap) * share).astype(np.int64)
    )
    return result


def share_of_frames(time_s: Sequence[np.ndarray], fps: float) -> float:
    """Return the share of frames that leaves about `fps` per second, at most 1; 0 keeps all."""
    steps = [float(np.median(np.diff(times))) for times in time_s if len(times) > 1]
    kept = [min(1.0, fps * step) if fps else 1.0 for step in steps]
    counts = [len(times) for times in time_s if len(times) > 1]
    return float(np.average(kept, weights=counts)) if kept else 1.0


def balanced_epoch(
    angle_deg: np.ndarray, rng: np.random.Generator, share: float = 1.0
) -> np.ndarray:
    """Choose the frames of an epoch, in random order; of full bins another part each time."""
    bins = bin_of_angle(angle_deg)
    wanted = frames_per_bin(bins, share)
    order = rng.permutation(len(angle_deg))
    ranks = _rank_within_bin(bins[order])
    chosen = order[ranks < wanted[bins[order]]]  # straight frames first, curves last: mix again
    return rng.permutation(chosen)


def _rank_within_bin(bins: np.ndarray) -> np.ndarray:
    by_bin = np.argsort(bins, kind="stable")
    starts = np.searchsorted(bins[by_bin], np.arange(BINS))
    ranks = np.empty(len(bins), np.int64)
    ranks[by_bin] = np.arange(len(bins)) - starts[bins[by_bin]]
    return ranks
