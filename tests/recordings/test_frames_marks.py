"""Marked stretches in recording.toml: read, written and taken back to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.recordings.check import check_recording
from drive.recordings.excluded import (
    HEADERS,
    ExcludedRange,
    add_mark,
    marked,
    marks_of,
    read_marks,
    remove_mark,
)
from drive.recordings.recording import open_recordings
from drive.recordings.recording_config import read_config

COMMENTED = """\
# my car
unit = "radians"     # as the logger writes them

[[bad]]
# found on a Sunday
start_s = 1
end_s = 2.5
reason = "parking [at home]"

# the camera was moved here
[camera]
height_m = 1.4 # above the road
"""
OWN = ExcludedRange(1, 2.5, "parking [at home]")
NEW = ExcludedRange(3.25, 4.0, 'autopilot, "asleep" \\ Schlaf', "epoch02")


def test_a_mark_is_added_and_taken_back_to_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "recording.toml"
    file.write_text(COMMENTED)
    add_mark(tmp_path, NEW)
    assert file.read_text().startswith(COMMENTED)
    assert read_marks(tmp_path) == [OWN, NEW]
    assert read_config(tmp_path).unit == "radians"
    remove_mark(tmp_path, NEW)
    assert file.read_text() == COMMENTED
    assert [path.name for path in tmp_path.iterdir()] == ["recording.toml"]


def test_undoing_a_mark_keeps_the_comments_behind_it(tmp_path: Path) -> None:
    file = tmp_path / "recording.toml"
    file.write_text(COMMENTED)
    remove_mark(tmp_path, OWN)
    before, after = COMMENTED.split("\n[[bad]]")[0], COMMENTED.split('home]"\n')[1]
    assert file.read_text() == before + after
    assert read_config(tmp_path).camera.height_m == 1.4


def test_marks_of_the_same_times_are_told_apart(tmp_path: Path) -> None:
    plain, of_drive = ExcludedRange(1, 2), ExcludedRange(1, 2, drive="epoch01")
    for mark in (OWN, of_drive, plain, ExcludedRange(1, 2, "because")):
        add_mark(tmp_path, mark)
    remove_mark(tmp_path, plain)
    assert read_marks(tmp_path) == [OWN, of_drive, ExcludedRange(1, 2, "because")]


def test_a_file_made_for_a_mark_goes_with_the_last(tmp_path: Path) -> None:
    add_mark(tmp_path, OWN)
    add_mark(tmp_path, NEW)
    remove_mark(tmp_path, OWN)
    assert read_marks(tmp_path) == [NEW]
    remove_mark(tmp_path, NEW)
    assert not list(tmp_path.iterdir())


def test_an_empty_file_of_the_user_s_stays(tmp_path: Path) -> None:
    (tmp_path / "recording.toml").touch()
    add_mark(tmp_path, OWN)
    remove_mark(tmp_path, OWN)
    assert (tmp_path / "recording.toml").read_text() == ""


@pytest.mark.parametrize(
    "content",
    [
        "lag_s = 0.1\r\n[car]\r\nspeed_mps = 7\r\n",
        "lag_s = 0.1\n# the end",
        "# é\n\n\n",
        "\ufefflag_s = 0.1\r\n",
    ],
)
def test_line_ends_and_last_lines_are_kept(tmp_path: Path, content: str) -> None:
    file = tmp_path / "recording.toml"
    file.write_bytes(content.encode())
    add_mark(tmp_path, NEW)
    assert read_marks(tmp_path) == [NEW]
    remove_mark(tmp_path, NEW)
    assert file.read_bytes().decode().rstrip("\n") == content.rstrip("\n")


def test_a_byte_order_mark_stays_before_a_mark_that_goes(tmp_path: Path) -> None:
    file = tmp_path / "recording.toml"
    file.write_text("\ufeff[[bad]]\nstart_s = 1\nend_s = 2\n[car]\nspeed_mps = 7\n")
    remove_mark(tmp_path, ExcludedRange(1, 2))
    assert file.read_text() == "\ufeff[car]\nspeed_mps = 7\n"


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "kept.toml", tmp_path / "drive"
    elsewhere.write_text("lag_s = 0.1\n")
    folder.mkdir()
    (folder / "recording.toml").symlink_to(elsewhere)
    add_mark(folder, OWN)
    assert (folder / "recording.toml").is_symlink()
    assert "[[bad]]" in elsewhere.read_text()


def test_what_cannot_be_edited_safely_is_left_alone(tmp_path: Path) -> None:
    content = 'bad = [{ start_s = 1, end_s = 2.5, reason = "parking [at home]" }]\n'
    file = tmp_path / "recording.toml"
    file.write_text(content)
    assert marks_of(tmp_path, "epoch01") == (OWN,)
    with pytest.raises(InputError, match="by hand"):
        add_mark(tmp_path, NEW)
    with pytest.raises(InputError, match="by hand"):
        remove_mark(tmp_path, OWN)
    assert file.read_text() == content


def test_the_same_mark_twice_or_none_to_undo(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not excluded"):
        remove_mark(tmp_path, OWN)
    add_mark(tmp_path, OWN)
    with pytest.raises(InputError, match="already"):
        add_mark(tmp_path, OWN)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[[bad]]\nstart_s = 2\nend_s = 1", ["number 1", "end_s must be after start_s", "2", "1"]),
        ("[[bad]]\nstart_s = 1\nend_s = 1.0001", ["end_s must be after start_s"]),
        ("[[bad]]\nstart_s = 1\nend_s = 'two'", ["end_s", "number", "'two'"]),
        ("[[bad]]\nstart_s = true\nend_s = 2", ["start_s", "true"]),
        ("[[bad]]\nstart_s = -1\nend_s = 2", ["start_s", "-1"]),
        ("[[bad]]\nstart_s = 1\nend_s = inf", ["end_s", "inf"]),
        ("[[bad]]\nstart_s = 1", ["missing end_s"]),
        ("[[bad]]\nstart_s = 1979-05-27\nend_s = 2", ["start_s", "got 1979-05-27"]),
        (f"[[bad]]\nstart_s = 1\nend_s = {'1' * 400}", ["end_s", "hundreds of digits"]),
        (
            "[[bad]]\nstart_s = 1\nend_s = 2\n[[bad]]\nstop_s = 3",
            ["number 2", "'stop_s'. Did you mean", "drive"],
        ),
        ("[[bad]]\nstart_s = 1\nend_s = 2\nreason = 3", ["reason", "one line", "3"]),
        ("[[bad]]\nstart_s = 1\nend_s = 2\nreason = 'a\u2028b'", ["reason", "one line"]),
        ("[bad]\nstart_s = 1\nend_s = 2", ["[[bad]]", "tables"]),
        ("bad = [3]", ["table", "3"]),
        ("bad = [", ["not valid TOML"]),
        ("[[bad]]\nstart_s = 1\nend_s = 2\ndrive = 'epoch7'", ["'epoch7'", "'epoch01'"]),
    ],
)
def test_what_is_wrong_with_a_mark_is_named(
    make_recording: Callable[..., Path], content: str, words: list[str]
) -> None:
    folder = make_recording("town", [1, 2, 3])
    (folder / "recording.toml").write_text(content)
    with pytest.raises(InputError) as error:
        open_recordings([folder])
    text = str(error.value)
    assert all(word in text for word in ["recording.toml", *words])
    assert "\n" not in text


def test_a_mark_belongs_to_the_drive_that_it_names(make_recording: Callable[..., Path]) -> None:
    folder = make_recording("town", [1, 2, 3])
    make_recording("town", [1, 2, 3], epoch="epoch02")
    add_mark(folder, NEW)
    add_mark(folder, OWN)
    first, second = open_recordings([folder])
    assert (first.bad, second.bad) == ((OWN,), (NEW, OWN))


def test_both_ends_are_inside() -> None:
    times = np.array([0.0, 1 / 3, 2 / 3, 1.0, 4 / 3])
    assert marked([ExcludedRange(0.333, 1.0)], times).tolist() == [False, True, True, True, False]
    assert not marked([], times).any()


def test_check_data_says_what_is_left_out(
    make_recording: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("town", [np.sin(i / 5) for i in range(40)])
    add_mark(folder, ExcludedRange(0.5, 1.0, "parking"))
    add_mark(folder, ExcludedRange(50, 60))
    (recording,) = open_recordings([folder])
    codes = [finding.code for finding in check_recording(recording).findings]
    assert codes == ["marked_bad", "mark_without_frames"]
    assert main(["check-data", str(folder), "--json", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "11 of 40 frames are in excluded ranges" in out
    assert "0.5-1 s (parking)" in out
    (report,) = json.loads(out.splitlines()[-1])["recordings"]
    assert report["frames_marked_bad"] == 11


@pytest.mark.parametrize("header", HEADERS)
def test_a_file_made_for_ranges_goes_with_the_last_one(tmp_path: Path, header: str) -> None:
    file = tmp_path / "recording.toml"
    file.write_text(f"{header}\n[[bad]]\nstart_s = 1.0\nend_s = 2.0\n")
    remove_mark(tmp_path, ExcludedRange(1, 2))
    assert not file.exists()
