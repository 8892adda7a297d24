"""`detect` reports its tracks and how much they flicker, and keeps constant memory doing it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive import cli
from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.detection.network_detector import NetworkDetector
from tests.conftest import VideoMaker, marked_picture, read_mark


@pytest.fixture
def blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the shipped detector see one car, and miss it in every fourth frame."""

    def detect(
        self: NetworkDetector, image: np.ndarray, region: Region, *args: object
    ) -> list[Detection]:
        number = read_mark(image)
        return [] if number % 4 == 3 else [Detection("car", 0.9, Box(40, 40, 100 + number, 80))]

    monkeypatch.setattr(NetworkDetector, "detect", detect)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict, dict]:
    """Return the results of `detect --json` and its run.json."""
    assert cli.main(["detect", *map(str, arguments), "--quiet", "--json"]) == 0
    results = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return results, json.loads(Path(results["run"]).read_text())


def test_tracks_and_flicker_are_reported(
    blinking: None, tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=23, size=(320, 192))
    results, record = run(capsys, video, "--out", tmp_path / "out", "--no-video")
    expected = {"tracks": 1, "flicker": 0.0, "flicker_untracked": round(5 / 23, 4)}
    assert {key: results[key] for key in expected} == expected
    assert record["tracking"] == expected
    assert results["boxes"] == results["frames_with_boxes"] == 23  # held boxes are rows


def test_with_a_stride_the_rows_go_on_between(
    blinking: None, tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=24, size=(320, 192))
    arguments = (video, "--out", tmp_path / "out", "--no-video", "--every", 2)
    results, _ = run(capsys, *arguments)
    assert (results["tracks"], results["flicker"], results["boxes"]) == (1, 0.0, 24)


def test_pictures_have_no_tracks(
    blinking: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), marked_picture(1, 320, 192))
    results, record = run(capsys, tmp_path / "p.png", "--out", tmp_path / "out")
    assert "flicker" not in results and "tracking" not in record
