from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.results.table import write_table
from drive.steering.evaluate import Predictions, as_table, evaluate, in_one_row


def answers(
    angle_deg: list[float], truth_deg: list[float], time_s: list[float] | None = None
) -> Predictions:
    count = len(truth_deg)
    times = np.arange(count) * 0.5 if time_s is None else np.array(time_s)
    return Predictions("d", np.arange(count), times, np.array(angle_deg), np.array(truth_deg))


def test_measures_against_values_worked_out_by_hand() -> None:
    # errors 1, -1, 0, 2; truth 0, 2, 4, 2 (mean 2, variance 2); predictions 1, 1, 4, 4
    metrics = evaluate([answers([1, 1, 4, 4], [0, 2, 4, 2])])
    assert metrics.n == 4
    assert metrics.rmse_deg == pytest.approx(math.sqrt(6 / 4))
    assert metrics.mae_deg == pytest.approx(1.0)
    assert metrics.explained_variance == pytest.approx(1 - 1.25 / 2)
    assert metrics.jitter_deg == pytest.approx((0 + 3 + 0) / 3)
    assert metrics.baselines.zero == pytest.approx(math.sqrt(24 / 4))
    assert metrics.baselines.mean == pytest.approx(math.sqrt(8 / 4))
    # two frames a second: 4 - 0 and 2 - 2
    assert metrics.baselines.persistence_1s == pytest.approx(math.sqrt(16 / 2))


def test_the_training_mean_is_the_baseline_where_it_is_known() -> None:
    metrics = evaluate([answers([0, 0], [1, 3])], training_mean_deg=1.0)
    assert metrics.baselines.mean == pytest.approx(math.sqrt(4 / 2))


def test_one_second_ago_goes_by_the_timestamps() -> None:
    drive = answers([0] * 4, [0, 10, 20, 100], [0.0, 0.9, 1.0004, 2.5])
    # 1.0004 looks at 0.0; 2.5 looks at the newest at least a second old, 1.0004
    expected = math.sqrt((20**2 + 80**2) / 2)
    assert evaluate([drive]).baselines.persistence_1s == pytest.approx(expected)


def test_a_drive_under_a_second_has_no_persistence() -> None:
    assert evaluate([answers([0, 0], [1, 2], [0.0, 0.4])]).baselines.persistence_1s is None


def test_drives_do_not_leak_into_each_other() -> None:
    first, second = answers([0] * 3, [1, 1, 1]), answers([5] * 3, [9, 9, 9])
    metrics = evaluate([first, second])
    assert metrics.jitter_deg == 0
    assert metrics.baselines.persistence_1s == 0
    assert metrics.baselines.mean == 0
    assert metrics.n == 6


def test_a_wheel_that_never_moves_has_no_explained_variance() -> None:
    metrics = evaluate([answers([1, 2, 3], [2, 2, 2])])
    assert metrics.explained_variance is None
    assert not metrics.hardly_varies


@pytest.mark.parametrize(("spread", "flat"), [(0.0, True), (0.05, True), (0.5, False)])
def test_a_constant_model_is_noticed(spread: float, flat: bool) -> None:
    truth = np.sin(np.arange(100) / 5)
    assert evaluate([answers(list(spread * truth), list(truth))]).hardly_varies is flat


def test_the_table_has_the_model_beside_the_baselines() -> None:
    table = as_table({"d": evaluate([answers([1, 1, 4, 4], [0, 2, 4, 2])])})
    head, row = table.splitlines()
    assert all(name in head for name in ("model", "zero", "mean", "persistence_1s"))
    assert [float(cell) for cell in row.split()[2:6]] == [1.225, 2.449, 1.414, 2.828]


def test_steering_csv_has_the_columns_of_the_interface(tmp_path: Path) -> None:
    write_table(tmp_path / "steering.csv", answers([1.25, 2], [0, -2]).steering)
    with (tmp_path / "steering.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["frame", "time_s", "angle_deg", "truth_deg"]
    assert [float(value) for value in rows[1].values()] == [1, 0.5, 2, -2]


def test_no_table_holds_a_negative_zero(tmp_path: Path) -> None:
    found = answers([-0.00001, -0.0], [-0.0, -0.00004], time_s=[-0.0, 1]).steering
    write_table(tmp_path / "steering.csv", found)
    assert "-0" not in (tmp_path / "steering.csv").read_text()


def test_drives_in_one_row_keep_time_ascending() -> None:
    times, angles, truths = in_one_row([answers([1, 2], [3, 4]), answers([5, 6], [7, 8])])
    assert times.tolist() == [0, 0.5, 0.5, 1.0]
    assert angles.tolist() == [1, 2, 5, 6]
    assert truths.tolist() == [3, 4, 7, 8]


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        answers([], [])


def test_nothing_is_measured_across_frames_that_were_left_out() -> None:
    frames = np.array([0, 1, 2, 7, 8])  # 3 to 6 are marked as bad
    angle, truth = np.array([0.0, 1, 2, 90, 91]), np.array([0.0, 2, 4, 50, 52])
    drive = Predictions("d", frames, frames * 0.5, angle, truth)
    metrics = evaluate([drive])
    assert metrics.jitter_deg == 1
    assert metrics.truth_jitter_deg == 2
    assert metrics.baselines.persistence_1s == 4  # of frame 2 alone


def test_a_drive_with_an_angle_every_third_frame_has_a_jitter() -> None:
    drive = Predictions("d", np.arange(4) * 3, np.arange(4.0), np.arange(4.0), np.zeros(4))
    assert evaluate([drive]).jitter_deg == 1
