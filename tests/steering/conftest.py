"""Tiny drives for the steering tests: pictures whose road leans the way the wheel turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.steering.cache import CachedDrive

HEIGHT, WIDTH = 66, 200


def road_picture(angle_deg: float) -> np.ndarray:
    """A dark picture with a bright line from the bottom's middle, leaning by the angle."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    image[:, :, 0] = 40
    top = int(WIDTH / 2 + 8 * angle_deg)
    cv2.line(image, (WIDTH // 2, HEIGHT), (top, 0), (220, 128, 128), 5)
    return image


@pytest.fixture(scope="session")
def make_drive() -> Callable[..., CachedDrive]:
    """A maker of drives in memory: `make_drive("town/epoch01", angles, fps=10)`."""

    def make(
        name: str = "drive/epoch01", angles: Sequence[float] | None = None, fps: float = 10.0
    ) -> CachedDrive:
        angle_deg = np.array(np.linspace(-5, 5, 60) if angles is None else angles, np.float32)
        return CachedDrive(
            name=name,
            digest=f"digest of {name}",
            images=np.stack([road_picture(angle) for angle in angle_deg]),
            angle_deg=angle_deg,
            time_s=np.arange(len(angle_deg)) / fps,
            frame_index=np.arange(len(angle_deg)),
            frames_lost=0,
        )

    return make


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder for the results of a training."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
