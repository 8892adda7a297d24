"""`summary.csv` of a run over several videos, a row per video; and the same as text."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from drive.core.files import atomic
from drive.results.manifest import DONE, FAILED, Entry

COUNTS = ("frames", "frames_lost", "boxes", "tracks")
COLUMNS = ("source", "folder", "status", *COUNTS, "seconds", "reason")
UNKNOWN = "-"
HEADINGS = ("video", "status", "frames", "boxes", "tracks", "seconds")


def write_summary(path: Path, entries: Iterable[Entry]) -> None:
    """Write a row per video; unknown counts are empty."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for entry in entries:
            counts = [entry.results.get(name, "") for name in COUNTS]
            last = ["" if value is None else value for value in (entry.seconds, entry.reason)]
            rows.writerow([entry.source, entry.folder, entry.status, *counts, *last])


def as_text(entries: Iterable[Entry]) -> str:
    """Return the table in aligned columns."""
    rows = [HEADINGS, *(_cells(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        name, status, *numbers = row
        numbers = [text.rjust(width) for text, width in zip(numbers, widths[2:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), status.ljust(widths[1]), *numbers]))
    return "\n".join(lines)


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
