"""Which stretch of its source a result video shows, so that two of them can be put in step.

Read from the `run.json` beside the video. Knows runs and seconds; no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.pages.json_files import RUN_FORM, read_json

RUN = "run.json"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What a video shows.

    Attributes:
        source: the path of what it was made from; its own where it is no result.
        sha256: of the source.
        first_s: second of the source at which the video begins.
        is_result: whether a run made it.
    """

    source: Path
    sha256: str
    first_s: float = 0.0
    is_result: bool = True


def read_excerpt(video: Path, sha256: str) -> Excerpt:
    """What a video shows, by the run in its folder; without one it is a source itself.

    Args:
        video: the file.
        sha256: of the file.
    """
    try:
        record = read_json(video.parent / RUN, RUN_FORM, lambda _: None)
    except InputError:
        record = {}
    made = Path(record.get("results", {}).get("video", "")).name
    source: dict[str, Any] = next(iter(record.get("inputs", [])), {})
    first = record.get("frames", {}).get("first", {})
    if made != video.name or not {"path", "sha256"} <= source.keys() or "time_s" not in first:
        return Excerpt(video, sha256, is_result=False)
    return Excerpt(Path(source["path"]), str(source["sha256"]), first["time_s"])
