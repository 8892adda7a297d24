"""`report.html`: the data of a run with style, scripts and charts in one file."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from drive.core.files import atomic
from drive.drawing import palette
from drive.pages.data import Report
from drive.pages.report import read_report
from drive.results.json_files import plain
from drive.results.names import LIVE_DATA, REPORT

ASSETS = Path(__file__).resolve().parent / "assets"
TEMPLATE, STYLE = "report.html", "report.css"
PLACE = re.compile(r"<!--(title|style|data|scripts)-->")
SCRIPTS = (
    *("echarts.min.js", "numbers.js", "dom.js", "seeker.js", "player.js", "charts.js", "table.js"),
    *("progress.js", "report.js", "training.js", "search.js"),
)
"""The scripts that `mountReport` needs, in this order."""

PAGE_SCRIPT = "page.js"  # mounts the report of a single run
ROLES = {
    "model": (palette.BLUE, palette.SKY_BLUE),
    "recorded": ((178, 112, 0), palette.ORANGE),
    "smoothed": (palette.GREEN, (64, 196, 158)),
    "error": ((170, 82, 130), palette.PURPLE),
    "cars": (palette.BLUE, palette.SKY_BLUE),
    "others": ((178, 112, 0), palette.ORANGE),
    "limit": (palette.VERMILLION, (240, 128, 64)),
}
"""Colours on light and on dark pages: of the palette, darkened or lightened for contrast."""


def write_report(folder: str | Path, record: Mapping[str, object] | None = None) -> Path:
    """Write `report.html` of a run into its folder, whole or not at all.

    Works on the folder of any run, also of one that an earlier version of drive wrote.

    Args:
        folder: of the run.
        record: what its `run.json` is going to say; None reads it, if there is one.

    Returns:
        The page.

    Raises:
        MissingFileError: there is no such folder.

    Example:
        >>> from drive import write_report
        >>> page = write_report("outputs/001-detect")
    """
    home = Path(folder)
    path = write_page(home, read_report(home, record))
    (home / LIVE_DATA).unlink(missing_ok=True)
    return path


def write_page(folder: Path, data: Report) -> Path:
    """Write the page of this data into a folder."""
    path = folder / REPORT
    text = page(data)
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def page(data: Report) -> str:
    """Return the whole page."""
    parts = {
        "title": html.escape(f"{data['title']} - {data['command'] or 'drive'}"),
        "style": stylesheet(),
        "data": script_json(data),
        "scripts": "\n".join(
            f"<script>{read_asset(name)}</script>" for name in (*SCRIPTS, PAGE_SCRIPT)
        ),
    }
    text = read_asset(TEMPLATE)
    return PLACE.sub(lambda place: parts[place[1]], text)


def stylesheet() -> str:
    """Return the style of a report, with the palette's colours."""
    return colours() + read_asset(STYLE)


def colours() -> str:
    """Return the palette as CSS variables, for light and dark pages."""
    light, dark = (
        "".join(f"--{role}:{palette.for_matplotlib(pair[k])};" for role, pair in ROLES.items())
        for k in (0, 1)
    )
    return (
        f":root{{{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}"
        f":root[data-theme=dark]{{{dark}}}\n"
    )


def script_json(data: Mapping[str, object]) -> str:
    """Return JSON for a script element: it has no `<` that might end it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=plain)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def read_asset(name: str) -> str:
    """Return the text of a file of `assets/`."""
    return (ASSETS / name).read_text(encoding="utf-8")
