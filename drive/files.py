"""Files that are either whole or absent.

Knows nothing of what is written; every result file of drive goes through `atomic`.
"""

from __future__ import annotations

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
