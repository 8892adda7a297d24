"""Batches for training the steering network.

Batch `i` of epoch `e` depends only on the seed, `e` and `i`: a resumed training sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from drive.core.errors import InputError
from drive.recordings.vehicle import aim_distance_m
from drive.steering.augment import (
    FLIP_SHARE,
    LOOKS,
    RETURN_S,
    Move,
    Viewpoint,
    angle_after,
    augment,
    random_move,
    reach_of_moves,
)
from drive.steering.cache import CachedRecording
from drive.steering.sampling import balanced_epoch, share_of_frames
from drive.steering.split import Part
from drive.steering.training_settings import TrainingSettings
from drive.training.batches import prefetched

PLAIN_BATCH = 256
OWN_CHANCE = 1
"""Separates the generator of camera positions from the one that varies images."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The input of one step: (N, 66, 200, 3) uint8 YUV and (N,) float32 degrees."""

    images: np.ndarray
    angle_deg: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """(N, 1) degrees, as the network's output."""
        return self.angle_deg[:, None]


class Samples:
    """The frames of several parts of recordings; `has_sides` if cameras beside can be used."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self.angle_deg = np.concatenate([part.angle_deg for part in parts] or [np.zeros(0, "f")])
        known = all(part.recording.view is not None for part in parts)
        self.has_sides = known and any(part.recording.sides for part in parts)
        self._reach: dict[tuple[int, float], float] = {}
        self._part = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        self._row = np.concatenate([part.rows for part in parts] or [np.zeros(0, np.int64)])

    def __len__(self) -> int:
        return len(self.angle_deg)

    def batch(
        self, positions: np.ndarray, moves: Sequence[Move] | None = None, wide: bool = False
    ) -> Batch:
        """Read the frames at these positions from disk, as the front camera sees them.

        With `moves`, from the camera nearest to each new position; the angles stay those of the
        path. With `wide`, the images have their margins.
        """
        images = [
            recording.wide[row] if wide and recording.wide is not None else recording.images[row]
            for recording, row, _ in self._seen(positions, moves)
        ]
        return Batch(np.stack(images), self.angle_deg[positions])

    def viewpoints(
        self, positions: np.ndarray, moves: Sequence[Move] | None = None, return_s: float = RETURN_S
    ) -> list[Viewpoint] | None:
        """Return camera, car and speed of each frame; None if the view is not known."""
        found = []
        for position, (seen, _, offset_m) in zip(
            positions, self._seen(positions, moves), strict=True
        ):
            recording, row = self.place(position)
            if seen.view is None:
                return None
            speed_mps = float(recording.speed_mps[row])
            reach = self.reach_at(position, return_s)
            found.append(Viewpoint(seen.view, recording.car, speed_mps, offset_m, reach))
        return found

    def reach_at(self, position: int, return_s: float) -> float:
        """Return the share of the usual moves of cameras that suits the part of a frame."""
        part = int(self._part[position])
        if (part, return_s) not in self._reach:
            one = self.parts[part]
            speed_mps = float(np.median(one.recording.speed_mps[one.rows]))
            seen = one.recording.car, speed_mps, one.recording.camera.height_m, return_s
            known = one.recording.speed_known
            self._reach[part, return_s] = reach_of_moves(self.angle_deg, *seen, known)
        return self._reach[part, return_s]

    def place(self, position: int) -> tuple[CachedRecording, int]:
        """Return the recording of a frame, and its row there."""
        return self.parts[self._part[position]].recording, int(self._row[position])

    def offsets_m(self, position: int) -> list[float]:
        """Return metres right of the front camera, 0 first, of all cameras with this frame."""
        recording, row = self.place(position)
        return [0.0, *(side.offset_m for side in recording.sides if side.rows[row] >= 0)]

    def _seen(
        self, positions: np.ndarray, moves: Sequence[Move] | None
    ) -> list[tuple[CachedRecording, int, float]]:
        """Return the recording, the row and the offset of the camera to use for each frame."""
        found = []
        for index, position in enumerate(positions):
            recording, row = self.place(position)
            best = recording, row, 0.0
            for side in recording.sides if moves else ():
                wanted_m = moves[index].shift_m if moves else 0.0
                nearer = abs(wanted_m - side.offset_m) < abs(wanted_m - best[2])
                if nearer and side.rows[row] >= 0:
                    best = side.recording, int(side.rows[row]), side.offset_m
            found.append(best)
        return found

    def plain_batches(self, batch: int = PLAIN_BATCH) -> Iterator[Batch]:
        """Yield every frame once, in order and unvaried."""
        for start in range(0, len(self), batch):
            yield self.batch(np.arange(start, min(start + batch, len(self))))


class TrainingBatches:
    """Balanced and varied batches, as the settings ask for."""

    def __init__(self, samples: Samples, settings: TrainingSettings) -> None:
        if not len(samples):
            raise InputError("Training needs at least one frame with an angle; got none")
        self.samples, self.settings = samples, settings
        self.looks, self.return_s = LOOKS[settings.looks], settings.return_s
        self.redraws = settings.augment and settings.viewpoints
        times = [part.recording.time_s[part.rows] for part in samples.parts]
        self.share = share_of_frames(times, settings.fps)

    def chosen(self, epoch: int) -> np.ndarray:
        """(M,) positions of the frames that this epoch uses, in their order, each at most once."""
        rng = np.random.default_rng([self.settings.seed, epoch])
        if self.settings.balance:
            return balanced_epoch(self.samples.angle_deg, rng, self.share)
        count = max(1, round(self.share * len(self.samples)))
        return rng.permutation(len(self.samples))[:count]

    def __len__(self) -> int:
        return -(-len(self.chosen(0)) // self.settings.batch)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Return the batches of one epoch, made ahead."""
        chosen, size = self.chosen(number), self.settings.batch
        groups = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        return prefetched(
            partial(self.made, number, index, positions) for index, positions in enumerate(groups)
        )

    def made(self, epoch: int, index: int, positions: np.ndarray) -> Batch:
        """Batch `index` of an epoch, of the frames at these positions."""
        moves = self._moves(epoch, index, positions) if self.samples.has_sides else None
        batch = self.samples.batch(positions, moves, wide=self.settings.augment)
        moved = bool(moves) or self.redraws
        viewpoints = self.samples.viewpoints(positions, moves, self.return_s) if moved else None
        if not self.settings.augment:
            return self._with_corrected_angles(batch, viewpoints, moves)
        rng = np.random.default_rng([self.settings.seed, epoch, index])
        share = self._flip_share(positions)
        how = (self.return_s, share, moves, self.looks)
        return Batch(*augment(batch.images, batch.angle_deg, rng, viewpoints, *how))

    def _flip_share(self, positions: np.ndarray) -> np.ndarray:
        """(N,) chance of each frame to be mirrored: none where the lane's side is known."""
        lanes = [self.samples.place(position)[0].car.lane_m for position in positions]
        return np.array([FLIP_SHARE if self.settings.mirror and m is None else 0.0 for m in lanes])

    def _moves(self, epoch: int, index: int, positions: np.ndarray) -> list[Move]:
        """Choose where to put each camera: anywhere, or where there is one if none is redrawn."""
        rng = np.random.default_rng([self.settings.seed, epoch, index, OWN_CHANCE])
        if self.redraws:
            return [self._random_move(rng, int(position)) for position in positions]
        return [Move(float(rng.choice(self.samples.offsets_m(p)))) for p in positions]

    def _random_move(self, rng: np.random.Generator, position: int) -> Move:
        recording, row = self.samples.place(position)
        speed_mps, car = float(recording.speed_mps[row]), recording.car
        aim_m = aim_distance_m(speed_mps, self.return_s, car.wheelbase_m)
        return random_move(rng, aim_m, self.samples.reach_at(position, self.return_s))

    def _with_corrected_angles(
        self, batch: Batch, viewpoints: list[Viewpoint] | None, moves: list[Move] | None
    ) -> Batch:
        """The images as they are, those of side cameras with the angle that leads back."""
        if not viewpoints or not moves:
            return batch
        behind = zip(moves, batch.angle_deg, viewpoints, strict=True)
        angles = [angle_after(m, float(a), viewpoint, self.return_s) for m, a, viewpoint in behind]
        return Batch(batch.images, np.array(angles, np.float32))
