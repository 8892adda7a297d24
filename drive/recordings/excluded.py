"""Stretches of a recording that are marked as bad: autopilot, parking, a wrong label.

They stand in `recording.toml` as tables `[[bad]]`; whoever learns or measures leaves their frames
out, and nothing is deleted. Marking adds a table at the end of the file and undoing takes exactly
that table away, so that everything else in it, comments included, stays to the byte. Knows times;
no pictures and no angles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from drive.core.errors import InputError, MissingFileError, unknown_name
from drive.core.files import atomic
from drive.core.texts import BOM, as_written, is_number, parse_toml, read_text
from drive.recordings.recording_config import BAD, CONFIG_FILE

HEADER = "# Stretches that training leaves out, marked in `python run.py view`.\n"
"""What a file begins with that was made for the first mark, and goes with the last."""

TABLE_HEAD = re.compile(r"\s*\[\[\s*bad\s*\]\]")
LONGEST_REASON = 200
DECIMALS = 3
TIME_TOLERANCE_S = 0.0006
"""Marks are in whole milliseconds: a frame up to half of one beside the border is inside."""


@dataclass(frozen=True, slots=True)
class BadStretch:
    """A marked stretch; both of its ends are inside.

    Attributes:
        start_s, end_s: seconds after the recording's first frame, by the video's timestamps, in
            whole milliseconds.
        reason: for people; may be empty.
        drive: NAME of `NAME_front.mp4` where a folder holds several; None for all of them.
    """

    start_s: float
    end_s: float
    reason: str = ""
    drive: str | None = None

    def __post_init__(self) -> None:
        for name in ("start_s", "end_s"):
            value = getattr(self, name)
            if not (is_number(value) and value >= 0):
                raise InputError(
                    f"{name} is a number of seconds from 0. Received: {as_written(value)}"
                )
            object.__setattr__(self, name, round(float(value), DECIMALS))
        if not self.end_s > self.start_s:
            raise InputError(
                f"end_s is after start_s. Received: start_s = {self.start_s:g}, "
                f"end_s = {self.end_s:g}"
            )
        for name in ("reason", "drive"):
            self._check_text(name, getattr(self, name))

    def _check_text(self, name: str, value: object) -> None:
        if name == "drive" and value is None:
            return
        if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_REASON:
            raise InputError(
                f"{name} is one line of at most {LONGEST_REASON} characters. "
                f"Received: {as_written(value)}"
            )

    def __str__(self) -> str:
        return f"{self.start_s:g}-{self.end_s:g} s" + (f" ({self.reason})" if self.reason else "")


def marked(marks: Sequence[BadStretch], time_s: np.ndarray) -> np.ndarray:
    """(N,) bool: which of these times, in seconds, lie inside a marked stretch."""
    inside = np.zeros(np.shape(time_s), bool)
    for mark in marks:
        inside |= (time_s >= mark.start_s - TIME_TOLERANCE_S) & (
            time_s <= mark.end_s + TIME_TOLERANCE_S
        )
    return inside


def read_marks(folder: str | Path) -> list[BadStretch]:
    """All marks in the `recording.toml` of `folder`, in their order; none without such a file.

    Raises:
        InputError: it is no TOML, or a mark has an unknown key or a wrong value; names the file,
            the mark and the key.
    """
    path = Path(folder) / CONFIG_FILE
    return _parsed(_read(path), path)


def marks_of(folder: str | Path, drive: str) -> tuple[BadStretch, ...]:
    """The marks of one drive of `folder`: those that name it, and those that name none.

    Raises:
        InputError: as `read_marks`; or a mark names a drive that the folder does not have.
    """
    found = []
    for mark in read_marks(folder):
        if mark.drive in (None, drive):
            found.append(mark)
        elif not any(entry.name.startswith(f"{mark.drive}_") for entry in Path(folder).iterdir()):
            raise InputError(
                f"{Path(folder) / CONFIG_FILE} marks {mark} of {mark.drive!r}, and there is no "
                f"such drive. Expected NAME of a NAME_front.mp4 beside it, such as {drive!r}, or "
                "no key drive"
            )
    return tuple(found)


def add_mark(folder: str | Path, mark: BadStretch) -> None:
    """Write a mark at the end of `recording.toml`, which is made where there is none.

    Raises:
        InputError: the same stretch is marked already, or the file is not to be read or written.
    """
    path = (Path(folder) / CONFIG_FILE).resolve()
    before = _read(path)
    marks = _parsed(before, path)
    if mark in marks:
        raise InputError(f"{path}: {mark} is marked already")
    line_end = "\r\n" if "\r\n" in before else "\n"
    gap = line_end if before and not before.endswith("\n") else ""
    lines = ["", f"[[{BAD}]]", *(f"{key} = {value}" for key, value in _as_toml(mark)), ""]
    text = (before if path.exists() else HEADER) + gap + line_end.join(lines)
    _write(path, text, before, [*marks, mark])


def remove_mark(folder: str | Path, mark: BadStretch) -> None:
    """Take a mark out of `recording.toml`; a file made for it goes with the last one.

    Raises:
        InputError: there is no such mark, or the file is not to be read or written.
    """
    path = (Path(folder) / CONFIG_FILE).resolve()
    before = _read(path)
    marks = _parsed(before, path)
    if mark not in marks:
        raise InputError(f"{path}: {mark} is not marked (any more)")
    bom = BOM if before.startswith(BOM) else ""
    lines = before.removeprefix(bom).splitlines(keepends=True)
    start, end = _lines_of(lines, mark, path)
    if start and not lines[start - 1].strip():
        start -= 1
    text = bom + "".join(lines[:start] + lines[end:])
    marks.remove(mark)
    if text == HEADER:
        path.unlink()
        return
    _write(path, text, before, marks)


def _lines_of(lines: list[str], mark: BadStretch, path: Path) -> tuple[int, int]:
    """First and last (exclusive) line of a mark's table; what comments follow it are not its."""
    heads = [n for n, line in enumerate(lines) if line.lstrip().startswith("[")]
    for start in heads:
        if not TABLE_HEAD.match(lines[start]):
            continue
        for end in [*(head for head in heads if head > start), len(lines)]:
            try:
                found = _parsed("".join(lines[start:end]), path)
            except InputError:  # a text of several lines, cut where one of them looks like a head
                continue
            if found == [mark]:
                while lines[end - 1].strip() == "" or lines[end - 1].lstrip().startswith("#"):
                    end -= 1
                return start, end
            break
    raise InputError(f"{path}: {mark} is not written as a table [[{BAD}]]. Remove it by hand")


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except MissingFileError:
        return ""


