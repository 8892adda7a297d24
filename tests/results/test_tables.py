"""The tables of a run folder: what is written comes back, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.types import Box, Detection, Frame
from drive.results.detections import Detections, detection_row, open_detections
from drive.results.history import EpochResult, read_history, write_history
from drive.results.search import TrialResult, best_trial, read_trials, write_trials
from drive.results.simulation import Simulation
from drive.results.steering import Steering
from drive.results.table import (
    columns_of,
    number,
    open_table,
    read_by_recording,
    read_table,
    text,
    whole,
    write_by_recording,
    write_table,
)


def steering(**more: np.ndarray) -> Steering:
    angles = np.array([1.25, -0.00001]), np.array([np.nan, -2.0])
    return Steering(np.array([3, 4]), np.array([0.1, 0.2]), *angles, **more)


def assert_same(found: object, expected: object) -> None:
    for each in fields(expected):  # type: ignore[arg-type]
        want, got = getattr(expected, each.name), getattr(found, each.name)
        if want is None:
            assert got is None
        else:
            np.testing.assert_allclose(got, want, atol=1e-4)


def test_detections_come_back_as_they_were_written(tmp_path: Path) -> None:
    frame = Frame(7, 0.25, np.zeros((2, 2, 3), np.uint8), "/videos/clip.mp4")
    with open_detections(tmp_path / "d.csv") as write:
        write(detection_row(frame, Detection("car", 0.87654321, Box(1, 2.5, 30.126, 40), 5)))
        write(detection_row(frame, Detection("bus", 0.5, Box(0, 0, 1, 1))))
        assert not (tmp_path / "d.csv").exists()
    head, row, last = (tmp_path / "d.csv").read_text().splitlines()
    assert head == "source,frame,time_s,track_id,class,score,x1,y1,x2,y2"
    assert row == "clip.mp4,7,0.25,5,car,0.8765,1.0,2.5,30.13,40.0"
    assert last.startswith("clip.mp4,7,0.25,,bus,")
    found = read_table(tmp_path / "d.csv", Detections)
    assert (found.source, found.label) == (["clip.mp4"] * 2, ["car", "bus"])
    assert (found.track_id.tolist(), found.frame.tolist()) == ([5, 0], [7, 7])
    assert found.box.tolist() == [[1, 2.5, 30.13, 40], [0, 0, 1, 1]]


def test_a_row_has_a_value_per_column() -> None:
    frame = Frame(0, 0.0, np.zeros((1, 1, 3), np.uint8), "a.mp4")
    assert len(detection_row(frame, Detection("car", 1.0, Box(0, 0, 1, 1)))) == len(
        columns_of(Detections)
    )


def test_an_error_leaves_no_table(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), open_detections(tmp_path / "d.csv"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "table", [steering(), steering(smoothed_deg=np.ones(2)), steering(spread_deg=np.ones(2))]
)
def test_steering_comes_back_with_the_columns_it_has(tmp_path: Path, table: Steering) -> None:
    write_table(tmp_path / "s.csv", table)
    assert_same(read_table(tmp_path / "s.csv", Steering), table)
    assert "-0.0" not in (tmp_path / "s.csv").read_text()


def test_predictions_come_back_by_recording(tmp_path: Path) -> None:
    write_by_recording(tmp_path / "p.csv", {"a/b": steering(), "c": steering()})
    head = (tmp_path / "p.csv").read_text().splitlines()[0]
    assert head == "recording,frame,time_s,angle_deg,truth_deg"
    found = read_by_recording(tmp_path / "p.csv", Steering)
    assert list(found) == ["a/b", "c"]
    assert_same(found["c"], steering())


def test_simulations_come_back_and_old_ones_lack_the_distance(tmp_path: Path) -> None:
    drive = Simulation(*np.arange(14.0).reshape(7, 2), distance_m=np.array([1.5, 2]))
    write_by_recording(tmp_path / "s.csv", {"a": drive})
    assert_same(read_by_recording(tmp_path / "s.csv", Simulation)["a"], drive)
    assert read_by_recording(tmp_path / "s.csv", Simulation)["a"].steering.truth_deg.tolist() == [
        10,
        11,
    ]
    lines = [line.rpartition(",")[0] for line in (tmp_path / "s.csv").read_text().splitlines()]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    assert read_by_recording(tmp_path / "s.csv", Simulation)["a"].distance_m is None


def test_a_history_comes_back_exactly(tmp_path: Path) -> None:
    rows = [EpochResult(1, 1 / 3, 2e-17, 1e-3, 12.5), EpochResult(2, 0.1, 7.0, 5e-4, 0.1)]
    write_history(tmp_path / "h.csv", rows)
    head = (tmp_path / "h.csv").read_text().splitlines()[0]
    assert head == "epoch,loss,val_loss,learning_rate,seconds"
    assert read_history(tmp_path / "h.csv") == rows


def test_trials_come_back_and_the_best_one_is_complete(tmp_path: Path) -> None:
    trials = [
        TrialResult(0, "complete", 3.5, 2, 2, 5.125, {"dropout": 0.0, "variant": "elu"}),
        TrialResult(1, "pruned", 1.25, 1, 1, 2.0, {"dropout": 0.1, "variant": "elu"}),
        TrialResult(4, "complete", 2.5, 1, 2, 2.0, {"dropout": 0.2, "variant": "published"}),
    ]
    write_trials(tmp_path / "t.csv", trials, ["dropout", "variant"])
    assert read_trials(tmp_path / "t.csv") == trials
    assert best_trial(trials) == trials[2]
    assert best_trial(trials[1:2]) is None


@dataclass(frozen=True, slots=True, eq=False)
class Older:
    """A table before a column was appended."""

    frame: np.ndarray = whole()
    score: np.ndarray = number(2)


@dataclass(frozen=True, slots=True, eq=False)
class Newer(Older):
    """The same with that column."""

    distance_m: np.ndarray | None = number(1, optional=True)


def test_an_appended_column_leaves_old_tables_readable(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", Older(np.array([1, 2]), np.array([0.5, 0.25])))
    assert read_table(tmp_path / "t.csv", Newer).distance_m is None
    write_table(tmp_path / "t.csv", Newer(np.array([1]), np.array([0.5]), np.array([9.96])))
    assert (tmp_path / "t.csv").read_text().split() == ["frame,score,distance_m", "1,0.5,10.0"]


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_table(path, Steering),
        lambda path: read_by_recording(path, Steering),
        read_history,
        read_trials,
    ],
)
def test_a_missing_table_is_an_input_error(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(InputError, match=r"absent\.csv"):
        read(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty; expected a table with the columns frame, time_s, angle_deg, truth_deg"),
        ("time_s,a\n", ": missing column frame; got time_s, a"),
        ("\x1b[2J,a\n", " is damaged; expected a table with the columns frame, "),
        ("{head}1,0.1\n", ", row 1: expected 4 cells; got 2. Is the file cut short?"),
        ("{head}0,0,1,2\n1,0.1,one,2\n", ", row 2: angle_deg must be a number; got 'one'"),
        ("{head}1,0.1,\x1b,2\n", ", row 1: angle_deg must be a number; got unprintable"),
        ("{head},0.1,1,2\n", ", row 1: frame must be from 0 to 10000000; got nan"),
        ("{head}1,inf,1,2\n", ", row 1: time_s must be a finite number; got inf"),
    ],
)
def test_a_damaged_table_says_what_is_wrong_where(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "steering.csv"
    path.write_text(content.format(head="frame,time_s,angle_deg,truth_deg\n"))
    with pytest.raises(InputError) as caught:
        read_table(path, Steering)
    assert told in str(caught.value)


@pytest.mark.parametrize("table", [Detections, EpochResult, Simulation, Steering])
def test_every_field_of_a_table_is_a_column(table: type) -> None:
    assert len(columns_of(table)) == len(fields(table))


@dataclass(frozen=True, slots=True, eq=False)
class Optional:
    """A table whose last columns older files lack."""

    frame: np.ndarray = whole()
    label: list[str] | None = text(optional=True)
    count: np.ndarray | None = whole(optional=True)
    height_m: np.ndarray | None = number(2, optional=True)


def test_optional_columns_of_any_kind_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("frame\n1\n")
    old = read_table(tmp_path / "old.csv", Optional)
    assert (old.label, old.count, old.height_m) == (None, None, None)
    with open_table(tmp_path / "new.csv", columns_of(Optional)) as write:
        write((1, "car", 2, 1.5))
        write((2, None, None, None))
    found = read_table(tmp_path / "new.csv", Optional)
    assert (found.label, found.count.tolist()) == (["car", ""], [2, 0])
    np.testing.assert_array_equal(found.height_m, [1.5, np.nan])


def test_a_field_without_a_column_is_an_error() -> None:
    @dataclass
    class Mistaken:
        frame: np.ndarray = whole()
        height_m: np.ndarray | None = None

    with pytest.raises(TypeError, match=r"Mistaken.height_m must be declared with text\(\)"):
        columns_of(Mistaken)
