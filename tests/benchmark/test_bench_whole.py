"""`bench`: whole detection, video to annotated video, beside the other ways."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import straightforward
from drive import cli
from drive.benchmark import whole
from drive.benchmark.report import Figure
from drive.benchmark.trace import chrome_trace
from drive.core.errors import DriveError, InputError
from drive.detection.detector import load_detector
from drive.detection.tiny_yolo_v1 import build_tiny_yolo_v1
from drive.results.record import RunRecord, Span
from drive.tasks.bench import _label, _Turns
from drive.video.probe import probe
from drive.video.reader import read_frames
from tests.conftest import VideoMaker


class OneCar:
    """Stands in for tiny YOLO v1: one car in the middle of the crop, half as wide and high."""

    def predict(self, batch: np.ndarray, verbose: int = 0) -> np.ndarray:
        assert batch.shape == (1, 448, 448, 3)
        assert batch.min() >= -1 and batch.max() <= 1
        answer = np.zeros(1470, np.float32)
        cell = 3 * 7 + 3
        answer[cell * 20 + 6] = 1.0  # a car
        answer[980 + cell * 2] = 0.9
        answer[1078 + cell * 8 : 1078 + cell * 8 + 4] = 0.5, 0.5, 0.5**0.5, 0.5**0.5
        return answer[None]


def test_the_straightforward_network_is_tiny_yolo_v1() -> None:
    ours, theirs = build_tiny_yolo_v1(), straightforward.build_tiny_yolo_v1()
    shapes = [[weight.shape for weight in model.get_weights()] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_the_straightforward_loop_finds_boxes_in_the_published_crop() -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    (box,) = straightforward.detect_cars(OneCar(), frame)  # type: ignore[arg-type]
    assert box == (695, 387, 1085, 562)


def test_the_straightforward_loop_writes_every_frame(
    tmp_path: Path, make_video: VideoMaker
) -> None:
    video = make_video(frames=6, size=(320, 180))
    target = tmp_path / "out.mp4"
    straightforward.detect_video(OneCar(), video, target)  # type: ignore[arg-type]
    with read_frames(target) as frames:
        pictures = [frame.image for frame in frames]
    assert len(pictures) == 6
    assert all((picture[..., 2] > 150).any() for picture in pictures)  # the boxes are blue


def test_the_excerpt_is_the_beginning_of_the_video(
    tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "FRAMES", 4)
    excerpt = whole.cut_excerpt(make_video(frames=9), tmp_path)
    assert excerpt.frames == probe(excerpt.path).frame_count == 4
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "a.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match="requires a video; got"):
        whole.cut_excerpt(tmp_path / "pictures", tmp_path)


def test_the_excerpt_is_repeated_to_make_a_drive(tmp_path: Path, make_video: VideoMaker) -> None:
    excerpt = whole.cut_excerpt(make_video(frames=8), tmp_path)
    drive = whole.repeat_excerpt(excerpt, tmp_path, 1.25)
    assert drive.seconds == pytest.approx(1.2)  # three times 0.4 s
    assert drive.frames == probe(drive.path).frame_count == 24
    with read_frames(drive.path) as frames:
        times_s = [frame.time_s for frame in frames]
    np.testing.assert_allclose(np.diff(times_s), 0.05, atol=1e-3)


def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    script = tmp_path / "peer.py"
    script.write_text(text)
    monkeypatch.setattr(whole, "PEER", script)


def test_another_interpreter_is_asked_once_a_call(
    tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    excerpt = whole.cut_excerpt(make_video(frames=3), tmp_path)
    peer(
        tmp_path,
        monkeypatch,
        "import sys\nfor _ in sys.stdin:\n  print('a word of welcome')\n"
        "  print('{\"frames\": 3}', flush=True)\n  open('asked', 'a').write('x')\n",
    )
    with whole.ultralytics_stage(excerpt, tmp_path, sys.executable) as ((row, stage),):
        stage.call()
        assert row.subject == "ultralytics"
        assert stage.units == 3
    assert (tmp_path / "asked").read_text() in ("x", "xx")
    with whole.ultralytics_stage(excerpt, tmp_path, None) as none:
        assert none == []


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("import ultralytics_that_nobody_has", InputError, "No module named"),
        ("import sys\nfor _ in sys.stdin: print('{\"frames\": 2}', flush=True)", DriveError, "2"),
    ],
)
def test_another_interpreter_that_does_not_do_it_is_told(
    tmp_path: Path,
    make_video: VideoMaker,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    error: type[Exception],
    said: str,
) -> None:
    excerpt = whole.cut_excerpt(make_video(frames=3), tmp_path)
    peer(tmp_path, monkeypatch, text)
    with (
        pytest.raises(error, match=said),
        whole.ultralytics_stage(excerpt, tmp_path, sys.executable),
    ):
        pass
    with (
        pytest.raises(InputError, match="nowhere"),
        whole.ultralytics_stage(excerpt, tmp_path, str(tmp_path / "nowhere")),
    ):
        pass


def test_the_command_times_whole_detection_and_writes_a_trace(
    tmp_path: Path,
    weights: Path,
    small_reference: None,
    make_video: VideoMaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(straightforward, "build_tiny_yolo_v1", OneCar)
    monkeypatch.setattr(whole, "STEERED_S", 1.0)
    arguments = ["bench", make_video(frames=5), "--weights", weights, "--rounds", "1"]
    options = ["--no-training", "--no-keras", "--profile", "--out", tmp_path / "out"]
    assert cli.main([*map(str, [*arguments, *options])]) == 0
    figures = json.loads((tmp_path / "out" / "bench.json").read_text())
    rows = {row["subject"]: row for row in figures["stages"] if row["stage"] == "detect"}
    assert set(rows) == {"drive", "straightforward"}
    measured = rows["straightforward"]["ms"] / rows["drive"]["ms"]
    assert figures["ratios"]["detect_vs_straightforward"] == pytest.approx(measured, rel=0.02)
    assert figures["ratios"]["detect_vs_ultralytics"] is None
    (steered,) = (row for row in figures["stages"] if row["stage"] == "predict-steering")
    shown_ms = 1000 / 20  # of each frame of that video
    measured = shown_ms / steered["ms"]
    assert figures["ratios"]["predict_steering_vs_video"] == pytest.approx(measured, rel=0.02)
    assert figures["detect"]["frames"] == 5
    assert figures["detect"]["first_run_s"] > 0
    assert {"decode", "detect", "write"} <= set(figures["detect"]["seconds"])
    assert "ran in parallel" in capsys.readouterr().err
    trace = json.loads((tmp_path / "out" / "trace.json").read_text())["traceEvents"]
    threads = {event["args"]["name"]: event["tid"] for event in trace if event["ph"] == "M"}
    assert {"read", "MainThread", "write"} <= set(threads)
    written = [event for event in trace if event["name"] == "write"]
    assert len(written) == 5
    assert {event["tid"] for event in written} == {threads["write"]}


def test_our_network_too_is_loaded_before_the_clock_starts(
    tmp_path: Path, weights: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[object] = []

    def load(path: object, *args: object, **settings: Any) -> object:
        loads.append(path)
        return load_detector(path, *args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("drive.tasks._detecting.load_detector", load)
    ours = _Turns("detect", str(weights), tmp_path)
    video = make_video(frames=3)
    ours(video)
    first_s = ours.first_s
    ours(video)
    assert loads == [str(weights)]
    assert ours.first_s == first_s != ours.wall_s


@pytest.mark.parametrize(
    ("stage", "label"), [("detect", "detect · a · onnx · 9x9"), ("inference", "a · onnx · 9x9")]
)
def test_bars_of_whole_detection_say_so(stage: str, label: str) -> None:
    assert _label(Figure(stage, "a", None, "onnx", "9x9", 1.0, (1.0, 1.0), 1000.0, 1)) == label


def test_a_trace_has_microseconds_from_the_first_span() -> None:
    spans = [Span("decode", "read", 10.0, 10.5), Span("write", "write", 10.25, 10.75)]
    events: Any = chrome_trace(spans)["traceEvents"]
    assert [(e["ts"], e["dur"], e["tid"]) for e in events if e["ph"] == "X"] == [
        (0.0, 500_000.0, 1),
        (250_000.0, 500_000.0, 2),
    ]
    assert chrome_trace([])["traceEvents"] == []


def test_spans_are_kept_only_where_asked_for() -> None:
    record = RunRecord([], {})
    with record.stage("decode"):
        pass
    assert record.spans is None
    record.spans = []
    with record.stage("decode"):
        pass
    assert [span.stage for span in record.spans] == ["decode"]
