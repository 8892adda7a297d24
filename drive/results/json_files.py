"""The JSON files of a run folder, read into dataclasses with care: people edit them, copies break.

An entry that does not fit its field is named and left out. Knows no file in particular.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from drive.core.errors import InputError, MissingFileError
from drive.core.files import atomic, leads_out
from drive.core.texts import SHOWN, is_number, parse_json, read_text
from drive.results.damage import LEADS_OUT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Form = TypeVar("Form", bound="DataclassInstance")
Tell = Callable[[str], None]

_WRONG = object()
_KINDS = {str: "text", bool: "true or false", float: "a number", int: "a number", tuple: "a list"}


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, whole or not at all; NumPy's numbers become plain ones."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=plain)
    with atomic(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def plain(value: object) -> object:
    """Turn a path, a NumPy value or a dataclass into what JSON can hold."""
    if hasattr(value, "as_json"):
        return value.as_json()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


def read_object(path: Path, home: Path | None = None) -> dict[str, object]:
    """Read the object in a JSON file; empty if there is none. No link may lead out of `home`."""
    if home is not None and leads_out(path, home):
        raise InputError(f"{path} {LEADS_OUT}")
    try:
        found = parse_json(read_text(path), path)
    except MissingFileError:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold an object; got {_named(found)}")
    return found


def parse(form: type[Form], value: Mapping[str, object], where: str, tell: Tell) -> Form:
    """Read an object into a dataclass with defaults; `tell` each entry that does not fit."""
    return form(**_fields(form, value, where, tell))


def _fields(
    form: type[DataclassInstance], value: Mapping[str, object], where: str, tell: Tell
) -> dict[str, object]:
    mark = "." if ": " in where else ": "
    found = {
        name: _checked(value[name], hint, f"{where}{mark}{name}", tell)
        for name, hint in _hints(form).items()
        if value.get(name) is not None
    }
    return {name: each for name, each in found.items() if each is not _WRONG}


@cache
def _hints(form: type[DataclassInstance]) -> dict[str, object]:
    return get_type_hints(form)


def _checked(value: object, hint: object, where: str, tell: Tell) -> object:
    """The value as the type hint wants it; `_WRONG` if it cannot be had."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind in (object, Any) or (kind in (str, bool) and isinstance(value, kind)):
        return value
    if kind in (float, int) and is_number(value):
        return value
    if kind is tuple and isinstance(value, list):
        items = (_checked(each, args[0], f"{where}[{k}]", tell) for k, each in enumerate(value))
        return tuple(each for each in items if each is not _WRONG)
    if isinstance(value, dict) and dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return kind(**_fields(kind, value, where, tell))
    if isinstance(value, dict) and kind in (Mapping, dict):
        entries = {k: _checked(each, args[1], f"{where}.{k}", tell) for k, each in value.items()}
        return {name: each for name, each in entries.items() if each is not _WRONG}
    expected = _KINDS.get(kind, "an object") if isinstance(kind, type) else "an object"
    tell(f"{where} must be {expected}; got {_named(value)}")
    return _WRONG


def _named(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
