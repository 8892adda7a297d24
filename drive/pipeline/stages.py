"""Three stages of work in three threads: read, process, write; in order.

Between two stages is a lane for few items: the faster stage waits, and memory does not grow.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")

DEPTH = 4
"""Items between two stages: enough to even out a slow frame; 25 MB at 1080p."""

PATIENCE_S = 2.0
"""Time for a live source to end: a stream that hangs must not hold the program."""


def run_stages(
    source: Iterable[Item],
    work: Callable[[Item], Done],
    sink: Callable[[Done], None],
    *,
    wrap: Callable[[Iterable[Item]], Iterable[Item]] = lambda items: items,
    live: bool = False,
    depth: int = DEPTH,
) -> None:
    """Pass every item of `source` through `work` to `sink`, each in its own thread.

    `work` is called here, where networks and trackers were made and Ctrl-C arrives. Of a `live`
    source the oldest waiting item is dropped instead of making it wait. An error in any stage ends
    all three, once finished items have reached the sink; it is raised when the threads have ended.
    `wrap` wraps the iterable of items before the work, such as in a progress bar.
    """
    read: Lane[Item] = Lane(1 if live else depth, drops=live)
    ready: Lane[Done] = Lane(depth)
    reader = threading.Thread(target=_fill, args=(read, source), name="read", daemon=True)
    writer = threading.Thread(target=_empty, args=(ready, sink), name="write", daemon=True)
    reader.start()
    writer.start()
    try:
        for item in wrap(read):
            if not ready.put(work(item)):
                break
    finally:
        read.leave()
        ready.end()
        writer.join()
        reader.join(PATIENCE_S if live else None)
    if ready.error is not None:
        raise ready.error


def run_in_turn(
    source: Iterable[Item], work: Callable[[Item], Done], sink: Callable[[Done], None]
) -> None:
    """Do the same in the calling thread alone; see `run_stages`."""
    for item in source:
        sink(work(item))


class Lane(Generic[Item]):
    """A bounded queue between two threads; `error` is the one that ended the thread that takes."""

    def __init__(self, depth: int, drops: bool = False) -> None:
        self.error: BaseException | None = None
        self._depth, self._drops = depth, drops
        self._items: deque[Item] = deque()
        self._ended, self._left = False, False
        self._cause: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Add an item, waiting for room; return False if nobody takes any more."""
        with self._changed:
            while len(self._items) >= self._depth and not self._left:
                if self._drops:
                    self._items.popleft()
                else:
                    self._changed.wait()
            if not self._left:
                self._items.append(item)
                self._changed.notify_all()
            return not self._left

    def end(self, cause: BaseException | None = None) -> None:
        """End the lane; `cause` is raised after the last item."""
        with self._changed:
            self._ended, self._cause = True, cause
            self._changed.notify_all()

    def leave(self, error: BaseException | None = None) -> None:
        """Take nothing any more: `put` no longer waits."""
        with self._changed:
            self._left, self.error = True, error
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                while not self._items and not self._ended:
                    self._changed.wait()
                if not self._items:
                    if self._cause is not None:
                        raise self._cause
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def _fill(lane: Lane[Item], source: Iterable[Item]) -> None:
    """The reading thread."""
    try:
        for item in source:
            if not lane.put(item):
                return
    except BaseException as error:
        lane.end(error)
    else:
        lane.end()


def _empty(lane: Lane[Item], sink: Callable[[Item], None]) -> None:
    """The writing thread."""
    try:
        for item in lane:
            sink(item)
    except BaseException as error:
        lane.leave(error)
