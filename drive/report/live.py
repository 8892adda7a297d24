"""The report of a training while it goes on: a page that reads `report-data.js` again and again.

A script element is all that a page opened from disk may load, so the data is one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drive.files import atomic
from drive.report.folder import read_report
from drive.report.page import LIVE_DATA, script_json, write_page


class LiveReport:
    """Keeps a training's report fresh.

    The page is there from the beginning. `write_report` takes its place in the end and removes the
    data file, by which pages that are open know that there is a whole report to load. A training
    that is stopped leaves both, as it leaves the state that it can be resumed from.

    Args:
        folder: of the run.
        record: what `run.json` is going to say, as far as it is known.
    """

    def __init__(self, folder: Path, record: Mapping[str, Any]) -> None:
        self._folder = folder
        self._record = record
        self.update()
        write_page(folder, self._data())

    def update(self) -> None:
        """Write what is known by now."""
        text = f"liveReport({script_json(self._data())});\n"
        with atomic(self._folder / LIVE_DATA) as part:
            part.write_text(text, encoding="utf-8")

    def _data(self) -> dict[str, Any]:
        return read_report(self._folder, self._record) | {"live": True, "written": time.time()}
