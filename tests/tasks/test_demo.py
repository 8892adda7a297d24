"""`demo`: three tasks on the sample, in this process, with the recording held out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drive import DemoConfig, demo
from drive.cli import main
from drive.core.errors import DriveError, InputError
from drive.core.options import Config
from drive.core.reporter import KeepingReporter
from drive.core.shipped import SAMPLE
from drive.results.verdict import Verdict

HELD_OUT = str(SAMPLE / "epoch03_front.mp4")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs of the three steps, which do nothing."""
    seen: list[Any] = []

    def step(config: Config, reporter: object) -> object:
        seen.append(config)
        verdict = Verdict("It explains 61 %.", ("Add data.",), "weak")
        return SimpleNamespace(as_text=verdict.as_text, verdict=verdict)

    for name in ("train_steering", "evaluate_steering", "annotate"):
        monkeypatch.setattr(f"drive.tasks.{name}.{name}", step)
    return seen


def test_one_recording_is_held_out_and_the_model_runs_on_it(
    tmp_path: Path, asked: list[Any]
) -> None:
    reporter = KeepingReporter()
    result = demo(DemoConfig(epochs=3, seed=7, out=str(tmp_path / "out")), reporter)
    training, evaluation, annotation = asked
    assert list(training.recordings) == [str(SAMPLE)]
    assert training.exclude == "sample/epoch03"
    assert (training.epochs, training.seed, training.out) == (3, 7, str(result.training))
    assert list(evaluation.recordings) == [HELD_OUT]
    assert evaluation.weights == annotation.steering_weights == f"{result.training}/model.onnx"
    assert annotation.sources == (HELD_OUT,)
    assert annotation.out == str(result.annotated)
    said = "\n".join(reporter.messages)
    assert "[1 of 3] drive train-steering" in said
    assert "[3 of 3] done in" in said
    assert "neither trained on nor selected by:\nIt explains 61 %.\n\nLook at:" in said
    assert said.count("  - Add data.") == 2  # of the training and of the evaluation
    assert f"{result.annotated / 'report.html'}" in said
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["settings"]["epochs"] == 3
    assert set(record["seconds"]) >= {"train-steering", "evaluate-steering", "annotate"}


def test_a_step_that_fails_ends_the_demo(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DriveError("the loss is not a number")

    monkeypatch.setattr("drive.tasks.train_steering.train_steering", fail)
    with pytest.raises(DriveError, match="the loss"):
        demo(DemoConfig(out=str(tmp_path / "out")))
    assert asked == []
    assert not (tmp_path / "out").exists()


def test_a_demo_without_epochs_is_refused() -> None:
    with pytest.raises(InputError, match="epochs must be at least 1; got 0"):
        DemoConfig(epochs=0)


@pytest.mark.slow
def test_the_demo_trains_evaluates_and_annotates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["demo", "--epochs", "1", "--out", str(out), "--json"]) == 0
    results = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert Path(results["video"]).is_file()
    for folder, file in (
        ("training", "model.onnx"),
        ("evaluation", "metrics.json"),
        ("annotated", "detections.csv"),
    ):
        assert (Path(results[folder]) / file).is_file()


def test_an_interrupted_demo_says_how_to_start_again(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt(f"epochs are kept; resume with --resume {out / 'training'}")

    def stopped_late(*_: object) -> None:
        (out / "training").mkdir()
        stopped()

    monkeypatch.setattr("drive.tasks.train_steering.train_steering", stopped)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        demo(DemoConfig(out=str(out)))
    monkeypatch.setattr("drive.tasks.train_steering.train_steering", stopped_late)
    with pytest.raises(KeyboardInterrupt, match=rf"^start again with --out {out} --overwrite$"):
        demo(DemoConfig(out=str(out)))
