"""The report of a training while it goes on: a page that reads `report-data.js` again and again.

A script element is all that a page opened from disk may load, so the data is one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from drive.core.files import atomic
from drive.pages.data import Report
from drive.pages.page import script_json, write_page
from drive.pages.report import read_report
from drive.results.names import LIVE_DATA

BEAT_S = 5.0
"""Between two signs of life."""

SILENT_S = 30.0
"""A run without a sign of life for this long is over; `assets/progress.js` says the same."""


class LiveReport:
    """Keeps the report of a training or a search fresh.

    The page is there from the beginning. While the process lives, it writes the time into the data
    file every few seconds: by that, and by nothing that another process or another machine could be
    taken for, pages know that the run goes on. `write_report` takes the page's place in the end and
    removes the data file, by which pages that are open know that there is a whole report to load. A
    training that is stopped leaves both, as it leaves the state that it can be resumed from.

    Args:
        folder: of the run.
        record: what `run.json` is going to say, as far as it is known.
    """

    def __init__(self, folder: Path, record: Mapping[str, object]) -> None:
        self._folder = folder
        self._record = {**record, "seconds": {}}  # nobody knows yet how long it takes
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._data = self._read()
        self._write()
        write_page(folder, self._data)
        self._heart = threading.Thread(target=self._beat, daemon=True, name="live report")
        self._heart.start()

    def update(self) -> None:
        """Write what is known by now."""
        self._data = self._read()
        self._write()

    def _read(self) -> Report:
        report = read_report(self._folder, self._record)
        report |= {"live": True, "stopped": False, "written": time.time()}
        return report

    def close(self) -> None:
        """Write no more: the whole report takes this one's place."""
        self._over.set()
        self._heart.join()

    def stop(self, reason: str = "") -> None:
        """Say that the run has ended before its time: the last word of one that is interrupted.

        Args:
            reason: what went wrong, for people; empty where nothing did.
        """
        self.close()
        self._data |= {"live": False, "stopped": True, "reason": reason}
        self._write()
        write_page(self._folder, self._data)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with contextlib.suppress(OSError):  # a full disk; the training will tell
                self._write()

    def _write(self) -> None:
        with self._writing:
            self._data["alive"] = time.time()
            text = f"liveReport({script_json(self._data)});\n"
            with atomic(self._folder / LIVE_DATA) as part:
                part.write_text(text, encoding="utf-8")
