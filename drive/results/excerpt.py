"""Which range of its source a result video shows, by the `run.json` beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drive.results.run_results import read_run


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What a video shows: its source (itself if it is not a result), from `first_s` on."""

    source: Path
    sha256: str
    first_s: float = 0.0
    is_result: bool = True


def read_excerpt(video: Path, sha256: str) -> Excerpt:
    """Return what a video shows; without a run in its folder it is a source itself."""
    if not video.parent.is_dir():
        return Excerpt(video, sha256, is_result=False)
    run = read_run(video.parent, follow_links=True)
    source = next(iter(run.record.inputs), None)
    first_s = run.record.frames.first.time_s
    made = Path(run.numbers.video).name
    if made != video.name or source is None or not source.sha256 or first_s is None:
        return Excerpt(video, sha256, is_result=False)
    return Excerpt(Path(source.path), source.sha256, first_s)
