"""The JSON files of a run folder, read with care: people edit them, and copies break off.

What is wrong in one is said in words, with the entry's name. Knows how `run.json` begins, not what
the commands put into it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drive.core.errors import InputError, MissingFileError
from drive.core.files import leads_out
from drive.core.texts import SHOWN, is_number, parse_json, read_text
from drive.pages.damage import LEADS_OUT

Form = dict[str, Any] | list[Any] | type
"""An object's entries by name, a list with the form of each of its items, or a type of values."""

NUMBER, TEXT = float, str

_WRONG = object()
_COUNTS = ("frames", "frames_lost", "frames_with_boxes", "boxes", "tracks", "failed", "seconds")
_SIDE: Form = {"name": TEXT, "seconds": NUMBER, "width": NUMBER, "height": NUMBER, "fps": NUMBER}
_ERRORS: dict[str, Any] = {"n": NUMBER, "rmse_deg": NUMBER, "mae_deg": NUMBER, "baselines": {}}
_RESULTS: Form = {
    **dict.fromkeys(_COUNTS, NUMBER),
    "video": TEXT,
    "sides": [_SIDE],
    "against_human": _ERRORS,
    "validation": {},
    "test": {},
}
_END: Form = {"frame": NUMBER, "time_s": NUMBER}
RUN_FORM: Form = {
    "command": [TEXT],
    "settings": {"start_s": NUMBER, "start": NUMBER},
    "inputs": [{"path": TEXT}],
    "results": _RESULTS,
    "seconds": {"total": NUMBER},
    "warnings": [TEXT],
    "frames": {"first": _END, "last": _END},
}
MANIFEST_FORM: Form = {
    "videos": [
        {"folder": TEXT, "status": TEXT, "results": _RESULTS, "seconds": NUMBER},
    ],
}
METRICS_FORM: Form = {**_ERRORS, "recordings": {}, "limit_m": NUMBER}


_PICTURE: Form = {"name": TEXT, "title": TEXT, "note": TEXT}
NOTES_FORM: Form = {
    "epochs": NUMBER,
    "loss_unit": TEXT,
    "loss_note": TEXT,
    "edges": [NUMBER],
    "shares": {},
    "worst": [_PICTURE],
    "layers": [_PICTURE],
}


def read_json(
    path: Path, form: Form, tell: Callable[[str], None], home: Path | None = None
) -> dict[str, Any]:
    """A JSON file's object without its empty entries; nothing where there is no such file.

    Args:
        path: of the file.
        form: of its entries; one that is not of the form is left out.
        tell: takes a line about each that is.
        home: the folder that no link may lead out of; None where every link is followed.

    Raises:
        InputError: it cannot be read, leads out of `home`, or holds no object.
    """
    if home is not None and leads_out(path, home):
        raise InputError(f"{path} {LEADS_OUT}")
    try:
        found = parse_json(read_text(path), path)
    except MissingFileError:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"{path}: an object expected. Received: {_named(found)}")
    checked: dict[str, Any] = _checked(found, form, path.name, tell)
    return checked


def _checked(value: Any, form: Form, where: str, tell: Callable[[str], None]) -> Any:
    """The value without its empty and wrong entries; `_WRONG` if it is not of the form itself."""
    if isinstance(form, dict) and isinstance(value, dict):
        entries = (
            (name, _checked(each, form[name], f"{where}: {name}", tell) if name in form else each)
            for name, each in value.items()
            if each is not None or name not in form
        )
        return {name: each for name, each in entries if each is not _WRONG}
    if isinstance(form, list) and isinstance(value, list):
        items = (
            _checked(each, form[0], f"{where}, item {n}", tell) for n, each in enumerate(value, 1)
        )
        return [each for each in items if each is not _WRONG]
    if form is TEXT and isinstance(value, str):
        return value
    if form is NUMBER and is_number(value):
        return value
    tell(f"{where}: {_named(form)} expected. Received: {_named(value)}")
    return _WRONG


def _named(value: Any) -> str:
    """A form or a value in words."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, type):
        return "a number" if value is NUMBER else "a text"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def command_of(record: Mapping[str, Any]) -> str:
    """The command of a run; empty where its `run.json` does not say it."""
    words = record.get("command")
    return str(words[1]) if isinstance(words, list) and len(words) > 1 else ""


def title_of(record: Mapping[str, Any], home: Path) -> str:
    """What a run is about: the names of its sources, else of its folder."""
    settings = record.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    pair = [settings.get(side) for side in ("a", "b")]
    if command_of(record) == "compare" and all(pair):
        return " and ".join(_told_apart([Path(str(each)) for each in pair]))
    asked: Any = next(filter(None, map(settings.get, ("source", "recordings", "datasets"))), [])
    names = [Path(str(each)).name or str(each) for each in _as_list(asked)]
    if not names:
        return home.resolve().name
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _told_apart(paths: list[Path]) -> list[str]:
    """The names of files, with their folders' where they are the same."""
    if len({path.name for path in paths}) > 1:
        return [path.name for path in paths]
    return ["/".join(path.parts[-2:]) for path in paths]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
