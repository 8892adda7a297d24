"""Excluded ranges of a recording (autopilot, parking, wrong labels): tables `[[bad]]`.

Training and evaluation leave their frames out. Excluding a range appends a table to
`recording.toml` and including it removes exactly that table; all else stays to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from drive.core.errors import InputError, unknown_name
from drive.core.files import atomic_or_refused
from drive.core.texts import BOM, as_written, is_number, parse_toml
from drive.core.types import BoolArray, FloatArray
from drive.recordings.recording_config import BAD, CONFIG_FILE, text_or_empty

HEADER = "# Ranges that training leaves out, excluded in `drive view`.\n"
HEADERS = (HEADER, "# Stretches that training leaves out, marked in `python run.py view`.\n")
"""First line of a file that was made for excluded ranges only; the second is of version 0.1."""

TABLE_HEAD = re.compile(r"\s*\[\[\s*bad\s*\]\]")
LONGEST_REASON = 200
DECIMALS = 3
TIME_TOLERANCE_S = 0.0006
"""Ranges are in whole milliseconds; a frame up to half of one outside the border is inside."""


@dataclass(frozen=True, slots=True)
class ExcludedRange:
    """An excluded range, including both of its ends."""

    start_s: float  # after the first frame, by the video's timestamps, rounded to milliseconds
    end_s: float
    reason: str = ""  # for people
    drive: str | None = None  # NAME of `NAME_front.mp4`; None: all videos of the folder

    def __post_init__(self) -> None:
        for name in ("start_s", "end_s"):
            value = getattr(self, name)
            if not (is_number(value) and value >= 0):
                raise InputError(
                    f"{name} must be a number of seconds, at least 0; got {as_written(value)}"
                )
            object.__setattr__(self, name, round(float(value), DECIMALS))
        if not self.end_s > self.start_s:
            raise InputError(
                f"end_s must be after start_s; got start_s = {self.start_s:g}, "
                f"end_s = {self.end_s:g}"
            )
        for name in ("reason", "drive"):
            value = "" if name == "drive" and self.drive is None else getattr(self, name)
            if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_REASON:
                raise InputError(
                    f"{name} must be one line of at most {LONGEST_REASON} characters; "
                    f"got {as_written(value)}"
                )

    def __str__(self) -> str:
        return f"{self.start_s:g}-{self.end_s:g} s" + (f" ({self.reason})" if self.reason else "")


def marked(marks: Sequence[ExcludedRange], time_s: FloatArray) -> BoolArray:
    """Return (N,) bool: which of these times in seconds are in an excluded range."""
    inside = np.zeros(np.shape(time_s), bool)
    for mark in marks:
        inside |= (time_s >= mark.start_s - TIME_TOLERANCE_S) & (
            time_s <= mark.end_s + TIME_TOLERANCE_S
        )
    return inside


def read_marks(folder: str | Path) -> list[ExcludedRange]:
    """Return all excluded ranges of `recording.toml` in `folder`; none without such a file."""
    path = Path(folder) / CONFIG_FILE
    return _parsed(text_or_empty(path), path)


def marks_of(folder: str | Path, drive: str) -> tuple[ExcludedRange, ...]:
    """Return the excluded ranges of one video NAME of `folder`: those with its name or none."""
    found = []
    for mark in read_marks(folder):
        if mark.drive in (None, drive):
            found.append(mark)
        elif not any(entry.name.startswith(f"{mark.drive}_") for entry in Path(folder).iterdir()):
            raise InputError(
                f"{Path(folder) / CONFIG_FILE}: the excluded range {mark} must name a "
                f"NAME_front.mp4 beside it as drive, such as {drive!r}, or none; "
                f"got {mark.drive!r}"
            )
    return tuple(found)


def add_mark(folder: str | Path, mark: ExcludedRange) -> None:
    """Write an excluded range at the end of `recording.toml`, which is created if missing."""
    path = (Path(folder) / CONFIG_FILE).resolve()
    before = text_or_empty(path)
    marks = _parsed(before, path)
    if mark in marks:
        raise InputError(f"{path}: {mark} is excluded already")
    line_end = "\r\n" if "\r\n" in before else "\n"
    gap = line_end if before and not before.endswith("\n") else ""
    lines = ["", f"[[{BAD}]]", *(f"{key} = {value}" for key, value in _as_toml(mark)), ""]
    text = (before if path.exists() else HEADER) + gap + line_end.join(lines)
    _write(path, text, before, [*marks, mark])


def remove_mark(folder: str | Path, mark: ExcludedRange) -> None:
    """Remove an excluded range from `recording.toml`; a file made for ranges only is deleted."""
    path = (Path(folder) / CONFIG_FILE).resolve()
    before = text_or_empty(path)
    marks = _parsed(before, path)
    if mark not in marks:
        raise InputError(f"{path}: {mark} is not excluded (any more)")
    bom = BOM if before.startswith(BOM) else ""
    lines = before.removeprefix(bom).splitlines(keepends=True)
    start, end = _lines_of(lines, mark, path)
    if start and not lines[start - 1].strip():
        start -= 1
    text = bom + "".join(lines[:start] + lines[end:])
    marks.remove(mark)
    if text in HEADERS:
        path.unlink()
        return
    _write(path, text, before, marks)


def _lines_of(lines: list[str], mark: ExcludedRange, path: Path) -> tuple[int, int]:
    """Return the first and last (exclusive) line of the table of a range."""
    heads = [n for n, line in enumerate(lines) if line.lstrip().startswith("[")]
    for start in heads:
        if not TABLE_HEAD.match(lines[start]):
            continue
        for end in [*(head for head in heads if head > start), len(lines)]:
            try:
                found = _parsed("".join(lines[start:end]), path)
            except InputError:  # a text of several lines, one of which looks like a table head
                continue
            if found == [mark]:
                while lines[end - 1].strip() == "" or lines[end - 1].lstrip().startswith("#"):
                    end -= 1
                return start, end
            break
    raise InputError(f"{path}: {mark} is not written as a table [[{BAD}]]; remove it by hand")


def _parsed(text: str, path: Path) -> list[ExcludedRange]:
    tables = parse_toml(text, path).get(BAD, [])
    if not isinstance(tables, list):
        raise InputError(
            f"{path}: excluded ranges must be tables [[{BAD}]]; got {BAD} = {as_written(tables)}"
        )
    return [parse_mark(table, f"{path}, [[{BAD}]] number {n}") for n, table in enumerate(tables, 1)]


def parse_mark(table: object, where: str) -> ExcludedRange:
    """Return an excluded range from its keys and values; `where` is for errors."""
    if not isinstance(table, dict):
        raise InputError(f"{where} must be a table with start_s and end_s; got {as_written(table)}")
    known = [field.name for field in fields(ExcludedRange)]
    for key in table:
        if key not in known:
            raise InputError(f"{where}: {unknown_name('key', key, known)}")
    for key in ("start_s", "end_s"):
        if key not in table:
            raise InputError(f"{where}: missing {key}, seconds after the first frame")
    try:
        return ExcludedRange(**table)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _as_toml(mark: ExcludedRange) -> list[tuple[str, str]]:
    """Return keys and values; the JSON form of a string is valid TOML."""
    values = {key: value for key, value in asdict(mark).items() if value or key == "start_s"}
    order = [key for key in ("drive", "start_s", "end_s", "reason") if key in values]
    return [(key, json.dumps(values[key], ensure_ascii=False)) for key in order]


def _write(path: Path, text: str, before: str, expected: list[ExcludedRange]) -> None:
    """Write the file after checking that it has the expected ranges and nothing else changed."""
    try:
        others = parse_toml(text, path) | {BAD: None} == parse_toml(before, path) | {BAD: None}
        safe = others and _parsed(text, path) == expected
    except InputError:
        safe = False
    if not safe:
        raise InputError(f"{path} cannot be edited safely; change its [[{BAD}]] tables by hand")
    with atomic_or_refused(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
