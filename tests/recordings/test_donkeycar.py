"""donkeycar tubs: every image with its angle, deleted records, gaps in time, damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.recordings.recording import Recording, open_recordings
from tests.conftest import marked_picture, read_mark

MakeTub = Callable[..., Path]
PER_CATALOG = 10


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A record as donkeycar writes it; the angle tells its number."""
    usual = {
        "_index": number,
        "_session_id": "22-11-29_0",
        "_timestamp_ms": 1_669_759_744_666 + 50 * number,
        "cam/image_array": f"{number}_cam_image_array_.jpg",
        "user/angle": number / 100,
        "user/mode": "user",
        "user/throttle": 0.4,
    }
    return {key: value for key, value in (usual | changes).items() if value is not ...}


@pytest.fixture
def make_tub(tmp_path: Path) -> MakeTub:
    """A maker of small tubs: `make_tub(25, deleted=[3], changes={7: {"user/angle": None}})`."""

    def make(
        records: int = 25,
        *,
        deleted: list[int] | None = None,
        changes: dict[int, dict[str, Any]] | None = None,
    ) -> Path:
        folder = tmp_path / "tub"
        (folder / "images").mkdir(parents=True)
        names = []
        for start in range(0, records, PER_CATALOG):
            names.append(f"catalog_{start // PER_CATALOG}.catalog")
            numbers = range(start, min(start + PER_CATALOG, records))
            lines = [json.dumps(record(n, **(changes or {}).get(n, {}))) for n in numbers]
            (folder / names[-1]).write_text("\n".join(lines) + "\n")
        for number in range(records):
            image = marked_picture(number, 160, 120)
            cv2.imwrite(str(folder / f"images/{number}_cam_image_array_.jpg"), image)
        last = {"paths": names, "current_index": records, "max_len": PER_CATALOG}
        head = (
            '["cam/image_array", "user/angle"]\n["image_array", "float"]\n{}\n{"created_at": 1}\n'
        )
        last["deleted_indexes"] = deleted or []
        (folder / "manifest.json").write_text(head + json.dumps(last) + "\n")
        return folder

    return make


def pairs(recording: Recording) -> list[tuple[int, float]]:
    """The number in each image, and the number that its angle tells."""
    samples = recording.samples()
    return [(read_mark(s.frame.image), round(s.angle_deg / 25 * 100, 3)) for s in samples]


def test_every_image_has_its_angle(make_tub: MakeTub) -> None:
    (recording,) = open_recordings([make_tub().parent])
    assert pairs(recording) == [(number, number) for number in range(25)]
    assert recording.name == "tub"
    assert recording.time_s is not None
    assert recording.time_s.tolist() == pytest.approx([0.05 * number for number in range(25)])
    assert recording.config.camera.height_m < 0.3
    assert recording.config.car.wheelbase_m < 0.5
    assert recording.notes == ()


def test_deleted_records_are_left_out_and_leave_a_gap_in_time(make_tub: MakeTub) -> None:
    (recording,) = open_recordings([make_tub(deleted=[0, 12, 13])])
    kept = [number for number in range(25) if number not in (0, 12, 13)]
    assert pairs(recording) == [(number, number) for number in kept]
    assert recording.time_s is not None
    assert recording.time_s.tolist() == pytest.approx([0.05 * (number - 1) for number in kept])


def test_catalogs_in_any_order(make_tub: MakeTub) -> None:
    folder = make_tub()
    manifest = folder / "manifest.json"
    names = [f"catalog_{n}.catalog" for n in range(3)]
    text = manifest.read_text()
    assert json.dumps(names) in text
    manifest.write_text(text.replace(json.dumps(names), json.dumps(names[::-1])))
    assert pairs(open_recordings([folder])[0]) == [(number, number) for number in range(25)]


def test_a_missing_or_damaged_image_is_skipped_and_counted(make_tub: MakeTub) -> None:
    folder = make_tub(changes={9: {"cam/image_array": ...}})
    (folder / "images/3_cam_image_array_.jpg").unlink()
    (folder / "images/4_cam_image_array_.jpg").write_bytes(b"no jpeg")
    (recording,) = open_recordings([folder])
    assert pairs(recording) == [(n, n) for n in range(25) if n not in (3, 4, 9)]
    assert recording.report.frames_lost == 3


