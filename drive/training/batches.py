"""What a batch is, and batches made ahead in a thread while the network is busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np

Made = TypeVar("Made")

AHEAD = 3  # batches that wait for the network at most


class Batch(Protocol):
    """What one step takes."""

    @property
    def images(self) -> np.ndarray:
        """(N, H, W, 3) uint8."""

    @property
    def targets(self) -> np.ndarray | list[np.ndarray]:
        """Of the output, or of each of the outputs."""


class Batches(Protocol):
    """The batches of a training; the length is the number of batches per epoch."""

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, counted from 0; the same for the same number."""


def prefetched(makers: Iterable[Callable[[], Made]]) -> Iterator[Made]:
    """Yield what each function makes, in order; the functions run in one other thread."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Made]] = deque()
        for make in makers:
            waiting.append(pool.submit(make))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
