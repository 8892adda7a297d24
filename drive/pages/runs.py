"""The runs below a folder: what each was, when, its numbers, and what to show of it.

A run is a folder with a `run.json`, or a training or a search that has none yet but a history, the
data of its live report or a table of trials. The trials of a search are part of it. Knows the files
of a run folder; nothing of the web.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from drive.core.errors import DriveError, InputError, MissingFileError
from drive.core.files import PART, leads_out
from drive.core.texts import is_number, parse_json, read_text
from drive.pages.facts import search_facts, trial_facts
from drive.pages.folder import read_facts
from drive.pages.json_files import command_of, read_json, title_of
from drive.pages.live import SILENT_S
from drive.pages.page import LIVE_DATA
from drive.pages.search import STUDY, TABLE, TRIALS, is_search, read_search, trial_folder
from drive.results.history import read_history

RUN, HISTORY = "run.json", "history.csv"
UNFINISHED = (HISTORY, LIVE_DATA, TABLE, STUDY)
"""What a training or a search has from early on; by any of them its folder is a run."""

IMAGES = "images"
MEMBER = "member"
SEARCH, TRIAL = "tune-steering", "trial of tune-steering"
SKIPPED = frozenset({IMAGES, "checkpoint", "report_files", "tensorboard"})
DEEPEST = 8
STARTED_FORM = "%Y-%m-%dT%H:%M:%S%z"

LIVE_S = 120.0
LIVE_EPOCHS = 3.0
"""A training without a report, which gives no sign of life, has stopped when no epoch ended for
this long, and for as long as this many epochs."""

VIDEOS = (".mp4", ".m4v", ".webm", ".mov")
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
TELLING = ("predictions", "loss", "simulation", "steering_over_time", "bench", "search", "preview")
"""Pictures that stand for a run without a video, by the beginning of their name, best first."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A line of the list.

    Attributes:
        run: path below the folder that is shown, with `/`; empty for that folder itself.
        command: of the run; empty where it is not known.
        title: what it worked on.
        started: seconds since 1970.
        state: `done`, `running`, `stopped` (a training or a search without an end) or `damaged`.
        facts: its key numbers, as `drive.pages.facts` gives them.
        picture: name of the video or picture that stands for it; empty for none.
        changed: when that was, in whole seconds since 1970.
        problem: why a damaged run cannot be read, in one line; empty for others.
    """

    run: str
    command: str
    title: str
    started: float
    state: str
    facts: list[dict[str, str]] = field(default_factory=list)
    picture: str = ""
    changed: int = 0
    problem: str = ""


def list_runs(root: Path) -> list[RunEntry]:
    """The runs at and below `root`, newest first; folders behind links are left alone."""
    entries = [_entry(folder, root) for folder in _folders(root)]
    return sorted(entries, key=lambda entry: (entry.started, entry.run), reverse=True)


def read_record(folder: Path) -> dict[str, Any]:
    """What `run.json` says; nothing where there is none, or none that can be read."""
    try:
        return _record(folder) or {}
    except InputError:
        return {}


def resolved_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was asked, with what a training made of it where nothing was said."""
    settings: dict[str, Any] = {}
    for key in ("settings", "training", "data"):
        found = record.get(key)
        if isinstance(found, dict):
            settings |= {name: value for name, value in found.items() if value is not None}
    return settings


