"""The human's angles beside a prediction: marked stretches, and what stops no prediction."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drive.cli import main
from drive.pages import read_report
from drive.recordings.excluded import ExcludedRange, add_mark

MakeRecording = Callable[..., Path]
VIDEO = "epoch01_front.mp4"


def predict(folder: Path, out: Path, *options: str) -> tuple[int, list[str]]:
    """The exit status, and the human's angles as the table has them."""
    command = ["predict-steering", str(folder / VIDEO), "--no-video", "--no-report", *options]
    status = main([*command, "--out", str(out)])
    if status:
        return status, []
    with (out / "steering.csv").open(newline="") as file:
        return status, [row["truth_deg"] for row in csv.DictReader(file)]


def test_marked_stretches_are_not_compared(
    make_recording: MakeRecording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("town", [9.0 if 4 <= i <= 7 else 1.0 for i in range(12)])
    add_mark(folder, ExcludedRange(0.2, 0.35, "autopilot"))
    status, truth = predict(folder, tmp_path / "out")
    assert status == 0
    assert truth == [*["1.0"] * 4, *[""] * 4, *["1.0"] * 4]
    assert (
        "town/epoch01: 4 frames in excluded ranges are not compared with the recorded angle"
        in capsys.readouterr().err
    )
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["counts"]["frames_marked_bad"] == {"town/epoch01": 4}
    marked = "town/epoch01: 4 frames in excluded ranges are not compared with the recorded angle"
    assert marked in record["warnings"]
    assert marked in read_report(tmp_path / "out")["warnings"]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("epoch01_steering.csv", "frame,wheel\n0,left\n", "must be a number"),
        ("epoch01_steering.csv", "", "is empty"),
        ("recording.toml", "[camra]\n", "[camera]"),
    ],
)
def test_what_only_lies_beside_the_video_stops_nothing(
    make_recording: MakeRecording,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: str,
    reason: str,
) -> None:
    folder = make_recording("town", [1.0] * 4)
    (folder / file).write_text(content)
    assert predict(folder, tmp_path / "out", "--quiet") == (0, [""] * 4)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no comparison with the recorded angle: ")
    assert file in line and reason in line
    named = ["--steering", str(folder / "epoch01_steering.csv"), "--quiet"]
    assert predict(folder, tmp_path / "named", *named)[0] == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_wrong_options_stay_an_error(
    make_recording: MakeRecording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("town", [1.0] * 4)
    assert predict(folder, tmp_path / "out", "--fov", "0", "--quiet")[0] == 2
    assert "--fov must be a number" in capsys.readouterr().err


def test_the_error_is_told_beside_the_baselines_and_rows_without_an_angle(
    make_recording: MakeRecording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("town", [2.0] * 30)
    csv_path = folder / "epoch01_steering.csv"
    rows = csv_path.read_text().replace("\n0.200,4,2.0\n", "\n0.200,4,\n")
    csv_path.write_text(rows.replace("\n0.500,10,2.0\n", "\n"))
    assert predict(folder, tmp_path / "out", "--json", "--smooth", "0.2")[0] == 0
    done = capsys.readouterr()
    assert (
        "town/epoch01: 1 row of the CSV without an angle is not compared with the recorded angle"
        in done.err
    )
    assert "1 frame without a row in the CSV is not compared with the recorded angle" in done.err
    assert (
        "town/epoch01: 28 frames compared with the recorded angle: mean absolute error " in done.err
    )
    assert "RMSE of always zero 2.000" in done.err
    assert done.err.count("smoothing: delay") == 1
    found = json.loads(done.out.splitlines()[-1])["against_human"]
    assert (found["n"], found["baselines"]["zero"]) == (28, 2)
    with (tmp_path / "out" / "steering.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["truth_deg"]]
    for column, errors in (("angle_deg", found), ("smoothed_deg", found["smoothed"])):
        mean = sum(abs(float(row[column]) - 2) for row in rows) / len(rows)
        assert errors["mae_deg"] == pytest.approx(mean, abs=1e-4)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["results"]["against_human"] == found
    assert record["counts"]["rows_without_angle"] == record["counts"]["frames_without_row"] == 1
