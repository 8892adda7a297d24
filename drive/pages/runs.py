"""The runs below a folder: what each was, when, its numbers, and an image of it.

A run has a `run.json`, or what a training or a search has from early on; trials are part of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from drive.core.errors import DriveError, InputError, MissingFileError
from drive.core.files import PART, leads_out
from drive.core.texts import is_number, parse_json, read_text
from drive.pages.data import Fact, Report
from drive.pages.facts import facts_of, history_facts, search_facts, trial_facts
from drive.pages.live import SILENT_S
from drive.pages.report import VIDEOS
from drive.results import names
from drive.results.history import read_history
from drive.results.record import STARTED_FORM
from drive.results.run_results import RunResults, read_run
from drive.results.search import TrialResult, is_search, trial_folder

UNFINISHED = (names.HISTORY, names.LIVE_DATA, names.TRIALS, names.STUDY)
"""What a training or a search has from early on; by any of them its folder is a run."""

SEARCH, TRIAL = "tune-steering", "trial of tune-steering"
SKIPPED = frozenset({names.IMAGES, names.CHECKPOINT, names.NOTES_FOLDER, names.TENSORBOARD})
DEEPEST = 8

LIVE_S = 120.0
LIVE_EPOCHS = 3.0
"""A training without a report, which gives no sign of life, has stopped when no epoch ended for
this long, and for as long as this many epochs."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
TELLING = ("predictions", "loss", "simulation", "steering_over_time", "bench", "search", "preview")
"""Images that stand for a run without a video, by the beginning of their name, best first."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A line of the list: `run` is the path below the folder shown, `image` what stands for it.

    The state is `done`, `running`, `stopped` (without an end) or `damaged` (`problem` says why).
    """

    run: str  # empty for the folder shown itself
    command: str  # empty if unknown
    title: str
    started: float  # seconds since 1970, as `changed` of the image
    state: str
    facts: list[Fact] = field(default_factory=list)
    image: str = ""
    changed: int = 0
    problem: str = ""


def list_runs(root: Path) -> list[RunEntry]:
    """Return the runs at and below `root`, newest first; folders behind links are left out."""
    entries = [_entry(folder, root) for folder in _folders(root)]
    return sorted(entries, key=lambda entry: (entry.started, entry.run), reverse=True)


def run_state(run: RunResults) -> str:
    """Return the state of a run: see `RunEntry.state`."""
    search = search_with(run.folder)
    if search is not None:
        return "done" if _trial(search, run.folder) is not None else run_state(read_run(search))
    if run.problem:
        return "damaged"
    if run.ended:
        return "done"
    return "running" if _is_live(run.folder) else "stopped"


def below(root: Path, path: str) -> Path:
    """Return what a relative path names below `root`; `MissingFileError` also if it leads out."""
    parts = path.split("/") if path else []
    odd = not _can_be_asked_for(path) or any(part in ("", ".", "..") for part in parts)
    try:
        found = None if odd else root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if found is None or not found.is_relative_to(root.resolve()):
        raise MissingFileError(f"{path!r} is not among the results")
    return found


def _can_be_asked_for(path: str) -> bool:
    """Whether an address can name a path; a name that is not text in UTF-8 has none."""
    foreign = "\\" in path and os.sep == "\\"
    return not foreign and "\0" not in path and _is_text(path)


def _is_text(name: str) -> bool:
    return name == name.encode("utf-8", "replace").decode()


def run_folder(root: Path, run: str) -> Path:
    """Return the folder of a run by its name in the list; raise `MissingFileError` without one."""
    folder = below(root, run)
    files = [folder / name for name in (names.RUN, *UNFINISHED)]
    if not any(file.exists() and not file.is_dir() for file in files):
        raise MissingFileError(f"There is no run {run!r}: it was removed, or never finished")
    return folder


def search_with(folder: Path) -> Path | None:
    """Return the folder of the search that a folder is a trial of; None if it is none."""
    home = folder.parent.parent
    is_trial = folder.parent.name == names.TRIAL_FOLDERS and folder.name.isdecimal()
    return home if is_trial and is_search(home) else None


def describe_trial(report: Report, search: Path, folder: Path) -> None:
    """Add to the report of a trial what only its search knows."""
    trial = _trial(search, folder)
    of_search = live_data(search).get("title") or read_run(search).title
    report |= {"command": TRIAL, "title": f"trial {int(folder.name)}, {of_search}"}
    if trial is not None:
        settings = [[name.replace("_", "-"), str(value)] for name, value in trial.values.items()]
        report |= {"facts": trial_facts(trial), "settings": settings}


