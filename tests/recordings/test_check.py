"""check-data: each flaw that is put into a recording is reported, and a sound one is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.cli import main
from drive.recordings import check as check_module
from drive.recordings.check import CheckReport, check_recording
from drive.recordings.horizon import HorizonEstimate
from drive.recordings.motion import LagEstimate, TurnMeter, estimate_lag
from drive.recordings.recording import open_recordings

MakeRecording = Callable[..., Path]
HEADER = "time_s,frame,wheel\n"


def check(folder: Path) -> tuple[CheckReport, set[str]]:
    (recording,) = open_recordings([folder])
    report = check_recording(recording)
    return report, {finding.code for finding in report.findings}


def write_rows(folder: Path, rows: list[tuple[float, int, object]]) -> None:
    lines = [f"{time_s},{frame},{angle}" for time_s, frame, angle in rows]
    (folder / "epoch01_steering.csv").write_text(HEADER + "\n".join(lines) + "\n")


def test_a_sound_recording_has_no_findings(make_recording: MakeRecording) -> None:
    report, codes = check(make_recording("sound", [np.sin(i / 5) for i in range(40)]))
    assert codes == set()
    assert report.numbers.frames == report.numbers.rows == 40


@pytest.mark.parametrize(
    ("speeds", "told"),
    [
        ([8.0] * 30, ""),
        ([np.nan, *[8.0] * 29], "1 of 30 speeds are not numbers; 20 m/s is used for them"),
        ([-5.0] * 30, "30 of 30 speeds are below 0"),
        ([0.0] * 30, "0 in every row; check"),
    ],
)
def test_speeds_that_no_driving_car_has(
    make_recording: MakeRecording, speeds: list[float], told: str
) -> None:
    folder = make_recording("town", [np.sin(i / 5) for i in range(30)])
    rows = [f"{i * 0.05},{i},{np.sin(i / 5)},{speed}" for i, speed in enumerate(speeds)]
    table = "\n".join(["time_s,frame,wheel,speed", *rows, ""])
    (folder / "epoch01_steering.csv").write_text(table)
    report, codes = check(folder)
    assert codes == ({"speed"} if told else set())
    assert all(told in finding.text for finding in report.findings)
    (recording,) = open_recordings([folder])
    assert (recording.speed_mps >= 0).all()


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([(i * 0.05, i, i % 5 + 1) for i in range(35)], "rows_without_frames"),
        ([(i * 0.05, i, i % 5 + 1) for i in range(25)], "frames_without_rows"),
        ([(i * 0.05, i // 2, i % 5 + 1) for i in range(60)], "duplicates"),
        ([(i * 0.05, i, "inf" if i == 3 else i % 5 + 1) for i in range(30)], "non_finite"),
        ([(i * 0.05, i, 2000 if i == 3 else i % 5 + 1) for i in range(30)], "out_of_range"),
        ([(i * 0.05, i, 0 if i % 3 else 4) for i in range(30)], "zeros"),
        ([(i * 0.05, i, 2.5) for i in range(30)], "constant"),
        ([(i * 0.06, i, i % 5 + 1) for i in range(30)], "drift"),
        ([(i * 0.05 + (3 if i > 9 else 0), i, i % 5 + 1) for i in range(30)], "gaps"),
        ([(i * 0.05 - (1 if i > 9 else 0), i, i % 5 + 1) for i in range(30)], "time_backwards"),
        ([(0.05 * max(i, 3), i, i % 5 + 1) for i in range(30)], "time_stands_still"),
    ],
)
def test_each_flaw_is_found(
    make_recording: MakeRecording, rows: list[tuple[float, int, object]], code: str
) -> None:
    folder = make_recording("flawed", frames=30)
    write_rows(folder, rows)
    assert code in check(folder)[1]


def test_rows_without_a_frame_column_are_mentioned(make_recording: MakeRecording) -> None:
    folder = make_recording("plain", frames=30)
    (folder / "epoch01_steering.csv").write_text("wheel\n" + "\n".join("12" * 15) + "\n")
    assert check(folder)[1] == {"no_frame_column"}


def test_a_stuck_wheel_is_found(make_recording: MakeRecording) -> None:
    angles = [index % 5 + 1.0 for index in range(130)]
    angles[10:121] = [3.25] * 111
    report, codes = check(make_recording("stuck", angles))
    assert "stuck" in codes
    assert any("frame 10" in finding.text for finding in report.findings)


def test_nothing_is_changed(make_recording: MakeRecording) -> None:
    folder = make_recording("same")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    check(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_the_turn_meter_sees_right_as_positive() -> None:
    scene = np.random.default_rng(0).integers(0, 255, (90, 400, 3), dtype=np.uint8)
    scene = np.repeat(np.repeat(scene[::6, ::6], 6, 0), 6, 1)[:90]
    meter = TurnMeter()
    meter.step(scene[:, 100:260])
    assert meter.step(scene[:, 104:264]) == pytest.approx(4, abs=0.7)


@pytest.mark.parametrize(("lag_s", "sign"), [(0.3, 1), (-0.2, 1), (0.0, -1)])
def test_a_known_lag_is_estimated(lag_s: float, sign: int) -> None:
    time_s = np.arange(0, 40, 0.05)

    def wheel(at_s: np.ndarray) -> np.ndarray:
        return np.sin(at_s) + 0.6 * np.sin(2.3 * at_s + 1)

    noise = np.random.default_rng(1).normal(0, 0.2, len(time_s))
    lag = estimate_lag(time_s, wheel(time_s) + noise, time_s, sign * wheel(time_s - lag_s))
    assert lag is not None
    assert lag.lag_s == pytest.approx(lag_s, abs=0.05)
    assert np.sign(lag.correlation) == sign


def test_short_or_motionless_drives_give_no_lag() -> None:
    time_s = np.arange(0, 40, 0.05)
    flat = np.zeros_like(time_s)
    assert estimate_lag(time_s, np.sin(time_s), time_s, flat) is None
    assert estimate_lag(time_s[:40], np.sin(time_s[:40]), time_s[:40], time_s[:40]) is None


def test_the_lag_to_write_down_counts_from_what_is_written(
    make_recording: MakeRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_recording("late")
    (folder / "recording.toml").write_text("lag_s = 0.3\n")
    monkeypatch.setattr(check_module, "find_lag", lambda *_: LagEstimate(0.2, 0.9))
    (finding,) = check(folder)[0].findings
    assert "lag_s = 0.5 in recording.toml" in finding.text


@pytest.mark.parametrize(
    ("toml", "estimate", "text", "found"),
    [
        ("", HorizonEstimate(0.43, True, 20, 0.01), "horizon = 0.43 under [camera]", False),
        ("", HorizonEstimate(0.5, False, 0, 1.0), "0.5 of the height: the motion", False),
        ("horizon = 0.42", HorizonEstimate(0.43, True, 20, 0.01), "0.42 of the", False),
        ("horizon = 0.6", HorizonEstimate(0.43, True, 20, 0.01), "motion of the", True),
        ("horizon = 0.6", HorizonEstimate(0.5, False, 0, 1.0), "0.6 of the height (given", False),
    ],
)
def test_the_horizon_is_reported(
    make_recording: MakeRecording,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    toml: str,
    estimate: HorizonEstimate,
    text: str,
    found: bool,
) -> None:
    folder = make_recording("level")
    (folder / "recording.toml").write_text(f"[camera]\n{toml}\n")
    monkeypatch.setattr(check_module, "estimate_horizon", lambda _: estimate)
    assert main(["check-data", str(folder), "--json", "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert text in printed
    (report,) = json.loads(printed.splitlines()[-1])["recordings"]
    assert f" {report['horizon']:g} of the height" in printed
    assert report["horizon_is"] in ("given" if toml else "estimated", "assumed")
    assert report["horizon_estimate"] == estimate.share
    assert report["horizon_trusted"] == estimate.trusted
    assert ("horizon" in [finding["code"] for finding in report["findings"]]) == found


def test_notes_are_no_problems(
    make_recording: MakeRecording, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("keyboard", [0.0 if i % 3 else 4.0 for i in range(30)])
    (folder / "recording.toml").write_text("[weather]\nrain = true\n")
    command = ["check-data", str(folder), "--json", "--quiet"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "- note: 67% of the angles are exactly zero" in printed.out
    assert "- note: recording.toml has tables that drive does not read: weather" in printed.out
    (report,) = json.loads(printed.out.splitlines()[-1])["recordings"]
    assert {finding["kind"] for finding in report["findings"]} == {"note"}
    assert not printed.err
    write_rows(folder, [(i * 0.05, i, 0 if i % 3 else 4) for i in range(20)])
    assert main(command) == 0
    printed = capsys.readouterr()
    (report,) = json.loads(printed.out.splitlines()[-1])["recordings"]
    assert [f["code"] for f in report["findings"] if f["kind"] == "problem"] == [
        "frames_without_rows"
    ]


def test_the_simulator_s_wheel_and_picture_agree(shared: Path) -> None:
    (recording,) = open_recordings([shared / "recordings" / "torcs" / "street-1"])
    report, codes = check(recording.path)
    assert report.numbers.lag_correlation > 0.9
    assert not codes & {"lag", "sign"}
