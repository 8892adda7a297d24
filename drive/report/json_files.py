"""The JSON files of a run folder, read with care: people edit them, and copies break off.

What is wrong in one is said in words, with the entry's name. Knows how `run.json` begins, not what
the commands put into it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drive.errors import InputError

Form = dict[str, Any] | list[Any] | type
"""An object's entries by name, a list with the form of each of its items, or a type of values."""

NUMBER, TEXT = float, str

_COUNTS = ("frames", "frames_lost", "frames_with_boxes", "boxes", "tracks", "failed", "seconds")
_SIDE: Form = {"name": TEXT, "seconds": NUMBER, "width": NUMBER, "height": NUMBER, "fps": NUMBER}
_RESULTS: Form = {**dict.fromkeys(_COUNTS, NUMBER), "sides": [_SIDE]}
_END: Form = {"frame": NUMBER, "time_s": NUMBER}
RUN_FORM: Form = {
    "command": [TEXT],
    "settings": {},
    "inputs": [{}],
    "results": _RESULTS,
    "seconds": {"total": NUMBER},
    "frames": {"first": _END, "last": _END},
}
MANIFEST_FORM: Form = {
    "videos": [
        {"folder": TEXT, "status": TEXT, "results": _RESULTS, "seconds": NUMBER},
    ],
}
METRICS_FORM: Form = {"recordings": {}, "limit_m": NUMBER}


def read_json(path: Path, form: Form) -> dict[str, Any]:
    """A JSON file's object without its empty entries; nothing where there is no such file.

    Raises:
        InputError: it cannot be read, or an entry is not of the form.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}. Remove it, or run again") from error
    checked: dict[str, Any] = _checked(found, form, path.name)
    return checked


def _checked(value: Any, form: Form, where: str) -> Any:
    """The value without its empty entries, if it is of the form."""
    if isinstance(form, dict) and isinstance(value, dict):
        return {
            name: _checked(each, form[name], f"{where}: {name}") if name in form else each
            for name, each in value.items()
            if each is not None or name not in form
        }
    if isinstance(form, list) and isinstance(value, list):
        return [_checked(each, form[0], f"{where}, item {n}") for n, each in enumerate(value, 1)]
    if form is TEXT and isinstance(value, str):
        return value
    if form is NUMBER and type(value) in (int, float) and math.isfinite(value):
        return value
    raise InputError(f"{where}: {_named(form)} expected. Received: {_named(value)}")


def _named(value: Any) -> str:
    """A form or a value in words."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, type):
        return "a number" if value is NUMBER else "a text"
    return json.dumps(value)


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
