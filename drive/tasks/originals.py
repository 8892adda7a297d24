"""What MODEL of `export` names, and the frames that a written network is calibrated and checked on.

Puts cars, steering and frames together; how a file is written is in `drive.conversion.export`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from drive.conversion.export import Original, Size
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.progress import Progress, no_progress
from drive.detection.detector import DARKNET_SUFFIX, DEFAULT_WEIGHTS, TINY_YOLO_DRIVE
from drive.results.run_folder import sha256
from drive.runtime.onnx_file import read_metadata
from drive.steering.predict import DEFAULT_MODEL, NETWORK
from drive.video.reader import read_frames
from drive.video.sources import Kind, find_source

SHIPPED = {TINY_YOLO_DRIVE: DEFAULT_WEIGHTS, NETWORK: DEFAULT_MODEL}
"""Names that stand for the weights that ship, the float ones."""

SUFFIXES = (".onnx", ".keras", DARKNET_SUFFIX)


def find_model(text: str) -> Path:
    """Return the file that MODEL names: one of `SHIPPED`, or a path.

    Raises:
        MissingFileError: there is no such file.
        InputError: its ending is none of `SUFFIXES`.
    """
    path = SHIPPED.get(text, Path(text))
    if not path.is_file():
        raise MissingFileError(
            f"MODEL is {', '.join(SHIPPED)} or an {', '.join(SUFFIXES)} file; there is no such "
            f"file; received: {text}"
        )
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"MODEL ends in one of {', '.join(SUFFIXES)}; received: {text}")
    return path


def open_original(path: Path, work: Path, size: Size | None, fixed: bool) -> Original:
    """Open the network of a file, whatever it is for.

    Args:
        path: from `find_model`.
        work: a folder for files on the way.
        size: (height, width) in pixels that a detector's input is to have for good.
        fixed: give the input one size where `size` says none.

    Raises:
        WeightsError: the file is damaged or holds none of drive's networks.
        InputError: the network cannot be given this size.
    """
    opened = _open(path, work, size, fixed)
    origin = {"exported_from": path.name, "exported_from_sha256": sha256(path)}
    return replace(opened, metadata={**opened.metadata, **origin})


def _open(path: Path, work: Path, size: Size | None, fixed: bool) -> Original:
    from drive.detection import originals as cars
    from drive.steering import originals as steering

    suffix = path.suffix.lower()
    network = read_metadata(path).get("network") if suffix == ".onnx" else None
    if suffix == DARKNET_SUFFIX or network in cars.NETWORKS:
        return cars.open_original(path, size, fixed)
    if suffix == ".onnx" and network != NETWORK:
        raise WeightsError(
            f"{path}: not a network of drive; expected a file whose metadata says network = "
            f"{', '.join((*cars.NETWORKS, NETWORK))}; received: network = {network}"
        )
    if size is not None:
        raise InputError(
            f"a steering network has one input size, leave --size out; "
            f"received: {size[1]}x{size[0]}"
        )
    return steering.open_original(path, work)


def parse_size(text: str | None) -> Size | None:
    """Return (height, width) of `WIDTHxHEIGHT`; None for None.

    Raises:
        InputError: the text is something else.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if not match:
        raise InputError(f"--size is WIDTHxHEIGHT in pixels, such as 640x288; received: {text!r}")
    return int(match[2]), int(match[1])


def prepared_frames(
    original: Original,
    sources: Sequence[str | Path],
    most: int,
    progress: Progress = no_progress,
    description: str = "",
) -> list[np.ndarray]:
    """Take frames evenly from videos and pictures, as the network is given them.

    Args:
        original: says how a frame is prepared.
        sources: videos, images, folders or globs of images.
        most: frames to take; fewer where there are fewer, at least half as many otherwise.
        progress: shows the reading.
        description: for `progress`.

    Returns:
        (1, H, W, 3) uint8 each, in the order of the sources.

    Raises:
        MissingFileError: there is no such source.
        InputError: a source has no end, or none of them has a frame.
    """
    kept: list[np.ndarray] = []
    step = 1
    seen = 0
    for source in sources:
        if find_source(source).kind not in (Kind.VIDEO, Kind.IMAGES):
            raise InputError(f"frames come from video files and pictures; received: {source}")
        with read_frames(source) as frames:
            for frame in progress(frames, None, description):
                if seen % step == 0:
                    kept.append(original.prepare(frame.image)[None])
                seen += 1
                if len(kept) > most:
                    kept, step = kept[::2], step * 2
    if not kept:
        raise InputError(f"at least one frame expected; received: none in {sources[0]}")
    return kept
