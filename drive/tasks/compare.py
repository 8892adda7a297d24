"""`compare`: two result videos side by side, and a short preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.options import above, at_least, option
from drive.core.reporter import Reporter
from drive.tasks._run import Run, RunConfig, TaskResult, run_task

if TYPE_CHECKING:
    from drive.results.excerpt import Excerpt

VIDEO_FILE = "side_by_side.mp4"
PREVIEW_FILE = "preview.gif"
PREVIEW_WIDTH = 640
SAME_END_S = 0.1
"""Ends that are no further apart are one: the last frames of two results may differ."""


@dataclass(frozen=True)
class CompareConfig(RunConfig):
    """Which videos stand side by side, and how."""

    summary = (
        "Put two result videos side by side, and make a short GIF of them. Two results of one\n"
        "source are aligned by time and cut to what both show."
    )
    example = "compare outputs/001-detect/video.mp4 outputs/002-detect/video.mp4"
    group = "options"

    a: str = option(help="the video on the left", metavar="A.mp4", positional=True)
    b: str = option(help="the video on the right", metavar="B.mp4", positional=True)
    _: KW_ONLY
    height: int = option(360, "height of each video in pixels", "N", at_least(2))
    labels: Sequence[str] | None = option(
        None, "names above the videos", ("A", "B"), shown_default="the file names"
    )
    seconds: float = option(4.0, "length of the GIF", "S", above(0))


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two videos; `start_s` is the second at which it begins in the comparison."""

    name: str
    seconds: float | None
    width: int
    height: int
    fps: float | None
    start_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CompareResult(TaskResult):
    """What was written; `sides` are the two videos, left and right."""

    video: Path
    preview: Path
    seconds: float
    sides: tuple[Side, ...]


def compare(config: CompareConfig, reporter: Reporter | None = None) -> CompareResult:
    """Write two videos side by side, and a GIF of them.

    Raises:
        InputError: a video is missing or cannot be read.

    Example:
        >>> from drive import CompareConfig, compare
        >>> result = compare(CompareConfig("with.mp4", "without.mp4", out="compared"))
        >>> result.video
    """
    return run_task("compare", _compare, config, reporter)


def _compare(config: CompareConfig, run: Run) -> CompareResult:
    from drive.drawing.compare import default_labels, preview_gif, side_by_side
    from drive.results.excerpt import read_excerpt
    from drive.video.probe import probe

    name_a, name_b = config.labels or default_labels(Path(config.a), Path(config.b))
    labels = (name_a, name_b)
    sides, excerpts = [], []
    for video, label in zip((config.a, config.b), labels, strict=True):
        info = probe(video)
        sides.append(Side(label, info.duration_s, info.width, info.height, info.fps))
        run.record.add_input(video)
        excerpts.append(read_excerpt(Path(video), str(run.record.inputs[-1]["sha256"])))
    starts_s, shared_s = _shared(excerpts, [side.seconds for side in sides], run)
    video_path, preview_path = run.folder.file(VIDEO_FILE), run.folder.file(PREVIEW_FILE)
    with run.record.stage("side_by_side"):
        seconds = side_by_side(
            *(config.a, config.b, video_path),
            height=config.height,
            labels=labels,
            starts_s=starts_s,
            seconds=shared_s,
        )
    with run.record.stage("preview"):
        preview_gif(video_path, preview_path, seconds=config.seconds, width=PREVIEW_WIDTH)
    run.message(f"wrote {video_path} ({seconds:.1f} s) and {preview_path}")
    shown = map(lambda side, start_s: replace(side, start_s=start_s), sides, starts_s)
    return CompareResult(
        video=video_path, preview=preview_path, seconds=seconds, sides=tuple(shown)
    )


def _shared(
    excerpts: list[Excerpt], lengths_s: list[float | None], run: Run
) -> tuple[tuple[float, float], float | None]:
    """From which second of each video on both show the same, and for how long.

    Without a clock in common, from the beginning of each; None: until both have ended.
    """
    apart = (0.0, 0.0), None
    names = [excerpt.source.name for excerpt in excerpts]
    if excerpts[0].sha256 != excerpts[1].sha256:
        if all(excerpt.is_result for excerpt in excerpts):
            run.warn(
                f"A is of {names[0]} and B of another source, {names[1]}: their times are not the "
                "same moments; both begin at their own beginning"
            )
        return apart
    if None in lengths_s:
        return apart
    ends_s = [each.first_s + (s or 0) for each, s in zip(excerpts, lengths_s, strict=True)]
    first_s, last_s = max(excerpt.first_s for excerpt in excerpts), min(ends_s)
    if last_s <= first_s:
        a, b = (f"{e.first_s:.1f} to {end:.1f} s" for e, end in zip(excerpts, ends_s, strict=True))
        run.warn(
            f"no moment of {names[0]} is in both: A shows {a}, B {b}; both begin at their own "
            "beginning"
        )
        return apart
    starts_s = (first_s - excerpts[0].first_s, first_s - excerpts[1].first_s)
    if any(starts_s) or max(ends_s) - last_s > SAME_END_S:
        told = f"side by side is what both show of {names[0]}"
        run.message(f"{told}: {first_s:.1f} to {last_s:.1f} s")
    return starts_s, last_s - first_s
