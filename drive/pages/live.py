"""The report of a running training: a page that reloads `report-data.js` regularly.

A page opened from disk may load nothing but scripts, so the data is one.
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

BEAT_S = 5.0  # between two signs of life
SILENT_S = 30.0
"""A run without a sign of life for this long is over; `assets/progress.js` says the same."""


class LiveReport:
    """Keeps the report of a training or a search fresh, from the start until `close` or `stop`.

    It writes the time into the data file every few seconds, by which pages know that the run is in
    progress. In the end `write_report` replaces the page; a run that is stopped leaves both.
    """

    def __init__(self, folder: Path, record: Mapping[str, object]) -> None:
        self._folder = folder
        self._record = {**record, "seconds": {}}  # the duration is not known yet
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._data = self._read()
        self._write()
        write_page(folder, self._data)
        self._heart = threading.Thread(target=self._beat, daemon=True, name="live report")
        self._heart.start()

    def update(self) -> None:
        """Write what is known so far."""
        self._data = self._read()
        self._write()

    def _read(self) -> Report:
        report = read_report(self._folder, self._record)
        report |= {"live": True, "stopped": False, "written": time.time()}
        return report

    def close(self) -> None:
        """Stop writing: the whole report replaces this one."""
        self._over.set()
        self._heart.join()

    def stop(self, reason: str = "") -> None:
        """Mark the run as ended early; the reason is empty if it was interrupted."""
        self.close()
        self._data |= {"live": False, "stopped": True, "reason": reason}
        self._write()
        write_page(self._folder, self._data)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with contextlib.suppress(OSError):  # a full disk; the training reports it
                self._write()

    def _write(self) -> None:
        with self._writing:
            self._data["alive"] = time.time()
            text = f"liveReport({script_json(self._data)});\n"
            with atomic(self._folder / LIVE_DATA) as part:
                part.write_text(text, encoding="utf-8")
