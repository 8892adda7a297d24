"""`bench`: turns and medians, the ratios, what the command writes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive import cli
from drive.benchmark import report, stages
from drive.benchmark.measure import Stage, Times, ratio, take_turns
from drive.benchmark.stages import Row
from drive.detection.int8 import quantise_detector
from drive.drawing.bench_chart import Bar, plot_bench
from drive.runtime.int8_form import int8_beside
from tests.conftest import VideoMaker


def test_stages_take_turns_and_the_order_goes_back_and_forth() -> None:
    calls: list[str] = []
    made = [
        Stage("a", lambda: calls.append("a"), repeat=2, warm_up=1),
        Stage("b", lambda: calls.append("b"), repeat=1, warm_up=0, units=10),
    ]
    times = take_turns(made, 2)
    assert calls == ["a", "a", "a", "b", "b", "a", "a", "a"]
    assert [len(turn) for turn in times["a"].turns] == [2, 2]
    assert times["b"].count == 2


def test_medians_quartiles_and_ratios_of_the_same_round() -> None:
    quiet, busy = [10.0, 10.0, 12.0], [100.0, 100.0, 140.0]
    slow, fast = Times([quiet, busy, quiet]), Times([[5.0], [50.0], [4.0]])
    assert slow.median_ms == 12.0
    assert slow.quartiles_ms == (10.0, 100.0)
    assert ratio(slow, fast) == 2.0  # 10/5, 100/50, 10/4: load falls on both alike


def row(subject: str, precision: str, engine: str) -> Row:
    return Row(stages.INFERENCE, subject, precision, engine, "64x32")


def test_ratios_compare_within_a_runtime_and_are_null_where_not_measured() -> None:
    milliseconds = {
        row(stages.V1, "float", "openvino"): 80.0,
        row(stages.V1, "float", "onnx"): 120.0,
        row(stages.DRIVE, "float", "openvino"): 30.0,
        row(stages.DRIVE, "int8", "openvino"): 10.0,
        row(stages.DRIVE, "int8", "onnx"): 30.0,
    }
    times = {key.key: Times([[value]]) for key, value in milliseconds.items()}
    found = report.ratios(list(milliseconds), times)
    assert found.plain["drive_int8_vs_tiny_yolo_v1_float"] == 8.0
    assert found.plain["int8_vs_float"] == 3.0
    assert found.by_engine["onnx"] == {
        "int8_vs_float": None,
        "drive_int8_vs_tiny_yolo_v1_float": 4.0,
    }
    for name in ("detect_vs_straightforward", "detect_vs_ultralytics"):
        assert found.plain[name] is None
    assert found.plain["training_vs_straightforward"] is None
    text = report.as_text(report.table_rows(list(milliseconds), times), found)
    assert "int8_vs_float                     3.00" in text
    assert "training_vs_straightforward       not measured" in text


def test_a_busy_machine_is_noticed() -> None:
    assert report.Machine("", 2, "", load=2.0).is_busy
    assert not report.Machine("", 2, "", load=0.2).is_busy
    assert not report.Machine("", None, "", load=None).is_busy
    assert report.this_machine().processor


def test_the_command_writes_table_figures_and_chart(
    tmp_path: Path,
    weights: Path,
    small_reference: None,
    make_video: VideoMaker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 60, 90, 3), dtype=np.uint8)
    assert quantise_detector(weights, int8_beside(weights), pictures) == 3
    out = tmp_path / "out"
    arguments = ["bench", make_video(frames=4), "--weights", weights, "--rounds", "2"]
    options = ["--no-training", "--no-detect", "--json", "--out", str(out)]
    assert cli.main([*map(str, arguments), *options]) == 0
    printed = capsys.readouterr().out
    figures = json.loads((out / "bench.json").read_text())
    named = [(r["stage"], r["subject"], r["precision"], r["engine"]) for r in figures["stages"]]
    network = ("inference", "tiny-yolo-drive")
    assert named == [
        ("decode", "video.mp4", None, "pyav"),
        ("encode", "video.mp4", None, "x264"),
        ("inference", "tiny-yolo-v1", "float", "openvino"),
        ("inference", "tiny-yolo-v1", "float", "onnx"),
        *((*network, "float", engine) for engine in ("openvino", "onnx", "keras")),
        *((*network, "int8", engine) for engine in ("openvino", "onnx")),
        *(("inference", "steering", "float", engine) for engine in ("openvino", "onnx")),
        *(("inference", "steering", "int8", engine) for engine in ("openvino", "onnx")),
        ("inference", "steering", "float", "keras"),
    ]
    assert all(r["ms"] > 0 and r["per_second"] > 0 for r in figures["stages"])
    assert {r["size"] for r in figures["stages"] if r["subject"] == "tiny-yolo-drive"} == {"128x64"}
    assert figures["stages"][-1]["size"] == "200x66"
    ratios = figures["ratios"]
    assert ratios["int8_vs_float"] > 0
    assert ratios["drive_int8_vs_tiny_yolo_v1_float"] > 0
    assert ratios["detect_vs_straightforward"] is None
    assert "drive_int8_vs_tiny_yolo_v1_float" in printed
    assert json.loads(printed.splitlines()[-1])["ratios"] == ratios
    assert cv2.imread(str(out / "bench.png")).std() > 5


def test_without_an_int8_form_float_is_measured_and_said(
    tmp_path: Path,
    weights: Path,
    small_reference: None,
    make_video: VideoMaker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["bench", make_video(frames=2), "--weights", weights, "--rounds", "1"]
    out = ["--out", tmp_path / "out", "--no-keras", "--no-training", "--no-detect", "--quiet"]
    assert cli.main([*map(str, [*arguments, *out])]) == 0
    assert "small-int8.onnx" in capsys.readouterr().err
    figures = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert figures["ratios"]["int8_vs_float"] is None
    assert {r["engine"] for r in figures["stages"]} == {"pyav", "x264", "openvino", "onnx"}


def test_wrong_arguments_end_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "--rounds", "0", "--out", str(tmp_path / "a")]) == 2
    assert "--rounds" in capsys.readouterr().err
    assert cli.main(["bench", str(tmp_path / "absent.mp4"), "--out", str(tmp_path / "b")]) == 2
    assert "absent.mp4" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_the_chart_without_figures_says_so(tmp_path: Path) -> None:
    plot_bench([], tmp_path / "empty.png", "nothing")
    plot_bench([Bar("a", 3.0, 2.0, 5.0, "x")], tmp_path / "one.png", "one")
    sizes = [cv2.imread(str(tmp_path / name)).shape[0] for name in ("empty.png", "one.png")]
    assert sizes[0] == sizes[1] > 100
