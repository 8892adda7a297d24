"""Text files that people edit and copy, TOML and JSON, read with care.

They may begin with a byte order mark, be saved in another encoding, be damaged or no files at all:
each of these is told in one line. Knows no entries.
"""

from __future__ import annotations

import json
import math
import stat
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any, TypeGuard

from drive.core.errors import InputError, MissingFileError

BOM = "\ufeff"
"""The byte order mark that Windows' Notepad begins a file with."""

SHOWN = 40
"""Characters of a wrong value that are worth showing."""

TOO_DEEP = "is nested too deeply: it is damaged"
TOO_LONG = "holds a whole number with too many digits"


def read_text(path: Path, pipes: bool = False) -> str:
    """The text of a file in UTF-8, with its line ends and its byte order mark as they are.

    Args:
        path: of the file.
        pipes: whether a pipe is read too; one that nobody writes into is waited for.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no file, or not to be read, or in another encoding.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder, where a file is expected")
        if not (pipes or stat.S_ISREG(mode)):
            raise InputError(f"{path} is no regular file. Put a file in its place")
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"There is no file {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is no text in UTF-8. Save it as UTF-8, unless it is damaged"
        ) from error


def parse_toml(text: str, path: str | Path) -> dict[str, Any]:
    """What a text in TOML says; `path` begins a complaint.

    Raises:
        InputError: it is none.
    """
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no readable TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{path} {TOO_DEEP}") from None
    except ValueError:
        raise InputError(f"{path} {TOO_LONG}") from None


def parse_json(text: str, path: str | Path) -> Any:
    """What a text in JSON says; `path` begins a complaint.

    Raises:
        InputError: it is none.
    """
    try:
        return json.loads(text.removeprefix(BOM))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} is no JSON: it is damaged or cut short at line {error.lineno}"
        ) from None
    except RecursionError:
        raise InputError(f"{path} {TOO_DEEP}") from None
    except ValueError:
        raise InputError(f"{path} {TOO_LONG}") from None


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of such a file is a finite number, and no larger than a float can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def as_written(value: object) -> str:
    """A value about as TOML writes it, shortened, for a complaint about it."""
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
