"""Write files that are either complete or absent, and find the cache folder."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drive.core.errors import InputError

PART = ".part"
_numbers = itertools.count(1)


def _part() -> str:
    """Return a mark for a temporary name that no other process and no other call uses."""
    return f"{PART}-{os.getpid()}-{next(_numbers)}"


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it if the block succeeds, else remove it.

    The temporary name keeps the suffix (`video.part-PID-N.mp4`), from which writers choose the
    format. Of several writers at the same time the last one wins, whole.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.stem}{_part()}{final.suffix}")
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_or_refused(path: str | Path) -> Iterator[Path]:
    """As `atomic`; raise `InputError` if the file cannot be written."""
    try:
        with atomic(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it replaces `path` if the block succeeds.

    If the block fails, the old contents of `path` stay.
    """
    final = Path(path)
    part = final.with_name(final.name + _part())
    part.mkdir(parents=True)
    try:
        yield part
        if final.exists():
            shutil.rmtree(final)
        part.replace(final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def leads_out(path: Path, home: Path) -> bool:
    """Return whether a path leads outside the folder `home` through a link."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home))


def cache_folder() -> Path:
    """Return the user's folder for files that can be made again, such as decoded frames."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    return Path(base).expanduser() / "drive"
