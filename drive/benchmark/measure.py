"""Times of several things, taken in turn so that a busy machine is busy for all of them.

Knows clocks and callables; not what they do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from drive.core.progress import Progress, no_progress

WARM_UP = 2
"""Calls at the beginning of a turn that do not count: caches are cold, and the threads of the
runtime before (ONNX Runtime's wait for work on the processor) are still awake."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Something to time.

    Attributes:
        key: its name, unique.
        call: does it once.
        units: what one call gets done, such as the frames that it decodes.
        repeat: timed calls in a turn.
        warm_up: calls before them.
    """

    key: str
    call: Callable[[], object]
    units: int = 1
    repeat: int = 5
    warm_up: int = WARM_UP


@dataclass(slots=True)
class Times:
    """Milliseconds a unit of work; `turns` holds those of each turn."""

    turns: list[list[float]] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """The median of all."""
        return float(np.median(self._all()))

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """A quarter took less than the first, a quarter more than the second."""
        low, high = np.percentile(self._all(), (25, 75))
        return float(low), float(high)

    @property
    def count(self) -> int:
        """How many were taken."""
        return len(self._all())

    def _all(self) -> list[float]:
        return [value for turn in self.turns for value in turn]


def take_turns(
    stages: Sequence[Stage], rounds: int, progress: Progress = no_progress
) -> dict[str, Times]:
    """Time every stage once a round, in an order that goes back and forth.

    Args:
        stages: what to time.
        rounds: how many times, from 1.
        progress: shows the rounds.

    Returns:
        The times by the stages' keys, in their order.
    """
    times = {stage.key: Times() for stage in stages}
    for number in progress(range(rounds), rounds, "rounds"):
        for stage in stages if number % 2 == 0 else reversed(stages):
            times[stage.key].turns.append(_turn(stage))
    return times


def ratio(slow: Times, fast: Times) -> float:
    """How many times faster: the median over the rounds of one turn's median over the other's."""
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
