"""Singular and plural in messages; tables as text."""

from __future__ import annotations

from collections.abc import Sequence

from drive.core.types import Array


def counted(number: int, thing: str, things: str = "") -> str:
    """Return a number with its noun: "1 frame", "0 frames", "2 boxes" (with `things` given)."""
    return f"{number} {noun(number, thing, things)}"


def some(values: Sequence[object] | Array, most: int = 5) -> str:
    """Return the first values: "3, 4 and 7 more"."""
    more = len(values) - most
    return ", ".join(map(str, values[:most])) + (f" and {more} more" if more > 0 else "")


def noun(number: int, thing: str, things: str = "") -> str:
    """Return "frame" or "frames"; see `counted`."""
    return thing if number == 1 else things or f"{thing}s"


def have(number: int) -> str:
    """Return "has" or "have"."""
    return "has" if number == 1 else "have"


def are(number: int) -> str:
    """Return "is" or "are"."""
    return "is" if number == 1 else "are"


def aligned(rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    """Return a table as text; the columns from `numbers_from` on are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligns = ["<" if place < numbers_from else ">" for place in range(len(widths))]
    lines = ("  ".join(map("{:{}{}}".format, row, aligns, widths)).rstrip() for row in rows)
    return "\n".join(lines)
