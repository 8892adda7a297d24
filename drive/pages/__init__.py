"""The pages of runs: the report that opens from disk, offline, and the local server of `view`.

`assets/report.js` says how a report is mounted in a page; it needs `SCRIPTS` and `stylesheet()`.
"""

from __future__ import annotations

from drive.pages.live import LiveReport
from drive.pages.page import ASSETS, SCRIPTS, script_json, stylesheet, write_report
from drive.pages.report import read_report

__all__ = [
    "ASSETS",
    "SCRIPTS",
    "LiveReport",
    "read_report",
    "script_json",
    "stylesheet",
    "write_report",
]