def _trial(search: Path, folder: Path) -> TrialResult | None:
    """The row of a trial; None before it is finished, or if the table is damaged."""
    found = read_run(search).search
    trials = found.trials if found else ()
    return next((t for t in trials if trial_folder(search, t.number) == folder), None)


def _is_run(there: set[str]) -> bool:
    return not there.isdisjoint((names.RUN, *UNFINISHED))


def _folders(root: Path) -> Iterator[Path]:
    """Folders of runs; members of a training and trials of a search belong to it."""
    for place, folders, files in os.walk(root):
        folder = Path(place)
        there = set(files)
        if _is_run(there):
            yield folder
        deep = len(folder.relative_to(root).parts)
        inner = [f for f in folders if f not in SKIPPED and not f.startswith(".") and PART not in f]
        if _is_run(there):
            inner = [
                f for f in inner if f != names.TRIAL_FOLDERS and not f.startswith(names.MEMBER)
            ]
        folders[:] = sorted(inner) if deep < DEEPEST else []


def _entry(folder: Path, root: Path) -> RunEntry:
    """The line of a run; one that cannot be read, for whatever reason, never hides others."""
    run = folder.relative_to(root).as_posix() if folder != root else ""
    try:
        if _is_text(run):
            return _read_entry(folder, run)
        problem = "The name of this folder is not valid UTF-8. Rename the folder"
    except DriveError as error:
        problem = str(error)
    except OSError as error:
        problem = f"This folder cannot be read: {error.strerror}"
    except Exception:
        problem = "Its files hold what drive does not write there"
    return RunEntry(run, "", folder.name, _changed(folder), "damaged", problem=problem)


def _read_entry(folder: Path, name: str) -> RunEntry:
    run = read_run(folder)
    state = run_state(run)
    live = {} if run.ended else live_data(folder)
    kind = "" if state == "damaged" else SEARCH if is_search(folder) else "training"
    image = image_of(run)
    return RunEntry(
        run=name,
        command=run.command or str(live.get("command") or kind),
        title=str(live.get("title") or run.title),
        started=_started(str(live.get("started") or run.record.started), folder),
        state=state,
        facts=_facts(run),
        image=image,
        changed=int((folder / image).stat().st_mtime) if image else 0,
        problem=run.problem,
    )


def _started(text: str, folder: Path) -> float:
    try:
        return datetime.strptime(text, STARTED_FORM).timestamp()
    except ValueError:
        return _changed(folder / names.RUN) or _newest(folder)


def _facts(run: RunResults) -> list[Fact]:
    """The numbers of a run; none of a damaged one."""
    if run.problem:
        return []
    if run.ended:
        return facts_of(run)
    return search_facts(run.search) or history_facts(run.history)


def _is_live(folder: Path) -> bool:
    live = live_data(folder)
    alive = live.get("alive")
    if is_number(alive):
        return bool(live.get("live")) and time.time() - alive < SILENT_S
    try:
        rows = read_history(folder / names.HISTORY)
    except InputError:
        rows = []
    longest_s = max((row.seconds for row in rows), default=0.0)
    idle_s = time.time() - _newest(folder)
    return idle_s < max(LIVE_S, LIVE_EPOCHS * longest_s)


def _newest(folder: Path) -> float:
    """When the newest file of an unfinished run was written; 0 if there is none."""
    return max(_changed(folder / name) for name in UNFINISHED)


def _changed(path: Path) -> float:
    """When a file or a folder was written; 0 if that is unknown."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def live_data(folder: Path) -> dict[str, object]:
    """Return what the live report of a training says; empty if it has none of its own."""
    if leads_out(folder / names.LIVE_DATA, folder):
        return {}
    try:
        text = read_text(folder / names.LIVE_DATA)
        found = parse_json(text[text.index("(") + 1 : text.rindex(")")], names.LIVE_DATA)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def image_of(run: RunResults) -> str:
    """Return the file that stands for a run: its video, else its most telling image."""
    files = sorted(
        entry.name for entry in run.folder.iterdir() if PART not in entry.name and entry.is_file()
    )
    videos = [name for name in files if name.lower().endswith(VIDEOS)]
    if videos:
        named = Path(run.numbers.video).name
        return named if named in videos else videos[0]
    images = [name for name in files if name.lower().endswith(SUFFIXES)]
    if images:
        telling = (name for start in TELLING for name in images if name.startswith(start))
        return next(telling, images[0])
    inside = run.folder / names.IMAGES
    entries = inside.iterdir() if inside.is_dir() else ()
    shown = sorted(entry.name for entry in entries if entry.suffix.lower() in SUFFIXES)
    return f"{names.IMAGES}/{shown[0]}" if shown else ""
