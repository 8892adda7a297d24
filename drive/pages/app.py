"""The addresses of the server and what answers each.

Pages:  `/`, `/run/RUN`, `/compare?a=RUN&b=RUN`.
Data:   `/api/runs`, `/api/report/RUN`, `/api/marks?run=RUN` (GET, POST, DELETE).
Files:  `/files/PATH` below the folder, `/source/NUMBER/RUN` the video of a run's recording,
        `/thumbnail/RUN`, `/assets/NAME`.

Handlers are plain functions, so that each works in a thread of its own.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any, cast
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
    list_runs,
    live_data,
    picture_of,
    run_folder,
    run_state,
    search_with,
)
from drive.recordings.excluded import ExcludedRange, add_mark, parse_mark, remove_mark
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
"""What the live report of a run knows before there is a `run.json`."""

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
UNKNOWN = "application/octet-stream"

Handler = Callable[[Request], Response]


class _AnyPath(PathConvertor):
    """A path of any characters: names of folders may hold a line's end."""

    regex = r"[\s\S]*"


class _PlaceInList(IntegerConvertor):
    """A number of so few digits that Python reads it."""

    regex = "[0-9]{1,9}"


register_url_convertor("any", _AnyPath())
register_url_convertor("place", _PlaceInList())


class _Json(JSONResponse):
    """JSON that browsers can read, whatever a run's files and their names hold.

    Numbers that are none become null, halves of characters a question mark.
    """

    def render(self, content: Any) -> bytes:
        try:
            return super().render(content)
        except ValueError:
            return super().render(_sendable(content))


