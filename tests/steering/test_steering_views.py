"""The sheet of augmented views: which frames, moved where, with which labels, how it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.core.errors import EncodeError
from drive.drawing.view_sheet import ViewCell, ViewGroup, ViewRow, view_sheet, write_view_sheet
from drive.recordings.camera import Camera
from drive.recordings.vehicle import aim_distance_m, corrected_angle
from drive.results.run_folder import RunFolder
from drive.steering.cache import CachedRecording
from drive.steering.dataset import Samples
from drive.steering.example_views import DRAWS, MOVES, chosen_positions, example_frames
from drive.steering.side_cameras import SideCamera
from drive.steering.split import Part, Split
from drive.steering.target import as_curvature
from drive.steering.training_settings import TrainingSettings
from drive.tasks._view_sheet import write_augmented_views

MakeDrive = Callable[..., CachedRecording]


@pytest.fixture
def drive(make_drive: MakeDrive) -> CachedRecording:
    """A drive through bends; its view is that of the whole small picture."""
    made = make_drive("pass/epoch01", 5 * np.sin(np.arange(200) / 9))
    return replace(made, view=Camera(horizon=0.4).view(200, 66))


def width_of(path: Path) -> int:
    image = cv2.imread(str(path))
    assert image is not None
    return image.shape[1]


def parts_of(drive: CachedRecording) -> list[Part]:
    return [Part(drive, np.arange(len(drive)))]


def test_the_frames_are_spread_over_the_data_and_the_angles() -> None:
    angle_deg = np.random.default_rng(1).normal(0, 3, 1000)
    positions = chosen_positions(angle_deg)
    assert [int(position // 200) for position in positions] == [0, 1, 2, 3, 4]
    sharp_left, straight, sharp_right, left, right = angle_deg[positions]
    assert sharp_left < -4 < left < -1 < straight < 1 < right < 4 < sharp_right


def test_few_frames_give_as_many_examples() -> None:
    assert sorted(chosen_positions(np.array([1.0, -1.0])).tolist()) == [0, 1]


def test_each_move_has_its_corrected_angle(drive: CachedRecording) -> None:
    settings = TrainingSettings(return_s=3.0)
    frames = example_frames(Samples(parts_of(drive)), settings)
    assert len(frames) == 5
    for frame in frames:
        recorded = float(drive.angle_deg[frame.frame])
        assert frame.recorded.angle_deg == pytest.approx(recorded)
        expected = [
            corrected_angle(recorded, move.shift_m, move.yaw_deg, 20.0, drive.car, 3.0)
            for move in MOVES
        ]
        assert [view.angle_deg for view in frame.moved] == pytest.approx(expected)
        assert len(frame.drawn) == DRAWS


def test_pictures_are_rgb(drive: CachedRecording) -> None:
    frame = example_frames(Samples(parts_of(drive)), TrainingSettings())[0]
    grey = frame.recorded.image[5, 5].astype(int)
    assert np.ptp(grey) <= 2
    expected = cv2.cvtColor(drive.images[frame.frame], cv2.COLOR_YUV2RGB)
    assert np.array_equal(frame.recorded.image, expected)
    assert not any(np.array_equal(view.image, expected) for view in frame.moved)


def test_the_way_of_every_view_leads_to_the_same_point_of_the_road(drive: CachedRecording) -> None:
    """Its end, seen from where the camera was put, is where the recorded angle leads too."""
    frame = example_frames(Samples(parts_of(drive)), TrainingSettings())[0]
    assert drive.view is not None
    aim_m = aim_distance_m(20.0, 2.0)

    def end_m(path: np.ndarray | None) -> np.ndarray:
        assert path is not None
        assert drive.view is not None
        x, y = path[-1] + 0.5
        ahead = drive.view.camera_m * drive.view.focal_y / (y - drive.view.horizon_y)
        return np.array([ahead, ahead * (x - drive.view.centre_x) / drive.view.focal_x])

    recorded = end_m(frame.recorded.path)
    assert np.hypot(*recorded) == pytest.approx(aim_m, rel=0.02)
    for move, view in zip(MOVES, frame.moved, strict=True):
        ahead, right = end_m(view.path)
        turn = np.radians(move.yaw_deg)
        back = (
            ahead * np.cos(turn) - right * np.sin(turn),
            ahead * np.sin(turn) + right * np.cos(turn),
        )
        assert back[0] == pytest.approx(recorded[0], abs=0.5)
        assert back[1] + move.shift_m == pytest.approx(recorded[1], abs=0.25)


def test_a_side_camera_shows_its_own_picture(drive: CachedRecording) -> None:
    beside = replace(drive, images=np.full_like(drive.images, 200))
    rows = np.arange(len(drive))
    both = replace(drive, sides=(SideCamera("right", 0.5, Path("x"), beside, rows),))
    frame = example_frames(Samples(parts_of(both)), TrainingSettings())[0]
    means = [view.image.mean() for view in frame.moved]
    assert MOVES[2].shift_m == 0.5
    assert [mean > 150 for mean in means] == [False, False, True, True, False, False]


def test_a_training_without_moves_shows_none(drive: CachedRecording, tmp_path: Path) -> None:
    settings = TrainingSettings(viewpoints=False)
    frames = example_frames(Samples(parts_of(drive)), settings)
    assert [frame.moved for frame in frames] == [[]] * 5
    path = write_augmented_views(Split(parts_of(drive), []), settings, RunFolder(tmp_path, False))
    few = width_of(path)
    path = write_augmented_views(
        Split(parts_of(drive), []), TrainingSettings(), RunFolder(tmp_path, True)
    )
    assert width_of(path) > 2 * few


def test_a_curvature_training_has_its_sheet_too(drive: CachedRecording, tmp_path: Path) -> None:
    split = as_curvature(Split(parts_of(drive), []))
    path = write_augmented_views(split, TrainingSettings(), RunFolder(tmp_path, False))
    assert path.name == "augmented_views.png"


def test_without_a_known_view_there_is_no_sheet(make_drive: MakeDrive, tmp_path: Path) -> None:
    split = Split(parts_of(make_drive()), [])
    assert write_augmented_views(split, TrainingSettings(), RunFolder(tmp_path, False)) is None
    assert not list(tmp_path.iterdir())


def cell(angle_deg: float, path: np.ndarray | None = None) -> ViewCell:
    return ViewCell(np.full((66, 200, 3), 90, np.uint8), angle_deg, path)


def orange(sheet: np.ndarray) -> np.ndarray:
    """(x,) columns of the pixels in the colour of gauges and ways."""
    found = np.abs(sheet.astype(int) - (230, 159, 0)).sum(axis=2) < 30
    return np.flatnonzero(found.any(axis=0))


def test_the_gauge_points_to_the_side_that_is_steered_to() -> None:
    groups = [ViewGroup("one", [""])]
    left, right = (
        orange(view_sheet("t", "n", groups, [ViewRow("r", [cell(angle)])])) for angle in (-3, 3)
    )
    assert left.max() - right.min() < 0.2 * (right.max() - left.min())
    assert left.mean() < right.mean()


def test_the_way_is_drawn_onto_the_picture() -> None:
    groups = [ViewGroup("one", [""])]
    path = np.array([[180.0, 60.0], [185.0, 20.0]])
    plain = view_sheet("t", "n", groups, [ViewRow("r", [cell(0.0)])])
    drawn = view_sheet("t", "n", groups, [ViewRow("r", [cell(0.0, path)])])
    changed = np.flatnonzero((plain != drawn).any(axis=(0, 2)))
    assert changed.min() > 10 + 170 * 1.1
    assert orange(drawn).max() > 10 + 180 * 1.1


def test_a_sheet_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    groups, rows = [ViewGroup("one", [""])], [ViewRow("r", [cell(0.0)])]
    (tmp_path / "nowhere").write_text("a file")
    with pytest.raises(EncodeError, match="nowhere"):
        write_view_sheet(tmp_path / "nowhere" / "sheet.png", "t", "n", groups, rows)
