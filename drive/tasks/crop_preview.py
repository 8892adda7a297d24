"""`crop-preview`: one picture of the frame, the crop and what the network is given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.tasks._analyse import ENGINES, add_tiles_option, say_tiles
from drive.tasks._common import Context

HELP = "Save one picture: the frame with the crop, the crop, and what the network is given."
EXAMPLE = "crop-preview video.mp4 --region 0,200,1280,680"
FILE = "crop_preview.png"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("source", metavar="SOURCE", help="video, image or folder of images")
    parser.add_argument("--at", type=float, default=0.0, metavar="S", help="second of the video")
    parser.add_argument(
        "--region", default="auto", metavar="auto|full|X1,Y1,X2,Y2", help="in source pixels"
    )
    add_tiles_option(parser)
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the network")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Save the picture."""
    path = save_preview(args, context, args.at)
    context.message(f"wrote {path}")
    return {"preview": path}


def save_preview(args: argparse.Namespace, context: Context, at_s: float) -> Path:
    """Write the picture for the first frame from `at_s` on into the run folder."""
    from drive.core.region import Region
    from drive.detection.detector import load_detector
    from drive.detection.tiles import with_tiles
    from drive.drawing.preview import crop_preview
    from drive.pipeline.sinks import save_image
    from drive.video.reader import read_frames

    context.run_folder()  # whether it can be written shows before the network loads
    with read_frames(args.source, start_s=at_s) as reader:
        frame = next(iter(reader), None)
    if frame is None:
        raise InputError(f"{args.source} has no frame from {at_s:g} s on. Choose an earlier one")
    detector = with_tiles(load_detector(args.weights, args.engine), args.tiles)
    height, width = frame.image.shape[:2]
    region = Region.parse(args.region, width, height, detector.default_region)
    context.message(f"region: pixels {region} of {width}x{height}")
    tiles = say_tiles(context, detector, (width, height), region)
    inputs = [detector.prepare(part.crop(frame.image))[0] for part in (region, *tiles)]
    path = context.run_folder().file(FILE)
    save_image(path, crop_preview(frame.image, region, inputs[0], detector.name, tiles, inputs[1:]))
    return path
