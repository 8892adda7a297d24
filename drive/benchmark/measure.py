"""Measure the time of several callables in turn, so that load falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from drive.core.progress import Progress, no_progress

WARM_UP = 2
"""Calls at the start of a turn that do not count: caches are cold, and threads of the runtime
before are still awake (those of ONNX Runtime wait actively)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Something to measure: calls per turn, each of `units` of work, such as decoded frames."""

    key: str
    call: Callable[[], object]
    units: int = 1
    repeat: int = 5
    warm_up: int = WARM_UP


@dataclass(slots=True)
class Times:
    """Milliseconds per unit of work, turn by turn."""

    turns: list[list[float]] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """The median of all turns."""
        return float(np.median(self._all()))

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """The lower and the upper quartile."""
        low, high = np.percentile(self._all(), (25, 75))
        return float(low), float(high)

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self._all())

    def _all(self) -> list[float]:
        return [value for turn in self.turns for value in turn]


def take_turns(
    stages: Sequence[Stage], rounds: int, progress: Progress = no_progress
) -> dict[str, Times]:
    """Measure every stage once per round; every second round goes in reverse order."""
    times = {stage.key: Times() for stage in stages}
    for number in progress(range(rounds), rounds, "rounds"):
        for stage in stages if number % 2 == 0 else reversed(stages):
            times[stage.key].turns.append(_turn(stage))
    return times


def ratio(slow: Times, fast: Times) -> float:
    """Return how many times faster: the median over the rounds of the ratio of medians."""
    pairs = zip(slow.turns, fast.turns, strict=True)
    return float(np.median([np.median(a) / np.median(b) for a, b in pairs]))


def _turn(stage: Stage) -> list[float]:
    for _ in range(stage.warm_up):
        stage.call()
    taken = []
    for _ in range(stage.repeat):
        start = time.perf_counter()
        stage.call()
        taken.append((time.perf_counter() - start) * 1000 / stage.units)
    return taken
