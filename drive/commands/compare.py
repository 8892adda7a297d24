"""`compare`: two result videos side by side, and a short preview."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.commands._common import Context
from drive.errors import InputError

if TYPE_CHECKING:
    from drive.types import VideoInfo

HELP = "Put two result videos side by side, and make a short GIF of them."
EXAMPLE = "compare outputs/001-detect/video.mp4 outputs/002-detect/video.mp4"

NO_USE_FOR = ("--weights", "--seed")
VIDEO_FILE = "side_by_side.mp4"
PREVIEW_FILE = "preview.gif"
PREVIEW_WIDTH = 640


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

    if not args.seconds > 0:
        raise InputError(f"--seconds is above 0. Received: {args.seconds:g}")
    labels = tuple(args.labels) if args.labels else default_labels(Path(args.a), Path(args.b))
    sides = []
    for video, label in zip((args.a, args.b), labels, strict=True):
        sides.append(_side(label, probe(video)))
        context.record.add_input(video)
    folder = context.run_folder()
    video_path, preview_path = folder.file(VIDEO_FILE), folder.file(PREVIEW_FILE)
    with context.record.stage("side_by_side"):
        seconds = side_by_side(args.a, args.b, video_path, height=args.height, labels=labels)
    with context.record.stage("preview"):
        preview_gif(video_path, preview_path, seconds=args.seconds, width=PREVIEW_WIDTH)
    context.message(f"wrote {video_path} ({seconds:.1f} s) and {preview_path}")
    return {"video": video_path, "preview": preview_path, "seconds": seconds, "sides": sides}


def _side(name: str, info: VideoInfo) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": info.duration_s,
        "width": info.width,
        "height": info.height,
        "fps": info.average_fps or info.nominal_fps,
    }
