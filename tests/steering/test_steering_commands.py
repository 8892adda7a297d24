from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import DivergedError
from drive.pages import read_report
from drive.results.history import write_history
from drive.results.verdict import Verdict
from drive.runtime import load_engine
from drive.steering import train, training_split
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.network import build_network
from drive.steering.predict import DEFAULT_MODEL, load_steering
from drive.steering.preprocess import ROAD
from drive.training import fit

WEIGHTS = DEFAULT_MODEL.parent


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def recording(make_recording: Callable[..., Path]) -> Path:
    return make_recording("town", np.sin(np.arange(160) / 9) * 5, fps=20)


@pytest.fixture
def constant_model(tmp_path: Path) -> Path:
    """A network that answers 1 degree whatever it sees."""
    model = build_network()
    last = model.get_layer("steering")
    last.set_weights([np.zeros((10, 1)), np.ones(1)])
    metadata = describe(model, "published", ROAD, np.array([0.5]), ["nowhere"])
    return save_trained(model, tmp_path / "constant.keras", metadata)


def test_train_then_evaluate(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, evaluated = tmp_path / "trained", tmp_path / "evaluated"
    options = ["--epochs", "1", "--batch", "16", "--validation", "0.25", "--quiet"]
    assert main(["train-steering", str(recording), *options, "--out", str(out)]) == 0
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "model.keras",
        "model.onnx",
        "history.csv",
        "loss.png",
        "steering_distribution.png",
        "steering_over_time.png",
        "run.json",
    }
    record = json.loads((out / "run.json").read_text())
    assert record["training"]["epochs"] == 1
    assert record["data"]["crop"] == str(ROAD)  # motion does not show the horizon
    assert record["counts"]["frames_read"] == 160
    trained = Verdict(**record["results"]["verdict"])
    assert trained.sentence.startswith("The model explains ")
    assert " of the steering on the validation data" in trained.sentence
    kept = [load_steering(out / f"model.{kind}").verdict for kind in ("onnx", "keras")]
    assert kept == [replace(trained, causes=tuple(trained.causes))] * 2
    assert trained.sentence in capsys.readouterr().out
    model = ["--weights", str(out / "model.onnx")]
    assert main(["evaluate-steering", str(recording), *model, "--out", str(evaluated)]) == 0
    metrics = json.loads((evaluated / "metrics.json").read_text())
    assert metrics["n"] == 160
    assert set(metrics["baselines"]) == {"zero", "mean", "persistence_1s"}
    assert set(metrics) >= {"rmse_deg", "mae_deg", "explained_variance", "jitter_deg"}
    assert metrics["explained"].keys() == {"model", *metrics["baselines"]}
    assert metrics["verdict"]["sentence"] in capsys.readouterr().out
    with (evaluated / "steering.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["frame", "time_s", "angle_deg", "truth_deg"]
    assert len(rows) == 161
    assert (evaluated / "steering_over_time.png").exists()


def test_evaluation_says_which_frames_are_left_out_and_why(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder, out = make_recording("holes", frames=20), tmp_path / "out"
    angles = {frame: frame % 5 for frame in range(23) if frame not in (3, 4)} | {7: ""}
    rows = "\n".join(f"{frame},{angle}" for frame, angle in angles.items())
    (folder / "epoch01_steering.csv").write_text(f"frame,wheel\n{rows}\n")
    assert main(["evaluate-steering", str(folder), "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().err
    assert "holes/epoch01: 2 frames without a row in the CSV are left out" in said
    assert "1 row of the CSV without an angle is left out" in said
    assert "3 rows of the CSV without a frame in the video are left out" in said
    assert "damaged" not in said
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["frames_read"] == 17
    assert (counts["frames_without_row"], counts["rows_without_angle"]) == (2, 1)
    (folder / "epoch01_steering.csv").write_text("frame,wheel\n90,1\n")
    assert main(["evaluate-steering", str(folder), "--out", str(tmp_path / "none")]) == 2
    assert "no frame of the video has an angle" in capsys.readouterr().err.splitlines()[-1]
    (folder / "epoch01_steering.csv").write_text("frame,wheel\n1,nan\n2,\n")
    assert main(["evaluate-steering", str(folder), "--out", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "no row of epoch01_steering.csv has an angle" in said and "belong" not in said


def test_rows_whose_frame_has_an_earlier_one_are_told(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = make_recording("twice", [1.0] * 10)
    with (folder / "epoch01_steering.csv").open("a") as file:
        file.write("0.450,9,5.0\n0.450,9,6.0\n")
    said = "twice/epoch01: 2 rows of the CSV with the frame of an earlier row are "
    assert main(["evaluate-steering", str(folder), "--out", str(tmp_path / "a"), "--quiet"]) == 0
    assert f"{said}left out" in capsys.readouterr().err
    with (tmp_path / "a" / "steering.csv").open() as file:
        assert float(list(csv.DictReader(file))[-1]["truth_deg"]) == 1
    video = [str(folder / "epoch01_front.mp4"), "--no-video", "--no-report", "--quiet"]
    assert main(["predict-steering", *video, "--out", str(tmp_path / "p")]) == 0
    assert f"{said}not compared" in capsys.readouterr().err
    command = ["train-steering", str(folder), "--validation", "0.25", "--out", str(tmp_path / "t")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert f"{said}left out" in told and "too short" in told


def test_a_constant_model_is_judged(
    recording: Path, constant_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["evaluate-steering", str(recording), "--weights", str(constant_model)]
    assert main([*command, "--out", str(tmp_path / "out"), "--json"]) == 0
    output = capsys.readouterr()
    assert "It predicts almost the same angle everywhere (spread 0.00 degrees" in output.out
    results = json.loads(output.out.splitlines()[-1])
    assert results["jitter_deg"] == pytest.approx(0, abs=1e-6)
    assert results["baselines"]["zero"] > 3
    assert results["verdict"]["level"] == "nothing"


def test_a_model_that_has_learnt_nothing_is_warned_about_where_it_predicts(
    recording: Path, constant_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    video = str(recording / "epoch01_front.mp4")
    model, metadata = load_network(constant_model)
    for level, warned in (("nothing", True), ("weak", False)):
        verdict = Verdict("It explains little.", ("Too little data.", "Another road."), level)
        weights = save_trained(model, tmp_path / f"{level}.keras", metadata | verdict.as_metadata())
        command = ["predict-steering", video, "--weights", str(weights), "--no-video"]
        assert main([*command, "--out", str(tmp_path / level)]) == 0
        said = capsys.readouterr().err
        assert ("do not trust this steering model" in said) is warned
        assert "t the end of its training: It explains little." in said
        record = json.loads((tmp_path / level / "run.json").read_text())
        assert record["steering"]["training_verdict"]["level"] == level
        assert record["results"]["against_human"]["verdict"]["level"] == "nothing"


def test_several_recordings_are_measured_each_and_together(
    make_recording: Callable[..., Path], constant_model: Path, tmp_path: Path
) -> None:
    folders = [make_recording(name, [1.0, 3.0] * 6) for name in ("a", "b")]
    out = tmp_path / "out"
    command = ["evaluate-steering", *map(str, folders), "--weights", str(constant_model)]
    assert main([*command, "--out", str(out), "--quiet"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["n"] == 24
    assert {name: each["n"] for name, each in metrics["recordings"].items()} == {
        "a/epoch01": 12,
        "b/epoch01": 12,
    }
    assert metrics["verdicts"].keys() == {"a/epoch01", "b/epoch01"}
    assert "on 2 recordings together" in metrics["verdict"]["sentence"]
    assert (out / "a_epoch01" / "steering.csv").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--validation", "nowhere"], "there is no recording"),
        (["--exclude", "nowhere"], "there is no recording"),
        (["--exclude", "town"], "no recording to train on"),
        (["--epochs", "0"], "--epochs must be at least 1; got 0"),
        (["--stride", "0"], "--stride"),
        (["--crop", "1,2,3"], "--crop must have"),
        (["--weights", "absent.keras"], "absent.keras"),
        (["--smooth-labels", "9"], "--smooth-labels must be from 0 to 5; got 9"),
        (["--fov", "500"], "--fov must be a number from 10 to 170"),
        (["--fps", "-1"], "--fps must be at least 0; got -1"),
        (["--learning-rate", "0"], "--learning-rate must be above 0; got 0"),
        (["--weights", str(WEIGHTS / "steering-int8.onnx")], "int8, which cannot be trained"),
    ],
)
def test_wrong_arguments_are_exit_status_2_and_one_line(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture, options: list[str], reason: str
) -> None:
    out = ["--out", str(tmp_path / "out"), "--quiet"]
    assert main(["train-steering", str(recording), *options, *out]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1


def test_labels_of_no_driver_are_warned_about_and_a_stopped_training_names_its_folder(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    recording, out = make_recording("town", [4000.0] * 160, fps=20), tmp_path / "out"
    command = ["train-steering", str(recording), "--validation", "0.25", "--quiet", "--no-report"]
    monkeypatch.setattr(fit, "train_epoch", stopped)
    assert main([*command, "--out", str(out)]) == 130
    error = capsys.readouterr().err
    assert "every angle is 4000 degrees, nothing to learn from" in error
    assert "angles of up to 4000 degrees; no steering wheel turns beyond 720" in error
    assert f"finished epochs are kept; resume with --resume {out}\n" in error
    monkeypatch.setattr(training_split, "read_split", stopped)
    assert main([*command, "--out", str(tmp_path / "other")]) == 130
    assert "--resume" not in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_copy_in_another_folder_neither_teaches_nor_judges(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr("drive.tasks._steering_training.search_rate", lambda *_: None)
    folders = [make_recording(name, [float(n % 7) for n in range(20)]) for name in ("a", "b")]
    shutil.copytree(folders[0], tmp_path / "copy")
    labels = tmp_path / "copy" / "epoch01_steering.csv"
    labels.write_text(labels.read_text().replace("wheel", "angle") + "90,1,1\n")
    command = ["train-steering", *map(str, folders), str(tmp_path / "copy"), "--find-lr"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    error = capsys.readouterr().err
    assert "warning: copy/epoch01 is left out: its video is that of a/epoch01" in error
    counts = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    assert counts["training"] == {"a/epoch01": 20}
    assert counts["validation"] == {"b/epoch01": 20}


@pytest.mark.slow
def test_a_training_that_diverges_keeps_and_exports_its_best_epoch(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    losses = iter([3.0, 4.0, float("nan")])
    monkeypatch.setattr(train, "mean_squared_error", lambda *_: next(losses))
    out = tmp_path / "out"
    command = ["train-steering", str(recording), "--validation", "0.25", "--epochs", "5"]
    command += ["--fps", "2", "--quiet", "--json", "--out", str(out)]
    assert main(command) == 1
    output = capsys.readouterr()
    assert "the loss is not finite in epoch 3; epoch 1, the best before it, is kept" in output.err
    assert "diverged: try a tenth of the --learning-rate" in output.err.splitlines()[-1]
    assert json.loads(output.out.splitlines()[-1])["best_epoch"] == 1
    assert load_engine(out / "model.onnx").metadata["network"] == "steering"
    names = {path.name for path in out.iterdir()}
    assert names >= {"model.keras", "loss.png", "steering_over_time.png", "report.html", "run.json"}
    assert len((out / "history.csv").read_text().splitlines()) == 3


def test_resume_without_a_training_is_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["train-steering", "--resume", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "there is no training to resume" in said
    assert "not reached its first epoch. Start again, without --resume" in said
    assert "state.keras" not in said


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--weights", "is not a model file of a steering network; expected one that "),
        ("--cache", "--cache must be a folder; "),
    ],
)
def test_a_text_in_the_place_of_something_else_is_named(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture, option: str, reason: str
) -> None:
    text = tmp_path / "README.md"
    text.write_text("# read me\n")
    command = ["train-steering", str(recording), option, str(text), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line and str(text) in line


def test_the_page_of_a_training_that_diverges_at_once_says_so(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(_: object, folder: Path, *__: object, **___: object) -> None:
        write_history(folder / "history.csv", [])
        raise DivergedError("The loss is no number")

    monkeypatch.setattr(train, "train_steering", diverge)
    out = tmp_path / "out"
    command = ["train-steering", str(recording), "--validation", "0.25", "--quiet"]
    assert main([*command, "--out", str(out)]) == 1
    assert '"reason":"The loss is no number"' in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["--ensemble", "3"], "--ensemble"),
        (["--batch-norm", "--epochs", "3"], "--batch-norm"),
        (["--weights", "a.onnx"], "--weights"),
        (["a_recording"], "RECORDING"),
    ],
)
def test_resume_refuses_what_it_would_not_heed(
    tmp_path: Path, capsys: pytest.CaptureFixture, given: list[str], named: str
) -> None:
    assert main(["train-steering", *given, "--resume", str(tmp_path)]) == 2
    assert f"Leave out {named}\n" in capsys.readouterr().err


def test_a_stopped_training_is_not_overwritten_unasked(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "history.csv").write_text("epoch\n")
    assert main(["train-steering", str(recording), "--out", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_training_says_what_is_left_out_and_why_its_losses_differ(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = recording / "epoch01_steering.csv"
    text = rows.read_text().splitlines()
    rows.write_text("\n".join([*text[:3], text[3].rsplit(",", 1)[0] + ",", *text[4:]]) + "\n")
    command = ["train-steering", str(recording), "--epochs", "1", "--batch", "64"]
    assert main([*command, "--validation", "0.2", "--out", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().err
    assert "town/epoch01: 1 row of the CSV without an angle is left out" in said
    assert "after a gap of 100 frames left out" in said
    note = read_report(tmp_path / "a")["training"]["loss_note"]
    assert "trained on augmented images" in note and "training loss may be far above" in note
    assert note not in said


def test_the_files_of_every_recording_are_listed(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folders, out = [make_recording(name, frames=4) for name in ("a", "b")], tmp_path / "out"
    assert main(["evaluate-steering", *map(str, folders), "--out", str(out), "--json"]) == 0
    done = capsys.readouterr()
    assert f"7 files, metrics, tables and plots -> {out}" in done.err
    files = json.loads(done.out.splitlines()[-1])["recordings"]
    listed = {file["name"] for file in read_report(out)["files"]}
    for name in ("a", "b"):
        paths = [Path(path) for path in files[f"{name}/epoch01"].values()]
        assert len(paths) == 3 and all(path.is_file() for path in paths)
        assert {path.relative_to(out).as_posix() for path in paths} <= listed
