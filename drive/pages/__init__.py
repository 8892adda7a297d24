"""The report of a run: one HTML page that opens from disk, offline, in any browser.

`write_report(folder)` reads what a command has written into its run folder and puts `report.html`
beside it; `read_report(folder)` gives the same data without the page, for other pages that show
runs (`view`). `LiveReport` keeps the page of a training fresh while it learns.

The data is JSON; the page's script `assets/report.js` shows it and can be mounted several times in
one page:

    const report = mountReport(element, data, {keyboard: true});
    report.video                  // the <video> in sight, or null
    report.time, report.duration  // seconds on the video's clock
    report.seek(12.5); report.step(-1); report.play(); report.pause();
    report.on("time", (t) => ...) // also "play", "pause", "range", "drive"
    report.range = [10, 20]       // what the charts show; null for all
    report.destroy()

`mountReport(element, data, options)`: `base` is put before every relative link of the data (the
run folder as the page sees it), `keyboard` says whether it listens to the page's keys, `heading`
whether it shows title and facts. It needs the scripts `SCRIPTS` of `ASSETS` in this order, and the
style that `stylesheet()` gives.

The data:

    {
      "format": 1,
      "command": "annotate",              # of the run
      "title": "traffic.mp4",
      "started": "2026-11-22T15:00:00+0000" or "",
      "command_line": "python run.py annotate traffic.mp4",
      "live": false,                      # the run goes on, and `report-data.js` changes
      "stopped": true,                    # of a run that ended before its time, else left out
      "reason": "The training diverged",  # why it did; empty where somebody stopped it
      "written": 1700000000.0,            # of a run that goes on or was stopped: its numbers,
      "alive": 1700000000.0,              # and its last sign of life
      "warnings": ["town/epoch01: ..."],  # what the command warned of
      "damaged": ["steering.csv is empty."],  # what cannot be read, and is left out
      "facts": [{"label": "boxes", "value": "1,204", "note": "in 97 % of the frames"}],
      "drives": [DRIVE],                  # none for a training
      "training": TRAINING or null,
      "search": SEARCH or null,
      "runs": [{"title": "a", "src": "a/report.html" or null, "status": "done", "reason": null,
                "facts": [...]}],        # the videos of a run over several
      "pictures": [{"src": "loss.png", "title": "...", "note": "..."}],
      "settings": [["region", "auto"]],
      "files": [{"src": "detections.csv", "bytes": 12345}]
    }

    DRIVE = {
      "name": "traffic",
      "video": {"src": "traffic.mp4", "width": 960, "height": 540, "annotated": true} or null,
      "first_s": 0.0,                     # time_s of the tables at second 0 of the video's clock;
                                          # the page adds it to every moment that it writes
      "duration": 9.9,
      "frames": {"index": COLUMN, "time": COLUMN},  # the video's clock in seconds, ascending
      "gaps": [120],                      # positions of frames before which there is a gap in time
      "charts": [{
        "id": "steering", "title": "Steering angle", "unit": "°", "note": "positive: right",
        "steps": false,                   # whether values hold until the next one
        "zero": true,                     # whether 0 belongs into the picture
        "limits": [1.0, -1.0],            # lines across
        "series": [{"name": "model", "role": "model", "values": COLUMN}]   # a value a frame
      }],
      "detections": null or {
        "at": COLUMN,                     # position of the row's frame in `frames`
        "track": COLUMN,                  # 0 where there is none
        "labels": ["car", "truck"], "label": COLUMN,   # index into labels
        "score": COLUMN, "x1": COLUMN, "y1": COLUMN, "x2": COLUMN, "y2": COLUMN
      },
      "moments": [{"kind": "difference|near|intervention", "time": 3.2, "frame": 96,
                   "text": "model 4.1°, human -2.0°"}]
    }

    COLUMN = {"type": "u8|u16|u32|i8|i16|i32|f32|f64", "n": N, "scale": 0.01, "data": BASE64}
          or {"type": "linear", "n": N, "start": 0, "step": 1}

A column's value is its little-endian number times `scale`; missing values are NaN. Times are
seconds. A table of pictures has `"pictures": ["images/a.jpg", ...]` in its DRIVE, one a frame, and
no clock.

    TRAINING = {
      "epochs": 40 or null,               # asked for
      "histories": [{"name": "", "rows": [[epoch, loss, val_loss, learning_rate, seconds]]}],
      "loss_unit": "degrees²" or "",
      "loss_note": "why training and validation loss differ" or "",
      "distribution": null or {"edges": [...], "series": [{"name": "...", "shares": [...]}]},
      "predictions": null or {"angle": COLUMN, "truth": COLUMN, "names": [...], "name": COLUMN,
                              "frame": COLUMN, "time": COLUMN},
      "worst": [{"src": "...", "note": "..."}],
      "layers": [{"src": "...", "title": "...", "note": "..."}],
      "updated": 1700000000.0
    }

    SEARCH = {
      "asked": 20 or null,                # finished trials that are wanted
      "names": ["dropout", "batch"],      # what is searched
      "trials": [{"trial": 0, "outcome": "complete|pruned|diverged", "val_loss": 1.5 or null,
                  "best_epoch": 4, "epochs": 6, "seconds": 60.5, "values": {"dropout": 0.1},
                  "src": null}],          # a link to the trial's own page, where there is one
      "best": 3 or null,                  # number of the best of the complete trials
      "picture": "search.png" or null
    }
"""

from __future__ import annotations

from drive.pages.folder import read_report
from drive.pages.live import LiveReport
from drive.pages.page import ASSETS, REPORT, SCRIPTS, script_json, stylesheet, write_report

__all__ = [
    "ASSETS",
    "REPORT",
    "SCRIPTS",
    "LiveReport",
    "read_report",
    "script_json",
    "stylesheet",
    "write_report",
]
