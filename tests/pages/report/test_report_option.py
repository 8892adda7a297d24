"""Each command that has something to look at writes a report, and `--no-report` skips it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.pages import read_report
from tests.conftest import VideoMaker

SIZE = (320, 192)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main([*map(str, arguments), "--quiet", "--json"]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.mark.parametrize("command", ["detect", "predict-steering", "annotate"])
def test_of_a_video(
    command: str, tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=8, size=SIZE)
    results = run(capsys, command, video, "--out", tmp_path / "out", "--start", "0.1")
    assert results["report"] == str(tmp_path / "out" / "report.html")
    assert Path(results["report"]).is_file()
    data = read_report(tmp_path / "out")
    assert data["command"] == command
    (drive,) = data["recordings"]
    assert drive["video"]["src"] == "video.mp4"
    assert drive["frames"]["index"] == {"type": "linear", "n": 6, "start": 2.0, "step": 1.0}
    assert drive["first_s"] == pytest.approx(0.1)


def test_no_report(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=4, size=SIZE)
    results = run(capsys, "detect", video, "--out", tmp_path / "out", "--no-report", "--no-video")
    assert "report" not in results
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_page_of_somebody_else_is_not_replaced(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.html").write_text("mine")
    video = make_video("in/video.mp4", frames=4, size=SIZE)
    assert main(["detect", str(video), "--out", str(tmp_path), "--quiet"]) == 2
    assert "report.html exists already" in capsys.readouterr().err
    assert (tmp_path / "report.html").read_text() == "mine"
    assert not (tmp_path / "detections.csv").exists()


def test_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "in" / f"{name}.png"), np.full((192, 320, 3), 90, np.uint8))
    run(capsys, "detect", tmp_path / "in", "--out", tmp_path / "out")
    (drive,) = read_report(tmp_path / "out")["recordings"]
    assert drive["images"] == ["images/a.jpg", "images/b.jpg"]


def test_of_an_evaluation(
    tmp_path: Path, make_recording: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [make_recording(name, [0.5] * 12, size=SIZE) for name in ("a", "b")]
    run(capsys, "evaluate-steering", *folders, "--out", tmp_path / "out")
    data = read_report(tmp_path / "out")
    assert [drive["name"] for drive in data["recordings"]] == ["a/epoch01", "b/epoch01"]
    assert data["recordings"][1]["video"]["src"] == "../b/epoch01_front.mp4"
    assert [chart["id"] for chart in data["recordings"][0]["charts"]] == ["steering", "error"]
    assert data["facts"][0]["label"] == "RMSE, 2 recordings"  # constant angles vary in nothing
    assert data["verdict"]["sentence"].startswith("The recorded angle of 2 recordings together")
    assert data["verdict"]["level"] == "nothing"


def test_of_a_simulation(
    tmp_path: Path, make_recording: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("a", [0.5] * 30, size=SIZE)
    run(capsys, "simulate", folder, "--horizon", "0.5", "--limit", "0.01", "--out", tmp_path / "o")
    data = read_report(tmp_path / "o")
    (drive,) = data["recordings"]
    assert drive["video"]["src"] == "a_epoch01.mp4"
    assert [chart["id"] for chart in drive["charts"]][:2] == ["offset", "distance"]
    assert drive["charts"][0]["limits"] == [0.01, -0.01]
    interventions = [one for one in drive["moments"] if one["kind"] == "intervention"]
    assert data["facts"][1]["label"] == "interventions"
    assert len(interventions) == int(data["facts"][1]["value"]) > 0


def test_of_many_videos(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = [make_video(f"in/{name}.mp4", frames=4, size=SIZE) for name in ("a", "b")]
    assert main(["detect", *map(str, videos), "--jobs", "1", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "a" / "report.html").is_file()
    assert (tmp_path / "out" / "b" / "report.html").is_file()
    runs = read_report(tmp_path / "out")["runs"]
    assert [run["src"] for run in runs] == ["a/report.html", "b/report.html"]


def test_of_many_videos_of_which_one_failed(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video, broken = make_video("in/a.mp4", frames=4, size=SIZE), tmp_path / "in" / "b.mp4"
    broken.write_text("no video")
    assert main(["detect", str(video), str(broken), "--jobs", "1", "--out", str(tmp_path / "out")])
    facts = {fact["label"]: fact["value"] for fact in read_report(tmp_path / "out")["facts"]}
    assert (facts["videos"], facts["failed"], facts["frames"]) == ("2", "1", "4")


def test_of_a_comparison(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no page of its own; `view` shows it."""
    a, b = make_video("1/v.mp4", frames=8), make_video("2/v.mp4", frames=20)
    assert "report" not in run(capsys, "compare", a, b, "--height", 96, "--out", tmp_path / "out")
    data = read_report(tmp_path / "out")
    assert data["title"] == "1/v.mp4 and 2/v.mp4"
    (drive,) = data["recordings"]
    assert (drive["video"]["src"], drive["charts"]) == ("side_by_side.mp4", [])
    assert drive["frames"]["time"]["n"] == 20
    facts = {fact["label"]: (fact["value"], fact["note"]) for fact in data["facts"]}
    assert facts["length"][0] == "1.0 s"
    assert facts["left"] == ("0.4 s", "1/v: 160 by 96 pixels, 20 frames per second")


def test_of_a_steering_training(
    tmp_path: Path, make_recording: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    angles = [index / 10 for index in range(24)]
    folders = [make_recording(name, angles, size=SIZE) for name in ("a", "b")]
    options = ["--epochs", "1", "--validation", "b/epoch01", "--cache", tmp_path / "cache"]
    results = run(capsys, "train-steering", *folders, *options, "--out", tmp_path / "out")
    data = read_report(tmp_path / "out")
    training = data["training"]
    assert Path(results["report"]).is_file()
    assert not (tmp_path / "out" / "report-data.js").exists()
    assert [len(history["rows"]) for history in training["histories"]] == [1]
    assert [series["name"] for series in training["distribution"]["series"]] == [
        "training data",
        "validation data",
        "predictions on it",
    ]
    assert (
        training["predictions"]["angle"]["n"]
        == len((tmp_path / "out" / "predictions.csv").read_text().splitlines()) - 1
    )
    for picture in [*training["worst"], *training["layers"]]:
        assert cv2.imread(str(tmp_path / "out" / picture["src"])) is not None
    assert [picture["title"] for picture in training["layers"]] == [
        "First layer: kernels",
        "An image",
        "Layer conv1",
        "Layer conv2",
    ]


@pytest.mark.slow
def test_of_a_detector_training(
    tmp_path: Path, white_cars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--epochs", "1", "--batch", "2", "--no-int8"]
    results = run(capsys, "train-detector", white_cars, *options, "--out", tmp_path / "out")
    assert Path(results["report"]).is_file()
    data = read_report(tmp_path / "out")
    assert len(data["training"]["histories"][0]["rows"]) == 1
    assert len(data["training"]["layers"]) == 4
    assert {picture["src"] for picture in data["images"]} == {
        "predictions.png",
        "precision_recall.png",
    }
