"""From recorded angles to labels and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drive.recordings.label_path import LabelPath
from drive.recordings.recording import Recording, open_recordings


def left_normalised(make_recording: Callable[..., Path]) -> Recording:
    folder = make_recording("town", [float(index % 5) / 10 for index in range(40)])
    toml = "unit = 'normalised'\npositive = 'left'\nfull_scale_deg = 20.0\nlag_s = 0.1\n"
    (folder / "recording.toml").write_text(toml)
    (recording,) = open_recordings([folder])
    return recording


def test_unit_and_side_are_undone() -> None:
    path = LabelPath(degrees_per_unit=-25.0)
    recorded = np.array([0.5, -0.2, np.nan])
    assert path.in_degrees(recorded)[:2] == pytest.approx([-12.5, 5.0])
    assert path.as_recorded(path.in_degrees(recorded)) == pytest.approx(recorded, nan_ok=True)


def test_unit_side_lag_and_smoothing_are_applied_in_this_order() -> None:
    time_s, recorded = np.arange(20) / 10, np.where(np.arange(20) < 10, 0.0, 1.0)
    steps = LabelPath(degrees_per_unit=-2.0, lag_s=0.3).apply(recorded, lambda: time_s)
    assert steps.tolist() == [0.0] * 7 + [-2.0] * 13
    smooth = LabelPath(degrees_per_unit=-2.0, lag_s=0.3, smooth_s=0.4)
    labels = smooth.apply(recorded, lambda: time_s)
    assert labels[:5] == pytest.approx(0, abs=1e-6) and labels[-8:] == pytest.approx(-2)
    assert -2 < labels[6] < 0 and -2 < labels[7] < 0


def test_times_are_not_needed_for_the_unit_alone() -> None:
    assert LabelPath(2.0).apply(np.ones(3), lambda: pytest.fail("asked for times")).tolist() == [
        2.0,
        2.0,
        2.0,
    ]


def test_a_recording_keeps_what_was_recorded_and_relabels_from_it(
    make_recording: Callable[..., Path],
) -> None:
    recording = left_normalised(make_recording)
    assert recording.labels == LabelPath(degrees_per_unit=-20.0, lag_s=0.1)
    assert recording.recorded is not None
    assert recording.recorded == pytest.approx([(index % 5) / 10 for index in range(40)])
    smooth = recording.relabelled(replace(recording.labels, smooth_s=0.5))
    assert np.abs(smooth.angle_deg - recording.angle_deg).max() > 0.5
    again = smooth.relabelled(recording.labels)
    assert again.angle_deg.tolist() == recording.angle_deg.tolist()
    plain = smooth.relabelled(LabelPath(recording.labels.degrees_per_unit))
    assert plain.labels.as_recorded(plain.angle_deg) == pytest.approx(recording.recorded)
    assert again.digest == recording.digest


@pytest.mark.filterwarnings("error")
def test_an_angle_too_large_for_its_type_is_unknown() -> None:
    degrees = LabelPath(degrees_per_unit=25.0).in_degrees(np.array([1e300, -1e308, 1.0]))
    assert degrees.dtype == np.float32
    np.testing.assert_array_equal(degrees, [np.nan, np.nan, 25.0])
