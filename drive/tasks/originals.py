"""The network that MODEL of `export` names, and the frames to calibrate and compare it on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from drive.conversion.export import Original, Size
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.files import sha256
from drive.core.progress import Progress, no_progress
from drive.core.shipped import DETECTOR, STEERING
from drive.core.types import Image
from drive.detection.detector import DARKNET_SUFFIX, NETWORKS, TINY_YOLO_DRIVE
from drive.runtime.onnx_file import read_metadata
from drive.steering.predict import NETWORK
from drive.video.reader import read_frames
from drive.video.sources import Kind, find_source

SHIPPED = {TINY_YOLO_DRIVE: DETECTOR, NETWORK: STEERING}
"""Names that stand for the weights that ship, the float ones."""

SUFFIXES = (".onnx", ".keras", DARKNET_SUFFIX)


def find_model(text: str) -> Path:
    """Return the file that MODEL names: one of `SHIPPED`, or a path with one of `SUFFIXES`."""
    path = SHIPPED.get(text, Path(text))
    if not path.is_file():
        raise MissingFileError(
            f"there is no file {text}; MODEL must be {', '.join(SHIPPED)} or a file that ends in "
            f"{', '.join(SUFFIXES)}"
        )
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"MODEL must end in one of {', '.join(SUFFIXES)}; got {text}")
    return path


def open_original(path: Path, work: Path, size: Size | None, fixed: bool) -> Original:
    """Open the detector or the steering network of a file; `work` is for temporary files.

    `size` is a detector's fixed input (height, width); `fixed` fixes it even if that is None.
    """
    opened = _open(path, work, size, fixed)
    origin = {"exported_from": path.name, "exported_from_sha256": sha256(path)}
    return replace(opened, metadata={**opened.metadata, **origin})


def _open(path: Path, work: Path, size: Size | None, fixed: bool) -> Original:
    from drive.detection import originals as cars
    from drive.steering import originals as steering

    suffix = path.suffix.lower()
    network = read_metadata(path).get("network") if suffix == ".onnx" else None
    if suffix == DARKNET_SUFFIX or network in NETWORKS:
        return cars.open_original(path, size, fixed)
    if suffix == ".onnx" and network != NETWORK:
        raise WeightsError(
            f"{path}: not a network of drive; the metadata entry network must be one of "
            f"{', '.join((*NETWORKS, NETWORK))}; got {network}"
        )
    if size is not None:
        raise InputError(
            f"--size must not be given for a steering network; got {size[1]}x{size[0]}"
        )
    return steering.open_original(path, work)


def parse_size(text: str | None) -> Size | None:
    """Return (height, width) of `WIDTHxHEIGHT`; None for None."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if not match:
        raise InputError(f"--size must be WIDTHxHEIGHT in pixels, such as 640x288; got {text!r}")
    return int(match[2]), int(match[1])


def prepared_frames(
    original: Original,
    sources: Sequence[str | Path],
    most: int,
    progress: Progress = no_progress,
    description: str = "",
) -> list[Image]:
    """Read evenly spaced frames of videos and images, as (1, H, W, 3) uint8 for the network.

    There are at most `most`, and at least half as many unless the sources have fewer.
    """
    kept: list[Image] = []
    step, seen = 1, 0
    for source in sources:
        if find_source(source).kind not in (Kind.VIDEO, Kind.IMAGES):
            raise InputError(f"frames must come from video files and images; got {source}")
        with read_frames(source) as frames:
            for frame in progress(frames, None, description):
                if seen % step == 0:
                    kept.append(original.prepare(frame.image)[None])
                seen += 1
                if len(kept) > most:
                    kept, step = kept[::2], step * 2
    if not kept:
        raise InputError(f"{sources[0]}: there is no frame to read")
    return kept
