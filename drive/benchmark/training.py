"""Training for `bench`: an epoch from the cache, and the straightforward epoch, which decodes.

Both train the same network on the same frames without augmentation. A unit is a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.benchmark.measure import Stage
from drive.benchmark.stages import Row, long_stage
from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.types import FloatArray, IntArray
from drive.recordings.recording import Recording

if TYPE_CHECKING:
    from drive.steering.split import Part
    from drive.steering.train import SteeringCourse

TRAINING = "training"
DRIVE, VARIED, STRAIGHTFORWARD = "drive", "drive, varied", "straightforward"
CACHE = "cache"

READERS = ("opencv", "moviepy", "batches")
"""How the straightforward way reads videos: in order with OpenCV or moviepy, or again for every
batch, as the published port does. The plain ratio is to the first; `training_by_reader` has all."""

FRAMES = 1500  # at the start of the recordings, decoded per turn; about a minute of video
FRAMES_A_SECOND = 10.0  # rate of training frames in the paper (arXiv 1604.07316, section 5.1)


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What was trained on, as `bench.json` has it."""

    videos: tuple[str, ...]
    frames_decoded: int
    frames_trained: int
    batch: int

    def as_text(self) -> str:
        """Return one line for the terminal."""
        return (
            f"training: {self.frames_trained} frames of {self.frames_decoded} "
            f"(about {FRAMES_A_SECOND:g} per second, straight driving subsampled), batches of "
            f"{self.batch}, without augmentation except in the row that says so; times are per "
            "frame trained on. The straightforward way decodes all frames in every epoch, in one "
            "process"
        )


@dataclass(frozen=True, slots=True)
class TrainingBench:
    """An epoch in each way; a unit of its stages is a frame trained on."""

    pairs: list[tuple[Row, Stage]]
    facts: TrainingFacts


def training_stages(
    recordings: Sequence[Recording], cache: Path, progress: Progress = no_progress
) -> TrainingBench:
    """Fill the cache and return an epoch in each way; each has run once, to trace its graphs."""
    from drive.runtime.quiet import load_keras

    load_keras()
    from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH
    from drive.steering.split import Split
    from drive.steering.train import SteeringCourse
    from drive.steering.training_settings import TrainingSettings
    from drive.video.probe import probe

    shares = _shares(recordings, cache, progress)
    split = Split([share.part for share in shares], [])
    settings = TrainingSettings(batch_norm=False)
    plain = SteeringCourse(split, replace(settings, augment=False))
    varied = SteeringCourse(split, settings)
    chosen = plain.batches.chosen(0)
    pairs = []
    for subject, course in ((DRIVE, plain), (VARIED, varied)):
        row = Row(TRAINING, subject, "", CACHE, f"{INPUT_WIDTH}x{INPUT_HEIGHT}")
        pairs.append(long_stage(row, _from_cache(course), len(chosen)))
    first = probe(shares[0].video)
    drives = _as_drives(shares, plain.samples.angle_deg, chosen)
    for reader, epoch in _straightforward(drives, settings.batch).items():
        row = Row(TRAINING, STRAIGHTFORWARD, "", reader, f"{first.width}x{first.height}")
        pairs.append(long_stage(row, epoch, len(chosen)))
    facts = TrainingFacts(
        videos=tuple(str(share.video) for share in shares),
        frames_decoded=sum(share.frames for share in shares),
        frames_trained=len(chosen),
        batch=settings.batch,
    )
    return TrainingBench(pairs, facts)


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """What is used of one recording: its first `frames` frames, and `part`, the cached ones."""

    video: Path
    frames: int
    part: Part


def _shares(recordings: Sequence[Recording], cache: Path, progress: Progress) -> list[_Share]:
    from drive.steering.cache import open_cached
    from drive.steering.split import Part
    from drive.video.probe import probe

    for recording in recordings:
        if recording.images:
            raise InputError(
                f"--recording must be videos; got {recording.path}, a folder of images"
            )
    found: list[_Share] = []
    left = FRAMES
    for recording in recordings:
        if left <= 0:
            break
        fps = probe(recording.path).average_fps or FRAMES_A_SECOND
        stride = max(1, round(fps / FRAMES_A_SECOND))
        drive = open_cached(recording, cache, stride=stride, progress=progress)
        frames = min(left, int(drive.frame_index[-1]) + 1)
        rows = np.flatnonzero(drive.frame_index < frames)
        if len(rows):
            found.append(_Share(recording.path, frames, Part(drive, rows)))
            left -= frames
    if not found:
        raise InputError(
            f"{recordings[0].path}: at least one of the first {FRAMES} frames must have an angle"
        )
    return found


def _as_drives(
    shares: Sequence[_Share], angle_deg: FloatArray, chosen: IntArray
) -> list[tuple[Path, dict[int, float], int]]:
    """Return path, angles by frame number, and number of frames to read of each video."""
    owner = np.repeat(np.arange(len(shares)), [len(share.part) for share in shares])
    frame = np.concatenate([share.part.recording.frame_index[share.part.rows] for share in shares])
    drives = [(share.video, dict[int, float](), share.frames) for share in shares]
    for position in chosen:
        angles = drives[owner[position]][1]
        angles[int(frame[position])] = float(angle_deg[position])
    return drives


def _from_cache(course: SteeringCourse) -> Callable[[], object]:
    from drive.training.fit import train_epoch

    model = course.compiled(frozen=False)
    rates = [course.rate(step) for step in range(len(course.batches))]
    return lambda: train_epoch(model, course.batches.epoch(0), rates)


def _straightforward(
    drives: list[tuple[Path, dict[int, float], int]], batch: int
) -> dict[str, Callable[[], object]]:
    """Return the straightforward epoch by reader; empty if `benchmarks` is not installed."""
    try:
        from benchmarks import straightforward
    except ImportError:
        return {}

    def epoch_with(reader: str) -> Callable[[], object]:
        model = straightforward.build_pilotnet()
        return lambda: straightforward.train_epoch(model, drives, batch, reader)

    return {reader: epoch_with(reader) for reader in READERS}
