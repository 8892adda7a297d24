"""What a run folder holds, as the data of its report. Knows the files that commands write.

Nothing that is missing is an error, nor what is damaged: a report shows what there is, and names
what it cannot read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import numpy as np

from drive.core.errors import MissingFileError
from drive.core.shipped import HOME as CHECKOUT
from drive.pages.clock import VideoClock, read_clock
from drive.pages.damage import Damage
from drive.pages.drives import DriveView, Frames, Video, frames_of_boxes
from drive.pages.facts import Fact, facts_of, search_facts
from drive.pages.json_files import (
    MANIFEST_FORM,
    METRICS_FORM,
    RUN_FORM,
    command_of,
    read_json,
    title_of,
)
from drive.pages.search import TABLE as TRIAL_TABLE
from drive.pages.search import read_search
from drive.pages.tables import Boxes, Series, read_boxes, read_series
from drive.pages.training import read_training

FORMAT = 1
PAGE = "report.html"
RUN, MANIFEST, METRICS = "run.json", "manifest.json", "metrics.json"
DETECTIONS, STEERING, SIMULATION = "detections.csv", "steering.csv", "simulation.csv"
IMAGES = "images"
"""Where sources are looked for that were named from here; a run's own place is not noted."""

FOREIGN = "surrogateescape"
"""How a file's name that is no text in UTF-8 goes into a link: byte by byte."""

VIDEOS = (".mp4", ".m4v", ".webm", ".mov")
"""What browsers can play."""

PICTURES = {
    "loss.png": "Loss",
    "learning_rate_finder.png": "Search for a learning rate",
    "augmented_views.png": "Training frames and their augmented views",
    "predictions.png": "Example predictions",
    "precision_recall.png": "Precision and recall",
    "explain_check.png": "Is the explanation true?",
}
"""Plots and sheets of a run that the report shows; the others it draws itself."""

DRAWN_LIVE = ("loss.png",)

RunRecord = Mapping[str, Any]


def read_report(folder: str | Path, record: RunRecord | None = None) -> dict[str, Any]:
    """Read a run folder.

    Args:
        folder: of the run.
        record: what its `run.json` is going to say; None reads it, where there is one.

    Returns:
        The data of the page; `drive.pages` says its form.

    Raises:
        MissingFileError: there is no such folder.
    """
    home = Path(folder)
    if not home.is_dir():
        raise MissingFileError(f"There is no folder {home}. Name the folder of a run")
    damage = Damage(home)
    return _report(home, _record(home, damage) if record is None else record, damage)


def _record(home: Path, damage: Damage) -> RunRecord:
    """What `run.json` says; nothing where it cannot be read, and what is left to look at then."""
    nothing: RunRecord | None = None
    record = damage.read(RUN, nothing, read_json, home / RUN, RUN_FORM, damage.tell, home)
    if record is not None:
        return record
    old = " report.html of this folder, as the run left it, still opens." if _has_page(home) else ""
    damage.tell(f"Without {RUN} the run's command, settings and facts are not known.{old}")
    return {}


def read_facts(home: Path, record: RunRecord) -> list[Fact]:
    """The key numbers of a run that is done, the same that its report shows."""
    damage = Damage(home)
    return _facts(record, _metrics(home, damage), _search(home, record, damage), damage)


def _has_page(home: Path) -> bool:
    return (home / PAGE).is_file()


def _report(home: Path, record: RunRecord, damage: Damage) -> dict[str, Any]:
    metrics = _metrics(home, damage)
    training = read_training(home, damage)
    search = _search(home, record, damage)
    nothing: list[DriveView] = []
    views = (
        nothing if training else damage.read(RUN, nothing, _drives, home, record, metrics, damage)
    )
    drives = [view.data() for view in views]
    pictures = _source_pictures(home)
    if pictures:
        drives = [_of_pictures(home, pictures, damage)]
    facts = _facts(record, metrics, search, damage)
    return {
        "format": FORMAT,
        "command": command_of(record),
        "title": title_of(record, home),
        "started": str(record.get("started", "")),
        "command_line": " ".join(map(str, record.get("command", []))),
        "live": False,
        "damaged": damage.told,
        "warnings": record.get("warnings", []),
        "facts": facts,
        "drives": drives,
        "training": training,
        "search": search,
        "runs": damage.read(MANIFEST, [], _runs, home, damage),
        "pictures": [
            {"src": name, "title": title, "note": ""}
            for name, title in PICTURES.items()
            if (home / name).is_file() and not (training and name in DRAWN_LIVE)
        ],
        "settings": [[name, _plainly(value)] for name, value in _settings(record).items()],
        "files": _files(home),
    }


