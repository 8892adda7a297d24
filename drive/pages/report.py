"""A run folder as the data of its report, which shows what there is and names what is damaged."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from drive.core.shipped import CHECKOUT
from drive.pages import data
from drive.pages.clock import VideoClock, read_clock
from drive.pages.facts import facts_of, video_facts
from drive.pages.recording_view import Frames, RecordingView, frames_of_boxes
from drive.pages.training import search_of, training_of
from drive.results import names
from drive.results.manifest import Entry
from drive.results.run_results import RunResults, read_run
from drive.results.steering import Steering

FOREIGN = "surrogateescape"
"""How a file's name that is not text in UTF-8 goes into a link: byte by byte."""

VIDEOS = (".mp4", ".m4v", ".webm", ".mov")  # what browsers can play
PLOTS = {
    names.LOSS_PLOT: "Loss",
    names.RATE_PLOT: "Learning-rate finder",
    names.AUGMENTED_VIEWS: "Training frames and their augmented views",
    names.EXAMPLES: "Example predictions",
    names.CURVES: "Precision and recall",
    "explain_check.png": "Check of the explanation",
}
"""Plots and sheets of a run that the report shows; the others it draws itself."""


def read_report(folder: str | Path, record: Mapping[str, object] | None = None) -> data.Report:
    """Return the data of the page of a run; `record` is what its `run.json` is going to say."""
    return report_of(read_run(folder, record))


def report_of(run: RunResults) -> data.Report:
    """Return the data of the page of a run."""
    training = training_of(run)
    return {
        "format": data.FORMAT,
        "command": run.command,
        "title": run.title,
        "started": run.record.started,
        "command_line": " ".join(run.record.command),
        "live": False,
        "verdict": _verdict(run),
        "facts": facts_of(run),
        "recordings": [] if training else _recordings(run),
        "training": training,
        "search": search_of(run),
        "runs": [_inner(run, entry) for entry in run.videos],
        "images": _plots(run, drawn=(names.LOSS_PLOT,) if training else ()),
        "settings": _settings(run),
        "files": [_file(run.folder, path) for path in run.files],
        "warnings": list(run.warnings),
        "damaged": run.problems,
    }


def _verdict(run: RunResults) -> data.Verdict | None:
    numbers = run.numbers
    said = numbers.verdict or (numbers.against_human and numbers.against_human.verdict)
    if not said:
        return None
    return {"sentence": said.sentence, "level": said.level, "causes": list(said.causes)}


def _settings(run: RunResults) -> list[list[str]]:
    said = {name: each for name, each in run.settings.items() if each not in (None, [], "")}
    return [[name, _plainly(each)] for name, each in said.items()]


