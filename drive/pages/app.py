"""The addresses of the server and their handlers: pages, data below `/api/`, and files.

Handlers are plain functions, so that each runs in a thread of its own.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, PathConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from drive.core.errors import DriveError, InputError, MissingFileError
from drive.core.texts import parse_json
from drive.pages.data import Report
from drive.pages.excluded import KnownRecording, known_recordings
from drive.pages.guard import Guard
from drive.pages.page import ASSETS, SCRIPTS, STYLE, colours
from drive.pages.report import report_of
from drive.pages.runs import (
    below,
    describe_trial,
    image_of,
    list_runs,
    live_data,
    run_folder,
    run_state,
    search_with,
)
from drive.recordings.excluded import add_mark, parse_mark, remove_mark
from drive.results.run_results import read_run
from drive.results.search import trial_folder

HEAD = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/colours.css">
<link rel="stylesheet" href="/assets/{STYLE}">
<link rel="stylesheet" href="/assets/view.css">"""
UNFINISHED = ("running", "stopped")
ASKED = ("command", "title", "started", "command_line", "settings", "written", "alive")
"""Entries that the live report of a run has before there is a `run.json`."""

LARGEST_BODY = 10_000
A_DAY_S = 86_400
TEXT = "text/plain; charset=utf-8"
TYPES = {
    ".mp4": "video/mp4",
    ".csv": TEXT,
    ".toml": TEXT,
    ".txt": TEXT,
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


class _AnyPath(PathConvertor):
    """A path of any characters: names of folders may contain line ends."""

    regex = r"[\s\S]*"


class _PlaceInList(IntegerConvertor):
    """A number short enough for Python to parse."""

    regex = "[0-9]{1,9}"


register_url_convertor("any", _AnyPath())
register_url_convertor("place", _PlaceInList())


class _Json(JSONResponse):
    """JSON that browsers can read: NaN becomes null, half a surrogate pair a question mark."""

    def render(self, content: object) -> bytes:
        try:
            return super().render(content)
        except ValueError:
            return super().render(_sendable(content))


def _sendable(value: object) -> object:
    if isinstance(value, dict):
        return {_sendable(name): _sendable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_sendable(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_app(root: Path) -> Starlette:
    """Return the application that shows the runs below `root`."""
    shelf = _Shelf(root.resolve())
    return Starlette(
        routes=[
            Route("/", lambda request: _page("list.html")),
            Route("/compare", lambda request: _page("compare.html")),
            Route("/run/{run:any}", shelf.page),
            Route("/api/runs", shelf.runs),
            Route("/api/report/{run:any}", shelf.report),
            Route("/api/excluded", shelf.excluded),
            Route("/api/excluded", shelf.change_excluded, methods=["POST", "DELETE"]),
            Route("/files/{path:any}", shelf.file),
            Route("/source/{number:place}/{run:any}", shelf.source),
            Route("/thumbnail/{run:any}", shelf.thumbnail),
            Route("/assets/colours.css", lambda _: Response(colours(), media_type="text/css")),
            Mount("/assets", StaticFiles(directory=ASSETS)),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers=dict.fromkeys((DriveError, OSError, RecursionError), _refused),
    )


def _page(name: str, status: int = 200) -> Response:
    """A page with its head and the scripts of reports put in."""
    scripts = [f'<script src="/assets/{each}" defer></script>' for each in SCRIPTS]
    text = (ASSETS / name).read_text(encoding="utf-8")
    for place, part in {"<!--head-->": HEAD, "<!--scripts-->": "\n".join(scripts)}.items():
        text = text.replace(place, part)
    return HTMLResponse(text, status)


def _refused(request: Request, error: Exception) -> Response:
    """The error in one line; status 404 if something is missing, else 400."""
    text = "a file of this run is damaged: it is nested too deeply"
    if isinstance(error, DriveError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{Path(error.filename or '').name} cannot be read: {error.strerror}"
    status = 404 if isinstance(error, MissingFileError) else 400
    if request.url.path.startswith("/api/"):
        return _Json({"error": text}, status)
    return PlainTextResponse(f"{text}\n", status)


class _Shelf:
    """The handlers, the folder that they show, and a lock for writing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writing = threading.Lock()

    def runs(self, request: Request) -> Response:
        entries = [asdict(entry) for entry in list_runs(self._root)]
        return _Json({"folder": str(self._root), "runs": entries})

    def page(self, request: Request) -> Response:
        """The page of a run; of one that is missing or unreadable it says so."""
        known = self._is_run(request.path_params["run"])
        return _page("run.html", 200 if known else 404)

    def _is_run(self, name: str) -> bool:
        try:
            return bool(run_folder(self._root, name))
        except OSError:  # missing or unreadable
            return False

    def report(self, request: Request) -> Response:
        """The data of a run's report, its settings, its state and its recordings."""
        name = request.path_params["run"]
        folder = run_folder(self._root, name)
        run = read_run(folder)
        state, search = run_state(run), search_with(folder)
        recordings = known_recordings(run.record)
        report: Report | None = None
        problem = ""
        try:
            report = report_of(run)
            if state in UNFINISHED:
                _as_it_goes_on(folder, report, state)
            if search:
                describe_trial(report, search, folder)
            _with_sources(report, name, recordings)
            self._linked(report, name)
        except DriveError as error:
            problem = f"The report cannot be made: {error}"
        files = sorted(entry for entry in folder.iterdir() if entry.is_file())
        return _Json(
            {
                "run": name,
                "state": state,
                "report": report,
                "error": problem,
                "within": self._name_of(search) if search else None,
                "settings": run.record.resolved,
                "inputs": [asdict(each) for each in run.record.inputs],
                "recordings": [recording.data() for recording in recordings],
                "files": [{"name": file.name, "bytes": file.stat().st_size} for file in files],
            }
        )

    def _linked(self, report: Report, run: str) -> None:
        """Lead links from the report's videos or trials to their own pages of this server."""
        for each in report["runs"]:
            each["src"] = self._page_of(run, each["title"])
        for trial in report["search"]["trials"] if report["search"] else ():
            inner = trial_folder(Path(), trial["trial"]).as_posix()
            trial["src"] = self._page_of(run, inner)

    def _name_of(self, folder: Path) -> str | None:
        """The name of a run in the list; None of one that is not below the folder shown."""
        if not folder.is_relative_to(self._root):
            return None
        return folder.relative_to(self._root).as_posix() if folder != self._root else ""

    def _page_of(self, run: str, inner: str) -> str | None:
        """The page of a run inside another, relative to where the outer one's files are."""
        name = f"{run}/{inner}".lstrip("/")
        return f"{_top(run)}run/{quote(name)}" if self._is_run(name) else None

    def excluded(self, request: Request) -> Response:
        folder = run_folder(self._root, request.query_params.get("run", ""))
        return _as_json(_recordings_of(folder))

    async def change_excluded(self, request: Request) -> Response:
        body = await _body(request)
        return _as_json(await run_in_threadpool(self._changed, body, request.method == "POST"))

    def _changed(self, body: Mapping[str, object], add: bool) -> list[KnownRecording]:
        run, number = body.get("run"), body.get("recording")
        if not isinstance(run, str) or not isinstance(number, int) or isinstance(number, bool):
            raise InputError("expected `run` and `recording`, a number")
        recordings = _recordings_of(run_folder(self._root, run))
        recording = _numbered(recordings, number)
        table = body.get("range")
        if not isinstance(table, dict):
            raise InputError("expected `range` with start_s and end_s, in seconds")
        with self._writing:
            if add:
                wanted = {key: table.get(key, "") for key in ("start_s", "end_s", "reason")}
                wanted |= {"drive": recording.drive} if recording.drive else {}
                excluded = parse_mark(wanted, "the range")
                recording.check_within(excluded)
                add_mark(recording.folder, excluded)
            else:
                excluded = parse_mark(table, "the range")
                if excluded not in recording.excluded():
                    raise MissingFileError(f"{recording.name}: {excluded} is not excluded")
                remove_mark(recording.folder, excluded)
        return recordings

    def file(self, request: Request) -> Response:
        return _file(below(self._root, request.path_params["path"]))

    def source(self, request: Request) -> Response:
        folder = run_folder(self._root, request.path_params["run"])
        recordings = _recordings_of(folder)
        return _file(_numbered(recordings, request.path_params["number"]).video)

    def thumbnail(self, request: Request) -> Response:
        from drive.pages.thumbnails import thumbnail

        folder = run_folder(self._root, request.path_params["run"])
        name = image_of(read_run(folder))
        if not name:
            raise MissingFileError("this run has no image")
        headers = {"cache-control": f"max-age={A_DAY_S}"} if request.url.query else {}
        try:
            image = thumbnail(below(folder, name))
        except InputError:  # a damaged video: the page shows a word instead
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        return Response(image, media_type="image/jpeg", headers=headers)


def _as_it_goes_on(folder: Path, report: Report, state: str) -> None:
    """Add what is known of a training or a search without a `run.json`."""
    known = live_data(folder)
    training = report["training"]
    entries: dict[str, object] = {"written": training["updated"] if training else None}
    entries |= {key: known[key] for key in ASKED if key in known}
    entries |= {"live": state == "running", "stopped": state == "stopped"}
    report.update(cast(Report, entries))


def _recordings_of(folder: Path) -> list[KnownRecording]:
    return known_recordings(read_run(folder).record)


def _numbered(recordings: list[KnownRecording], number: int) -> KnownRecording:
    if not 0 <= number < len(recordings):
        raise MissingFileError("the recording of this run was moved or changed")
    return recordings[number]


def _with_sources(report: Report, run: str, recordings: list[KnownRecording]) -> None:
    """Lead links to videos outside the run's folder through this server, and number recordings."""
    numbers = {recording.name: number for number, recording in enumerate(recordings)}
    only = 0 if len(recordings) == len(report["recordings"]) == 1 else None
    for each in report["recordings"]:
        each["recording"] = number = numbers.get(each["name"], only)
        video = each["video"]
        if video and not video["annotated"]:
            if number is not None and recordings[number].video.is_file():
                video["src"] = f"{_top(run)}source/{number}/{quote(run)}"
            else:
                each["video"] = None


def _top(run: str) -> str:
    """The path from the files of a run up to this server's root."""
    return "../" * (1 + len(PurePosixPath(run).parts))


def _as_json(recordings: list[KnownRecording]) -> Response:
    return _Json({"recordings": [recording.data() for recording in recordings]})


def _file(path: Path) -> Response:
    if not path.is_file():
        raise MissingFileError(f"{path.name!r} is not among the results")
    with path.open("rb"):  # an unreadable file is an error before the response begins
        pass
    return FileResponse(path, media_type=TYPES.get(path.suffix.lower()))


async def _body(request: Request) -> dict[str, object]:
    """The JSON object in a request."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise InputError(f"the request must have at most {LARGEST_BODY} bytes")
    try:
        body = parse_json(raw.decode("utf-8"), "the request")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InputError("the request must be a JSON object")
    return body
