"""The data of a report, read from run folders."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import MissingFileError
from drive.pages import read_report
from drive.pages.facts import facts_of
from drive.pages.moments import peaks
from drive.results.run_results import read_run
from drive.results.training_notes import Notes
from tests.pages.report.conftest import values_of

VARIABLE_MS = [0, 40, 95, 140, 260, 300, 340, 420, 700, 720, 800, 840]


def test_times_are_those_of_the_annotated_video(annotated_run: Callable[..., Path]) -> None:
    (drive,) = read_report(annotated_run(VARIABLE_MS, first_s=12.5))["recordings"]
    assert drive["first_s"] == 12.5
    np.testing.assert_allclose(
        values_of(drive["frames"]["time"]), np.array(VARIABLE_MS) / 1000, atol=1e-4
    )


def test_without_a_table_of_frames_the_video_tells_the_times(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run(VARIABLE_MS, first_s=12.5)
    (folder / "steering.csv").unlink()
    (drive,) = read_report(folder)["recordings"]
    np.testing.assert_allclose(
        values_of(drive["frames"]["time"]), np.array(VARIABLE_MS) / 1000, atol=1e-4
    )
    assert values_of(drive["frames"]["index"]).tolist() == list(range(12))
    assert values_of(drive["detections"]["at"]).tolist() == list(range(3, 12))
    (cars, score) = drive["charts"]
    assert values_of(cars["series"][0]["values"]).tolist() == [0] * 3 + [1] * 9
    assert np.isnan(values_of(score["series"][0]["values"])[:3]).all()


def test_lost_frames_do_not_shift_the_numbers(annotated_run: Callable[..., Path]) -> None:
    folder = annotated_run(frames=12)
    (folder / "steering.csv").unlink()
    path = folder / "detections.csv"
    rows = list(csv.reader(path.open()))
    for row in rows[1:]:  # frames 5 and 6 of the source were lost before these
        if int(row[1]) >= 5:
            row[1] = str(int(row[1]) + 2)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    record = (folder / "run.json").read_text().replace('"frame": 11', '"frame": 13')
    (folder / "run.json").write_text(record)
    (drive,) = read_report(folder)["recordings"]
    index = values_of(drive["frames"]["index"]).astype(int).tolist()
    assert index[:5] == [0, 1, 2, 3, 4]
    assert index[5:] == [7, 8, 9, 10, 11, 12, 13]


def test_without_a_video_the_tables_are_the_clock(annotated_run: Callable[..., Path]) -> None:
    folder = annotated_run(frames=20)
    (folder / "clip.mp4").unlink()
    (folder / "steering.csv").unlink()
    (drive,) = read_report(folder)["recordings"]
    assert drive["video"] is None
    np.testing.assert_allclose(values_of(drive["frames"]["time"]), np.arange(20) / 20, atol=1e-4)


def test_moments_are_the_largest_errors_and_boxes(annotated_run: Callable[..., Path]) -> None:
    (drive,) = read_report(annotated_run(frames=60))["recordings"]
    differ = [moment for moment in drive["moments"] if moment["kind"] == "difference"]
    near = [moment for moment in drive["moments"] if moment["kind"] == "near"]
    assert differ[0]["frame"] == 9
    assert differ[0]["time"] == pytest.approx(0.45)
    assert near[0]["frame"] == 59
    assert near[0]["text"] == "car, 59 by 59 pixels"


def test_the_error_stands_beside_its_baselines(annotated_run: Callable[..., Path]) -> None:
    folder = annotated_run(frames=3)
    record = json.loads((folder / "run.json").read_text())
    baselines = {"zero": 2.5, "mean": None, "persistence_1s": 1.5}
    measured = {"rmse_deg": 1.25, "mae_deg": 1.0, "n": 3, "baselines": baselines}
    record["results"]["against_human"] = measured
    (folder / "run.json").write_text(json.dumps(record))
    facts = read_report(folder)["facts"]
    assert facts[:2] == [
        {"label": "RMSE", "value": "1.25°", "note": "always zero 2.50, persistence 1.50"},
        {"label": "mean absolute error", "value": "1.00°", "note": "3 frames compared"},
    ]
    assert facts_of(read_run(folder)) == facts


def test_the_verdict_and_the_share_explained_are_shown_first(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run(frames=3)
    assert read_report(folder)["verdict"] is None
    record = json.loads((folder / "run.json").read_text())
    shares = {"model": 0.614, "zero": -0.2, "mean": None, "persistence_1s": 0.4}
    verdict = {"sentence": "It explains 61 %.", "causes": ["Record more."], "level": "good"}
    record["results"]["against_human"] = {"explained": shares, "verdict": verdict}
    (folder / "run.json").write_text(json.dumps(record))
    report = read_report(folder)
    assert report["verdict"] == verdict
    note = "zero 0%, one second ago 40%"
    assert report["facts"][0] == {"label": "explained", "value": "61%", "note": note}


def test_a_hole_in_the_times_is_a_gap(annotated_run: Callable[..., Path]) -> None:
    times = [50 * k + (2000 if k >= 7 else 0) for k in range(20)]
    (drive,) = read_report(annotated_run(times))["recordings"]
    assert drive["gaps"] == [7]


def test_a_search_has_its_trials_and_the_best_of_them(tmp_path: Path) -> None:
    (tmp_path / "trials.csv").write_text(
        "trial,outcome,val_loss,best_epoch,epochs,seconds,dropout,variant\n"
        "0,complete,3.5,2,2,5.1,0.0,elu\n1,pruned,1.25,1,1,2.0,0.1,elu\n"
        "3,diverged,,0,0,1.0,0.2,published\n"
    )
    report = read_report(tmp_path, {"command": ["run.py", "tune-steering"], "trials": 20})
    assert [trial["val_loss"] for trial in report["search"]["trials"]] == [3.5, 1.25, None]
    assert report["search"]["trials"][2]["values"] == {"dropout": 0.2, "variant": "published"}
    assert report["search"]["best"] == 0
    assert report["facts"] == [
        {"label": "best loss", "value": "3.500", "note": "degrees², trial 0"},
        {"label": "trials", "value": "3 of 20", "note": "1 complete, 1 pruned, 1 diverged"},
    ]
    (tmp_path / "trials.csv").write_text("trial,outcome\n0,complete\n")
    damaged = read_report(tmp_path, {"command": ["run.py", "tune-steering"]})
    assert damaged["search"] is None
    assert "trials.csv is damaged or cut short" in damaged["damaged"][0]


def test_without_a_human_there_is_no_error(annotated_run: Callable[..., Path]) -> None:
    (drive,) = read_report(annotated_run(human=False))["recordings"]
    assert [chart["id"] for chart in drive["charts"]] == ["steering", "cars", "score"]
    assert [series["name"] for series in drive["charts"][0]["series"]] == ["model"]


def test_peaks_lie_apart() -> None:
    time_s = np.arange(1000) / 10
    height = np.full(1000, np.nan)
    height[[100, 103, 400, 900]] = [5, 4.9, 7, 1]
    assert peaks(time_s, height) == [400, 100, 900]
    assert peaks(time_s, np.zeros(1000)) == []
    assert peaks(np.zeros(0), np.zeros(0)) == []


def test_an_empty_folder_has_a_report_and_a_missing_one_none(tmp_path: Path) -> None:
    data = read_report(tmp_path)
    assert data["recordings"] == []
    assert data["title"] == tmp_path.name
    with pytest.raises(MissingFileError, match="expected the folder of a run"):
        read_report(tmp_path / "absent")


def test_a_damaged_table_is_named(annotated_run: Callable[..., Path]) -> None:
    folder = annotated_run(frames=12)
    (folder / "steering.csv").write_text("frame,time_s,angle_deg,truth_deg\n0,zero,1,2\n")
    (told,) = read_report(folder)["damaged"]
    assert told == "steering.csv, row 1: time_s must be a number; got 'zero'"
    (folder / "steering.csv").write_text("time_s\n1\n")
    data = read_report(folder)
    assert data["damaged"] == ["steering.csv: missing column frame; got time_s"]
    assert [chart["id"] for chart in data["recordings"][0]["charts"]] == ["cars", "score"]
    assert data["recordings"][0]["video"]["src"] == "clip.mp4"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("detections.csv", b"", "detections.csv is empty; expected a table with the columns "),
        ("detections.csv", b"\xff\xfe1", "detections.csv is not UTF-8 text"),
        (
            "detections.csv",
            b"\0\1\x1b[2J,a\n",
            "detections.csv is damaged; expected a table with the ",
        ),
        ("steering.csv", b"\x80", "steering.csv is not UTF-8 text"),
        ("metrics.json", b"{", "metrics.json is not valid JSON: it is damaged or cut"),
        ("metrics.json", b"\xff", "metrics.json is not UTF-8 text"),
        ("clip.mp4", b"no video", "clip.mp4 is not a valid video: charts and tables are "),
        ("clip.mp4", None, "clip.mp4 is no longer in this folder: charts and tables are shown"),
    ],
)
def test_a_damaged_part_hides_only_itself(
    annotated_run: Callable[..., Path], name: str, content: bytes | None, told: str
) -> None:
    folder = annotated_run(frames=12)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    data = read_report(folder)
    (line,) = data["damaged"]
    assert line.startswith(told)
    (drive,) = data["recordings"]
    charts = {"steering", "error", "cars", "score"}
    charts -= {"steering.csv": {"steering", "error"}, "detections.csv": {"cars", "score"}}.get(
        name, set()
    )
    assert {chart["id"] for chart in drive["charts"]} == charts
    assert (drive["video"] is None) == (name == "clip.mp4")
    assert data["command"] == "annotate" and data["facts"]


def test_a_damaged_run_json_leaves_the_rest_and_the_old_page(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run(frames=12)
    (folder / "report.html").write_text("old")
    (folder / "run.json").write_text('{"command": [')
    data = read_report(folder)
    assert data["damaged"][0] == "run.json is not valid JSON: it is damaged or cut short at line 1"
    assert data["damaged"][1].endswith("; report.html in this folder still opens")
    assert len(data["recordings"][0]["charts"]) == 4


def test_wrong_entries_deep_in_json_are_told_and_left_out(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run(frames=12)
    record = json.loads((folder / "run.json").read_text())
    record["settings"]["start"] = "soon"
    record["results"] |= {"boxes": "x" * 99, "baselines": [1], "against_human": {"baselines": 3}}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "metrics.json").write_text('{"rmse_deg": "1", "mae_deg": 2}')
    (folder / "manifest.json").write_text("[]")
    data = read_report(folder)
    assert data["damaged"] == [
        f'run.json: results.boxes must be a number; got "{"x" * 39}...',
        "run.json: results.baselines must be an object; got a list",
        "run.json: results.against_human.baselines must be an object; got 3",
        'metrics.json: rmse_deg must be a number; got "1"',
        "manifest.json must hold an object; got a list",
    ]
    assert "frames" in [fact["label"] for fact in data["facts"]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "epoch,loss,val_loss,learning_rate,seconds\n1,2.5,1",
            "history.csv, row 1: expected 5 cells; got 3. Is the file cut short?",
        ),
        ("", "history.csv is empty; expected a table with the columns epoch, loss, "),
        ("epoch,loss\n", "history.csv: missing column val_loss; got epoch, loss"),
    ],
)
def test_a_cut_history_hides_only_the_losses(tmp_path: Path, content: str, told: str) -> None:
    Notes(epochs=3, edges=[0, 1], shares={"training data": [1.0]}).write(tmp_path)
    (tmp_path / "history.csv").write_text(content)
    data = read_report(tmp_path)
    (line,) = data["damaged"]
    assert line.startswith(told)
    assert data["training"]["histories"] == []
    assert data["training"]["distribution"]["edges"] == [0, 1]
    (tmp_path / "report_files" / "notes.json").write_text('{"shares": {"a": 3}, "worst": [{}]}')
    told_now = "notes.json: shares.a must be a list; got 3"
    assert told_now in read_report(tmp_path)["damaged"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1,0.1", "steering.csv, row 2: expected 4 cells; got 2"),
        ("1,0.1,one,2", "steering.csv, row 2: angle_deg must be a number; got 'one'"),
        ("1,0.1,\x1b[2J,2", "row 2: angle_deg must be a number; got unprintable characters"),
        (f"1,0.1,{'x' * 99},2", f"row 2: angle_deg must be a number; got '{'x' * 39}..."),
        (",0.1,1,2", "steering.csv, row 2: frame must be from 0 to 10000000; got nan"),
        ("9e15,0.1,1,2", "row 2: frame must be from 0 to 10000000; got 9e+15"),
        ("1,inf,1,2", "row 2: time_s must be a finite number; got inf"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, row: str, told: str) -> None:
    table = f"frame,time_s,angle_deg,truth_deg\n0,0,1,2\n{row}\n"
    (tmp_path / "steering.csv").write_text(table)
    (line,) = read_report(tmp_path)["damaged"]
    assert line.startswith(told) or f"steering.csv, {told}" in line


PARTS = [
    "run.json",
    "metrics.json",
    "manifest.json",
    "detections.csv",
    "steering.csv",
    "simulation.csv",
    "trials.csv",
    "history.csv",
    "predictions.csv",
    "report_files/notes.json",
]


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("secret", ["secret", '{"secret": "secret"}', "secret\0"])
def test_links_out_of_the_folder_are_not_followed(tmp_path: Path, name: str, secret: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.write_text(secret)
    (folder / "report_files").mkdir(parents=True)
    (folder / name).symlink_to(outside)
    if name == "predictions.csv":
        Notes(epochs=3).write(folder)
    data = read_report(folder)
    assert f"{name} is a link out of the run's folder and is not read" in data["damaged"]
    assert "secret" not in json.dumps(data)


def test_a_table_with_a_byte_order_mark_is_read(annotated_run: Callable[..., Path]) -> None:
    table = annotated_run(frames=12) / "steering.csv"
    table.write_text("\ufeff" + table.read_text())
    assert read_report(table.parent)["damaged"] == []


def test_a_training_has_losses_and_a_lost_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(
        "epoch,loss,val_loss,learning_rate,seconds\n1,2.5,nan,0.001,3\n2,1.5,1.25,0.0005,3\n"
    )
    training = read_report(tmp_path)["training"]
    assert training["histories"] == [
        {"name": "", "rows": [[1, 2.5, None, 0.001, 3.0], [2, 1.5, 1.25, 0.0005, 3.0]]}
    ]
    assert "NaN" not in json.dumps(training)
    assert training["levels"] == []


def test_a_training_has_the_losses_of_constant_angles_to_compare_with(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(
        "epoch,loss,val_loss,learning_rate,seconds\n1,2.5,1.5,0.001,3\n"
    )
    baselines = {"zero": 2.0, "mean": 1.5, "persistence_1s": 0.5}
    record = {"command": ["drive", "train-steering"]}
    record |= {"results": {"validation": {"rmse_deg": 1.2, "baselines": baselines}}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    training = read_report(tmp_path)["training"]
    assert training["levels"] == [
        {"name": "always straight ahead", "loss": 4.0},
        {"name": "mean angle", "loss": 2.25},
    ]


def test_the_model_is_judged_by_its_own_angle_beside_a_smoothed_one(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run(frames=20)
    path = folder / "steering.csv"
    head, *rows = list(csv.reader(path.open()))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[*head, "smoothed_deg"], *([*row, 50] for row in rows)])
    (drive,) = read_report(folder)["recordings"]
    steering, error = drive["charts"][:2]
    assert [series["name"] for series in steering["series"]] == ["model", "smoothed", "recorded"]
    np.testing.assert_allclose(values_of(error["series"][0]["values"])[:3], [0, 0.05, 0.1])
    assert "not of the smoothed one" in error["note"]
    assert drive["moments"][0]["text"] == "model 0.9°, recorded -30.0°"


def test_the_error_that_a_run_measured_is_its_first_fact(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run(frames=12)
    record = json.loads((folder / "run.json").read_text())
    errors = {"n": 1, "rmse_deg": 2.0, "mae_deg": 1.5, "baselines": {"zero": 3.0}}
    record["results"]["against_human"] = errors
    (folder / "run.json").write_text(json.dumps(record))
    rmse, mean = read_report(folder)["facts"][:2]
    assert (rmse["label"], rmse["value"], rmse["note"]) == ("RMSE", "2.00°", "always zero 3.00")
    assert (mean["label"], mean["value"]) == ("mean absolute error", "1.50°")
    assert mean["note"] == "1 frame compared"
