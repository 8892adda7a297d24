"""recording.toml: camera and car of a recording, options in their place, errors that point."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.cli.parser import build, make_parser, parse
from drive.core.errors import InputError
from drive.recordings.camera import Camera
from drive.recordings.excluded import read_marks
from drive.recordings.recording import Recording, open_recordings
from drive.recordings.recording_config import RecordingConfig, others_tables, read_config
from drive.recordings.vehicle import Car
from drive.tasks._options import RecordingOptions

MakeRecording = Callable[..., Path]

TOML = """
unit = "radians"

[camera]
height_m = 1.4
fov_deg = 100
horizon = 0.45
side_m = 0.8

[car]
wheelbase_m = 2.47
steering_ratio = 15
speed_mps = 12.5
speed_unit = "mph"

[[notes]]
of = "others"
"""
CAMERA = Camera(height_m=1.4, fov_deg=100, horizon=0.45, side_m=0.8)
CAR = Car(wheelbase_m=2.47, steering_ratio=15, speed_mps=12.5, speed_unit="mph")


def config_of(folder: Path, content: str) -> RecordingConfig:
    (folder / "recording.toml").write_text(content)
    return read_config(folder)


def test_the_tables_say_camera_and_car(tmp_path: Path) -> None:
    assert config_of(tmp_path, TOML) == RecordingConfig(unit="radians", camera=CAMERA, car=CAR)


def test_what_a_table_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    config = config_of(tmp_path, "[camera]\nheight_m = 2\n")
    assert config == RecordingConfig(camera=Camera(height_m=2))
    assert config.camera.horizon is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[camera]\nhight_m = 1.2", ["[camera]", "'hight_m'", "height_m"]),
        ("[camera]\nheight_m = 0", ["[camera]", "height_m", "0"]),
        ("[camera]\nheight_m = 'high'", ["height_m", "'high'"]),
        ("[camera]\nfov_deg = 180", ["fov_deg", "180"]),
        ("[camera]\nfov_deg = true", ["fov_deg", "true"]),
        ("[camera]\nhorizon = 180", ["horizon", "0 to 1"]),
        (f"lag_s = {'1' * 400}", ["lag_s", "got a whole number of hundreds of digits"]),
        (f"lag_s = {'1' * 5000}", ["has a whole number with too many digits"]),
        (f"lag_s = 0x{'f' * 5000}", ["lag_s", "a whole number of hundreds of digits"]),
        (f"lag_s = {'[' * 5000}", ["is nested too deeply"]),
        (f"unit = '{'x' * 500}'", [f"got '{'x' * 39}..."]),
        ("lag_s = 1979-05-27", ["lag_s", "got 1979-05-27"]),
        ("camera = [true, 07:32:00]", ["got [true, 07:32:00]"]),
        ("[camera]\nhorizon = nan", ["horizon", "nan"]),
        ("[camera]\nside_m = [1]", ["side_m", "[1]"]),
        ("camera = 3", ["camera", "table"]),
        ("[[camera]]\nheight_m = 1", ["camera", "one table"]),
        ("[car]\nwheelbase_m = -1", ["[car]", "wheelbase_m", "-1"]),
        ("[car]\nsteering_ratio = 0", ["steering_ratio", "0.1"]),
        ("[car]\nspeed_mps = inf", ["speed_mps", "inf"]),
        ("[car]\nspeed_unit = 'knots'", ["speed_unit", "km/h", "'knots'"]),
        ("[car]\ncolour = 'red'", ["[car]", "colour", "wheelbase_m"]),
        ("unit = ['degrees']", ["unit", "['degrees']"]),
        ("unti = 'degrees'", ["'unti'. Did you mean unit? Expected one of: unit, positive"]),
        ("[camra]\nheight_m = 1", ["unknown table 'camra'. Did you mean [camera]?"]),
        ("[cars]\nwheelbase_m = 2", ["'cars'. Did you mean [car]?"]),
        ("[Camera]\nheight_m = 1", ["'Camera'. Did you mean [camera]?"]),
        ("[[Bad]]\nstart_s = 1", ["'Bad'. Did you mean [[bad]]?"]),
        ("[camera]\nhorison = 0.4", ["'horison'. Did you mean horizon? Expected"]),
    ],
)
def test_what_is_wrong_is_named_on_one_line(tmp_path: Path, content: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        config_of(tmp_path, content)
    text = str(error.value)
    assert all(word in text for word in ["recording.toml", *words])
    assert "\n" not in text


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert config_of(tmp_path, "\ufeff" + TOML) == config_of(tmp_path, TOML)


def test_another_encoding_is_told_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "recording.toml").write_text(TOML, encoding="utf-16")
    with pytest.raises(InputError, match=r"recording\.toml is not UTF-8 text; save it as UTF-8"):
        read_config(tmp_path)


def test_a_pipe_is_no_recording_toml(tmp_path: Path) -> None:
    """Nobody writes into it: whoever reads it waits for ever."""
    os.mkfifo(tmp_path / "recording.toml")
    for read in (read_config, read_marks):
        with pytest.raises(InputError, match="not a regular file"):
            read(tmp_path)


def test_tables_of_others_are_left_alone_and_known(tmp_path: Path) -> None:
    assert config_of(tmp_path, "[weather]\nrain = true\n\n[[bad]]\nx = 1\n") == RecordingConfig()
    assert others_tables(tmp_path) == ["weather"]
    assert others_tables(tmp_path / "nowhere") == []


def options(*arguments: str) -> dict[str, object]:
    parser = make_parser("drive check-data", RecordingOptions)
    given = parse(parser, RecordingOptions, arguments)
    return build(RecordingOptions, given).overrides()


def test_options_stand_in_for_the_tables(tmp_path: Path) -> None:
    given = options(
        *("--camera-height", "1.4", "--fov", "100", "--horizon", "0.45", "--camera-side", "0.8"),
        *("--wheelbase", "2.47", "--steering-ratio", "15", "--speed-mps", "12.5"),
        *("--speed-unit", "mph", "--unit", "radians"),
    )
    written = config_of(tmp_path, "[camera]\nheight_m = 3\nhorizon = 0.6\n")
    assert written.with_overrides(**given).camera == CAMERA
    assert written.with_overrides(**given).car == CAR
    assert written.with_overrides(**given).unit == "radians"
    assert written.with_overrides(**options()) == written


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--fov", "0"], "--fov must be"), (["--horizon", "3"], "--horizon must be")],
)
def test_options_are_checked_too(arguments: list[str], word: str) -> None:
    with pytest.raises(InputError, match=word):
        RecordingConfig().with_overrides(**options(*arguments))


def the_recording(folder: Path) -> Recording:
    (recording,) = open_recordings([folder])
    return recording


def test_speeds_come_in_metres_a_second(make_recording: MakeRecording) -> None:
    folder = make_recording("speeds", frames=4)
    rows = "frame,wheel,speed\n0,1,36\n2,1,\n1,1,72\n3,1,inf\n"
    (folder / "epoch01_steering.csv").write_text(rows)
    (folder / "recording.toml").write_text('[car]\nspeed_unit = "km/h"\nspeed_mps = 7\n')
    speed_mps = the_recording(folder).speed_mps
    assert speed_mps.tolist() == pytest.approx([10, 20, 7, 7])
    assert speed_mps.dtype == np.float64


def test_without_speeds_the_car_s_usual_one_counts(make_recording: MakeRecording) -> None:
    folder = make_recording("still", frames=3, angles=[1, 2, 3])
    assert the_recording(folder).speed_mps.tolist() == [20, 20, 20]


def test_camera_and_car_leave_the_digest_alone(make_recording: MakeRecording) -> None:
    folder = make_recording("digest")
    before = the_recording(folder)
    (folder / "recording.toml").write_text("[camera]\nhorizon = 0.4\n[car]\nspeed_mps = 9\n")
    after = the_recording(folder)
    assert (after.digest, after.pixels_digest) == (before.digest, before.pixels_digest)
    assert after.config != before.config


def test_it_is_known_whether_the_car_was_stated(tmp_path: Path) -> None:
    silent = config_of(tmp_path, "[car]\nspeed_mps = 9\nspeed_unit = 'mph'\n")
    assert not silent.states_car
    assert not silent.with_overrides(speed_mps=8.0, fov_deg=90.0).states_car
    assert silent.with_overrides(**options("--understeer", "0.002")).states_car
    assert silent.with_overrides(**options("--understeer", "0.002")).car.understeer == 0.002
    assert config_of(tmp_path, "[car]\nwheelbase_m = 2.6\n").with_overrides().states_car
    with pytest.raises(InputError, match="states_car"):
        config_of(tmp_path, "states_car = true")
