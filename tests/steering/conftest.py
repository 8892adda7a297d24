"""Tiny drives for the steering tests: pictures whose road leans the way the wheel turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.cli.parser import build, make_parser, parse
from drive.core.reporter import KeepingReporter
from drive.recordings.vehicle import Car
from drive.steering.cache import CachedRecording
from drive.steering.split import Split
from drive.steering.training_data import TrainingData
from drive.steering.training_split import read_split
from drive.tasks._run import Run
from drive.tasks.train_steering import TrainSteeringConfig

HEIGHT, WIDTH = 66, 200


@dataclass(frozen=True)
class ReadTraining:
    """What `train-steering` reads of recordings, and what it reports."""

    data: TrainingData
    split: Split
    run: Run
    reporter: KeepingReporter


@pytest.fixture
def read_training(tmp_path: Path) -> Callable[..., ReadTraining]:
    """A reader of training data: `read_training(folder, "--validation", "0.3")`."""

    def read(folder: Path, *options: str, cache: Path = tmp_path / "cache") -> ReadTraining:
        parser = make_parser("train-steering", TrainSteeringConfig)
        given = parse(parser, TrainSteeringConfig, [str(folder), *options])
        config = build(TrainSteeringConfig, given)
        data = TrainingData.from_options(config, config.steering, config.overrides())
        reporter = KeepingReporter()
        run = Run("train-steering", config, reporter)
        return ReadTraining(data, read_split(data, str(cache), run), run, reporter)

    return read


def road_picture(angle_deg: float) -> np.ndarray:
    """A dark picture with a bright line from the bottom's middle, leaning by the angle."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    image[:, :, 0] = 40
    top = int(WIDTH / 2 + 8 * angle_deg)
    cv2.line(image, (WIDTH // 2, HEIGHT), (top, 0), (220, 128, 128), 5)
    return image


@pytest.fixture(scope="session")
def make_drive() -> Callable[..., CachedRecording]:
    """A maker of drives in memory: `make_drive("town/epoch01", angles, fps=10)`."""

    def make(
        name: str = "drive/epoch01", angles: Sequence[float] | None = None, fps: float = 10.0
    ) -> CachedRecording:
        angle_deg = np.array(np.linspace(-5, 5, 60) if angles is None else angles, np.float32)
        return CachedRecording(
            name=name,
            digest=f"digest of {name}",
            images=np.stack([road_picture(angle) for angle in angle_deg]),
            angle_deg=angle_deg,
            time_s=np.arange(len(angle_deg)) / fps,
            frame_index=np.arange(len(angle_deg)),
            frames_lost=0,
            speed_mps=np.full(len(angle_deg), Car().speed_mps),
        )

    return make


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder for the results of a training."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
