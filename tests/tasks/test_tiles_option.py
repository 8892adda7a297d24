"""`--tiles` from the outside: what it says, writes and refuses; with a stand-in for the network."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from drive import cli
from tests.detection.test_tiles import ColourDetector, picture

FAR_CAR = (631, 300, 650, 314)


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_arguments: object, **_settings: object) -> ColourDetector:
        detector = ColourDetector()
        detector.engine = SimpleNamespace(name="none", metadata={})
        return detector

    for module in ("drive.tasks._detecting", "drive.detection.detector"):
        monkeypatch.setattr(f"{module}.load_detector", load)


@pytest.fixture
def road(tmp_path: Path) -> Path:
    path = tmp_path / "road.png"
    cv2.imwrite(str(path), picture((1280, 720), FAR_CAR)[..., ::-1])
    return path


def test_detect_finds_the_far_car_with_tiles_and_records_them(
    road: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["detect", str(road), "--out", str(tmp_path / "a"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["boxes"] == 0
    arguments = ["detect", str(road), "--tiles", "--preview", "--out", str(tmp_path / "b")]
    assert cli.main([*arguments, "--json"]) == 0
    done = capsys.readouterr()
    results = json.loads(done.out)
    assert results["boxes"] == 1
    row = Path(results["detections"]).read_text().splitlines()[1].split(",")
    assert [float(value) for value in row[-4:]] == list(FAR_CAR)
    assert "tiles: 2 of 703x320 pixels; the network runs 3 times per frame" in done.err
    record = json.loads(Path(results["run"]).read_text())
    assert record["settings"]["tiles"] == "auto"
    assert record["tiles"] == [[0, 146, 703, 466], [577, 146, 1280, 466]]


def test_tiny_frames_say_so_and_are_looked_at_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tiny.png"
    cv2.imwrite(str(path), picture((160, 90), (20, 30, 60, 60)))
    assert cli.main(["detect", str(path), "--tiles", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err.count("tiles: none; 160x90 pixels") == 1


def test_the_preview_shows_the_tiles(road: Path, tmp_path: Path) -> None:
    heights = []
    for name, option in (("a", []), ("b", ["--tiles", "5"])):
        out = tmp_path / name
        assert cli.main(["crop-preview", str(road), "--out", str(out), "--quiet", *option]) == 0
        heights.append(cv2.imread(str(out / "crop_preview.png")).shape[0])
    assert heights[1] > heights[0] + 100  # two rows of tiles below


@pytest.mark.parametrize("command", ["detect", "annotate", "crop-preview"])
@pytest.mark.parametrize("value", ["0", "1x1", "3y2", "99", "video.mp4"])
def test_wrong_tiles_end_with_status_2_and_one_line(
    command: str, value: str, road: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, str(road), "--tiles", value]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--tiles must be auto, N or COLSxROWS with 2 to 64 tiles" in error
    assert "write SOURCE before --tiles" in error


def test_tiles_from_a_config_file(
    road: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    config.write_text("tiles = 3\n")
    arguments = ["detect", str(road), "--config", str(config), "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    assert "tiles: 3 of" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["tiles"] == "3"
