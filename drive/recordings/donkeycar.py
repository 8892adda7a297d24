"""Read a tub of donkeycar 4: `manifest.json`, catalogs with records, the images in `images/`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from drive.core.errors import InputError
from drive.core.texts import as_written, is_number, parse_json, read_text
from drive.core.types import FloatArray
from drive.core.wording import are, counted, have
from drive.recordings.camera import Camera
from drive.recordings.image_folder import ImageFolder, check_images
from drive.recordings.recording_config import RecordingConfig
from drive.recordings.vehicle import Car

MANIFEST = "manifest.json"
IMAGES = "images"
INDEX, SESSION, TIME = "_index", "_session_id", "_timestamp_ms"
IMAGE, ANGLE, MODE = "cam/image_array", "user/angle", "user/mode"
CONFIG = RecordingConfig(
    "normalised",
    full_scale_deg=25.0,
    camera=Camera(height_m=0.13, fov_deg=120.0),
    car=Car(wheelbase_m=0.26, speed_mps=1.5),
)
"""What a tub does not say: a model car of 1:10 with a wide-angle camera. An angle of
1 turns the front wheels as far as they go. What differs belongs in `recording.toml`."""

ASSUMED_HZ = 20.0  # how often donkeycar records unless it is told otherwise
BETWEEN_SESSIONS_S = 10.0
LONGEST_PAUSE_S = 3600.0  # a clock that goes further forward within a session was set


def is_tub(folder: Path) -> bool:
    """Return whether a folder holds a tub."""
    file = folder / MANIFEST
    if not file.is_file():
        return False
    if any(folder.glob("catalog_*.catalog")):
        return True
    with file.open("rb") as text:
        return b'"deleted_indexes"' in text.read()


def read_tub(folder: Path) -> ImageFolder:
    """Read the records of a tub that are not deleted, in the order of their numbers.

    Raises:
        InputError: the manifest or a catalog is missing or invalid, or no image exists.
    """
    contents = _contents(folder / MANIFEST)
    deleted = contents.get("deleted_indexes") or []
    records, damaged = _records(folder, contents["paths"])
    for number in deleted:
        records.pop(number, None)
    kept = [records[number] for number in sorted(records)]
    if not kept:
        raise InputError(f"{folder}: the tub has no record that is not deleted")
    images = tuple(
        folder / IMAGES / Path(str(record.get(IMAGE, "no image"))).name for record in kept
    )
    check_images(folder, images)
    time_s, about_times = _times(kept)
    return ImageFolder(
        log=folder / MANIFEST,
        images=images,
        angle=np.array([_angle(record) for record in kept]),
        time_s=time_s,
        speed=None,
        config=CONFIG,
        notes=(*_notes(kept, damaged), *about_times),
    )


def _contents(file: Path) -> dict[str, Any]:
    """Return the last line of the manifest, which lists the catalogs."""
    last = (read_text(file).strip().splitlines() or [""])[-1]
    contents = _parsed(last)
    if isinstance(contents, dict) and isinstance(contents.get("paths"), list):
        return contents
    raise InputError(
        f"{file}: the last line must be a JSON object with the catalogs as paths; "
        f"got {as_written(last)}"
    )


def _parsed(line: str) -> Any:
    try:
        return parse_json(line, "")
    except InputError:
        return None


def _records(folder: Path, names: Sequence[str]) -> tuple[dict[int, dict[str, Any]], int]:
    """Return the records by number, and the number of damaged lines."""
    records: dict[int, dict[str, Any]] = {}
    damaged = 0
    for name in names:
        for record in _lines(folder / Path(str(name)).name):
            if record is None:
                damaged += 1
            else:
                records[record[INDEX]] = record
    return records, damaged


def _lines(file: Path) -> Iterator[dict[str, Any] | None]:
    """Yield the records of a catalog; None for a line that is not a record."""
    if not file.is_file():
        raise InputError(f"there is no catalog {file}, which {MANIFEST} names; copy the whole tub")
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip("\0 "):
            continue
        record = _parsed(line)
        whole = isinstance(record, dict) and isinstance(record.get(INDEX), int)
        yield record if whole else None


def _angle(record: dict[str, Any]) -> float:
    """Return the angle that a person steered; NaN if it is missing or the autopilot steered."""
    angle = record.get(ANGLE)
    by_hand = record.get(MODE, "user") == "user"
    return float(angle) if by_hand and is_number(angle) else math.nan


def _times(records: list[dict[str, Any]]) -> tuple[FloatArray, list[str]]:
    """Return seconds after the first record, and what is to be said about them."""
    values = [record.get(TIME) for record in records]
    stamps_ms = np.array([value if is_number(value) else math.nan for value in values])
    numbers = np.arange(len(records), dtype=np.float64)
    known = np.isfinite(stamps_ms)
    if known.sum() < 2 or (np.diff(stamps_ms[known]) > 0).mean() < 0.5:
        text = f"the tub has no usable times; {ASSUMED_HZ:g} records per second are assumed"
        return numbers / ASSUMED_HZ, [text]
    steps_s = np.diff(np.interp(numbers, numbers[known], stamps_ms[known])) / 1000
    sessions = [record.get(SESSION) for record in records]
    new = np.array([before != after for before, after in pairwise(sessions)], bool)
    steps_s[new | (steps_s < 0) | (steps_s > LONGEST_PAUSE_S)] = BETWEEN_SESSIONS_S
    return np.concatenate([[0.0], np.cumsum(steps_s)]), []


def _notes(records: list[dict[str, Any]], damaged: int) -> Iterator[str]:
    if damaged:
        yield f"{counted(damaged, 'line')} of the catalogs {are(damaged)} damaged, and skipped"
    if count := sum(record.get(MODE, "user") != "user" for record in records):
        yield f"{counted(count, 'record')} of the autopilot {have(count)} no angle"
    sessions = len({str(record.get(SESSION)) for record in records})
    if sessions > 1:
        yield f"{sessions} sessions follow each other after {BETWEEN_SESSIONS_S:g} s"
