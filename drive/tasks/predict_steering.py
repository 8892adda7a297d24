"""`predict-steering`: the steering angle for each frame, and an annotated video."""

from __future__ import annotations

import argparse
from typing import Any

from drive.tasks._analyse import add_source_options, add_steering_options, analyse_source
from drive.tasks._common import Context, add_recording_options
from drive.tasks._many import run_sources

HELP = "Predict the steering angle of each frame: steering.csv, plots and an annotated MP4."
EXAMPLE = "predict-steering data/sample/epoch03_front.mp4"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_source_options(parser)
    add_steering_options(parser)
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Predict the angles of one source, or of each of several videos."""
    return run_sources(args, context, predict_one, configure)


def predict_one(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Predict, beside the human's angles where a CSV lies beside the video."""
    return analyse_source(args, context, steering_weights=args.weights, steers=True)
