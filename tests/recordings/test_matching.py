"""Rows without frame numbers are matched to frames by time; keys of recording.toml that help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.recordings.labels import smooth_labels
from drive.recordings.recording import Recording, open_recordings
from tests.conftest import VideoMaker, read_mark

FRAMES = 40  # at 10 frames per second
Row = tuple[float, float]
MakeTimed = Callable[..., Recording]


@pytest.fixture
def make_timed(make_video: VideoMaker, tmp_path: Path) -> MakeTimed:
    """A maker of recordings from (time, angle): `make_timed(rows, column="ts_micro", toml="")`."""

    def make(
        rows: Sequence[Row],
        column: str = "time_s",
        toml: str = "",
        times_ms: Sequence[int] | None = None,
    ) -> Recording:
        make_video("log_front.mp4", frames=FRAMES, fps=10, times_ms=times_ms)
        lines = [
            f"{time if isinstance(time, int) else round(time, 6)},{angle:.9g}"
            for time, angle in rows
        ]
        (tmp_path / "log_steering.csv").write_text("\n".join([f"{column},wheel", *lines]) + "\n")
        (tmp_path / "recording.toml").write_text(toml)
        return open_recordings([tmp_path])[0]

    return make


def at(times_s: Sequence[float] | np.ndarray) -> list[Row]:
    """Rows whose angle is ten times their time, as is the number of the frame."""
    return [(float(time), float(time) * 10) for time in times_s]


def found(recording: Recording) -> dict[int, float]:
    """The angle of each image that has one, by the number in the image."""
    return {read_mark(s.frame.image): s.angle_deg for s in recording.samples()}


def numbers(frames: Sequence[int]) -> dict[int, object]:
    return {number: pytest.approx(number, abs=1e-3) for number in frames}


ALL = range(FRAMES)


@pytest.mark.parametrize("rate", [5, 7, 33, 100])
def test_any_rate_meets_the_frames_of_its_times(make_timed: MakeTimed, rate: float) -> None:
    recording = make_timed(at(np.arange(0, 4.1, 1 / rate)))
    assert found(recording) == numbers(ALL)
    assert recording.time_s is not None
    assert recording.time_s.tolist() == pytest.approx([number / 10 for number in ALL])
    assert f"({rate:g} rows and 10 frames per second)" in recording.notes[0]


def test_frames_at_uneven_times(make_timed: MakeTimed) -> None:
    times_ms = [100 * number + 37 * (number % 3) for number in ALL]
    recording = make_timed(at(np.arange(0, 4.2, 0.01)), times_ms=times_ms)
    assert found(recording) == {
        n: pytest.approx(ms / 100, abs=1e-3) for n, ms in enumerate(times_ms)
    }


def test_rows_at_the_times_of_the_frames_stay_as_they_are(make_timed: MakeTimed) -> None:
    """As before there were rows by time: the value is that of the row, not interpolated."""
    rows = [(0.1 * number + 0.03 * (number % 2), float(number % 7)) for number in ALL]
    recording = make_timed(rows)
    assert recording.angle_deg.tolist() == [number % 7 for number in ALL]
    assert recording.notes == ()
    recording = make_timed(rows[:25])
    assert recording.angle_deg.tolist() == [number % 7 for number in range(25)]


def test_as_many_rows_as_frames_whose_clock_starts_elsewhere(make_timed: MakeTimed) -> None:
    recording = make_timed([(1.5 + number / 10, float(number)) for number in ALL])
    assert found(recording) == numbers(ALL)


def test_times_since_1970_start_with_the_first_frame(make_timed: MakeTimed) -> None:
    rows = [(1_464_650_070_285_914 + 10_000 * n, n / 10) for n in range(400)]
    recording = make_timed(rows, column="ts_micro")
    assert found(recording) == numbers(ALL)


def test_a_log_that_starts_later_or_earlier_than_the_video(make_timed: MakeTimed) -> None:
    recording = make_timed(at(np.arange(1.2, 3.005, 0.01)))
    assert found(recording) == numbers(range(12, 31))
    assert "the first row of the CSV is 1.2 s after the first frame" in recording.notes
    recording = make_timed(at(np.arange(-2, 9, 0.01)))
    assert found(recording) == numbers(ALL)


def test_a_clock_that_started_long_before_both(make_timed: MakeTimed) -> None:
    rows = [(2.5 + time, angle) for time, angle in at(np.arange(0, 4, 0.01))]
    recording = make_timed(rows)
    assert found(recording) == numbers(ALL)
    assert any("start at 2.5 s; its first row is taken" in note for note in recording.notes)


def test_nothing_is_interpolated_over_a_gap(make_timed: MakeTimed) -> None:
    times = [*np.arange(0, 1.005, 0.01), *np.arange(3, 4, 0.01)]
    assert found(make_timed(at(times))) == numbers([*range(11), *range(30, 40)])


def test_unknown_angles_and_repeated_times(make_timed: MakeTimed) -> None:
    rows = at(np.arange(0, 4, 0.01))
    rows[200] = (2.0, np.nan)
    rows.insert(101, (1.0, 99.0))  # the clock of the log stood still
    recording = make_timed(rows)
    assert found(recording) == numbers(ALL)
    assert any(note.startswith("1 row left out: the time is") for note in recording.notes)


def test_a_clock_that_starts_again_stops_the_recording_there(make_timed: MakeTimed) -> None:
    rows = at(np.arange(0, 2.005, 0.01)) + [(time, -50.0) for time in np.arange(0, 1, 0.01)]
    assert found(make_timed(rows)) == numbers(range(21))


@pytest.mark.parametrize(
    ("column", "unit", "seconds"),
    [("ts_micro", "ms", 1e3), ("ts_micro", "s", 1), ("ts_micro", "ns", 1e9), ("time_s", "ms", 1e3)],
)
def test_the_unit_of_times_can_be_given(
    make_timed: MakeTimed, column: str, unit: str, seconds: float
) -> None:
    rows = [(time * seconds, angle) for time, angle in at(np.arange(0, 4, 0.05))]
    recording = make_timed(rows, column=column, toml=f'time_unit = "{unit}"')
    assert found(recording) == numbers(ALL)


def test_the_rate_of_rows_can_be_given(make_timed: MakeTimed) -> None:
    recording = make_timed(at(np.arange(0, 4, 0.01)), column="throttle", toml="rows_per_s = 100")
    assert found(recording) == numbers(ALL)


def test_numbers_of_rows_can_be_set_aside(make_timed: MakeTimed, tmp_path: Path) -> None:
    make_timed(at([0, 1]), toml='match = "time"')
    lines = [f"{row},{row / 100},{row / 10}" for row in range(400)]
    (tmp_path / "log_steering.csv").write_text("\n".join(["frame,time_s,wheel", *lines]))
    assert found(open_recordings([tmp_path])[0]) == numbers(ALL)
    (tmp_path / "recording.toml").write_text("")
    assert found(open_recordings([tmp_path])[0])[20] == pytest.approx(2.0)
    (tmp_path / "log_steering.csv").write_text("frame,wheel\n0,1\n")
    (tmp_path / "recording.toml").write_text('match = "time"')
    with pytest.raises(InputError, match=r"requires times; log_steering.csv has no column time_s"):
        open_recordings([tmp_path])


def test_rows_can_be_numbered_from_1(make_timed: MakeTimed, tmp_path: Path) -> None:
    make_timed(at([0, 1]), toml="first_frame = 1")
    lines = [f"{row + 1},{row}" for row in ALL]
    (tmp_path / "log_steering.csv").write_text("\n".join(["frame,wheel", *lines]))
    assert found(open_recordings([tmp_path])[0]) == numbers(ALL)
    (tmp_path / "log_steering.csv").write_text("frame,wheel\n1,0\n0,0\n")
    with pytest.raises(InputError, match=r"row 3: frame must be at least 1, .* got 0"):
        open_recordings([tmp_path])


@pytest.mark.parametrize(
    "toml", ["first_frame = 0.5", "first_frame = -1", 'time_unit = "h"', "rows_per_s = 0"]
)
def test_wrong_keys_are_refused(make_timed: MakeTimed, toml: str) -> None:
    with pytest.raises(InputError, match=r"recording\.toml"):
        make_timed(at([0, 1]), toml=toml)


def test_frame_numbers_win_over_times(make_timed: MakeTimed, tmp_path: Path) -> None:
    make_timed(at([0, 1]))
    lines = [f"{number},{number * 0.03},{number}" for number in ALL]
    (tmp_path / "log_steering.csv").write_text("\n".join(["frame,time_s,wheel", *lines]))
    assert found(open_recordings([tmp_path])[0]) == numbers(ALL)


def test_the_shared_case(shared: Path) -> None:
    (recording,) = open_recordings([shared / "cases/recordings/can_100hz"])
    assert recording.angle_deg[30] == pytest.approx(3.0)


def test_smoothing_refuses_times_in_another_unit(make_timed: MakeTimed, tmp_path: Path) -> None:
    """All angles would become their mean."""
    make_timed(at([0, 1]))
    lines = [f"{number},{number * 100},{number}" for number in ALL]
    (tmp_path / "log_steering.csv").write_text("\n".join(["frame,ts_micro,wheel", *lines]))
    (recording,) = open_recordings([tmp_path])
    with pytest.raises(InputError, match=r"rows last 0.0039 s, their frames 3.9 s; write the time"):
        smooth_labels(recording, 0.5)
    (tmp_path / "recording.toml").write_text('time_unit = "ms"')
    (recording,) = open_recordings([tmp_path])
    assert smooth_labels(recording, 0.5).angle_deg[20] == pytest.approx(20, abs=0.01)


def test_what_was_assumed_is_told_by_the_commands(
    make_timed: MakeTimed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_timed(at(np.arange(0, 4, 0.01)))
    assert main(["simulate", str(tmp_path), "--out", str(tmp_path / "run"), "--no-video"]) == 0
    assert "rows are matched to frames by time (100 rows and 10" in capsys.readouterr().err