def _plainly(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _file(home: Path, path: Path) -> data.File:
    name = path.relative_to(home).as_posix()
    return {"src": quote(name, errors=FOREIGN), "name": name, "bytes": path.stat().st_size}


def _plots(run: RunResults, drawn: Sequence[str]) -> list[data.Image]:
    return [
        {"src": name, "title": title, "note": ""}
        for name, title in PLOTS.items()
        if name not in drawn and (run.folder / name).is_file()
    ]


def _inner(run: RunResults, entry: Entry) -> data.Inner:
    page = run.folder / entry.folder / names.REPORT
    return {
        "title": entry.folder,
        "src": quote(f"{entry.folder}/{names.REPORT}") if page.is_file() else None,
        "status": entry.status,
        "reason": entry.reason,
        "facts": video_facts(entry),
    }


def _recordings(run: RunResults) -> list[data.Recording]:
    if run.images:
        return [_of_images(run)]
    if run.simulation:
        views = _simulated(run)
    elif run.command == "evaluate-steering":
        views = _evaluated(run)
    else:
        views = _analysed(run)
    return [view.data() for view in views]


def _analysed(run: RunResults) -> list[RecordingView]:
    """Of `detect`, `predict-steering` and `annotate`: one video; of `compare`: nothing else."""
    if (run.folder / names.IMAGES).is_dir() or (run.folder / names.MANIFEST).is_file():
        return []
    steering, boxes, path = run.steering, run.detections, run.video
    clock = _clock(run, path, times=steering is None)
    times = clock.time_s if clock and len(clock.time_s) else None
    if steering is not None:
        frames = _frames_of(steering)
    elif boxes is not None:
        frames = frames_of_boxes(boxes, times, _ends(run), run.record.start_s)
    elif times is not None:
        frames = Frames(np.arange(len(times)), times, 0.0)
    else:
        return []
    if not len(frames.index):
        return []
    view = RecordingView(path.stem if path else run.title, frames, _video(path, clock))
    if steering is not None:
        view.add_steering(steering)
    if boxes is not None:
        view.add_boxes(boxes, boxes.frame)
    return [view]


def _clock(run: RunResults, path: Path | None, times: bool = False) -> VideoClock | None:
    """The clock of a video that the run has; without it the report says why."""
    clock = read_clock(path, times)
    if path is not None and clock is None:
        state = "is not a valid video" if path.is_file() else "is no longer in this folder"
        run.tell(f"{path.name} {state}: charts and tables are shown without it")
    return clock


def _video(path: Path | None, clock: VideoClock | None) -> data.Video | None:
    if path is None or clock is None:
        return None
    link = quote(path.name)
    return {"src": link, "width": clock.width, "height": clock.height, "annotated": True}


def _ends(run: RunResults) -> list[tuple[int, float]]:
    """Number and seconds of the first and the last frame, if the run noted them."""
    ends = (run.record.frames.first, run.record.frames.last)
    return [
        (end.frame, end.time_s) for end in ends if end.frame is not None and end.time_s is not None
    ]


def _frames_of(table: Steering, first_s: float | None = None) -> Frames:
    begin_s = float(table.time_s[0]) if len(table.time_s) else 0.0
    return Frames(table.frame, table.time_s, begin_s if first_s is None else first_s)


def _evaluated(run: RunResults) -> list[RecordingView]:
    """Of `evaluate-steering`: each recording, with its own video if that is still there."""
    sources = [Path(each.path) for each in run.record.inputs][::2]
    titles = list(run.numbers.recordings) or [run.title]
    views = []
    for name, steering in run.steering_by_recording.items():
        number = titles.index(name)
        source = sources[number] if number < len(sources) else None
        view = RecordingView(name, _frames_of(steering, 0.0), _source_video(source, run.folder))
        view.add_steering(steering)
        views.append(view)
    return views


def _source_video(named: Path | None, home: Path) -> data.Video | None:
    """A run's source as a link, if browsers can play it and it is still there."""
    if named is None or named.suffix.lower() not in VIDEOS:
        return None
    source = next((path for path in (named, CHECKOUT / named) if path.is_file()), None)
    clock = read_clock(source)
    if source is None or clock is None:
        return None
    try:
        link = Path(os.path.relpath(source.resolve(), home.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return None
    return {"src": quote(link), "width": clock.width, "height": clock.height, "annotated": False}


def _simulated(run: RunResults) -> list[RecordingView]:
    """Of `simulate`: each recording."""
    named = run.numbers.videos if isinstance(run.numbers.videos, list) else []
    videos = [run.folder / Path(str(each)).name for each in named]
    limit_m = run.numbers.limit_m or 1.0
    views = []
    for number, (name, table) in enumerate(run.simulation.items()):
        path = videos[number] if len(videos) == len(run.simulation) else None
        view = RecordingView(name, _frames_of(table.steering), _video(path, _clock(run, path)))
        view.add_offset(table, limit_m)
        view.add_steering(table.steering)
        views.append(view)
    return views


def _of_images(run: RunResults) -> data.Recording:
    """A source of images: no clock, one image per frame."""
    images = [path.name for path in run.images]
    frames = Frames(np.arange(len(images)), np.arange(len(images), dtype=np.float64), 0.0)
    view = RecordingView(run.folder.resolve().name, frames)
    if run.detections is not None:
        places = {Path(name).stem: place for place, name in enumerate(images)}
        found = [places.get(Path(source).stem, 0) for source in run.detections.source]
        view.add_boxes(run.detections, np.array(found, np.int64))
    recording = view.data()
    recording |= {"charts": [], "moments": []}
    recording["images"] = [f"{names.IMAGES}/{quote(name, errors=FOREIGN)}" for name in images]
    return recording
