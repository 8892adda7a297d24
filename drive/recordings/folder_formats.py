"""The formats of recordings that are folders of images."""

from __future__ import annotations

from pathlib import Path

from drive.recordings import donkeycar, udacity
from drive.recordings.image_folder import ImageFolder

EXPECTED = f"{udacity.LOG} with {udacity.IMAGES}/, or {donkeycar.MANIFEST} with {donkeycar.IMAGES}/"


def is_image_folder(path: Path) -> bool:
    """Return whether a folder holds a Udacity log or a donkeycar tub."""
    return udacity.is_udacity_folder(path) or donkeycar.is_tub(path)


def read_image_folder(path: Path) -> ImageFolder:
    """Read the log or the tub in a folder; `InputError` if it is invalid."""
    return udacity.read_log(path) if udacity.is_udacity_folder(path) else donkeycar.read_tub(path)


def side_images(path: Path) -> dict[str, tuple[Path, ...]]:
    """Return the images of the left and right cameras, row by row; empty if there are none."""
    return udacity.side_images(path) if udacity.is_udacity_folder(path) else {}
