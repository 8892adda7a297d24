"""`annotate`: both models in one pass over the video, one annotated MP4."""

from __future__ import annotations

import argparse
from typing import Any

from drive.tasks._analyse import (
    add_detector_options,
    add_source_options,
    add_steering_options,
    analyse_source,
)
from drive.tasks._common import Context, add_recording_options
from drive.tasks._many import run_sources

HELP = "Find cars and predict steering in one pass over the video; one annotated MP4."
EXAMPLE = "annotate video.mp4"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_source_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--weights", metavar="FILE", help="of the detector (default: what ships with drive)"
    )
    parser.add_argument(
        "--steering-weights", metavar="FILE", help="of the steering network (default: what ships)"
    )
    add_steering_options(parser)
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Run both models over one source, or over each of several videos."""
    return run_sources(args, context, annotate_one, configure)


def annotate_one(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Run both models."""
    return analyse_source(
        args,
        context,
        detector_weights=args.weights,
        steering_weights=args.steering_weights,
        detects=True,
        steers=True,
    )