def _metrics(home: Path, damage: Damage) -> Mapping[str, Any]:
    return damage.read(METRICS, {}, read_json, home / METRICS, METRICS_FORM, damage.tell, home)


def _search(home: Path, record: RunRecord, damage: Damage) -> dict[str, Any] | None:
    nothing: dict[str, Any] | None = None
    return damage.read(TRIAL_TABLE, nothing, read_search, home, record)


def _facts(
    record: RunRecord,
    metrics: Mapping[str, Any],
    search: Mapping[str, Any] | None,
    damage: Damage,
) -> list[Fact]:
    nothing: list[Fact] = []
    found = damage.read(RUN, nothing, facts_of, command_of(record), record, metrics)
    return [*search_facts(search), *found]


def _settings(record: RunRecord) -> dict[str, Any]:
    return {k: v for k, v in record.get("settings", {}).items() if v not in (None, False, [])}


def _plainly(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _files(home: Path) -> list[dict[str, Any]]:
    """The run's results, to be opened from the page; those of each recording in its own folder."""
    skipped = (PAGE, "report-data.js")
    inner = [each.parent for each in sorted(home.glob(f"*/{STEERING}")) if not _is_run(each.parent)]
    return [
        {"src": quote(name, errors=FOREIGN), "name": name, "bytes": path.stat().st_size}
        for folder in (home, *inner)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in skipped and ".part" not in path.name
        for name in [path.relative_to(home).as_posix()]
    ]


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run of its own, with its own report."""
    return (folder / RUN).is_file()


def _drives(
    home: Path, record: RunRecord, metrics: Mapping[str, Any], damage: Damage
) -> list[DriveView]:
    if damage.holds(home / SIMULATION):
        return _simulated(home, record, metrics, damage)
    if command_of(record) == "evaluate-steering":
        return _evaluated(home, record, metrics, damage)
    return _analysed(home, record, damage)


def _analysed(home: Path, record: RunRecord, damage: Damage) -> list[DriveView]:
    """Of `detect`, `predict-steering` and `annotate`: one video; of `compare`: nothing else."""
    if (home / IMAGES).is_dir() or (home / MANIFEST).is_file():
        return []
    boxes = _boxes(home, damage)
    series = _steering(home, damage)
    path = _video_of(home, record)
    clock = _clock(path, damage, times=series is None)
    times = clock.time_s if clock and len(clock.time_s) else None
    if series is not None:
        frames = _frames_of(series)
    elif boxes is not None:
        settings = record.get("settings", {})
        start_s = float(settings.get("start_s") or settings.get("start") or 0.0)  # drive 0.1
        frames = frames_of_boxes(boxes, times, _ends(record), start_s)
    elif times is not None:
        frames = Frames(np.arange(len(times)), times, 0.0)
    else:
        return []
    if not len(frames.index):
        return []
    video = Video(quote(path.name), clock.width, clock.height) if path and clock else None
    view = DriveView(path.stem if path else title_of(record, home), frames, video)
    if series is not None:
        view.add_steering(series)
    if boxes is not None:
        view.add_boxes(boxes)
    return [view]


def _boxes(home: Path, damage: Damage) -> Boxes | None:
    path, nothing = home / DETECTIONS, cast(Boxes | None, None)
    return damage.read(DETECTIONS, nothing, read_boxes, path) if damage.holds(path) else None


def _steering(folder: Path, damage: Damage) -> Series | None:
    path = folder / STEERING
    drives: dict[str, Series] = {}
    if damage.holds(path):
        drives = damage.read(STEERING, drives, read_series, path)
    return drives.get("")


def _video_of(home: Path, record: RunRecord) -> Path | None:
    """The annotated video: the one that the run names, else the only one there.

    Where both fail it is the one that the run names.
    """
    name = record.get("results", {}).get("video")
    named = home / Path(str(name)).name if name else None
    if named and named.is_file():
        return named
    found = sorted(path for path in home.glob("*.mp4") if ".part" not in path.name)
    return found[0] if len(found) == 1 else named


def _clock(path: Path | None, damage: Damage, times: bool = False) -> VideoClock | None:
    """The clock of a video that the run has; without it the report says why."""
    clock = read_clock(path, times)
    if path is not None and clock is None:
        lacks = "cannot be read as a video" if path.is_file() else "is not in this folder any more"
        damage.tell(f"{path.name} {lacks}: charts and tables are shown without it")
    return clock


def _ends(record: RunRecord) -> list[tuple[int, float]]:
    """Number and seconds of the first and the last frame, where the run noted them."""
    ends = record.get("frames", {})
    whole = [ends[e] for e in ("first", "last") if {"frame", "time_s"} <= set(ends.get(e, ()))]
    return [(int(end["frame"]), float(end["time_s"])) for end in whole]


def _frames_of(series: Series, first_s: float | None = None) -> Frames:
    begin_s = float(series.time_s[0]) if len(series.time_s) else 0.0
    return Frames(series.frame, series.time_s, begin_s if first_s is None else first_s)


def _evaluated(
    home: Path, record: RunRecord, metrics: Mapping[str, Any], damage: Damage
) -> list[DriveView]:
    """Of `evaluate-steering`: each recording, with its own video where that still lies there."""
    names = list(metrics.get("recordings", {})) or [title_of(record, home)]
    sources = [str(each.get("path", "")) for each in record.get("inputs", [])][::2]
    views = []
    for number, name in enumerate(names):
        folder = home if len(names) == 1 else home / "_".join(_parts(name))
        series = _steering(folder, damage)
        if series is None:
            continue
        source = Path(sources[number]) if number < len(sources) else None
        view = DriveView(name, _frames_of(series, 0.0), _source_video(source, home))
        view.add_steering(series)
        views.append(view)
    return views


def _parts(name: str) -> list[str]:
    return [part for part in Path(name).parts if part != "/"]


def _source_video(named: Path | None, home: Path) -> Video | None:
    """A run's source as a link, where browsers can play it and it still lies there."""
    if named is None or named.suffix.lower() not in VIDEOS:
        return None
    source = next((path for path in (named, CHECKOUT / named) if path.is_file()), None)
    if source is None:
        return None
    clock = read_clock(source)
    try:
        link = Path(os.path.relpath(source.resolve(), home.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return None
    return Video(quote(link), clock.width, clock.height, annotated=False) if clock else None


def _simulated(
    home: Path, record: RunRecord, metrics: Mapping[str, Any], damage: Damage
) -> list[DriveView]:
    """Of `simulate`: each recording."""
    videos = [home / Path(str(each)).name for each in record.get("results", {}).get("videos", [])]
    drives = read_series(home / SIMULATION, by="recording")
    views = []
    for number, (name, series) in enumerate(drives.items()):
        path = videos[number] if len(videos) == len(drives) else None
        clock = _clock(path, damage)
        video = Video(quote(path.name), clock.width, clock.height) if path and clock else None
        view = DriveView(name, _frames_of(series), video)
        view.add_offset(series, float(metrics.get("limit_m", 1.0)))
        view.add_steering(series)
        views.append(view)
    return views


def _runs(home: Path, damage: Damage) -> list[dict[str, Any]]:
    """The videos of a run over several, each with its own report."""
    runs = []
    manifest = read_json(home / MANIFEST, MANIFEST_FORM, damage.tell, home)
    for entry in manifest.get("videos", []):
        results = entry.get("results", {})
        page = home / str(entry.get("folder")) / "report.html"
        runs.append(
            {
                "title": str(entry.get("folder")),
                "src": quote(f"{entry.get('folder')}/report.html") if page.is_file() else None,
                "status": str(entry.get("status")),
                "reason": entry.get("reason"),
                "facts": facts_of(
                    "", {"results": results, "seconds": {"total": entry.get("seconds")}}, {}
                ),
            }
        )
    return runs


def _source_pictures(home: Path) -> list[str]:
    """Annotated pictures, where the source was pictures."""
    folder = home / IMAGES
    return sorted(path.name for path in folder.glob("*.jpg")) if folder.is_dir() else []


def _of_pictures(home: Path, names: list[str], damage: Damage) -> dict[str, Any]:
    """The drive of a source of pictures: no clock, a picture a frame."""
    boxes = _boxes(home, damage)
    frames = Frames(np.arange(len(names)), np.arange(len(names), dtype=np.float64), 0.0)
    view = DriveView(home.resolve().name, frames)
    if boxes is not None:
        view.add_boxes(replace(boxes, frame=_picture_numbers(boxes, names)))
    data = view.data() | {"charts": [], "moments": []}
    return data | {"pictures": [f"{IMAGES}/{quote(name, errors=FOREIGN)}" for name in names]}


def _picture_numbers(boxes: Boxes, names: list[str]) -> np.ndarray:
    """Which of the annotated pictures each box is in; they are named after their sources."""
    places = {Path(name).stem: place for place, name in enumerate(names)}
    return np.array([places.get(Path(source).stem, 0) for source in boxes.source], np.int64)
