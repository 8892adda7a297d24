"""Highlights of a recording: the peaks of a curve, apart from each other."""

from __future__ import annotations

import numpy as np

MOST = 6
APART_S = 1.0
APART_SHARE = 0.02  # of the recording: peaks that are closer together count as one


def peaks(time_s: np.ndarray, height: np.ndarray, most: int = MOST) -> list[int]:
    """Return positions of the highest values above 0, highest first, none close to a higher one."""
    if not len(time_s):
        return []
    apart_s = max(APART_S, APART_SHARE * float(time_s[-1] - time_s[0]))
    left = np.where(np.isfinite(height), height, 0.0)
    found: list[int] = []
    while len(found) < most:
        best = int(np.argmax(left))
        if left[best] <= 0:
            break
        found.append(best)
        near = slice(*np.searchsorted(time_s, [time_s[best] - apart_s, time_s[best] + apart_s]))
        left[near] = 0.0
        left[best] = 0.0
    return found
