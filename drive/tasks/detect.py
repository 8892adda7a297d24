"""`detect`: find cars in a video, images, a camera or a stream."""

from __future__ import annotations

import argparse
from typing import Any

from drive.tasks._analyse import add_detector_options, add_source_options, analyse_source
from drive.tasks._common import Context
from drive.tasks._many import run_sources

HELP = "Find cars: an annotated MP4 and detections.csv with a row a box."
EXAMPLE = "detect video.mp4"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_source_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--preview", action="store_true", help="also save a picture of what the network is given"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Detect in one source, or in each of several videos."""
    return run_sources(args, context, detect_one, configure)


def detect_one(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Detect, and save the preview where it is asked for."""
    from drive.tasks.crop_preview import save_preview

    results = analyse_source(args, context, detector_weights=args.weights, detects=True)
    if args.preview:
        results["preview"] = save_preview(args, context, args.start)
    return results
