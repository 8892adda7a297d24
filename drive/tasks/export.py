"""`export`: a network as a file for another runtime."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import DriveError, InputError
from drive.core.shipped import SAMPLE
from drive.tasks._common import Context

if TYPE_CHECKING:
    import numpy as np

    from drive.conversion.export import Exported, Original

HELP = (
    "Write a network as OpenVINO IR, ONNX, LiteRT or TensorFlow SavedModel, with what a reader has "
    "to know about pictures and answers in the file, and check that it answers as before."
)
EXAMPLE = "export tiny-yolo-drive --format litert --int8 --calibrate my_drive.mp4"

FORMATS = ("openvino", "onnx", "litert", "saved-model")
SAMPLE_CHECKS = (SAMPLE / "epoch03_front.mp4",)
SAMPLE_CALIBRATION = (SAMPLE / "epoch01_front.mp4", SAMPLE / "epoch02_front.mp4")
CHECKED, CALIBRATED = 20, 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="tiny-yolo-drive or steering (the float weights that ship), a .onnx or .keras file of "
        "drive, or yolo-tiny.weights",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        metavar="FORMAT",
        help=f"of {', '.join(FORMATS)} (default: all; with --int8 all but saved-model)",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="round weights and activations of the convolutions to 8 bits; steering's first layer "
        "stays float, and a LiteRT detector is rounded throughout",
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        metavar="SOURCE",
        help="videos or pictures that --int8 takes its ranges from; such as the network will see "
        "(default: two drives of the sample, which is a simulator)",
    )
    parser.add_argument(
        "--frames",
        nargs="+",
        metavar="SOURCE",
        help="videos or pictures on which the written file is compared with the original "
        "(default: the sample's third drive)",
    )
    parser.add_argument(
        "--size",
        metavar="WIDTHxHEIGHT",
        help="one input size of the detector for good, multiples of 32 (default: any size; litert "
        "takes one only: 640x288)",
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Write and check each format, print a line for each."""
    from tempfile import TemporaryDirectory

    from drive.conversion.export import FIXED_SIZE, INT8_FORMATS, check_request, export
    from drive.tasks.originals import find_model, open_original, parse_size

    if args.weights:
        raise InputError(f"export takes the file as MODEL; received: --weights {args.weights}")
    if args.calibrate and not args.int8:
        raise InputError("--calibrate belongs to --int8; received: --calibrate without it")
    path, size = find_model(args.model), parse_size(args.size)
    formats = list(dict.fromkeys(args.format or (INT8_FORMATS if args.int8 else FORMATS)))
    context.record.add_input(path)
    written: list[Exported] = []
    failures: list[DriveError] = []
    pictures: dict[Any, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    with TemporaryDirectory() as work:
        for target in formats:
            original = open_original(path, Path(work), size, fixed=target in FIXED_SIZE)
            check_request(formats, args.int8, original.metadata)
            if original.size not in pictures:
                pictures[original.size] = _pictures(args, context, original)
            checks, calibration = pictures[original.size]
            folder = context.run_folder()
            try:
                with context.record.stage(target):
                    written.append(export(original, target, folder.file, checks, calibration))
            except DriveError as error:
                failures.append(error)
                continue
            sys.stdout.write(written[-1].as_text() + "\n")
    if failures and not written:
        raise failures[0]
    for failure in failures[:-1]:
        context.warn(str(failure))
    context.failure = failures[-1] if failures else None
    return {"files": [each.as_json() for each in written]}


def _pictures(
    args: argparse.Namespace, context: Context, original: Original
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The frames to check on and, for int8, those to calibrate on."""
    from drive.tasks.originals import prepared_frames

    with context.record.stage("read frames"):
        checks = prepared_frames(
            original, args.frames or SAMPLE_CHECKS, CHECKED, context.progress, "frames to check on"
        )
        if not args.int8:
            return checks, []
        return checks, prepared_frames(
            original,
            args.calibrate or SAMPLE_CALIBRATION,
            CALIBRATED,
            context.progress,
            "frames to calibrate on",
        )
