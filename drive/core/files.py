"""Files that are either whole or absent, and where those lie that can be made anew.

Knows nothing of what is written; every result file of drive goes through `atomic`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it when the block ends well, else remove it.

    The temporary name keeps the suffix (`video.part.mp4`), since writers choose their format by it.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.stem}{PART}{final.suffix}")
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, put in its place when the block ends well.

    What `path` held before is gone then, and untouched when the block ends with an error.
    """
    final = Path(path)
    part = final.with_name(final.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if final.exists():
            shutil.rmtree(final)
        part.replace(final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def leads_out(path: Path, home: Path) -> bool:
    """Whether a file lies outside the folder `home`, behind a link."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home))


def cache_folder() -> Path:
    """The user's folder for what drive can make anew: decoded frames, converted weights."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    return Path(base).expanduser() / "drive"
