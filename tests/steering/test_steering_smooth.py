"""The filter over time: its delay is what it says, at any frame rate; jitter falls."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive import cli
from drive.core.errors import InputError
from drive.core.types import Frame
from drive.drawing.overlay import Overlay
from drive.pipeline.analyser import Analyser, Predicting
from drive.pipeline.sinks import draw
from drive.steering.evaluate import Predictions
from drive.steering.smooth import Smoother, jitter_deg, measure_smoothing, smooth
from tests.conftest import VideoMaker


def uneven_times(count: int) -> np.ndarray:
    """Seconds of frames that come 5 to 120 ms after each other."""
    return np.cumsum(np.random.default_rng(1).uniform(0.005, 0.12, count))


@pytest.mark.parametrize("delay_s", [0.05, 0.3, 1.0])
def test_a_steady_turn_comes_exactly_the_delay_later_at_any_frame_rate(delay_s: float) -> None:
    time_s = uneven_times(600)
    smoothed = smooth(time_s, 4 * time_s, delay_s)
    late_s = time_s - smoothed / 4
    settled = time_s > time_s[0] + 12 * delay_s
    assert settled.sum() > 100
    np.testing.assert_allclose(late_s[settled], delay_s, rtol=0.01)


def test_an_angle_that_stays_is_left_alone_and_jitter_falls() -> None:
    time_s = uneven_times(300)
    np.testing.assert_allclose(smooth(time_s, np.full(300, -2.5), 0.3), -2.5)
    noise = np.random.default_rng(2).normal(0, 1, 300)
    smoothed = smooth(time_s, noise, 0.3)
    before, after = jitter_deg(noise), jitter_deg(smoothed)
    assert before is not None and after is not None
    assert after < 0.3 * before
    assert jitter_deg(np.array([1.0])) is None


def test_no_frame_before_its_time() -> None:
    """An angle tells nothing of later ones."""
    time_s, angle_deg = uneven_times(50), np.random.default_rng(3).normal(0, 1, 50)
    changed = angle_deg.copy()
    changed[30:] += 9
    first, second = (smooth(time_s, angles, 0.2) for angles in (angle_deg, changed))
    np.testing.assert_array_equal(first[:30], second[:30])
    assert second[30] > first[30]


def test_a_source_that_begins_anew_has_no_past() -> None:
    smoother = Smoother(0.5)
    assert smoother.add(3.0, 8.0) == 8.0
    assert 0 < smoother.add(3.1, 0.0) < 8.0
    assert smoother.add(0.0, -1.0) == -1.0


@pytest.mark.parametrize("delay_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_delay_is_above_zero(delay_s: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        Smoother(delay_s)


def test_what_the_delay_costs_is_measured_beside_what_the_filter_gains() -> None:
    time_s = np.arange(400) * 0.05
    truth = 5 * np.sin(time_s)
    noise = np.random.default_rng(4).normal(0, 1.5, 400)
    drive = Predictions("town", np.arange(400), time_s, (truth + noise).astype(np.float32), truth)
    found = measure_smoothing([drive], 0.2)
    assert found.delay_s == 0.2
    assert found.rmse_change_deg < -0.5
    assert found.jitter_deg < 0.5
    expected = 5 / np.sqrt(2) * 2 * np.sin(0.2 / 2)  # a sine against itself 0.2 s ago
    assert found.delay_costs_deg == pytest.approx(expected, rel=0.05)


class Weaving:
    """Steers left and right in turn."""

    members = 1
    turn = 1.0

    def predict(self, image: np.ndarray) -> float:
        self.turn = -self.turn
        return 8 * self.turn


def test_the_picture_shows_the_smoothed_angle_and_says_how_late_it_is() -> None:
    analyser = Analyser(predicting=Predicting(Weaving(), Smoother(0.25)))  # type: ignore[arg-type]
    frames = [Frame(n, n / 20, np.full((180, 320, 3), 90, np.uint8)) for n in range(3)]
    result = [analyser.analyse(frame) for frame in frames][-1]
    assert result.angle_deg == -8 and result.smoothed_deg is not None
    assert -8 < result.smoothed_deg < -4
    assert result.header is not None and "0.25 s late" in result.header
    plain = replace(result, angle_deg=result.smoothed_deg, smoothed_deg=None)
    overlay, image = Overlay(320, 180), frames[0].image
    shown, called_model = (
        draw(overlay, replace(each, frame=Frame(0, 0.0, image.copy()))) for each in (result, plain)
    )
    header, smoothed_deg = result.header, result.smoothed_deg
    expected = overlay.draw(image.copy(), smoothed_deg=smoothed_deg, header=header)
    np.testing.assert_array_equal(shown, expected)
    assert (shown != called_model).any()  # it says "smoothed"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_predict_steering_states_the_delay_and_keeps_the_raw_angle(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    times_ms = [0, 40, 95, 140, 260, 300]
    video = str(make_video(times_ms=times_ms, size=(160, 32)))  # the numbers lie on the road
    raw, smoothed = tmp_path / "raw", tmp_path / "smoothed"
    assert cli.main(["predict-steering", video, "--out", str(raw), "--no-video", "--quiet"]) == 0
    capsys.readouterr()
    command = ["predict-steering", video, "--smooth", "0.25", "--out", str(smoothed), "--json"]
    assert cli.main(command) == 0
    done = capsys.readouterr()
    before, after = rows_of(raw / "steering.csv"), rows_of(smoothed / "steering.csv")
    assert list(before[0]) == ["frame", "time_s", "angle_deg", "truth_deg"]
    assert list(after[0]) == [*before[0], "smoothed_deg"]
    angles = np.array([float(row["angle_deg"]) for row in after])
    assert [row["angle_deg"] for row in after] == [row["angle_deg"] for row in before]
    written = [float(row["smoothed_deg"]) for row in after]
    expected = smooth(np.array(times_ms) / 1000, angles, 0.25)
    np.testing.assert_allclose(written, expected, atol=1e-3)
    assert "delay 0.25 s" in done.err and "jitter" in done.err
    said = json.loads((smoothed / "run.json").read_text())["smoothing"]
    assert said["delay_s"] == 0.25
    assert said["smoothed_jitter_deg"] < said["jitter_deg"]
    assert json.loads(done.out.splitlines()[-1])["smoothing"] == said


def test_pictures_are_not_smoothed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((96, 160, 3), np.uint8))
    command = ["predict-steering", str(tmp_path / "p.png"), "--smooth=0.2", "--quiet"]
    assert cli.main([*command, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "images" in error and len(error.splitlines()) == 1


def exit_status(arguments: list[str]) -> int:
    """The exit status of a command line, whoever refuses it."""
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(
    "command", ["predict-steering", "annotate", "evaluate-steering", "simulate"]
)
@pytest.mark.parametrize("delay", ["0", "-1", "1000", "inf", "nan", "soon"])
def test_a_delay_has_a_bound_that_help_states(
    command: str, delay: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status([command, "absent", f"--smooth={delay}"]) == 2
    error = capsys.readouterr().err
    assert "--smooth" in error and delay in error and len(error.splitlines()) == 1
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert "at most 5" in " ".join(capsys.readouterr().out.split())


def test_evaluate_steering_measures_the_smoothed_angles_as_well(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("town", [float(index % 5) for index in range(24)], size=(160, 32))
    command = ["evaluate-steering", str(folder), "--smooth", "0.2", "--out", str(tmp_path / "out")]
    assert cli.main([*command, "--json"]) == 0
    assert "delay 0.2 s" in capsys.readouterr().err
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    found = metrics["smoothing"]
    assert found["delay_s"] == 0.2 and found["delay_costs_deg"] > 0.1
    assert found["jitter_deg"] <= metrics["jitter_deg"]
    assert found["rmse_change_deg"] == pytest.approx(found["rmse_deg"] - metrics["rmse_deg"])
