"""`augmented_views.png` of a training: its frames as seen from elsewhere, and their labels."""

from __future__ import annotations

from pathlib import Path

from drive.drawing.view_sheet import ViewCell, ViewGroup, ViewRow, write_view_sheet
from drive.results.names import AUGMENTED_VIEWS
from drive.results.run_folder import RunFolder
from drive.steering.augment import Move
from drive.steering.curvature import CurvatureCar
from drive.steering.dataset import Samples
from drive.steering.example_views import DRAWS, example_frames, shown_moves
from drive.steering.split import Split
from drive.steering.training_settings import TrainingSettings

NOTE = (
    "Under each image the angle to learn: L left, R right, {unit}. The line is the path that it "
    "drives, to the point of the recorded path that it aims at to be back in about {return_s:g} s."
)


def write_augmented_views(
    split: Split, settings: TrainingSettings, folder: RunFolder
) -> Path | None:
    """Write the sheet into the folder of the run; None if no camera's view is known."""
    frames = example_frames(Samples(split.training), settings)
    if not frames:
        return None
    moves = [_words(move) for move in shown_moves(settings)]
    groups = [
        ViewGroup("as recorded", [""]),
        ViewGroup("the camera moved, with the corrected angle", moves),
        ViewGroup("random variations, as the training has them", [""] * DRAWS),
    ]
    rows = [
        ViewRow(
            f"{frame.name}, frame {frame.frame}",
            [
                ViewCell(view.image, view.angle_deg, view.path)
                for view in (frame.recorded, *frame.moved, *frame.drawn)
            ],
        )
        for frame in frames
    ]
    curved = isinstance(split.training[0].recording.car, CurvatureCar)
    unit = "the curvature in degrees of the training's car" if curved else "degrees as recorded"
    path = folder.file(AUGMENTED_VIEWS)
    note = NOTE.format(unit=unit, return_s=settings.return_s)
    write_view_sheet(path, "Training frames and their augmented views", note, groups, rows)
    return path


def _words(move: Move) -> str:
    if move.yaw_deg:
        return f"turned {abs(move.yaw_deg):g}\N{DEGREE SIGN} {_side(move.yaw_deg)}"
    return f"{abs(move.shift_m):g} m further {_side(move.shift_m)}"


def _side(number: float) -> str:
    return "right" if number > 0 else "left"