def test_angles_of_the_autopilot_and_missing_ones_are_unknown(make_tub: MakeTub) -> None:
    changes = {
        3: {"user/angle": ...},
        4: {"user/angle": None},
        5: {"user/mode": "local"},
        6: {"user/mode": "local_angle"},
    }
    (recording,) = open_recordings([make_tub(changes=changes)])
    assert [number for number, _ in pairs(recording)] == [0, 1, 2, *range(7, 25)]
    assert recording.notes == ("2 records of the autopilot have no angle",)


def test_recording_toml_says_otherwise(make_tub: MakeTub) -> None:
    folder = make_tub()
    (folder / "recording.toml").write_text('positive = "left"\nfull_scale_deg = 40\n')
    (recording,) = open_recordings([folder])
    assert recording.angle_deg[20] == pytest.approx(-8.0)


@pytest.mark.parametrize("stamp", [..., 1_669_759_744_666, None])
def test_without_usable_times_20_records_per_second_are_assumed(
    make_tub: MakeTub, stamp: object
) -> None:
    changes = {number: {"_timestamp_ms": stamp} for number in range(25)}
    (recording,) = open_recordings([make_tub(changes=changes)])
    assert recording.time_s is not None
    assert recording.time_s.tolist() == pytest.approx([number / 20 for number in range(25)])
    assert recording.notes == ("the tub has no usable times; 20 records per second are assumed",)


def test_sessions_follow_each_other_whatever_the_clock_says(make_tub: MakeTub) -> None:
    """A car without a clock starts each session in 1970."""
    changes = {
        n: {"_session_id": "70-01-01_1", "_timestamp_ms": 1000 + 50 * n} for n in range(10, 25)
    }
    (recording,) = open_recordings([make_tub(changes=changes)])
    assert recording.time_s is not None
    steps = np.diff(recording.time_s)
    assert steps[9] == pytest.approx(10)
    assert np.delete(steps, 9).tolist() == pytest.approx([0.05] * 23)
    assert recording.notes == ("2 sessions follow each other after 10 s",)


def test_a_clock_that_is_set_on_the_way_leaves_a_gap(make_tub: MakeTub) -> None:
    changes = {n: {"_timestamp_ms": 1000 + 50 * n} for n in range(5)}
    (recording,) = open_recordings([make_tub(changes=changes)])
    assert recording.time_s is not None
    assert recording.time_s[-1] == pytest.approx(10 + 23 * 0.05)


def test_a_line_that_was_cut_off_is_skipped_and_told(
    make_tub: MakeTub, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_tub()
    catalog = folder / "catalog_2.catalog"
    catalog.write_text(catalog.read_text()[:-30])
    assert main(["check-data", str(folder), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "tub: 24 frames" in told
    assert "note: 1 line of the catalogs is damaged, and skipped" in told


def test_a_folder_with_a_manifest_of_something_else_is_no_tub(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "web page", "paths": []}')
    with pytest.raises(InputError, match="has no recording; expected"):
        open_recordings([tmp_path])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tub: (tub / "catalog_1.catalog").unlink(), "no catalog .*catalog_1.catalog"),
        (lambda tub: (tub / "manifest.json").write_text(""), "last line must be a JSON object"),
        (lambda tub: (tub / "manifest.json").write_text("[1"), r"as paths; got .*\[1"),
        (
            lambda tub: [image.unlink() for image in (tub / "images").iterdir()],
            "none of the 25 images of the recording exists",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(
    make_tub: MakeTub,
    damage: Callable[[Path], object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_tub()
    damage(folder)
    with pytest.raises(InputError, match=message):
        open_recordings([folder])
    assert main(["check-data", str(folder), "--quiet"]) == 2
    assert capsys.readouterr().err.strip().count("\n") == 0


def test_a_tub_without_records_is_refused(make_tub: MakeTub) -> None:
    with pytest.raises(InputError, match="no record that is not deleted"):
        open_recordings([make_tub(3, deleted=[0, 1, 2])])


def test_the_real_tub(shared: Path) -> None:
    (recording,) = open_recordings([shared / "drives/donkeycar_tub"])
    assert len(recording.frame_index) == 2000
    assert recording.time_s is not None
    assert recording.time_s[-1] == pytest.approx(159.6, abs=0.1)
    assert recording.angle_deg.min() == -25
    assert recording.angle_deg.max() == 25
