"""Side cameras: paired by frame number, taken where they are nearest, never to choose or judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.recordings.camera import Camera, View
from drive.recordings.recording import Recording, open_recordings
from drive.recordings.vehicle import corrected_angle
from drive.steering import dataset
from drive.steering.augment import Move
from drive.steering.cache import CachedRecording, open_cached
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.preprocess import preprocess
from drive.steering.side_cameras import SideCamera, open_sides, side_recordings
from drive.steering.split import Part
from drive.steering.state import fingerprint
from drive.steering.training_settings import TrainingSettings
from drive.video.reader import read_frames

Maker = Callable[..., Path]
MakeDrive = Callable[..., CachedRecording]

FRONT, LEFT, RIGHT = 100, 10, 200
COLOUR_OF = {0.0: FRONT, -0.5: LEFT, 0.5: RIGHT}


def the_recording(folder: Path) -> Recording:
    (recording,) = open_recordings([folder])
    return recording


def three_cameras(make_drive: MakeDrive, missing: tuple[int, ...] = ()) -> CachedRecording:
    """A drive of one colour a camera; the right camera lacks the frames `missing`."""
    plain = replace(make_drive(angles=np.linspace(-4, 4, 40)), view=Camera().view(200, 66))

    def of(colour: int) -> CachedRecording:
        return replace(plain, images=np.full_like(plain.images, colour))

    rows = np.arange(40)
    cut = np.where(np.isin(rows, missing), -1, rows)
    path = Path("x")
    return replace(
        of(FRONT),
        sides=(
            SideCamera("left", -0.5, path, of(LEFT), rows),
            SideCamera("right", 0.5, path, of(RIGHT), cut),
        ),
    )


def samples_of(drive: CachedRecording) -> Samples:
    return Samples([Part(drive, np.arange(len(drive)))])


def opener(cache: Path) -> Callable[[Recording, str], CachedRecording]:
    return lambda recording, side: open_cached(recording, cache, camera=side)


def led_back(drive: CachedRecording, angle: float, shift_m: float, yaw_deg: float) -> float:
    return corrected_angle(angle, shift_m, yaw_deg, drive.car.speed_mps, drive.car, 2.0)


def test_unvaried_pictures_come_from_all_cameras_with_the_angle_that_leads_back(
    make_drive: MakeDrive,
) -> None:
    drive = three_cameras(make_drive)
    batches = TrainingBatches(
        samples_of(drive), TrainingSettings(batch=8, seed=3, balance=False, augment=False)
    )
    colours = []
    for number, batch in enumerate(batches.epoch(0)):
        recorded = drive.angle_deg[batches.chosen(0)[number * 8 : number * 8 + 8]]
        for image, angle, before in zip(batch.images, batch.angle_deg, recorded, strict=True):
            colours.append(int(image[0, 0, 0]))
            shift_m = next(m for m, colour in COLOUR_OF.items() if colour == colours[-1])
            assert angle == pytest.approx(led_back(drive, before, shift_m, 0), abs=1e-5)
    assert set(colours) == {FRONT, LEFT, RIGHT}


@pytest.mark.parametrize(("shift_m", "taken_m"), [(0.2, 0.0), (0.8, 0.5), (-0.3, -0.5)])
def test_a_move_starts_from_the_nearest_camera(
    make_drive: MakeDrive, monkeypatch: pytest.MonkeyPatch, shift_m: float, taken_m: float
) -> None:
    drive, move = three_cameras(make_drive), Move(shift_m, 1.5)
    samples = samples_of(drive)
    seen = samples.batch(np.array([7]), [move])
    assert seen.images[0, 0, 0, 0] == COLOUR_OF[taken_m]
    (viewpoint,) = samples.viewpoints(np.array([7]), [move]) or []
    assert viewpoint.offset_m == taken_m
    redrawn: list[Move] = []
    monkeypatch.setattr(dataset, "random_move", lambda *_: move)

    def note(image: np.ndarray, view: View, by: Move, *_: object) -> np.ndarray:
        redrawn.append(by)
        return image

    monkeypatch.setattr("drive.steering.augment.redraw", note)
    batches = TrainingBatches(
        samples, TrainingSettings(batch=40, seed=3, balance=False, mirror=False)
    )
    (batch,) = batches.epoch(0)
    assert {by.yaw_deg for by in redrawn} == {1.5}
    assert [by.shift_m for by in redrawn] == pytest.approx([shift_m - taken_m] * 40)
    recorded = drive.angle_deg[batches.chosen(0)]
    expected = [led_back(drive, float(angle), shift_m, 1.5) for angle in recorded]
    assert batch.angle_deg.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_frame_that_a_camera_lacks_is_seen_by_the_next_nearest(make_drive: MakeDrive) -> None:
    samples = samples_of(three_cameras(make_drive, missing=(4,)))
    moves = [Move(0.7), Move(0.7)]
    assert samples.batch(np.array([4, 5]), moves).images[:, 0, 0, 0].tolist() == [FRONT, RIGHT]
    assert samples.offsets_m(4) == [0.0, -0.5]


def test_seed_and_epoch_decide_which_camera(make_drive: MakeDrive) -> None:
    samples = samples_of(three_cameras(make_drive))

    def epoch(number: int) -> np.ndarray:
        batches = TrainingBatches(samples, TrainingSettings(batch=16, seed=1))
        return np.concatenate([batch.images for batch in batches.epoch(number)])

    assert np.array_equal(epoch(2), epoch(2))
    assert not np.array_equal(epoch(2), epoch(3))


def test_validation_sees_the_front_camera_alone(make_drive: MakeDrive) -> None:
    drive = three_cameras(make_drive)
    (batch,) = samples_of(drive).plain_batches()
    assert np.unique(batch.images).tolist() == [FRONT]
    assert batch.angle_deg.tolist() == drive.angle_deg.tolist()


def test_side_videos_are_paired_by_frame_number(
    make_recording: Maker, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_recording(angles=[0, 1, float("nan"), *range(3, 12)])
    make_video("drive/epoch01_left.mkv", frames=12, size=(320, 160))
    make_video("drive/epoch01_right.mp4", frames=9)
    recording = the_recording(folder)
    front = open_cached(recording, tmp_path / "cache")
    drive = open_sides(recording, front, opener(tmp_path / "cache"))
    left, right = drive.sides
    assert [(side.side, side.offset_m, side.missing) for side in drive.sides] == [
        ("left", -0.5, 0),
        ("right", 0.5, 3),
    ]
    assert (right.rows >= 0).tolist() == [True] * 8 + [False] * 3
    assert left.recording.frame_index[left.rows].tolist() == front.frame_index.tolist()
    assert left.recording.view != front.view  # of pictures of another size
    with read_frames(folder / "epoch01_left.mkv") as frames:
        expected = [preprocess(frame.image) for frame in frames]
    assert np.array_equal(left.recording.images[left.rows[2]], expected[3])
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_side_camera_that_cannot_be_read_is_told_and_left_out(
    make_recording: Maker, tmp_path: Path
) -> None:
    folder = make_recording()
    (folder / "epoch01_left.mp4").write_bytes(b"no video")
    recording = the_recording(folder)
    front, told = open_cached(recording, tmp_path / "cache"), []
    drive = open_sides(
        recording, front, opener(tmp_path / "cache"), on_error=lambda name, _: told.append(name)
    )
    assert drive.sides == ()
    assert told == ["drive/epoch01 (left)"]
    with pytest.raises(InputError):
        open_sides(recording, front, opener(tmp_path / "cache"))


def test_a_udacity_folder_has_its_side_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "udacity"
    (folder / "IMG").mkdir(parents=True)
    rows = []
    for row in range(3):
        names = [f"{side}_2016_12_01_13_30_48_{row}00.jpg" for side in ("center", "left", "right")]
        for name in names:
            cv2.imwrite(str(folder / "IMG" / name), np.full((80, 160, 3), 40 * row, np.uint8))
        rows.append(", ".join([*names[:2], "" if row == 1 else names[2], "0.1", "0", "0", "20"]))
    (folder / "IMG" / "left_2016_12_01_13_30_48_000.jpg").unlink()
    (folder / "driving_log.csv").write_text("\n".join(rows) + "\n")
    recording = the_recording(folder)
    front = open_cached(recording, tmp_path / "cache")
    left, right = open_sides(recording, front, opener(tmp_path / "cache")).sides
    assert [(side.side, side.rows.tolist()) for side in (left, right)] == [
        ("left", [-1, 0, 1]),
        ("right", [0, -1, 1]),
    ]
    assert (left.recording.frames_lost, right.recording.frames_lost) == (1, 1)
    assert (left.offset_m, right.offset_m) == (-0.8, 0.8)


def test_a_recording_without_side_cameras_has_none(make_recording: Maker) -> None:
    assert side_recordings(the_recording(make_recording())) == {}


def test_only_training_drives_get_their_side_cameras(
    make_recording: Maker,
    make_video: Callable[..., Path],
    tmp_path: Path,
    read_training: Callable[..., Any],
) -> None:
    for epoch in ("epoch01", "epoch02"):
        make_recording("two", epoch=epoch, angles=np.arange(8))
        make_video(f"two/{epoch}_left.mp4", frames=6)
    folder = tmp_path / "two"
    found = read_training(folder)
    split, counts = found.split, found.run.record.counts
    assert [len(part.recording.sides) for part in split.training] == [1]
    assert [len(part.recording.sides) for part in split.validation] == [0]
    assert [len(part.recording.sides) for part in split.final] == [1, 1]
    assert counts["side_cameras"] == {"two/epoch01 (left)": 6, "two/epoch02 (left)": 6}
    assert counts["side_frames_missing"] == 4
    assert "frames to train on without a side image: 2" in found.reporter.warnings[-1]
    without = read_training(folder, "--no-side-cameras").split
    assert [len(part.recording.sides) for part in without.training] == [0]
    assert fingerprint(without) != fingerprint(split)


def test_side_cameras_that_are_insisted_on_must_be_there(
    make_recording: Maker, tmp_path: Path, read_training: Callable[..., Any]
) -> None:
    for epoch in ("epoch01", "epoch02"):
        make_recording("two", epoch=epoch, angles=np.arange(8))
    with pytest.raises(InputError, match="NAME_left"):
        read_training(tmp_path / "two", "--side-cameras")
    (part,) = read_training(tmp_path / "two").split.training
    assert not part.recording.sides


def test_side_cameras_are_not_both_required_and_unused(capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--side-cameras", "--no-side-cameras"]
    for options in (both, both[::-1]):
        assert main(["train-steering", "absent", *options]) == 2
        assert f"{options[1]} does not go with {options[0]}" in capsys.readouterr().err
