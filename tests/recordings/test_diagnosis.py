"""check-data says what is wrong with labels and which line corrects it; --fix writes that line."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.recordings import check as check_module
from drive.recordings.findings import Fix
from drive.recordings.horizon import HorizonEstimate
from drive.recordings.recording import open_recordings
from drive.recordings.repair import Repair, with_values
from tests.conftest import VideoMaker

RATE, SECONDS = 10, 40.0
TIMES_S = np.arange(int(SECONDS * RATE)) / RATE
SPEED_MPS = 10.0
WHEELBASE_M, FOCAL_PX = 2.6, 80 / math.tan(math.radians(35))  # what is assumed of a recording
Checked = Callable[..., dict[str, Any]]


def course(times_s: np.ndarray) -> np.ndarray:
    """The angle in degrees, positive right, of a drive with many bends."""
    waves = ((4.0, 1.0, 0.0), (2.5, 2.3, 1.0), (1.5, 0.43, 2.0))
    return np.asarray(sum(size * np.sin(rate * times_s + at) for size, rate, at in waves))


@pytest.fixture(scope="module")
def drive_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose scene turns as that of a car at `SPEED_MPS` that steers along `course`."""
    path = tmp_path_factory.mktemp("drive") / "drive_front.mp4"
    fine_s = np.arange(0, SECONDS, 0.01)
    yaw = SPEED_MPS * np.radians(course(fine_s)) / WHEELBASE_M
    across_px = np.cumsum(yaw) * 0.01 * FOCAL_PX
    across_px = 500 + across_px - across_px.min()
    noise = np.random.default_rng(0).integers(0, 255, (24, int(across_px.max() + 200) // 4 + 1))
    scene = np.repeat(np.repeat(noise, 4, 0), 4, 1).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "20"}
        for time_s in TIMES_S:
            left = round(across_px[round(time_s * 100)])
            image = np.repeat(scene[:, left : left + 160, None], 3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image))))
        container.mux(stream.encode(None))
    return path


def write(folder: Path, columns: dict[str, Sequence[float] | np.ndarray], name: str = "a") -> None:
    rows = zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True)
    lines = [",".join(map(repr, row)) for row in rows]
    text = "\n".join([",".join(columns), *lines]) + "\n"
    (folder / f"{name}_steering.csv").write_text(text)


def usual(**changes: Any) -> dict[str, Any]:
    """The columns of a recording without a flaw, and those that are changed; None is no column."""
    columns = {
        "frame": np.arange(len(TIMES_S)),
        "time_s": TIMES_S,
        "wheel": course(TIMES_S),
        "speed": np.full(len(TIMES_S), SPEED_MPS),
    }
    return {key: value for key, value in (columns | changes).items() if value is not None}


