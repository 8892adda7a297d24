"""`export` from the outside: files, figures, exit statuses, and what it does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drive import cli
from drive.conversion import compare
from drive.conversion import export as module
from drive.conversion.export import Exported
from drive.core.errors import MismatchError
from drive.runtime import load_engine
from drive.tasks import export as command
from tests.conftest import VideoMaker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def video(make_video: VideoMaker) -> Path:
    return make_video(frames=6)


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """The exit status and the one line of an export that fails."""
    status = cli.main(["export", *map(str, arguments), "--quiet"])
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return status, lines[0]


def test_each_format_is_written_with_its_figures(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["export", "steering", "--frames", str(video), "--out", str(out)]
    assert cli.main([*arguments, "--quiet", "--json"]) == 0
    *lines, last = capsys.readouterr().out.strip().splitlines()
    files = json.loads(last)["files"]
    assert [entry["format"] for entry in files] == list(command.FORMATS)
    for line, entry in zip(lines, files, strict=True):
        assert Path(entry["path"]).exists()
        assert entry["frames"] == 6
        assert entry["mean_difference"] <= entry["largest_difference"] < 1e-3
        assert entry["path"] in line
        assert "largest difference" in line
        assert "mean" in line
        assert "tolerance 0.001" in line
    record = json.loads((out / "run.json").read_text())
    assert record["results"]["files"] == files
    assert {path.name for path in out.iterdir()} == {
        *("steering.xml", "steering.bin", "steering.onnx", "steering.tflite"),
        *("steering_saved_model", "run.json"),
    }


CALIBRATED_ON_THE_SAMPLE = "83"  # evenly spread frames of two drives


@pytest.mark.slow
def test_int8_leaves_the_saved_model_out_and_counts_what_it_learnt_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "steering", "--int8", "--format", "onnx"]
    arguments += ["--out", str(tmp_path), "--quiet", "--json"]
    assert cli.main(arguments) == 0
    entry = json.loads(capsys.readouterr().out.strip().splitlines()[-1])["files"][0]
    assert (entry["precision"], entry["tolerance"]) == ("int8", compare.INT8_TOLERANCE)
    assert Path(entry["path"]).name == "steering-int8.onnx"
    assert load_engine(entry["path"]).metadata["calibrated_on"] == CALIBRATED_ON_THE_SAMPLE


def test_one_frame_is_one_frame(tmp_path: Path) -> None:
    found = compare.Difference(0.0, 0.0, 0.0, 1e-3, 1, False, 1.0, False)
    assert "on 1 frame: largest" in Exported(tmp_path, "onnx", "float", 1, found).as_text()


def test_no_tensorflow_is_loaded_for_openvino_and_onnx(video: Path, tmp_path: Path) -> None:
    arguments = ["export", "steering", "--format", "openvino", "onnx", "--frames", str(video)]
    arguments += ["--out", str(tmp_path), "--quiet"]
    code = (
        "import sys; from drive import cli; "
        f"status = cli.main({arguments!r}); "
        "sys.exit(status or 3 * ('tensorflow' in sys.modules or 'keras' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_what_is_wrong_is_said_in_one_line(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--frames", video, "--out", tmp_path / "out"]
    for arguments, message in (
        (["nothing.onnx"], "there is no file nothing.onnx"),
        (["steering", "--calibrate", video], "--calibrate requires --int8"),
        (
            ["steering", "--int8", "--format", "saved-model"],
            "--int8 supports openvino, onnx, litert; got",
        ),
        (["tiny-yolo-drive", "--size", "100x100"], "multiples of 32"),
        (["tiny-yolo-drive", "--size", "100000x100000"], "at most 4096 per side"),
        ([ROOT / "weights" / "tiny-yolo-drive-int8.onnx"], "requires float weights"),
    ):
        status, line = fails(capsys, *arguments, *out)
        assert (status, message in line) == (2, True), line
    assert not (tmp_path / "out").exists()


def test_an_answer_beyond_the_tolerance_is_status_1(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "INT8_TOLERANCE", 1e-9)
    arguments = ["steering", "--int8", "--format", "onnx", "--calibrate", video]
    status, line = fails(capsys, *arguments, "--frames", video, "--out", tmp_path / "out")
    assert status == 1
    assert "does not compute what the original does, and was not kept" in line
    assert not (tmp_path / "out").exists()


def test_a_format_that_fails_leaves_the_others_with_their_record(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_as = module.write_as

    def fail(target: str, *rest: Any) -> None:
        if target == "onnx":
            raise MismatchError("steering.onnx answers otherwise")
        write_as(target, *rest)

    monkeypatch.setattr(module, "write_as", fail)
    out = tmp_path / "out"
    arguments = ["steering", "--format", "onnx", "openvino", "--frames", video, "--out", out]
    status, line = fails(capsys, *arguments)
    assert (status, line) == (1, "drive export: steering.onnx answers otherwise")
    assert {path.name for path in out.iterdir()} == {"steering.xml", "steering.bin", "run.json"}
    files = json.loads((out / "run.json").read_text())["results"]["files"]
    assert [entry["format"] for entry in files] == ["openvino"]


def test_results_are_not_overwritten_unasked(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "steering.bin").write_bytes(b"mine")
    arguments = ["steering", "--format", "openvino", "--frames", video, "--out", tmp_path]
    status, line = fails(capsys, *arguments)
    assert (status, "steering.bin exists already" in line) == (2, True)
    assert (tmp_path / "steering.bin").read_bytes() == b"mine"
