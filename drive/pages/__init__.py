"""The pages of runs: the report that opens from disk, offline, and the local server of `view`.

`write_report(folder)` puts `report.html` beside the results of a run; `read_report(folder)` returns
its data, in the form of `drive.pages.data`. `LiveReport` keeps the page of a training fresh.

The page's script `assets/report.js` can be mounted several times in one page:

    const report = mountReport(element, data, {base: "runs/7/", keyboard: true, heading: true});
    report.video                  // the <video> in sight, or null
    report.time, report.duration  // seconds on the video's clock
    report.seek(12.5); report.step(-1); report.play(); report.pause();
    report.on("time", (t) => ...) // also "play", "pause", "range", "recording"
    report.range = [10, 20]       // what the charts show; null for all
    report.destroy()

`base` is put before every relative link of the data, `keyboard` says whether the report listens to
the page's keys, `heading` whether it shows title and facts. It needs the scripts `SCRIPTS` of
`ASSETS` in this order, and the style that `stylesheet()` returns.
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
