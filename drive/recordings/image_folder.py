"""A recording whose frames are single images: what its readers return."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drive.core.errors import InputError
from drive.core.types import FloatArray
from drive.recordings.recording_config import RecordingConfig


@dataclass(frozen=True, slots=True, eq=False)
class ImageFolder:
    """The rows of a folder with one image per angle; all arrays are (N,) float64, in order."""

    log: Path  # the file with the angles
    images: tuple[Path, ...]  # some may not exist
    angle: FloatArray  # as recorded; NaN where unknown
    time_s: FloatArray  # after the first image
    speed: FloatArray | None  # in the unit of `config`; None if not recorded
    config: RecordingConfig  # of such recordings, without `recording.toml`
    notes: tuple[str, ...] = ()  # what was assumed or left out, one line each


def check_images(folder: Path, images: tuple[Path, ...]) -> None:
    """Raise `InputError` if not a single one of the images exists."""
    if not any(image.is_file() for image in images):
        raise InputError(
            f"{folder}: none of the {len(images)} images of the recording exists, the first one is "
            f"{images[0].name}; copy the folder with its images"
        )
