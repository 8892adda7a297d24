"""Read text files that people edit, TOML and JSON; what is wrong with them fits on one line."""

from __future__ import annotations

import json
import math
import stat
import tomllib
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from drive.core.errors import InputError, MissingFileError

BOM = "\ufeff"
"""The byte order mark that some Windows editors write at the start of a file."""

SHOWN = 40
"""Maximum number of characters of an invalid value in an error."""

Parsed = TypeVar("Parsed")


def read_text(path: Path, pipes: bool = False) -> str:
    """Return the text of a UTF-8 file (with `pipes` also of a pipe); line ends and BOM are kept."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder; expected a file")
        if not (pipes or stat.S_ISREG(mode)):
            raise InputError(f"{path} is not a regular file")
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"there is no file {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8") from error


def parse_toml(text: str, path: str | Path) -> dict[str, Any]:
    """Return the values of a TOML text; `path` is for errors."""
    return _parsed(tomllib.loads, text, path)


def parse_json(text: str, path: str | Path) -> Any:
    """Return the value of a JSON text; `path` is for errors."""
    return _parsed(json.loads, text, path)


def _parsed(parse: Callable[[str], Parsed], text: str, path: str | Path) -> Parsed:
    try:
        return parse(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as error:
        problem = f"is not valid TOML: {error}"
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON: it is damaged or cut short at line {error.lineno}"
    except RecursionError:
        problem = "is nested too deeply: it is damaged"
    except ValueError:
        problem = "has a whole number with too many digits"
    raise InputError(f"{path} {problem}")


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number within the range of a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def as_written(value: object) -> str:
    """Return a value roughly as TOML writes it, shortened, for errors."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (date, time)):
        text = value.isoformat()
    elif isinstance(value, list):
        text = f"[{', '.join(map(as_written, value))}]"
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, int) and not is_number(value):
        text = "a whole number of hundreds of digits"
    else:
        text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