@pytest.fixture
def checked(
    drive_video: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Checked:
    """Write a recording with these columns and check it: `checked(columns, "--fix", toml="")`.

    Returns what the JSON says, with the printed text as `text`; without columns nothing is written.
    """

    unknown = HorizonEstimate(0.5, False, 0, 1.0)
    monkeypatch.setattr(check_module, "estimate_horizon", lambda _: unknown)

    def check(
        columns: dict[str, Any] | None = None, *options: str, toml: str | None = None
    ) -> dict[str, Any]:
        if columns is not None:
            shutil.copy(drive_video, tmp_path / "a_front.mp4")
            write(tmp_path, columns)
        if toml is not None:
            (tmp_path / "recording.toml").write_text(toml)
        assert main(["check-data", str(tmp_path), "--json", "--quiet", *options]) == 0
        text, _, last = capsys.readouterr().out.strip().rpartition("\n")
        return json.loads(last) | {"text": text}

    return check


def problems(result: dict[str, Any]) -> dict[str, str]:
    """The lines that are proposed, by the code of the problem."""
    found = [each for one in result["recordings"] for each in one["findings"]]
    return {each["code"]: each.get("line", "") for each in found if each["kind"] == "problem"}


def lines(result: dict[str, Any]) -> list[str]:
    return [line for each in result["repairs"] for line in each["lines"]]


def test_a_sound_recording_has_no_problem(checked: Checked, tmp_path: Path) -> None:
    result = checked(usual(), "--fix")
    assert problems(result) == {}
    assert result["repairs"] == result["written"] == []
    assert not (tmp_path / "recording.toml").exists()


FLAWS = {
    "radians": (usual(wheel=np.radians(course(TIMES_S))), "unit", 'unit = "radians"'),
    "normalised": (usual(wheel=course(TIMES_S) / 25), "unit", 'unit = "normalised"'),
    "normalised, with stops": (
        usual(wheel=np.clip(course(TIMES_S) / 6, -1, 1), speed=None),
        "unit",
        'unit = "normalised"',
    ),
    "sign": (usual(wheel=-course(TIMES_S)), "sign", 'positive = "left"'),
    "milliseconds": (usual(time_s=None, ts_micro=TIMES_S * 1e3), "time_unit", 'time_unit = "ms"'),
    "seconds": (usual(time_s=None, ts_micro=TIMES_S), "time_unit", 'time_unit = "s"'),
    "nanoseconds": (
        usual(time_s=None, ts_micro=TIMES_S * 1e9 + 1.6e18),
        "time_unit",
        'time_unit = "ns"',
    ),
    "milliseconds without numbers": (
        usual(frame=None, time_s=TIMES_S * 1e3),
        "time_unit",
        'time_unit = "ms"',
    ),
    "from 1": (usual(frame=np.arange(len(TIMES_S)) + 1), "first_frame", "first_frame = 1"),
    "100 Hz": ({"wheel": course(np.arange(0, SECONDS, 0.01))}, "row_rate", "rows_per_s = 100"),
    "5 Hz": ({"wheel": course(np.arange(0, SECONDS, 0.2))}, "row_rate", "rows_per_s = 5"),
    "rows numbered at 100 Hz": (
        {
            "frame": np.arange(4000),
            "time_s": np.arange(4000) / 100,
            "wheel": course(np.arange(4000) / 100),
        },
        "row_numbers",
        'match = "time"',
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_named_and_fix_corrects_it(checked: Checked, tmp_path: Path, flaw: str) -> None:
    columns, code, line = FLAWS[flaw]
    result = checked(columns)
    assert problems(result) == {code: line}
    assert lines(result) == [line]
    assert (
        f"{tmp_path / 'recording.toml'} should say (--fix writes it):\n  {line}" in result["text"]
    )
    assert not (tmp_path / "recording.toml").exists()
    result = checked(None, "--fix")
    assert [each["lines"] for each in result["written"]] == [[line]]
    assert f"written to {tmp_path / 'recording.toml'}:\n  {line}" in result["text"]
    assert (tmp_path / "recording.toml").read_text() == f"{line}\n"
    assert problems(result) == {}
    (recording,) = open_recordings([tmp_path])
    if flaw != "normalised, with stops":
        found = recording.angle_deg[5:-10]
        assert found == pytest.approx(course(TIMES_S)[5 : 5 + len(found)], abs=0.5)


@pytest.mark.parametrize("lag_s", [0.5, -0.8])
def test_a_lag_is_taken_out(checked: Checked, tmp_path: Path, lag_s: float) -> None:
    result = checked(usual(wheel=course(TIMES_S - lag_s)), "--fix")
    (line,) = result["written"][0]["lines"]
    key, _, value = line.partition(" = ")
    assert key == "lag_s"
    assert float(value) == pytest.approx(lag_s, abs=0.1)
    assert problems(result) == {}


def test_several_flaws_at_once(checked: Checked, tmp_path: Path) -> None:
    columns = {
        "ts_micro": np.arange(4000) * 10.0,
        "wheel": -np.radians(course(np.arange(4000) / 100)),
    }
    columns["speed"] = np.full(4000, SPEED_MPS)
    result = checked(columns, "--fix")
    assert problems(result) == {}
    text = (tmp_path / "recording.toml").read_text()
    assert sorted(text.splitlines()) == [
        'positive = "left"',
        'time_unit = "ms"',
        'unit = "radians"',
    ]
    (recording,) = open_recordings([tmp_path])
    assert recording.angle_deg == pytest.approx(course(TIMES_S), abs=0.2)


def test_flaws_that_do_not_hide_each_other_are_found_at_once(checked: Checked) -> None:
    flawed = usual(
        frame=np.arange(len(TIMES_S)) + 1, time_s=TIMES_S * 1e3, wheel=-np.radians(course(TIMES_S))
    )
    assert problems(checked(flawed)) == {
        "time_unit": 'time_unit = "ms"',
        "first_frame": "first_frame = 1",
        "unit": 'unit = "radians"',
        "sign": 'positive = "left"',
    }


@pytest.mark.parametrize(
    ("columns", "code", "line"),
    [
        (usual(wheel=np.radians(course(TIMES_S)), speed=None), "unit", 'unit = "radians"'),
        ({"wheel": np.random.default_rng(0).normal(size=200)}, "row_rate", "rows_per_s = 5"),
        (
            {"frame": np.arange(1, 390), "wheel": course(TIMES_S[:389])},
            "first_frame",
            "first_frame = 1",
        ),
    ],
)
def test_what_is_not_certain_is_not_written(
    checked: Checked, tmp_path: Path, columns: dict[str, Any], code: str, line: str
) -> None:
    result = checked(columns, "--fix")
    assert problems(result)[code] == line
    assert result["written"] == []
    assert not (tmp_path / "recording.toml").exists()
    assert f"  # perhaps: {line}" in result["text"]
    assert f"; if so, write {line} in recording.toml" in result["text"]


def test_a_csv_that_was_cut_off_has_no_other_rate(checked: Checked) -> None:
    assert set(problems(checked({"wheel": course(TIMES_S[:200])}))) == {"frames_without_rows"}


def test_small_honest_angles_are_left_alone(checked: Checked) -> None:
    """A motorway: the image turns as little as the angles say, and agrees with them nowhere."""
    rng = np.random.default_rng(1)
    slight = np.convolve(rng.normal(0, 0.8, len(TIMES_S) + 20), np.ones(21) / 21, "valid")
    result = checked(usual(wheel=slight, speed=np.full(len(TIMES_S), 300.0)))
    assert "unit" not in problems(result)


def test_a_short_recording_shows_no_lag(checked: Checked) -> None:
    """One bend in 25 seconds agrees with the image at some lag, whatever the lag is."""
    slow = np.sin(TIMES_S / 4)
    assert "lag" not in problems(checked(usual(wheel=slow)))


@pytest.mark.parametrize(("size", "unit"), [(0.52, "radians"), (1.0, "normalised")])
def test_a_still_image_leaves_the_unit_open(
    make_video: VideoMaker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    size: float,
    unit: str,
) -> None:
    make_video("a_front.mp4", frames=80, fps=10)
    angles = np.clip(1.2 * size * np.sin(np.arange(80) / 9), -size, size)
    write(tmp_path, {"frame": np.arange(80), "wheel": angles})
    assert main(["check-data", str(tmp_path), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert f"angles are from -{size:g} to {size:g}: they may be radians or normalised" in told
    assert f'if so, write unit = "{unit}" in recording.toml' in told
    (tmp_path / "recording.toml").write_text('unit = "degrees"')  # whoever says so knows
    assert main(["check-data", str(tmp_path), "--quiet"]) == 0
    assert "nothing to report" in capsys.readouterr().out


def test_own_lines_are_kept_and_a_replaced_value_is_named(checked: Checked, tmp_path: Path) -> None:
    toml = '# my car\r\npositive = "right"  # guessed\r\n\r\n[camera]\r\nheight_m = 1.3\r\n'
    (tmp_path / "recording.toml").write_bytes(toml.encode())
    result = checked(usual(wheel=-np.radians(course(TIMES_S))), "--fix")
    expected = toml.replace('"right"', '"left"').replace(
        "guessed\r\n", 'guessed\r\nunit = "radians"\r\n'
    )
    assert (tmp_path / "recording.toml").read_bytes().decode() == expected
    assert 'positive = "left"  # was "right"' in result["text"]
    assert result["written"][0]["replaced"] == {"positive": '"right"'}


def test_what_an_option_says_is_not_written(checked: Checked, tmp_path: Path) -> None:
    result = checked(usual(wheel=-course(TIMES_S)), "--fix", "--positive", "right")
    assert problems(result) == {"sign": 'positive = "left"'}
    assert not (tmp_path / "recording.toml").exists()


def test_recordings_that_disagree_share_no_line(
    checked: Checked, drive_video: Path, tmp_path: Path
) -> None:
    shutil.copy(drive_video, tmp_path / "b_front.mp4")
    write(tmp_path, usual(wheel=-course(TIMES_S)), name="b")
    result = checked(usual(), "--fix")
    assert not (tmp_path / "recording.toml").exists()
    (repair,) = result["repairs"]
    assert repair["lines"] == []
    assert "/a is right without positive" in repair["conflicts"][0]
    assert "put them in folders of their own" in result["text"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "a = 1\n"),
        ("b = 2", "b = 2\na = 1\n"),
        ("# only a comment\n", "# only a comment\na = 1\n"),
        ("[t]\nx = 1\n", "a = 1\n\n[t]\nx = 1\n"),
        ("b = 2\n\n[t]\na = 3\n", "b = 2\na = 1\n\n[t]\na = 3\n"),
        ('"a" = 5 # five\n', "a = 1 # five\n"),
        ("\ufeffb = 2\r\n", "\ufeffb = 2\r\na = 1\r\n"),
    ],
)
def test_values_are_put_before_the_tables(before: str, after: str) -> None:
    assert with_values(before, [Fix("a", 1)]) == after


def test_a_file_that_cannot_be_edited_safely_stays(tmp_path: Path) -> None:
    file = tmp_path / "recording.toml"
    text = 'notes = """\n[not a table]\n"""\nunit = "degrees"\n'
    file.write_text(text)
    with pytest.raises(InputError, match=r'cannot be edited safely; write unit = "radians" by'):
        Repair(file, sure=(Fix("unit", "radians"),)).write()
    assert file.read_text() == text


@pytest.mark.slow
def test_the_shared_recordings_have_no_flaw(shared: Path) -> None:
    places = [shared / "recordings", shared / "drives", Path("data/sample")]
    reports = [check_module.check_recording(each) for each in open_recordings(places)]
    assert len(reports) == 13
    gaps = {each.name: [f.code for f in each.problems] for each in reports if each.problems}
    assert gaps == {"donkeycar_tub": ["gaps"]}
