"""How a box moves: a constant velocity, estimated from the last fraction of a second."""

from __future__ import annotations

import numpy as np

from drive.core.types import Box

MEMORY_S = 0.25  # that the motion is estimated from; frames would lag at a low rate
MOST_MEMORY = 6  # detections; more would lag when a car turns or comes near
LEAST_MEMORY = 2  # detections: a velocity requires two
GROWTH_S = 0.1  # after its last detection in which a box still grows or shrinks
MIN_SIDE = 1.0  # pixels; predicted boxes do not get smaller
MOST_GROWTH = 1.5  # factor by which predicted sides may change since the last detection


class Motion:
    """One object's box through time: centre x, y, width, height and their velocities."""

    def __init__(self, box: Box, time_s: float) -> None:
        self.hits = 1
        self.first_s = self.last_s = time_s
        self._state = _state(box)
        self._velocity = np.zeros(4)

    @property
    def box(self) -> Box:
        """The box at the last detection, smoothed."""
        return _box(self._state)

    def predict(self, time_s: float) -> Box:
        """Return the box at `time_s`, had the object kept its velocity."""
        return _box(self._predict(time_s))

    def observe(self, box: Box, time_s: float) -> None:
        """Correct the motion with a new detection; `time_s` must not decrease.

        The gains are those of the least-squares line through the last `MEMORY_S` (Brookner,
        "Tracking and Kalman Filtering Made Easy", 1.2.10). After a gap the detection counts fully.
        """
        self.hits += 1
        elapsed_s = time_s - self.last_s
        n = self._memory(elapsed_s)
        position_gain = 2 * (2 * n - 1) / (n * (n + 1))
        velocity_gain = 6 / (n * (n + 1))
        predicted = self._predict(time_s)
        error = _state(box) - predicted
        self._state = predicted + position_gain * error
        self._state[2:] = np.maximum(self._state[2:], MIN_SIDE)
        if elapsed_s > 0:
            self._velocity = self._velocity + velocity_gain * error / elapsed_s
        self.last_s = time_s

    def _memory(self, elapsed_s: float) -> int:
        most = min(self.hits, MOST_MEMORY)
        if elapsed_s <= 0:
            return most
        return max(min(most, round(MEMORY_S / elapsed_s) + 1), LEAST_MEMORY)

    def _predict(self, time_s: float) -> np.ndarray:
        elapsed_s = time_s - self.last_s
        state = self._state + self._velocity * elapsed_s
        state[2:] = self._state[2:] + self._velocity[2:] * min(elapsed_s, GROWTH_S)
        sides = self._state[2:]
        state[2:] = np.clip(state[2:], sides / MOST_GROWTH, sides * MOST_GROWTH)
        state[2:] = np.maximum(state[2:], MIN_SIDE)
        return state


def _state(box: Box) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], np.float64)


def _box(state: np.ndarray) -> Box:
    x, y, width, height = map(float, state)
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
