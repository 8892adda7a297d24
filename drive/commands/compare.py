"""`compare`: two result videos side by side, and a short preview."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.commands._common import Context
from drive.errors import InputError

if TYPE_CHECKING:
    from drive.report.excerpt import Excerpt
    from drive.types import VideoInfo

HELP = (
    "Put two result videos side by side, and make a short GIF of them. Of two results of one\n"
    "source, the same moments stand beside each other: what both show of it."
)
EXAMPLE = "compare outputs/001-detect/video.mp4 outputs/002-detect/video.mp4"

NO_USE_FOR = ("--weights", "--seed")
VIDEO_FILE = "side_by_side.mp4"
PREVIEW_FILE = "preview.gif"
PREVIEW_WIDTH = 640
SAME_END_S = 0.1
"""Ends that are no further apart are one: the last frames of two results may differ."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("a", metavar="A.mp4", help="the video on the left")
    parser.add_argument("b", metavar="B.mp4", help="the video on the right")
    parser.add_argument(
        "--height", type=int, default=360, metavar="N", help="pixels of each (default: 360)"
    )
    parser.add_argument(
        "--labels", nargs=2, metavar=("A", "B"), help="names above them (default: the files')"
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, metavar="S", help="length of the GIF (default: 4)"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Write `side_by_side.mp4` and `preview.gif`."""
    from drive.frames.probe import probe
    from drive.render.compare import default_labels, preview_gif, side_by_side
    from drive.report.excerpt import read_excerpt

    if not args.seconds > 0:
        raise InputError(f"--seconds is above 0. Received: {args.seconds:g}")
    labels = tuple(args.labels) if args.labels else default_labels(Path(args.a), Path(args.b))
    sides, excerpts = [], []
    for video, label in zip((args.a, args.b), labels, strict=True):
        sides.append(_side(label, probe(video)))
        context.record.add_input(video)
        excerpts.append(read_excerpt(Path(video), context.record.inputs[-1]["sha256"]))
    shared = _shared(excerpts, [side["seconds"] for side in sides], context)
    folder = context.run_folder()
    video_path, preview_path = folder.file(VIDEO_FILE), folder.file(PREVIEW_FILE)
    with context.record.stage("side_by_side"):
        seconds = side_by_side(
            args.a,
            args.b,
            video_path,
            height=args.height,
            labels=labels,
            starts_s=(shared.starts_s[0], shared.starts_s[1]),
            seconds=shared.seconds,
        )
    with context.record.stage("preview"):
        preview_gif(video_path, preview_path, seconds=args.seconds, width=PREVIEW_WIDTH)
    context.message(f"wrote {video_path} ({seconds:.1f} s) and {preview_path}")
    for side, start_s in zip(sides, shared.starts_s, strict=True):
        side["start_s"] = start_s
    return {"video": video_path, "preview": preview_path, "seconds": seconds, "sides": sides}


@dataclass(frozen=True, slots=True)
class _Shared:
    """What stands side by side: from which second of each video on, and for how long.

    `seconds` is None where the videos have no clock in common: until both have ended.
    """

    starts_s: tuple[float, ...] = (0.0, 0.0)
    seconds: float | None = None


def _shared(excerpts: list[Excerpt], lengths_s: list[float | None], context: Context) -> _Shared:
    """Which stretch two videos of one source share; says what that is, and where there is none."""
    names = [excerpt.source.name for excerpt in excerpts]
    if excerpts[0].sha256 != excerpts[1].sha256:
        if all(excerpt.is_result for excerpt in excerpts):
            context.warn(
                f"A is of {names[0]} and B of another source, {names[1]}: their times are not the "
                "same moments; both begin at their own beginning"
            )
        return _Shared()
    if None in lengths_s:
        return _Shared()
    ends_s = [
        each.first_s + (length or 0) for each, length in zip(excerpts, lengths_s, strict=True)
    ]
    first_s, last_s = max(excerpt.first_s for excerpt in excerpts), min(ends_s)
    if last_s <= first_s:
        spans = [
            f"{excerpt.first_s:.1f} to {end:.1f} s"
            for excerpt, end in zip(excerpts, ends_s, strict=True)
        ]
        context.warn(
            f"no moment of {names[0]} is in both: A shows {spans[0]}, B {spans[1]}; both begin at "
            "their own beginning"
        )
        return _Shared()
    starts_s = tuple(first_s - excerpt.first_s for excerpt in excerpts)
    if any(starts_s) or max(ends_s) - last_s > SAME_END_S:
        context.message(
            f"side by side is what both show of {names[0]}: {first_s:.1f} to {last_s:.1f} s"
        )
    return _Shared(starts_s, last_s - first_s)


def _side(name: str, info: VideoInfo) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": info.duration_s,
        "width": info.width,
        "height": info.height,
        "fps": info.average_fps or info.nominal_fps,
    }