def _sendable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_sendable(name): _sendable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_sendable(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_app(root: Path) -> Starlette:
    """The application that shows the runs below `root`."""
    shelf = _Shelf(root.resolve())
    return Starlette(
        routes=[
            Route("/", lambda request: _page("list.html")),
            Route("/compare", lambda request: _page("compare.html")),
            Route("/run/{run:any}", shelf.page),
            Route("/api/runs", _told(shelf.runs)),
            Route("/api/report/{run:any}", _told(shelf.report)),
            Route("/api/marks", _told(shelf.marks)),
            Route("/api/marks", shelf.change_marks, methods=["POST", "DELETE"]),
            Route("/files/{path:any}", _told(shelf.file)),
            Route("/source/{number:place}/{run:any}", _told(shelf.source)),
            Route("/thumbnail/{run:any}", _told(shelf.thumbnail)),
            Route("/assets/colours.css", _colours),
            Mount("/assets", StaticFiles(directory=ASSETS)),
        ],
        middleware=[Middleware(Guard)],
    )


def _page(name: str, status: int = 200) -> Response:
    """A page with its head and the scripts of reports put in."""
    scripts = [f'<script src="/assets/{each}" defer></script>' for each in SCRIPTS]
    text = (ASSETS / name).read_text(encoding="utf-8")
    for mark, part in {"<!--head-->": HEAD, "<!--scripts-->": "\n".join(scripts)}.items():
        text = text.replace(mark, part)
    return HTMLResponse(text, status)


def _colours(request: Request) -> Response:
    return Response(colours(), media_type="text/css")


def _told(handler: Handler) -> Handler:
    """The handler with what is wrong told in one line: see `_refused`."""

    def answer(request: Request) -> Response:
        try:
            return handler(request)
        except (DriveError, OSError, RecursionError) as error:
            return _refused(request, error)

    return answer


def _refused(request: Request, error: Exception) -> Response:
    """What is wrong in one line, with 404 for what is not there, else 400."""
    text = _in_words(error)
    status = 404 if isinstance(error, MissingFileError) else 400
    if request.url.path.startswith("/api/"):
        return _Json({"error": text}, status)
    return PlainTextResponse(f"{text}\n", status)


def _in_words(error: Exception) -> str:
    if isinstance(error, DriveError):
        return str(error)
    if isinstance(error, OSError):
        return f"{Path(error.filename or '').name} cannot be read: {error.strerror}"
    return "A file of this run is nested too deeply: it is damaged"


class _Shelf:
    """What the handlers share: the folder that is shown, and a lock for those who write."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writing = threading.Lock()

    def runs(self, request: Request) -> Response:
        entries = [asdict(entry) for entry in list_runs(self._root)]
        return _Json({"folder": str(self._root), "runs": entries})

    def page(self, request: Request) -> Response:
        """The page of a run, also of one that is not there or not to be read: it says so."""
        try:
            run_folder(self._root, request.path_params["run"])
        except OSError:
            return _page("run.html", 404)
        return _page("run.html")

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
        try:
            run_folder(self._root, name)
        except OSError:  # it is not there, or not to be read
            return None
        return f"{_top(run)}run/{quote(name)}"

    def marks(self, request: Request) -> Response:
        folder = run_folder(self._root, request.query_params.get("run", ""))
        return _as_json(_recordings_of(folder))

    async def change_marks(self, request: Request) -> Response:
        try:
            body = await _body(request)
            recordings = await run_in_threadpool(self._changed, body, request.method == "POST")
        except DriveError as error:
            return _refused(request, error)
        return _as_json(recordings)

    def _changed(self, body: dict[str, Any], add: bool) -> list[KnownRecording]:
        run, number = body.get("run"), body.get("recording")
        if not isinstance(run, str) or not isinstance(number, int) or isinstance(number, bool):
            raise InputError("A mark names its run and the number of its recording there")
        recordings = _recordings_of(run_folder(self._root, run))
        recording = _numbered(recordings, number)
        mark = body.get("mark")
        if not isinstance(mark, dict):
            raise InputError("A mark has start_s and end_s, in seconds")
        with self._writing:
            if add:
                wanted = {key: mark.get(key, "") for key in ("start_s", "end_s", "reason")}
                wanted |= {"drive": recording.drive} if recording.drive else {}
                stretch = parse_mark(wanted, "The mark")
                recording.check_within(stretch)
                add_mark(recording.folder, stretch)
            else:
                remove_mark(recording.folder, _of_recording(mark, recording))
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
        name = picture_of(read_run(folder))
        if not name:
            raise MissingFileError("This run has no picture")
        headers = {"cache-control": f"max-age={A_DAY_S}"} if request.url.query else {}
        try:
            image = thumbnail(below(folder, name))
        except InputError:  # a broken video: the page shows a word in its place
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        return Response(image, media_type="image/jpeg", headers=headers)


def _as_it_goes_on(folder: Path, report: Report, state: str) -> None:
    """Add what the report of a training or a search without a `run.json` can say besides."""
    known = live_data(folder)
    training = report["training"]
    entries: dict[str, object] = {"written": training["updated"] if training else None}
    entries |= {key: known[key] for key in ASKED if key in known}
    entries |= {"live": state == "running", "stopped": state == "stopped"}
    report.update(cast(Report, entries))


def _of_recording(table: dict[str, Any], recording: KnownRecording) -> ExcludedRange:
    """The mark of `recording` that a page means; another drive's is none of its."""
    mark = parse_mark(table, "The mark")
    if mark not in recording.marks():
        raise MissingFileError(f"{recording.name}: {mark} is not marked (any more)")
    return mark


def _recordings_of(folder: Path) -> list[KnownRecording]:
    return known_recordings(read_run(folder).record)


def _numbered(recordings: list[KnownRecording], number: int) -> KnownRecording:
    if not 0 <= number < len(recordings):
        raise MissingFileError("The recording of this run is not where it was when it was read")
    return recordings[number]


def _with_sources(report: Report, run: str, recordings: list[KnownRecording]) -> None:
    """Lead links to videos outside the run's folder through this server.

    They stay relative to where the run's files are, `/files/RUN/`. Each recording of the report
    gets its number among `recordings`, if it is known.
    """
    numbers = {recording.name: number for number, recording in enumerate(recordings)}
    only = 0 if len(recordings) == len(report["drives"]) == 1 else None
    for each in report["drives"]:
        each["recording"] = number = numbers.get(each["name"], only)
        video = each["video"]
        if video and not video["annotated"]:
            if number is not None and recordings[number].video.is_file():
                video["src"] = f"{_top(run)}source/{number}/{quote(run)}"
            else:
                each["video"] = None


def _top(run: str) -> str:
    """The way from the files of a run up to this server's root."""
    return "../" * (1 + len(PurePosixPath(run).parts))


def _as_json(recordings: list[KnownRecording]) -> Response:
    return _Json({"recordings": [recording.data() for recording in recordings]})


def _file(path: Path) -> Response:
    if not path.is_file():
        raise MissingFileError(f"There is no file {path.name!r} among the results")
    with path.open("rb"):  # what cannot be read is told before the answer begins
        pass
    return FileResponse(path, media_type=TYPES.get(path.suffix.lower()))


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that a request carries."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise InputError(f"A mark takes at most {LARGEST_BODY} bytes")
    try:
        body = parse_json(raw.decode("utf-8"), "The mark")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InputError("A JSON object was expected")
    return body
