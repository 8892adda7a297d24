"""Examples of training frames: as recorded, from moved cameras, and varied at random."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from drive.recordings.camera import move_camera
from drive.recordings.vehicle import aim_distance_m
from drive.steering.augment import Move, Viewpoint, angle_after
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.preprocess import INPUT_WIDTH
from drive.steering.training_settings import TrainingSettings

QUANTILES = (0.02, 0.5, 0.98, 0.2, 0.8)
"""Quantiles of the angles of the examples: sharp left, straight, sharp right, left, right."""

MOVES = (Move(-1.0), Move(-0.5), Move(0.5), Move(1.0), Move(0.0, -4.0), Move(0.0, 4.0))
DRAWS = 4

NEAREST_M, STEPS = 2.5, 40
"""Start of the drawn path of an angle, and its number of points."""


@dataclass(frozen=True, slots=True, eq=False)
class ExampleView:
    """One image of a frame, (66, 200, 3) uint8 RGB, and its label.

    `path` (N, 2) is in pixels: what the angle drives, to the point of the recorded path that it
    aims at; None if unknown.
    """

    image: np.ndarray
    angle_deg: float
    path: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExampleFrame:
    """A training frame as recorded, moved by each of `shown_moves`, and varied at random."""

    name: str
    frame: int
    recorded: ExampleView
    moved: list[ExampleView]
    drawn: list[ExampleView]


def shown_moves(settings: TrainingSettings) -> tuple[Move, ...]:
    """Return the moves that are shown: none if the training moves no cameras."""
    return MOVES if settings.augment and settings.viewpoints else ()


def example_frames(samples: Samples, settings: TrainingSettings) -> list[ExampleFrame]:
    """Choose the frames and vary them; empty if the view of a camera is not known."""
    positions = chosen_positions(samples.angle_deg)
    drawn, moves = _drawn(samples, settings, positions), shown_moves(settings)
    frames = []
    for index, position in enumerate(positions):
        one = np.array([position])
        viewpoints = samples.viewpoints(one)
        if viewpoints is None:
            return []
        recording, row = samples.place(position)
        frames.append(
            ExampleFrame(
                recording.name,
                int(recording.frame_index[row]),
                _moved(samples, one, Move(), settings.return_s),
                [_moved(samples, one, move, settings.return_s) for move in moves],
                [draws[index] for draws in drawn],
            )
        )
    return frames


def chosen_positions(angle_deg: np.ndarray) -> np.ndarray:
    """Return positions of the examples: one for each of `QUANTILES`, each from another fifth."""
    wanted = np.quantile(angle_deg, QUANTILES)
    blocks = np.array_split(np.arange(len(angle_deg)), len(QUANTILES))
    pairs = zip(blocks, wanted, strict=True)
    return np.array([b[np.argmin(np.abs(angle_deg[b] - w))] for b, w in pairs if len(b)])


def way(viewpoint: Viewpoint, angle_deg: float, return_s: float) -> np.ndarray:
    """Return (N, 2) pixels of the circle that an angle drives, to where it meets the path."""
    aim_m = aim_distance_m(viewpoint.speed_mps, return_s, viewpoint.car.wheelbase_m)
    length = np.linspace(min(NEAREST_M, aim_m / 2), aim_m, STEPS)
    turned = length * float(viewpoint.car.curvature(angle_deg, viewpoint.speed_mps))
    ahead = length * np.sinc(turned / np.pi)
    right = length * np.sinc(turned / 2 / np.pi) * np.sin(turned / 2)
    x, y = viewpoint.view.ground(ahead[ahead > 0], right[ahead > 0])
    return np.stack([x, y], axis=1)


def _moved(samples: Samples, one: np.ndarray, move: Move, return_s: float) -> ExampleView:
    """Return a frame from the camera nearest to a position, moved the rest of the way."""
    (viewpoint,) = samples.viewpoints(one, [move]) or []
    (image,) = samples.batch(one, [move], wide=True).images
    margin = (image.shape[1] - INPUT_WIDTH) // 2
    (recorded_deg,) = samples.angle_deg[one]
    angle_deg = float(recorded_deg)
    if move != Move():
        angle_deg = angle_after(move, angle_deg, viewpoint, return_s)
        rest_m = move.shift_m - viewpoint.offset_m
        image = move_camera(image, viewpoint.view.widened(margin), rest_m, move.yaw_deg)
    seen = _as_rgb(image[:, margin : margin + INPUT_WIDTH])
    return ExampleView(seen, angle_deg, way(viewpoint, angle_deg, return_s))


def _drawn(
    samples: Samples, settings: TrainingSettings, positions: np.ndarray
) -> list[list[ExampleView]]:
    batches = TrainingBatches(samples, settings)
    made = [batches.made(draw, 0, positions) for draw in range(DRAWS)]
    return [
        [
            ExampleView(_as_rgb(image), float(angle))
            for image, angle in zip(batch.images, batch.angle_deg, strict=True)
        ]
        for batch in made
    ]


def _as_rgb(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_YUV2RGB)
