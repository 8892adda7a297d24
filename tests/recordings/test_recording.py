"""Recordings: the right row for every frame, units, lag, Udacity folders, errors that point."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.core.errors import InputError, MissingFileError
from drive.recordings.recording import open_recordings
from drive.recordings.steering_csv import read_steering_csv
from tests.conftest import VideoMaker, marked_picture, read_mark

MakeRecording = Callable[..., Path]


def test_every_frame_meets_its_own_row(make_recording: MakeRecording) -> None:
    angles = [index * 0.5 - 3 for index in range(25)]
    (recording,) = open_recordings([make_recording("alpine", angles)])
    assert recording.name == "alpine/epoch01"
    pairs = [(read_mark(s.frame.image), s.angle_deg) for s in recording.samples()]
    assert pairs == [(index, pytest.approx(angle)) for index, angle in enumerate(angles)]
    assert recording.report.paired == 25


def test_rows_in_any_order_and_with_gaps(make_recording: MakeRecording) -> None:
    folder = make_recording("gaps", frames=10)
    csv = folder / "epoch01_steering.csv"
    csv.write_text("note,wheel,frame_index\nx,7,7\ny,2,2\nz,nan,4\nw,99,55\nv,-2,2\n")
    (recording,) = open_recordings([folder])
    assert [(s.frame.index, s.angle_deg) for s in recording.samples()] == [(2, 2.0), (7, 7.0)]
    report = recording.report
    assert report.frames_without_row == 7
    assert report.rows_without_angle == 1
    assert report.rows_without_frame == 1


@pytest.mark.parametrize("frame", ["frame", "frame_index"])
@pytest.mark.parametrize("angle", ["wheel", "angle", "steering"])
@pytest.mark.parametrize("time", ["ts_micro", "time_s"])
def test_every_column_name(tmp_path: Path, frame: str, angle: str, time: str) -> None:
    path = tmp_path / "drive_steering.csv"
    step = 50_000 if time == "ts_micro" else 0.05
    path.write_text(f"{angle},extra,{frame},{time}\n1.5,a,0,{step * 20}\n-2,b,1,{step * 21}\n")
    rows = read_steering_csv(path)
    assert rows.angle.tolist() == [1.5, -2]
    assert rows.frame_index.tolist() == [0, 1]
    assert rows.time_s is not None
    assert rows.time_s.tolist() == pytest.approx([0, 0.05])


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ('unit = "radians"', math.degrees(0.5)),
        ('unit = "normalised"\nfull_scale_deg = 20.0', 10.0),
        ('positive = "left"', -0.5),
        ("[camera]\nheight_m = 1.4", 0.5),
    ],
)
def test_units_and_signs(make_recording: MakeRecording, toml: str, expected: float) -> None:
    folder = make_recording("units", [0.5] * 5)
    (folder / "recording.toml").write_text(toml + "\n")
    (recording,) = open_recordings([folder])
    assert recording.angle_deg.tolist() == pytest.approx([expected] * 5)


def test_options_stand_in_for_the_toml(make_recording: MakeRecording) -> None:
    overrides = {"unit": "normalised", "positive": "left", "full_scale_deg": 10.0, "lag_s": None}
    (recording,) = open_recordings([make_recording("o", [0.5] * 4)], overrides=overrides)
    assert recording.angle_deg.tolist() == [-5.0] * 4


def test_lag_moves_the_angles_earlier(make_recording: MakeRecording) -> None:
    folder = make_recording("lag", list(range(20)))
    (folder / "recording.toml").write_text("lag_s = 0.1\n")
    (recording,) = open_recordings([folder])
    assert recording.angle_deg[:18].tolist() == pytest.approx(range(2, 20))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("frame,throttle\n0,1\n", "steering angle"),
        ("frame,wheel\n", "no rows"),
        ("frame,wheel\n0,1\n1,left\n", r"row 3: wheel must be a number; got 'left'"),
        ("frame,wheel\n0.5,1\n", r"row 2: frame must be a whole"),
        ("frame,wheel\n0,1\n99999999999999999999,1\n", r"row 3: frame must.*'9{20}'"),
        ("frame,wheel\n0,1\n1,2,3\n", r"CSV: Expected 2 fields in line 3, saw 3$"),
        (",".join(f"c{n}" for n in range(99)) + "\n1\n", r"c9 and 89 more$"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("frame\0,wheel\n0,1\n", "not UTF-8 text"),
        (b"\xff\xd8\xff\xe0 a picture", "not UTF-8 text"),
        (b"\xff\xfe" + "frame,wheel\n0,1\n".encode("utf-16-le"), "not UTF-8 text"),
    ],
)
def test_wrong_csv_names_file_row_and_value(
    make_recording: MakeRecording, content: str | bytes, message: str
) -> None:
    folder = make_recording("wrong")
    content = content if isinstance(content, bytes) else content.encode()
    (folder / "epoch01_steering.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        open_recordings([folder])
    assert "epoch01_steering.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_in_the_place_of_the_csv_is_named(make_recording: MakeRecording) -> None:
    folder = make_recording("odd")
    (folder / "epoch01_steering.csv").unlink()
    (folder / "epoch01_steering.csv").mkdir()
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        open_recordings([folder])


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"\x89PNG\0", "not UTF-8")])
def test_a_wrong_log_of_the_simulator_is_named(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "driving_log.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"driving_log\.csv.*{message}"):
        open_recordings([tmp_path])


def test_what_is_missing_is_named(make_recording: MakeRecording, tmp_path: Path) -> None:
    folder = make_recording("lone")
    (folder / "epoch01_steering.csv").unlink()
    with pytest.raises(MissingFileError, match=r"epoch01_steering\.csv"):
        open_recordings([folder])
    with pytest.raises(MissingFileError, match="nowhere"):
        open_recordings([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no recording"):
        open_recordings([tmp_path / "empty"])


@pytest.mark.parametrize("toml", ["unti = 'degrees'", "unit = 'grad'", "lag_s = 'x'", "= 3"])
def test_wrong_toml_is_refused(make_recording: MakeRecording, toml: str) -> None:
    folder = make_recording("toml")
    (folder / "recording.toml").write_text(toml)
    with pytest.raises(InputError, match=r"recording\.toml"):
        open_recordings([folder])


def test_a_csv_can_be_named(make_video: VideoMaker, tmp_path: Path) -> None:
    video = make_video("clip.mp4", frames=4)
    csv = tmp_path / "other.csv"
    csv.write_text("angle\n1\n2\n3\n4\n")
    (recording,) = open_recordings([video], steering_csv=csv)
    assert [s.angle_deg for s in recording.samples()] == [1, 2, 3, 4]


def test_udacity_folders(tmp_path: Path) -> None:
    folder = tmp_path / "track1"
    (folder / "IMG").mkdir(parents=True)
    rows = []
    for index, steering in enumerate([0.0, 0.5, -1.0]):
        name = f"center_2016_12_01_13_30_48_{index * 100:03d}.jpg"
        cv2.imwrite(str(folder / "IMG" / name), marked_picture(index, 320, 160))
        rows.append(f"C:\\sim\\IMG\\{name}, left.jpg, right.jpg, {steering}, 0.1, 0, 22.1")
    (folder / "driving_log.csv").write_text("\n".join(rows) + "\n")
    (recording,) = open_recordings([tmp_path])
    samples = list(recording.samples())
    assert [sample.angle_deg for sample in samples] == [0, 12.5, -25]
    assert [read_mark(sample.frame.image) for sample in samples] == [0, 1, 2]
    assert [sample.frame.time_s for sample in samples] == pytest.approx([0, 0.1, 0.2])
    assert recording.speed_mps.tolist() == pytest.approx([22.1 * 0.44704] * 3)


def test_the_digest_follows_the_angles(make_recording: MakeRecording) -> None:
    folder = make_recording("digest", [1.0] * 5)
    before = open_recordings([folder])[0].digest
    assert open_recordings([folder])[0].digest == before
    csv = folder / "epoch01_steering.csv"
    csv.write_text(csv.read_text().replace("1.0", "2.0", 1))
    assert open_recordings([folder])[0].digest != before


def test_real_recordings_load_as_they_are(shared: Path) -> None:
    recordings = open_recordings([shared / "recordings"])
    names = [recording.name for recording in recordings]
    assert "deeptesla/epoch01" in names
    assert "udacity_sim/epoch01" in names
    assert len(names) == 8
    assert all(np.isfinite(recording.angle_deg).all() for recording in recordings)


@pytest.mark.parametrize("suffix", ["MOV", "mov", "ts", "mkv"])
def test_every_suffix_of_videos(make_video: VideoMaker, tmp_path: Path, suffix: str) -> None:
    make_video(f"drive_front.{suffix}", frames=4)
    (tmp_path / "drive_steering.csv").write_text("frame,wheel\n0,1\n1,2\n2,3\n3,4\n")
    (recording,) = open_recordings([tmp_path])
    pairs = [(read_mark(s.frame.image), s.angle_deg) for s in recording.samples()]
    assert pairs == [(0, 1), (1, 2), (2, 3), (3, 4)]


def udacity_folder(folder: Path, lines: list[str]) -> Path:
    """A folder of the simulator whose log has these lines after the names of three images."""
    (folder / "IMG").mkdir(parents=True)
    rows = []
    for index, line in enumerate(lines):
        name = f"center_2016_12_01_13_30_48_{index * 100:03d}.jpg"
        cv2.imwrite(str(folder / "IMG" / name), marked_picture(index, 320, 160))
        rows.append(f"/home/u/IMG/{name}, left.jpg, right.jpg{line}")
    (folder / "driving_log.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_udacity_log_with_decimal_commas(tmp_path: Path) -> None:
    lines = [", 0, 0, 0, 12,18", ", 0,05, 0,25, 0, 12", ", -1, 0,2, 0, 1,5E-05"]
    (recording,) = open_recordings([udacity_folder(tmp_path / "sim", lines)])
    assert recording.angle_deg.tolist() == pytest.approx([0, 1.25, -25])
    assert recording.speed is not None
    assert recording.speed.tolist() == pytest.approx([12.18, 12, 1.5e-5])


@pytest.mark.parametrize("lines", [[",0,0,0,12,18", ",0,05,0,25,0,12,19"], [",0,0,0,12,18"]])
def test_decimal_commas_without_spaces_are_named(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(InputError, match="numbers with a decimal point"):
        open_recordings([udacity_folder(tmp_path / "sim", lines)])


def test_a_udacity_log_without_its_images(tmp_path: Path) -> None:
    folder = udacity_folder(tmp_path / "sim", [", 0, 0, 0, 12.18"] * 3)
    for image in (folder / "IMG").iterdir():
        image.unlink()
    with pytest.raises(InputError, match="none of the 3 images of the recording exists"):
        open_recordings([folder])


@pytest.mark.parametrize("end", [",", ", "])
def test_a_comma_at_the_end_of_rows_moves_no_value(make_recording: MakeRecording, end: str) -> None:
    folder = make_recording("comma", frames=5)
    rows = "".join(f"{index / 2},{20 + index}{end}\n" for index in range(5))
    (folder / "epoch01_steering.csv").write_text(f"wheel,speed\n{rows}")
    (recording,) = open_recordings([folder])
    assert recording.angle_deg.tolist() == [0, 0.5, 1, 1.5, 2]
    assert recording.speed is not None
    assert recording.speed.tolist() == [20, 21, 22, 23, 24]


def test_values_without_a_name_are_refused(make_recording: MakeRecording) -> None:
    folder = make_recording("unnamed", frames=3)
    (folder / "epoch01_steering.csv").write_text("frame,wheel\n0,1,20\n1,2,20\n2,3,20\n")
    with pytest.raises(InputError, match=r"epoch01_steering.csv: .* more values than .* names"):
        open_recordings([folder])


def test_a_time_column_without_times_is_named(make_recording: MakeRecording) -> None:
    folder = make_recording("empty", frames=2)
    (folder / "epoch01_steering.csv").write_text('time_s,frame,wheel\n"",0,1\n"",1,2\n')
    with pytest.raises(InputError, match="the column time_s is empty; fill it or remove it"):
        open_recordings([folder])
