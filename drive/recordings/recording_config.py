"""`recording.toml`: what the numbers of a recording mean, and which camera and car made it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from drive.core.errors import InputError, MissingFileError, as_option, nearest_name, unknown_name
from drive.core.texts import as_written, is_number, parse_toml, read_text
from drive.recordings.camera import Camera
from drive.recordings.steering_csv import TIME_UNITS
from drive.recordings.vehicle import SPEED_UNITS, Car

CONFIG_FILE = "recording.toml"
UNITS = ("degrees", "radians", "normalised")
DIRECTIONS = ("right", "left")
MATCHES = ("frame", "time")
CHOICES = {
    "unit": UNITS,
    "positive": DIRECTIONS,
    "speed_unit": tuple(SPEED_UNITS),
    "time_unit": tuple(TIME_UNITS),
    "match": MATCHES,
}
RANGES: dict[str, tuple[float, float]] = {
    "full_scale_deg": (0.001, math.inf),
    "lag_s": (-10.0, 10.0),
    "first_frame": (0, 100_000),
    "rows_per_s": (0.1, 10_000.0),
    "height_m": (0.05, 5.0),
    "fov_deg": (10.0, 170.0),
    "horizon": (0.0, 1.0),
    "side_m": (0.01, 5.0),
    "wheelbase_m": (0.1, 10.0),
    "steering_ratio": (0.1, 50.0),
    "speed_mps": (0.1, 100.0),
    "understeer": (0.0, 0.1),
    "lane_m": (-20.0, 20.0),
}
"""Minimum and maximum of each number: from a model car to a lorry, with a margin."""

TABLES = {"camera": Camera, "car": Car}
BAD = "bad"  # excluded ranges, tables `[[bad]]`; `drive.recordings.excluded` reads them
TABLE_HEADS = {name: f"[{name}]" for name in TABLES} | {BAD: f"[[{BAD}]]"}
CAR_SHAPE = ("wheelbase_m", "steering_ratio", "understeer")  # decide the circle of an angle
OPTIONS = {
    "lag_s": "lag",
    "height_m": "camera_height",
    "fov_deg": "fov",
    "side_m": "camera_side",
    "wheelbase_m": "wheelbase",
    "lane_m": "lane",
}
"""Names of command-line options that differ from the keys."""

FOUND_OUT = ("states_car",)  # fields that follow from the others
Overrides = Mapping[str, float | str | None]  # values by key; None is no value
Checked = TypeVar("Checked", "RecordingConfig", Camera, Car)


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """What `recording.toml` says about a recording."""

    unit: str = "degrees"
    positive: str = "right"
    full_scale_deg: float = 25.0  # of a normalised angle of 1.0
    lag_s: float = 0.0  # the angle of a frame at time t was recorded at t + lag_s
    first_frame: int = 0  # number of the first frame in the CSV
    time_unit: str | None = None  # of the times in the CSV; None: that of the column's name
    rows_per_s: float | None = None  # of a CSV with neither frame numbers nor times
    match: str | None = None  # rows to frames: by "frame" number or "time"; None: what there is
    camera: Camera = field(default_factory=Camera)
    car: Car = field(default_factory=Car)
    states_car: bool = field(default=False, compare=False)  # a key of `CAR_SHAPE` was given

    def with_overrides(self, **overrides: Any) -> RecordingConfig:
        """Return the configuration with the values that are not None, checked.

        Keys are fields of this class, of `Camera` or of `Car`; errors name the command-line option.
        """
        given = {key: value for key, value in overrides.items() if value is not None}
        stated = self.states_car or any(key in given for key in ("car", *CAR_SHAPE))
        for name, kind in TABLES.items():
            table = {key: given.pop(key) for key in _keys(kind) if key in given}
            given[name] = _put(given.get(name, getattr(self, name)), table, "")
        return replace(_put(self, given, ""), states_car=stated)

    @property
    def degrees_per_unit(self) -> float:
        """Degrees of a recorded 1.0; negative if positive angles turn left."""
        units = {"degrees": 1.0, "radians": math.degrees(1.0), "normalised": self.full_scale_deg}
        return units[self.unit] * (1.0 if self.positive == "right" else -1.0)


def read_config(folder: str | Path, default: RecordingConfig | None = None) -> RecordingConfig:
    """Read `recording.toml` in `folder`; return the default if there is none.

    Unknown tables are ignored unless their name looks like a typing error; see `others_tables`.
    """
    path = Path(folder) / CONFIG_FILE
    config = default or RecordingConfig()
    content = parse_toml(text_or_empty(path), path)
    of_others = _of_others(content)
    for name in of_others:
        if near := nearest_name(name, TABLE_HEADS):
            raise InputError(f"{path}: unknown table {name!r}. Did you mean {TABLE_HEADS[near]}?")
    values = {key: value for key, value in content.items() if key not in (*of_others, BAD)}
    for name in TABLES:
        table = values.get(name, {})
        if not isinstance(table, dict):
            raise InputError(f"{path}: {name} must be one table [{name}]; got {as_written(table)}")
        values[name] = _put(getattr(config, name), table, f"{path}, table [{name}]")
    stated = config.states_car or any(key in content.get("car", {}) for key in CAR_SHAPE)
    return replace(_put(config, values, str(path)), states_car=stated)


def own_values(folder: str | Path) -> dict[str, Any]:
    """Return what `recording.toml` in `folder` says, unchecked; nothing if there is none."""
    path = Path(folder) / CONFIG_FILE
    return parse_toml(text_or_empty(path), path)


def others_tables(folder: str | Path) -> list[str]:
    """Return the names of tables in `recording.toml` that drive does not read."""
    return _of_others(own_values(folder))


def _of_others(content: Mapping[str, Any]) -> list[str]:
    return [
        key
        for key, value in content.items()
        if isinstance(value, (dict, list)) and key not in (*_keys(RecordingConfig), BAD)
    ]


def text_or_empty(path: Path) -> str:
    """Return the text of a file; empty if it does not exist."""
    try:
        return read_text(path)
    except MissingFileError:
        return ""


def _keys(kind: type) -> list[str]:
    return [entry.name for entry in fields(kind) if entry.name not in FOUND_OUT]


def _put(target: Checked, values: Mapping[str, Any], where: str) -> Checked:
    """Return `target` with `values`, each checked; `where` is for errors, empty for options."""
    known = [key for key in _keys(type(target)) if key not in TABLES]
    for key, value in values.items():
        if key not in _keys(type(target)):
            raise InputError(f"{where}: {unknown_name('key', key, known)}")
        if key in CHOICES and value not in CHOICES[key]:
            expected = " or ".join(CHOICES[key])
            raise InputError(f"{_named(key, where)} must be {expected}; got {as_written(value)}")
        if key in RANGES:
            _check_number(key, value, where)
    return replace(target, **values)


def _named(key: str, where: str) -> str:
    return f"{where}: {key}" if where else as_option(OPTIONS.get(key, key))


def _check_number(key: str, value: object, where: str) -> None:
    low, high = RANGES[key]
    whole = isinstance(low, int)
    if is_number(value) and low <= value <= high and (isinstance(value, int) or not whole):
        return
    what = "whole number" if whole else "number"
    bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else "greater than 0"
    raise InputError(f"{_named(key, where)} must be a {what} {bounds}; got {as_written(value)}")
