"""Ensembles: seeds, one network of several, its files, its spread, resuming, the commands."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.conversion.export import export
from drive.core.errors import InputError
from drive.core.types import Frame
from drive.drawing.plots import plot_steering_over_time
from drive.pipeline.sinks import Result, SteeringTable
from drive.results.table import write_table
from drive.steering.ensemble import (
    as_line,
    combine,
    describe_ensemble,
    measure_members,
    member_settings,
    merge,
    merge_trained,
    shared_settings,
    spread_deg,
)
from drive.steering.evaluate import Predictions, evaluate
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.network import build_network, fold_batch_norm
from drive.steering.predict import DEFAULT_MODEL, load_steering
from drive.steering.preprocess import ROAD
from drive.steering.training_settings import TrainingSettings
from drive.tasks import train_steering
from drive.tasks.originals import find_model, open_original


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[list, Path, dict[str, str]]:
    """Three networks with random weights, and the file of the ensemble."""
    members = [build_network(scale_deg=3.0, dropout=0.1) for _ in range(3)]
    one = describe(members[0], "published", ROAD, np.array([1.0]), ["a"])
    metadata = describe_ensemble(one, 3)
    path = tmp_path_factory.mktemp("three") / "model.keras"
    save_trained(merge(members), path, metadata)
    return members, path, metadata


@pytest.mark.parametrize("suffix", [".onnx", ".keras"])
def test_one_file_answers_with_mean_and_spread(three: tuple, suffix: str) -> None:
    members, path, metadata = three
    pictures = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), np.uint8)
    each = np.stack([m.predict_on_batch(pictures).reshape(-1) for m in members], axis=1)
    pilot = load_steering(path.with_suffix(suffix))
    assert pilot.members == 3
    np.testing.assert_allclose(pilot.predict_members(pictures), each, atol=1e-4)
    np.testing.assert_allclose(pilot.predict_prepared(pictures), each.mean(axis=1), atol=1e-4)
    frames = np.random.default_rng(1).integers(0, 256, (2, 90, 160, 3), np.uint8)
    angles, spread = pilot.predict_with_spread(frames)
    np.testing.assert_allclose(angles, pilot.predict_batch(frames), atol=1e-4)
    assert spread.shape == (2,)
    assert (spread > 0.01).all()
    assert pilot.metadata == metadata


def test_the_weights_come_back_from_onnx(three: tuple) -> None:
    _, path, metadata = three
    from_onnx, notes = load_network(path.with_suffix(".onnx"))
    from_keras, _ = load_network(path)
    assert notes == metadata
    for one, other in zip(from_onnx.get_weights(), from_keras.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def normalised() -> list:
    """Two networks with batch normalisation as after a training."""
    rng = np.random.default_rng(1)
    models = [build_network(scale_deg=3.0, batch_norm=True) for _ in range(2)]
    for layer in [layer for model in models for layer in model.layers]:
        if layer.name.endswith("_norm"):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return models


def notes_of(models: list) -> dict[str, str]:
    one = describe(fold_batch_norm(models[0]), "published", ROAD, np.array([1.0]), ["a"])
    return describe_ensemble(one, len(models))


def test_the_file_of_an_ensemble_holds_no_batch_normalisation(
    normalised: list, tmp_path: Path
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 1, 66, 200, 3), np.uint8)
    expected = merge(normalised).predict_on_batch(pictures[:, 0])[1]
    network = merge_trained(normalised)
    assert not any(layer.name.endswith("_norm") for layer in network.layers)
    np.testing.assert_allclose(network.predict_on_batch(pictures[:, 0])[1], expected, atol=1e-3)
    onnx = save_trained(network, tmp_path / "model.keras", notes_of(normalised))
    (tmp_path / "out").mkdir()
    original = open_original(find_model(str(onnx)), tmp_path, None, fixed=True)
    made = export(original, "litert", (tmp_path / "out").joinpath, list(pictures))
    assert made.path.is_file()


def test_files_of_before_that_hold_it_unsaid_are_read(normalised: list, tmp_path: Path) -> None:
    onnx = save_trained(merge(normalised), tmp_path / "model.keras", notes_of(normalised))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 66, 200, 3), np.uint8)
    expected = load_network(onnx.with_suffix(".keras"))[0].predict_on_batch(pictures)[1]
    np.testing.assert_allclose(
        load_network(onnx)[0].predict_on_batch(pictures)[1], expected, atol=1e-4
    )


def test_a_single_network_has_no_spread() -> None:
    assert np.isnan(spread_deg(np.ones((3, 1)))).all()
    np.testing.assert_allclose(spread_deg(np.array([[1.0, 3.0], [2.0, 2.0]])), [2**0.5, 0])


def test_ensembles_of_two_seeds_share_no_member() -> None:
    zero, one = (member_settings(TrainingSettings(seed=seed), 3) for seed in (0, 1))
    assert [each.seed for each in zero + one] == [0, 1, 2, 3, 4, 5]
    assert shared_settings(one[0], 3) == TrainingSettings(seed=1)
    for members in (1, 100_000):
        with pytest.raises(InputError, match=f"ensemble must be from 2 to 100; got {members}"):
            train_steering.TrainSteeringConfig(ensemble=members)


def answers(angle_deg: list[float], truth_deg: list[float]) -> Predictions:
    count = np.arange(len(truth_deg))
    return Predictions("a", count, count / 10, np.array(angle_deg, "f"), np.array(truth_deg, "f"))


def test_an_honest_spread_is_told_from_one_that_is_not() -> None:
    rng = np.random.default_rng(0)
    doubt = rng.uniform(0.1, 3.0, 4000)[:, None]
    truth = rng.normal(0, 5, 4000)
    centre = truth + doubt[:, 0] * rng.normal(size=4000)  # no member knows better than another
    apart = centre[:, None] + doubt * rng.normal(size=(4000, 5))
    honest = measure_members(apart, truth).spread
    assert honest.error_correlation > 0.3
    assert 0.9 < honest.error_over_spread < 1.2
    together = truth[:, None] + 2 * rng.normal(size=(4000, 1)) + 0.1 * rng.normal(size=(4000, 2))
    blind = measure_members(together, truth).spread
    assert abs(blind.error_correlation) < 0.1
    assert blind.error_over_spread > 10
    alike = measure_members(np.zeros((4, 2)), np.ones(4)).spread
    assert alike.error_correlation is None
    assert alike.error_over_spread is None


def test_members_stand_beside_the_ensemble() -> None:
    truth = [0.0, 1.0, 2.0]
    both = combine([[answers([1, 2, 3], truth)], [answers([-1, 0, 1], truth)]])
    metrics = evaluate(both)
    assert metrics.rmse_deg == pytest.approx(0)
    assert metrics.ensemble is not None
    assert [member.rmse_deg for member in metrics.ensemble.members] == pytest.approx([1, 1])
    assert metrics.ensemble.spread.mean_deg == pytest.approx(2**0.5)
    assert "its members 1.000, 1.000" in as_line(metrics.rmse_deg, metrics.ensemble)
    assert evaluate([answers([1, 2, 3], truth)]).ensemble is None


def test_the_spread_is_the_last_column_of_an_ensembles_csv(tmp_path: Path) -> None:
    path, image = tmp_path / "steering.csv", np.zeros((2, 2, 3), np.uint8)
    frame = Frame(0, 0.0, image, "video.mp4")
    with SteeringTable(path, smooths=True, spreads=True) as sink:
        sink.write(Result(frame, angle_deg=1.0, smoothed_deg=0.5, spread_deg=0.25))
    assert table(path)[0][-2:] == ["smoothed_deg", "spread_deg"]
    assert table(path)[1][-2:] == ["0.5", "0.25"]
    assert sink.steering.spread_deg == [0.25]
    both = combine([[answers([1, 2], [0, 0])], [answers([3, 2], [0, 0])]])
    write_table(path, both[0].steering)
    assert [row[-1] for row in table(path)] == ["spread_deg", "1.4142", "0.0"]
    write_table(path, answers([1, 2], [0, 0]).steering)
    assert table(path)[0][-1] == "truth_deg"


def test_the_spread_is_drawn_around_the_angle(tmp_path: Path) -> None:
    time_s, angle_deg = np.arange(100) / 10, np.zeros(100)
    plain, band = tmp_path / "plain.png", tmp_path / "band.png"
    plot_steering_over_time(plain, time_s, angle_deg)
    plot_steering_over_time(band, time_s, angle_deg, spread_deg=np.ones(100))
    colours = [
        len(np.unique(cv2.imread(str(path)).reshape(-1, 3), axis=0)) for path in (plain, band)
    ]
    assert colours[1] > colours[0]
    with pytest.raises(InputError, match="3 spreads"):
        plot_steering_over_time(band, time_s, angle_deg, spread_deg=np.ones(3))


def table(path: Path) -> list[list[str]]:
    with path.open() as file:
        return list(csv.reader(file))


def test_one_start_for_all_members_is_warned_about(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("drive.tasks._steering_training.train_members", stopped)
    recording = make_recording("town", np.sin(np.arange(120) / 9) * 5, fps=10)
    command = ["train-steering", str(recording), "--ensemble", "2", "--no-report"]
    command += ["--weights", str(DEFAULT_MODEL), "--out", str(tmp_path / "out")]
    assert main([*command, "--validation", "0.25"]) == 130
    assert "every member starts from the same weights" in capsys.readouterr().err


@pytest.mark.slow
def test_train_stop_resume_evaluate_predict(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recording = make_recording("town", np.sin(np.arange(120) / 9) * 5, fps=10)
    out = tmp_path / "trained"
    train = ["train-steering", str(recording), "--epochs", "1", "--batch", "16", "--no-viewpoints"]
    train += ["--validation", "0.25", "--ensemble", "2", "--out", str(out), "--json"]
    assert main(train) == 0
    output = capsys.readouterr()
    results = json.loads(output.out.splitlines()[-1])
    assert "its members" in output.err
    assert len(results["members"]) == len(results["validation"]["members"]) == 2
    assert (out / "member2" / "history.csv").exists()
    first, second = (table(out / f"member{n}" / "history.csv") for n in (1, 2))
    assert first != second
    assert load_steering(out / "model.onnx").verdict.sentence == results["verdict"]["sentence"]
    trained = load_network(out / "model.onnx")[0]
    assert not any(layer.name.endswith("_norm") for layer in trained.layers)

    for path in (out / "member2").rglob("*"):  # as if stopped after the first member
        if path.is_file():
            path.unlink()
    (out / "model.onnx").unlink()
    assert main(["train-steering", "--resume", str(out), "--quiet"]) == 0
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert (settings["recordings"], settings["batch"]) == ([str(recording)], 16)
    again = table(out / "member2" / "history.csv")
    assert float(again[1][2]) == pytest.approx(float(second[1][2]), rel=1e-3)
    assert table(out / "member1" / "history.csv") == first

    model = ["--weights", str(out / "model.onnx")]
    assert main(["train-steering", str(recording), *model, "--out", str(tmp_path / "x")]) == 2
    assert "holds an ensemble" in capsys.readouterr().err

    evaluated = tmp_path / "evaluated"
    assert main(["evaluate-steering", str(recording), *model, "--out", str(evaluated)]) == 0
    assert "mean spread" in capsys.readouterr().out
    metrics = json.loads((evaluated / "metrics.json").read_text())
    assert len(metrics["members"]) == 2
    assert set(metrics["spread"]) == {"mean_deg", "error_correlation", "error_over_spread"}
    assert table(evaluated / "steering.csv")[0][-1] == "spread_deg"

    predicted = tmp_path / "predicted"
    video = str(next(recording.glob("*_front.mp4")))
    assert main(["predict-steering", video, *model, "--no-video", "--out", str(predicted)]) == 0
    rows = table(predicted / "steering.csv")
    assert rows[0] == ["frame", "time_s", "angle_deg", "truth_deg", "spread_deg"]
    expected = [float(row[-1]) for row in table(evaluated / "steering.csv")[1:]]
    np.testing.assert_allclose([float(row[-1]) for row in rows[1:]], expected, atol=1e-3)
