"""`--detail` from the outside: fine for pictures, fast for video, unless the user says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive import cli
from tests.conftest import VideoMaker


def detail_of(arguments: list[str], out: Path) -> str:
    """Run a command, and return the detail that run.json names."""
    assert cli.main([*arguments, "--out", str(out)]) == 0
    return str(json.loads((out / "run.json").read_text())["detector"]["detail"])


def test_pictures_are_looked_at_finely_and_videos_fast(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "road.png"
    cv2.imwrite(str(picture), np.zeros((720, 1280, 3), np.uint8))
    video = str(make_video("road.mp4", frames=3))
    assert detail_of(["detect", str(picture)], tmp_path / "a") == "fine"
    assert "tiny-yolo-drive (" in capsys.readouterr().err
    assert detail_of(["detect", str(picture), "--detail", "fast"], tmp_path / "b") == "fast"
    assert detail_of(["detect", video, "--no-video"], tmp_path / "c") == "fast"
    assert "fast) on " in capsys.readouterr().err
    assert detail_of(["detect", video, "--detail", "fine"], tmp_path / "d") == "fine"


def test_pictures_are_measured_as_they_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((720, 1280, 3), np.uint8))
    (tmp_path / "labels.csv").write_text("image,class,x1,y1,x2,y2\na.png,car,10,10,90,80\n")
    measure = ["evaluate-detector", str(tmp_path)]
    assert detail_of(measure, tmp_path / "a") == "fine"
    assert detail_of([*measure, "--detail", "fast"], tmp_path / "b") == "fast"


def test_damaged_images_are_measured_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rows = ["image,class,x1,y1,x2,y2", *(f"{name}.jpg,car,10,10,90,80" for name in "ab")]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "images" / "a.jpg").write_bytes(whole)
    (tmp_path / "images" / "b.jpg").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    assert cli.main(["evaluate-detector", str(tmp_path), "--out", str(out)]) == 0
    (warning,) = json.loads((out / "run.json").read_text())["warnings"]
    assert warning == "1 image is damaged, such as b.jpg: only what can be decoded is evaluated"


def test_classes_without_a_name_are_refused_and_empty_names_are_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "road.png"
    cv2.imwrite(str(picture), np.zeros((90, 160, 3), np.uint8))
    for number, text in enumerate(["", " , "]):
        out = ["--out", str(tmp_path / f"refused{number}")]
        assert cli.main(["detect", str(picture), "--classes", text, *out]) == 2
        assert "--classes must name classes" in capsys.readouterr().err
    out = tmp_path / "taken"
    assert cli.main(["detect", str(picture), "--classes", "car,,bus", "--out", str(out)]) == 0
    thresholds = json.loads((out / "run.json").read_text())["detector"]["thresholds"]
    assert set(thresholds) >= {"car", "bus"}
