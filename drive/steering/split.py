"""Which frames train and which validate: whole drives apart, or blocks of time with a gap.

Neighbouring frames are nearly alike, so a random split would measure memory, not driving.
Knows drives and times; no pictures, no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drive.errors import InputError
from drive.frames.recording import Recording
from drive.steering.cache import CachedDrive

GAP_S = 5.0
"""Seconds left out between training and validation where both come from one drive."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some frames of one drive: `rows` are positions in `drive`, ascending."""

    drive: CachedDrive
    rows: np.ndarray

    @property
    def angle_deg(self) -> np.ndarray:
        """(N,) float32 degrees, positive right."""
        return self.drive.angle_deg[self.rows]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Split:
    """Frames to learn from and frames that choose the best epoch; they share no moment."""

    training: list[Part]
    validation: list[Part]


def split_drives(drives: Sequence[CachedDrive], validation: str) -> Split:
    """Divide drives into training and validation.

    Args:
        drives: all of them.
        validation: names of drives, or of their folders, with commas between; or a share from 0
            to 1. Of several drives the last ones are taken whole until they make up the share (at
            least one); of a single drive the last part, `GAP_S` after the training part.

    Raises:
        InputError: an unknown name, a share out of range, or nothing left on one side.
    """
    share = _as_share(validation)
    if share is None:
        held_out = _named(drives, validation)
    elif len(drives) == 1:
        return split_by_time(drives[0], share)
    else:
        count = min(len(drives) - 1, max(1, round(share * len(drives))))
        held_out = [drive.name for drive in drives[-count:]]
    training = [_whole(drive) for drive in drives if drive.name not in held_out]
    if not training:
        raise InputError(
            f"--validation {validation} leaves no drive to train on. "
            f"Received {len(drives)} drives: {', '.join(drive.name for drive in drives)}"
        )
    return Split(training, [_whole(drive) for drive in drives if drive.name in held_out])


def split_by_time(drive: CachedDrive, share: float, gap_s: float = GAP_S) -> Split:
    """Divide one drive: the last `share` of its time validates, `gap_s` before it is left out.

    Raises:
        InputError: the drive is too short for that.
    """
    first, last = drive.time_s.min(), drive.time_s.max()
    border = last - share * (last - first)
    training = np.flatnonzero(drive.time_s < border - gap_s)
    validation = np.flatnonzero(drive.time_s >= border)
    if not len(training) or not len(validation):
        raise InputError(
            f"{drive.name} lasts {last - first:.1f} s: too short to validate on {share:g} of it "
            f"with a gap of {gap_s:g} s. Give it more drives, or another --validation"
        )
    return Split([Part(drive, training)], [Part(drive, validation)])


def leave_out(recordings: Sequence[Recording], names: str | None) -> list[Recording]:
    """The recordings without those named, with commas between.

    Raises:
        InputError: a name that no recording has, or nothing is left.
    """
    wanted = [name.strip() for name in names.split(",")] if names else []
    for name in wanted:
        if not any(names_match(recording.name, name) for recording in recordings):
            known = ", ".join(recording.name for recording in recordings)
            raise InputError(f"--exclude: no drive is called {name!r}. Expected some of: {known}")
    kept = [r for r in recordings if not any(names_match(r.name, name) for name in wanted)]
    if not kept:
        raise InputError(f"--exclude {names} leaves no drive to train on")
    return kept


def names_match(drive_name: str, wanted: str) -> bool:
    """Whether `wanted` means this drive: its whole name, its folder or its own part."""
    return wanted in (drive_name, *drive_name.split("/"))


def _as_share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise InputError(
            f"--validation is a share between 0 and 1, or names of drives. Received: {text}"
        )
    return share


def _named(drives: Sequence[CachedDrive], text: str) -> list[str]:
    names: list[str] = []
    for wanted in (part.strip() for part in text.split(",")):
        found = [drive.name for drive in drives if names_match(drive.name, wanted)]
        if not found:
            known = ", ".join(drive.name for drive in drives)
            raise InputError(
                f"--validation: no drive is called {wanted!r}. Expected some of: {known}"
            )
        names += found
    return names


def _whole(drive: CachedDrive) -> Part:
    return Part(drive, np.arange(len(drive)))