def inputs_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a run read: entries with `path`, and `bytes` and `sha256` of files."""
    inputs = record.get("inputs")
    return [each for each in inputs if isinstance(each, dict)] if isinstance(inputs, list) else []


def run_state(folder: Path) -> str:
    """See `RunEntry.state`."""
    search = search_of(folder)
    if search is not None:
        return "done" if _trial(search, folder) is not None else run_state(search)
    try:
        if _record(folder) is not None:
            return "done"
    except InputError:
        return "damaged"
    return "running" if _is_live(folder) else "stopped"


def below(root: Path, path: str) -> Path:
    """The file or folder that a relative path names below `root`.

    Raises:
        MissingFileError: there is none, or it leads out of `root`, also by a link.
    """
    parts = path.split("/") if path else []
    odd = not _can_be_asked_for(path) or any(part in ("", ".", "..") for part in parts)
    try:
        found = None if odd else root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if found is None or not found.is_relative_to(root.resolve()):
        raise MissingFileError(f"There is no {path!r} among the results")
    return found


def _can_be_asked_for(path: str) -> bool:
    """Whether an address can name a path; a name that is no text in UTF-8 has none."""
    foreign = "\\" in path and os.sep == "\\"
    return not foreign and "\0" not in path and _is_text(path)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def run_folder(root: Path, run: str) -> Path:
    """The folder of a run by its name in the list.

    Raises:
        MissingFileError: there is no such run.
    """
    folder = below(root, run)
    files = [folder / name for name in (RUN, *UNFINISHED)]
    if not any(file.exists() and not file.is_dir() for file in files):
        raise MissingFileError(f"There is no run {run!r}: it was removed, or never finished")
    return folder


def search_of(folder: Path) -> Path | None:
    """The folder of the search that a folder is a trial of; None where it is none."""
    home = folder.parent.parent
    is_trial = folder.parent.name == TRIALS and folder.name.isdecimal()
    return home if is_trial and is_search(home) else None


def trial_report(search: Path, folder: Path) -> dict[str, Any]:
    """What the report of a trial says that only its search knows.

    Raises:
        InputError: the table of the search is damaged.
    """
    trial = _trial(search, folder)
    of_search = live_data(search).get("title") or title_of(read_record(search), search)
    told = {"command": TRIAL, "title": f"trial {int(folder.name)}, {of_search}"}
    if trial is None:
        return told
    settings = [[name.replace("_", "-"), str(value)] for name, value in trial["values"].items()]
    return told | {"facts": trial_facts(trial), "settings": settings}


def _trial(search: Path, folder: Path) -> dict[str, Any] | None:
    """The row of a trial; None before it is finished, or where the table is damaged."""
    try:
        trials = (read_search(search) or {}).get("trials", [])
    except InputError:
        return None
    return next((t for t in trials if trial_folder(search, t["trial"]) == folder), None)


def _is_run(names: set[str]) -> bool:
    return not names.isdisjoint((RUN, *UNFINISHED))


def _folders(root: Path) -> Iterator[Path]:
    """Folders of runs; members of a training and trials of a search belong to it."""
    for place, folders, files in os.walk(root):
        folder = Path(place)
        names = set(files)
        if _is_run(names):
            yield folder
        deep = len(folder.relative_to(root).parts)
        inner = [f for f in folders if f not in SKIPPED and not f.startswith(".") and PART not in f]
        if _is_run(names):
            inner = [f for f in inner if f != TRIALS and not f.startswith(MEMBER)]
        folders[:] = sorted(inner) if deep < DEEPEST else []


def _entry(folder: Path, root: Path) -> RunEntry:
    """The line of a run; one that cannot be read, for whatever reason, never takes others along."""
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


def _read_entry(folder: Path, run: str) -> RunEntry:
    record, problem = None, ""
    try:
        record = _record(folder)
    except InputError as error:
        problem = str(error)
    state = "damaged" if problem else run_state(folder)
    live = live_data(folder) if record is None and state != "damaged" else {}
    picture = picture_of(folder, record or {})
    return RunEntry(
        run=run,
        command=command_of(record or {}) or str(live.get("command") or _kind(folder, state)),
        title=str(live.get("title") or title_of(record or {}, folder)),
        started=_started(record or live, folder),
        state=state,
        facts=_facts(folder, record),
        picture=picture,
        changed=int((folder / picture).stat().st_mtime) if picture else 0,
        problem=problem,
    )


def _kind(folder: Path, state: str) -> str:
    """What a run without a readable `run.json` and without a live report seems to be."""
    if state == "damaged":
        return ""
    return SEARCH if is_search(folder) else "training"


def _record(folder: Path) -> dict[str, Any] | None:
    """What `run.json` says; None where there is none.

    Raises:
        InputError: it cannot be read, or is a link out of the folder; calls it by its name, without
            the folder's.
    """
    path = folder / RUN
    if not path.exists():
        return None
    try:
        return read_json(path, {}, lambda _: None, folder)
    except InputError as error:
        raise InputError(str(error).replace(f"{folder}{os.sep}", "")) from None


def _started(record: Mapping[str, Any], folder: Path) -> float:
    try:
        return datetime.strptime(str(record.get("started")), STARTED_FORM).timestamp()
    except ValueError:
        return _changed(folder / RUN) or _newest(folder)


def _facts(folder: Path, record: dict[str, Any] | None) -> list[dict[str, str]]:
    """The numbers of a run; none where its files have none of the usual form."""
    try:
        if record is not None:
            return read_facts(folder, record)
        return search_facts(read_search(folder)) or _facts_of_training(folder)
    except (InputError, AttributeError, TypeError, ValueError, KeyError):
        return []


def _facts_of_training(folder: Path) -> list[dict[str, str]]:
    rows = read_history(folder / HISTORY)
    if not rows:
        return []
    best = min(rows, key=lambda row: row.val_loss)
    return [
        {"label": "epochs so far", "value": str(len(rows)), "note": ""},
        {"label": "best loss", "value": f"{best.val_loss:.3f}", "note": f"epoch {best.epoch}"},
    ]


def _is_live(folder: Path) -> bool:
    live = live_data(folder)
    alive = live.get("alive")
    if is_number(alive):
        return bool(live.get("live")) and time.time() - alive < SILENT_S
    try:
        rows = read_history(folder / HISTORY)
    except InputError:
        rows = []
    longest_s = max((row.seconds for row in rows), default=0.0)
    idle_s = time.time() - _newest(folder)
    return idle_s < max(LIVE_S, LIVE_EPOCHS * longest_s)


def _newest(folder: Path) -> float:
    """When the newest file of an unfinished run was written; 0 where there is none."""
    return max(_changed(folder / name) for name in UNFINISHED)


def _changed(path: Path) -> float:
    """When a file or a folder was written; 0 where that cannot be seen."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def live_data(folder: Path) -> dict[str, Any]:
    """What the live report of a training says; nothing where there is none of its own."""
    if leads_out(folder / LIVE_DATA, folder):
        return {}
    try:
        text = read_text(folder / LIVE_DATA)
        found = parse_json(text[text.index("(") + 1 : text.rindex(")")], LIVE_DATA)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def picture_of(folder: Path, record: Mapping[str, Any]) -> str:
    """The file that stands for a run: its video, else its most telling picture."""
    files = sorted(
        entry.name for entry in folder.iterdir() if PART not in entry.name and entry.is_file()
    )
    videos = [name for name in files if name.lower().endswith(VIDEOS)]
    results = record.get("results")
    named = Path(str(results.get("video", ""))).name if isinstance(results, dict) else ""
    if videos:
        return named if named in videos else videos[0]
    pictures = [name for name in files if name.lower().endswith(PICTURES)]
    for beginning in TELLING:
        for name in pictures:
            if name.startswith(beginning):
                return name
    if pictures:
        return pictures[0]
    inside = folder / IMAGES
    entries = inside.iterdir() if inside.is_dir() else ()
    shown = sorted(entry.name for entry in entries if entry.suffix.lower() in PICTURES)
    return f"{IMAGES}/{shown[0]}" if shown else ""
