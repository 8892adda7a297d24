"""Batches for training the steering network, made ahead in a thread, the same for the same seed.

Batch `i` of epoch `e` depends on the seed, `e` and `i` alone, so that a training which was
interrupted goes on with what it would have seen. Knows cached drives; no network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from drive.errors import InputError
from drive.steering.augment import FLIP_SHARE, RETURN_S, Viewpoint, augment
from drive.steering.sampling import balanced_epoch
from drive.steering.split import Part

AHEAD = 3  # batches made while the network is busy
PLAIN_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step takes: (N, 66, 200, 3) uint8 YUV and (N,) float32 degrees."""

    images: np.ndarray
    angle_deg: np.ndarray


class Samples:
    """The frames of several parts of drives, as if in one row.

    Attributes:
        angle_deg: (N,) float32 degrees, positive right.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self.angle_deg = np.concatenate([part.angle_deg for part in parts] or [np.zeros(0, "f")])
        self._part = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        self._row = np.concatenate([part.rows for part in parts] or [np.zeros(0, np.int64)])

    def __len__(self) -> int:
        return len(self.angle_deg)

    def batch(self, positions: np.ndarray) -> Batch:
        """Read the frames at these positions from disk."""
        images = [self.parts[self._part[p]].drive.images[self._row[p]] for p in positions]
        return Batch(np.stack(images), self.angle_deg[positions])

    def viewpoints(self, positions: np.ndarray) -> list[Viewpoint] | None:
        """Camera, car and speed behind each frame; None where a drive does not know its view."""
        found = []
        for position in positions:
            drive, row = self.parts[self._part[position]].drive, self._row[position]
            if drive.view is None:
                return None
            found.append(Viewpoint(drive.view, drive.car, float(drive.speed_mps[row])))
        return found

    def plain_batches(self, batch: int = PLAIN_BATCH) -> Iterator[Batch]:
        """Every frame once, in order, as prediction sees it: nothing is varied."""
        for start in range(0, len(self), batch):
            yield self.batch(np.arange(start, min(start + batch, len(self))))


class TrainingBatches:
    """Balanced and varied batches.

    Args:
        samples: the frames to learn from.
        batch: frames in a batch; the last one of an epoch may be smaller.
        seed: of everything random.
        balance: thin straight driving; else each frame comes once an epoch.
        vary: the variations of `drive.steering.augment`.
        move: move the cameras too, with the angle that leads back.
        mirror: mirror half the pictures.
        return_s: seconds in which those angles lead back to the path.

    Raises:
        InputError: there are no samples.
    """

    def __init__(
        self,
        samples: Samples,
        batch: int,
        seed: int,
        *,
        balance: bool = True,
        vary: bool = True,
        move: bool = True,
        mirror: bool = True,
        return_s: float = RETURN_S,
    ) -> None:
        if not len(samples):
            raise InputError("Training needs at least one frame with an angle. Received: none")
        self.samples, self.batch, self.seed = samples, batch, seed
        self.balance, self.vary, self.move = balance, vary, move
        self.mirror, self.return_s = mirror, return_s

    def chosen(self, epoch: int) -> np.ndarray:
        """(M,) positions of the frames that this epoch uses, in their order, each at most once."""
        rng = np.random.default_rng([self.seed, epoch])
        if self.balance:
            return balanced_epoch(self.samples.angle_deg, rng)
        return rng.permutation(len(self.samples))

    def __len__(self) -> int:
        """Return the batches of an epoch."""
        return -(-len(self.chosen(0)) // self.batch)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of one epoch."""
        chosen = self.chosen(number)
        groups = [chosen[i : i + self.batch] for i in range(0, len(chosen), self.batch)]
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
            waiting: deque[Future[Batch]] = deque()
            for index, positions in enumerate(groups):
                waiting.append(pool.submit(self._make, number, index, positions))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _make(self, epoch: int, index: int, positions: np.ndarray) -> Batch:
        batch = self.samples.batch(positions)
        if not self.vary:
            return batch
        rng = np.random.default_rng([self.seed, epoch, index])
        viewpoints = self.samples.viewpoints(positions) if self.move else None
        share = FLIP_SHARE if self.mirror else 0.0
        varied = augment(batch.images, batch.angle_deg, rng, viewpoints, self.return_s, share)
        return Batch(*varied)
