"""Labels: smoothing delays nothing and crosses no gap; a lag is taken out where it is a lag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.recordings.labels import (
    Turning,
    correct_lag,
    smooth_labels,
    smoothed,
    stored_turning,
    stretches,
    without_lag,
)
from drive.recordings.recording import Recording, open_recordings

MakeRecording = Callable[..., Path]
EVEN_S = np.arange(400) * 0.05
UNEVEN_S = np.cumsum(np.random.default_rng(3).uniform(0.02, 0.12, 400))


@pytest.mark.parametrize("time_s", [EVEN_S, UNEVEN_S])
def test_smoothing_leaves_a_ramp_where_it_is(time_s: np.ndarray) -> None:
    ramp = 3 * time_s - 20
    assert smoothed(ramp, time_s, 1.0) == pytest.approx(ramp, abs=1e-3)


@pytest.mark.parametrize("time_s", [EVEN_S, UNEVEN_S])
def test_smoothing_has_no_delay(time_s: np.ndarray) -> None:
    wave = np.sin(2 * np.pi * time_s / 2)
    smooth = smoothed(wave, time_s, 0.5)
    inner = (time_s > 1) & (time_s < time_s[-1] - 1)
    later = np.interp(time_s - 0.03, time_s, smooth)
    earlier = np.interp(time_s + 0.03, time_s, smooth)
    fits = [np.corrcoef(wave[inner], other[inner])[0, 1] for other in (smooth, later, earlier)]
    assert fits[0] > 0.9999
    assert fits[0] > max(fits[1:])


def test_the_steps_of_a_keyboard_become_slopes() -> None:
    keys = np.where((EVEN_S > 5) & (EVEN_S < 8), 10.0, 0.0)
    smooth = smoothed(keys, EVEN_S, 0.6)
    assert np.abs(np.diff(smooth)).max() < 3
    assert smooth[EVEN_S < 4.6].tolist() == [0] * int((EVEN_S < 4.6).sum())
    assert smooth[130] == pytest.approx(10)
    assert smooth.sum() == pytest.approx(keys.sum(), rel=1e-3)
    assert smooth[100] + smooth[101] == pytest.approx(10, abs=0.2)  # the step is at its middle


def test_smoothing_crosses_no_gap() -> None:
    time_s = np.concatenate([np.arange(40) * 0.05, 10 + np.arange(40) * 0.05])
    angles = np.repeat([0.0, 8.0], 40)
    assert smoothed(angles, time_s, 2.0).tolist() == angles.tolist()
    assert [part.start for part in stretches(time_s)] == [0, 40]
    turned_back = np.concatenate([np.arange(40) * 0.05, np.arange(40) * 0.05])
    assert smoothed(angles, turned_back, 2.0).tolist() == angles.tolist()


def test_unknown_angles_stay_unknown_and_hurt_nobody() -> None:
    angles = np.full(60, 4.0)
    angles[[10, 11, 30]] = np.nan
    smooth = smoothed(angles, EVEN_S[:60], 0.5)
    assert np.flatnonzero(np.isnan(smooth)).tolist() == [10, 11, 30]
    assert np.nanmax(np.abs(smooth - 4)) < 1e-5


def test_no_width_changes_nothing_and_odd_ones_are_refused() -> None:
    angles = np.random.default_rng(0).normal(size=50).astype(np.float32)
    assert smoothed(angles, EVEN_S[:50], 0).tolist() == angles.tolist()
    assert smoothed(angles[:1], EVEN_S[:1], 1).tolist() == angles[:1].tolist()
    for width_s in (-0.1, 60.0, float("nan")):
        with pytest.raises(InputError, match="seconds"):
            smoothed(angles, EVEN_S[:50], width_s)


def test_a_lag_is_not_read_across_a_gap() -> None:
    time_s = np.array([0, 0.05, 0.1, 0.15, 5, 5.05, 5.1])
    angles = np.array([0, 1, 2, 3, 100, 101, 102.0])
    assert without_lag(angles, time_s, 0.1).tolist() == [2, 3, 3, 3, 102, 102, 102]
    backwards = without_lag(angles, time_s, -0.05).tolist()
    assert backwards == pytest.approx([0, 0, 1, 2, 100, 100, 101], abs=1e-4)


def course(at_s: np.ndarray) -> np.ndarray:
    return np.sin(at_s) + 0.6 * np.sin(2.3 * at_s + 1)


def drive(make_recording: MakeRecording, lag_s: float, sign: int = 1) -> tuple[Recording, Turning]:
    """A recording of which the wheel trails the picture, and how the picture turned."""
    time_s = np.arange(800) * 0.05
    recording = open_recordings([make_recording("lagging", frames=4)])[0]
    recording = replace(
        recording,
        frame_index=np.arange(800),
        time_s=time_s,
        angle_deg=(sign * course(time_s - lag_s)).astype(np.float32),
        recorded=None,
    )
    return recording, Turning(np.arange(800), time_s, course(time_s) * 0.05)


@pytest.mark.parametrize("lag_s", [0.3, -0.8])
def test_a_lag_beyond_the_car_s_own_is_taken_out(
    make_recording: MakeRecording, lag_s: float
) -> None:
    recording, turning = drive(make_recording, lag_s)
    moved, verdict = correct_lag(recording, turning)
    assert verdict.applied_s == pytest.approx(lag_s, abs=0.05)
    assert moved.config.lag_s == verdict.applied_s
    assert f"{verdict.applied_s:+.2f} s" in verdict.text
    inner_s = np.arange(50, 750) * 0.05
    assert moved.angle_deg[50:750] == pytest.approx(course(inner_s), abs=0.15)
    assert moved.digest != recording.digest
    assert moved.pixels_digest == recording.pixels_digest


@pytest.mark.parametrize(
    ("lag_s", "sign", "why"),
    [
        (-0.3, 1, "usual delay of a car"),
        (0.0, 1, "usual delay of a car"),
        (0.4, -1, "positive to the left"),
    ],
)
def test_other_lags_are_left_alone_and_why(
    make_recording: MakeRecording, lag_s: float, sign: int, why: str
) -> None:
    recording, turning = drive(make_recording, lag_s, sign)
    same, verdict = correct_lag(recording, turning)
    assert same is recording
    assert verdict.applied_s == 0
    assert why in verdict.text


def test_a_picture_that_tells_nothing_moves_nothing(make_recording: MakeRecording) -> None:
    recording, turning = drive(make_recording, 0.3)
    noise = np.random.default_rng(0).normal(size=800)
    same, verdict = correct_lag(recording, replace(turning, turn_px=noise))
    assert same is recording
    assert "do not agree" in verdict.text
    same, verdict = correct_lag(recording, replace(turning, turn_px=noise * 0))
    assert same is recording
    assert verdict.lag is None


def test_turning_is_measured_once(
    make_recording: MakeRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording,) = open_recordings([make_recording("once", frames=12)])
    first = stored_turning(recording, tmp_path / "cache")
    monkeypatch.setattr(Recording, "frames", lambda *_, **__: pytest.fail("decoded again"))
    again = stored_turning(smooth_labels(recording, 0.5), tmp_path / "cache")
    assert again.frame_index.tolist() == first.frame_index.tolist() == list(range(12))
    assert again.turn_px.tolist() == first.turn_px.tolist()


def test_smoothing_a_recording_without_times_takes_the_video_s(
    make_recording: MakeRecording,
) -> None:
    folder = make_recording("untimed", frames=30)
    rows = "\n".join(str(10 * (row > 14)) for row in range(30))
    (folder / "epoch01_steering.csv").write_text(f"wheel\n{rows}\n")
    (recording,) = open_recordings([folder])
    smooth = smooth_labels(recording, 0.4)  # 20 frames a second: four rows to either side
    changed = np.flatnonzero(smooth.angle_deg != recording.angle_deg)
    assert changed.min() in (11, 12)
    assert changed.max() in (17, 18)
