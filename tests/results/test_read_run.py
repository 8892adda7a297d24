"""`read_run`: everything in a run folder, also in one of an earlier version."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from drive import AnnotateConfig, CropPreviewConfig, SimulateConfig, read_run, write_report
from drive.core.errors import MissingFileError
from drive.core.jobs import Outcome
from drive.core.options import fields_of
from drive.pages.runs import list_runs
from drive.results.excerpt import read_excerpt
from drive.results.manifest import Manifest
from drive.results.record import RENAMED

OLD_SETTINGS = {
    "source": "drives/epoch03_front.mp4",
    "start": 2.5,
    "end": None,
    "no_video": True,
    "no_report": False,
    "conf": 0.4,
    "lag": 0.1,
    "smooth": 0.2,
    "classes": None,
    "every": 1,
    "resume": None,
}


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """A folder as `annotate` of version 0.1 left it."""
    folder = tmp_path / "old"
    folder.mkdir()
    record = {
        "command": ["python run.py", "annotate", "drives/epoch03_front.mp4", "--lag", "0.1"],
        "started": "2026-11-22T15:00:00+0000",
        "settings": OLD_SETTINGS,
        "versions": {"python": "3.11.7"},
        "inputs": [{"path": "drives/epoch03_front.mp4", "bytes": 12, "sha256": "ab"}],
        "counts": {"frames_read": 2, "frames_lost": 0},
        "warnings": ["town: 1 row of the CSV without an angle is left out"],
        "seconds": {"read": 0.25, "total": 1.5},
        "frames": {"first": {"frame": 25, "time_s": 2.5}, "last": {"frame": 26, "time_s": 2.6}},
        "results": {
            "frames": 2,
            "boxes": 1,
            "video": None,
            "against_human": {"n": 2, "rmse_deg": 0.5, "mae_deg": 0.5, "baselines": {"zero": 1.0}},
        },
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "steering.csv").write_text(
        "frame,time_s,angle_deg,truth_deg\r\n25,2.500000,1.0000,0.5000\r\n26,2.600000,-0.0000,\r\n"
    )
    (folder / "detections.csv").write_text(
        "source,frame,time_s,track_id,class,score,x1,y1,x2,y2\r\na.mp4,26,2.6,,car,0.5,1,2,3.5,4\r\n"
    )
    return folder


def test_an_old_run_is_read(old_run: Path) -> None:
    run = read_run(old_run)
    assert (run.command, run.title) == ("annotate", "epoch03_front.mp4")
    assert run.settings["conf"] == 0.4 and run.record.start_s == 2.5
    assert (run.settings["video"], run.settings["report"]) == (False, True)
    assert run.counts["frames_read"] == 2 and run.seconds["total"] == 1.5
    assert run.warnings == ("town: 1 row of the CSV without an angle is left out",)
    assert run.record.inputs[0].sha256 == "ab"
    assert run.steering is not None and run.detections is not None
    np.testing.assert_array_equal(run.steering.truth_deg, [0.5, np.nan])
    assert (run.detections.label, run.detections.track_id.tolist()) == (["car"], [0])
    assert [path.name for path in run.files] == ["detections.csv", "run.json", "steering.csv"]
    assert run.problems == []


def test_an_old_run_has_a_report_and_a_line_in_the_list(old_run: Path) -> None:
    text = write_report(old_run).read_text(encoding="utf-8")
    assert '["video","no"]' in text and '["lag_s","0.1"]' in text
    (entry,) = list_runs(old_run.parent)
    assert (entry.command, entry.state) == ("annotate", "done")
    assert [fact["label"] for fact in entry.facts][:2] == ["RMSE", "mean absolute error"]


def test_old_settings_have_the_names_of_today(old_run: Path) -> None:
    named = {each.name for each in fields_of(AnnotateConfig)}
    assert set(read_run(old_run).settings) <= named
    configs = (AnnotateConfig, SimulateConfig, CropPreviewConfig)
    now = {each.name for config in configs for each in fields_of(config)}
    assert set(RENAMED.values()) <= now and not now & set(RENAMED)


def test_settings_of_today_are_read_like_those_of_yesterday(old_run: Path) -> None:
    record = json.loads((old_run / "run.json").read_text())
    record["settings"]["start_s"] = record["settings"].pop("start")
    (old_run / "run.json").write_text(json.dumps(record))
    assert read_run(old_run).record.start_s == 2.5


def test_a_training_has_histories_and_predictions(tmp_path: Path) -> None:
    rows = "epoch,loss,val_loss,learning_rate,seconds\n1,2.5,2,0.001,3\n"
    (tmp_path / "history.csv").write_text(rows)
    for name in ("member2", "member10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.csv").write_text(rows)
    (tmp_path / "predictions.csv").write_text(
        "recording,frame,time_s,angle_deg,truth_deg\ntown,0,0,1.5,1\ntown,1,0.1,2,1\n"
    )
    run = read_run(tmp_path)
    assert list(run.histories) == ["", "member2", "member10"]
    assert run.history[0].val_loss == 2
    assert run.predictions["town"].angle_deg.tolist() == [1.5, 2]


def test_an_evaluation_has_a_table_per_recording(tmp_path: Path) -> None:
    names = ["sample/epoch01", "sample/epoch02"]
    metrics = {"rmse_deg": 1.5, "recordings": {name: {} for name in names}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    for number, name in enumerate(names):
        home = tmp_path / name.replace("/", "_")
        home.mkdir()
        (home / "steering.csv").write_text(f"frame,time_s,angle_deg,truth_deg\n{number},0,1,2\n")
    run = read_run(tmp_path)
    assert {name: table.frame.tolist() for name, table in run.steering_by_recording.items()} == {
        names[0]: [0],
        names[1]: [1],
    }
    assert (run.metrics["rmse_deg"], run.numbers.rmse_deg) == (1.5, 1.5)
    assert run.steering is None
    inner = [path.relative_to(tmp_path).as_posix() for path in run.files]
    assert "sample_epoch02/steering.csv" in inner


def test_a_run_over_several_videos_lists_them(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "manifest.json", "detect", {})
    manifest.add(["/videos/a.mp4", "/videos/b.mp4"])
    manifest.note(Outcome(0, {"frames": 7}, seconds=1.5))
    manifest.note(Outcome(1, reason="no frames", wrong_input=True))
    run = read_run(tmp_path)
    assert list(run.videos) == manifest.entries
    assert run.problems == []


def test_what_is_damaged_is_none_and_a_problem(old_run: Path) -> None:
    (old_run / "detections.csv").write_text("source,frame\n")
    run = read_run(old_run)
    assert run.problems == []
    assert run.detections is None
    assert run.problems == ["detections.csv: missing column time_s; got source, frame"]


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="absent: no such folder"):
        read_run(tmp_path / "absent")


def test_an_excerpt_is_the_range_of_the_source_that_a_result_shows(old_run: Path) -> None:
    record = json.loads((old_run / "run.json").read_text())
    record["results"]["video"] = "/elsewhere/clip.mp4"
    (old_run / "run.json").write_text(json.dumps(record))
    excerpt = read_excerpt(old_run / "clip.mp4", "own")
    assert (excerpt.sha256, excerpt.first_s, excerpt.is_result) == ("ab", 2.5, True)
    other = read_excerpt(old_run / "other.mp4", "own")
    assert (other.sha256, other.first_s, other.is_result) == ("own", 0.0, False)
    assert not read_excerpt(old_run / "absent" / "other.mp4", "own").is_result
