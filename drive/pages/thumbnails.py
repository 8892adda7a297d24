"""Thumbnails of runs: a frame from inside a video, or a plot made smaller; cached in memory."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from drive.core.errors import DriveError, InputError
from drive.pages.report import VIDEOS
from drive.video.probe import probe
from drive.video.reader import read_frames, read_image

WIDTH, HEIGHT = 480, 270
QUALITY = 82
PLACE = 0.4  # share of a video's length: titles and stops tend to be at its beginning
KEPT = 400


def thumbnail(path: Path) -> bytes:
    """Return a JPEG of at most 480 x 270 pixels; raise `InputError` without a valid image."""
    state = path.stat()
    return _made(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=KEPT)
def _made(path: Path, changed: int, size: int) -> bytes:
    image = _frame(path) if path.suffix.lower() in VIDEOS else read_image(path)
    if image is None:
        raise InputError(f"{path} has no valid image")
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / width, HEIGHT / height)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    bgr = cv2.cvtColor(cv2.resize(image, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _frame(path: Path) -> np.ndarray | None:
    """A frame from inside the video, or its first one if that cannot be read."""
    middle_s = PLACE * (probe(path).duration_s or 0.0)
    for start_s in (middle_s, 0.0):
        try:
            with read_frames(path, start_s=start_s, threads=1) as frames:
                return next(iter(frames)).image
        except (StopIteration, DriveError):
            continue
    return None
