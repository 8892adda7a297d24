"""`summary.csv` of a run over several videos, a row per video; and the same as text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from drive.core.wording import aligned
from drive.results.manifest import DONE, FAILED, Entry
from drive.results.table import Column, open_table

COUNTS = ("frames", "frames_lost", "boxes", "tracks")
COLUMNS = ("source", "folder", "status", *COUNTS, "seconds", "reason")
UNKNOWN = "-"
HEADINGS = ("video", "status", "frames", "boxes", "tracks", "seconds")


def write_summary(path: Path, entries: Iterable[Entry]) -> None:
    """Write a row per video; unknown counts are empty."""
    columns = [Column(name, 0 if name in COUNTS else None) for name in COLUMNS]
    with open_table(path, columns) as write:
        for entry in entries:
            counts = map(entry.results.get, COUNTS)
            ends = ("" if value is None else value for value in (entry.seconds, entry.reason))
            write([entry.source, entry.folder, entry.status, *counts, *ends])


def as_text(entries: Iterable[Entry]) -> str:
    """Return the table in aligned columns."""
    return aligned([HEADINGS, *map(_cells, entries)], numbers_from=2)


def totals(entries: Iterable[Entry]) -> dict[str, int]:
    """Return the numbers of videos, done, failed, and of their frames."""
    entries = list(entries)
    return {
        "videos": len(entries),
        "done": sum(entry.status == DONE for entry in entries),
        "failed": sum(entry.status == FAILED for entry in entries),
        "frames": sum(entry.results.get("frames", 0) for entry in entries),
    }


def _cells(entry: Entry) -> tuple[str, ...]:
    numbers = [_number(entry.results.get(name)) for name in ("frames", "boxes", "tracks")]
    return (entry.folder, entry.status, *numbers, _number(entry.seconds))


def _number(value: object) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if isinstance(value, float) else str(value)