def _parsed(text: str, path: Path) -> list[BadStretch]:
    tables = parse_toml(text, path).get(BAD, [])
    if not isinstance(tables, list):
        raise InputError(
            f"{path}: marks are tables [[{BAD}]]. Received: {BAD} = {as_written(tables)}"
        )
    return [_mark(table, f"{path}, [[{BAD}]] number {n}") for n, table in enumerate(tables, 1)]


def _mark(table: object, where: str) -> BadStretch:
    if not isinstance(table, dict):
        raise InputError(
            f"{where}: a table with start_s and end_s expected. Received: {as_written(table)}"
        )
    return parse_mark(table, where)


def parse_mark(table: dict[str, Any], where: str) -> BadStretch:
    """A mark from its keys and values; `where` begins a complaint.

    Raises:
        InputError: a key is unknown or missing, or a value is wrong.
    """
    known = [field.name for field in fields(BadStretch)]
    for key in table:
        if key not in known:
            raise InputError(f"{where}: {unknown_name('key', key, known)}")
    for key in ("start_s", "end_s"):
        if key not in table:
            raise InputError(f"{where} lacks {key}, seconds after the first frame")
    try:
        return BadStretch(**table)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _as_toml(mark: BadStretch) -> list[tuple[str, str]]:
    """Keys and values; JSON's form of a string is TOML's too."""
    values = {key: value for key, value in asdict(mark).items() if value or key == "start_s"}
    order = [key for key in ("drive", "start_s", "end_s", "reason") if key in values]
    return [(key, json.dumps(values[key], ensure_ascii=False)) for key in order]


def _write(path: Path, text: str, before: str, expected: list[BadStretch]) -> None:
    """Write the file, whole or not at all, once it is known to say what it is to say."""
    try:
        others = parse_toml(text, path) | {BAD: None} == parse_toml(before, path) | {BAD: None}
        safe = others and _parsed(text, path) == expected
    except InputError:
        safe = False
    if not safe:
        raise InputError(f"{path} cannot be edited safely. Change its [[{BAD}]] tables by hand")
    try:
        with atomic(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
