"""Which frames train, validate and test: whole drives apart, or blocks of time with a gap.

Neighbouring frames are nearly alike, so a random split would measure memory, not driving.
Knows drives and times; no pictures, no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from drive.core.errors import InputError
from drive.core.wording import counted
from drive.recordings.recording import Recording
from drive.steering.cache import CachedDrive

GAP_S = 5.0
"""Seconds left out between the parts where they come from one drive."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some frames of one drive: `rows` are positions in `drive`, ascending."""

    drive: CachedDrive
    rows: np.ndarray

    @property
    def angle_deg(self) -> np.ndarray:
        """(N,) float32 degrees, positive right."""
        result: np.ndarray = self.drive.angle_deg[self.rows]
        return result

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Split:
    """Frames to learn from, frames that choose the best epoch, and frames that do neither.

    They share no moment. `test` is empty unless it was asked for.
    """

    training: list[Part]
    validation: list[Part]
    test: list[Part] = field(default_factory=list)


def split_drives(drives: Sequence[CachedDrive], validation: str, test: str | None = None) -> Split:
    """Divide drives into training, validation and, where asked for, test.

    Args:
        drives: all of them.
        validation: names of drives, or of their folders, with commas between; or a share from 0
            to 1. Of several drives the last ones are taken whole until they make up the share (at
            least one); of a single drive the last part, `GAP_S` after the training part.
        test: the same for the test, taken before the rest is divided; None for no test.

    Raises:
        InputError: an unknown name, a share out of range, or nothing left on one side. A drive
            that is marked as bad from end to end counts as unknown.
    """
    drives = _with_good_frames(drives)
    test_share = None if test is None else _as_share(test, "--test")
    share = _as_share(validation, "--validation")
    if len(drives) == 1 and share is not None and (test is None or test_share is not None):
        return split_by_time(drives[0], share, test_share or 0.0)
    tested = [] if test is None else _chosen(drives, test, test_share, "--test")
    rest = [drive for drive in drives if drive.name not in tested]
    if not rest:
        raise InputError(f"--test {test} leaves no drive to train on. {_received(drives)}")
    if len(rest) == 1 and share is not None:
        split = split_by_time(rest[0], share)
    else:
        if share is None and (taken := _named_twice(tested, validation)):
            raise InputError(
                f"--validation and --test both name {taken}. A drive is for one of them"
            )
        held_out = _chosen(rest, validation, share, "--validation")
        training = [_whole(drive) for drive in rest if drive.name not in held_out]
        if not training:
            raise InputError(
                f"--validation {validation} leaves no drive to train on"
                + (f" beside --test {test}" if tested else "")
                + f". {_received(drives)}"
            )
        split = Split(training, [_whole(drive) for drive in rest if drive.name in held_out])
    return Split(
        split.training,
        split.validation,
        [_whole(drive) for drive in drives if drive.name in tested],
    )


def split_by_time(
    drive: CachedDrive, share: float, test_share: float = 0.0, gap_s: float = GAP_S
) -> Split:
    """Divide one drive in time: training, then validation, then test, `gap_s` between them.

    Frames of marked stretches are in none of them.

    Args:
        drive: to divide.
        share: of its time that validates.
        test_share: of its time, at the end, that tests; 0 for no test.
        gap_s: seconds left out before each of the two.

    Raises:
        InputError: the drive is too short for that.
    """
    good = drive.good
    first, last = drive.time_s[good].min(), drive.time_s[good].max()
    end = last - test_share * (last - first) - (gap_s if test_share else 0.0)
    border = last - (share + test_share) * (last - first)
    training = np.flatnonzero(good & (drive.time_s < border - gap_s))
    validation = np.flatnonzero(good & (drive.time_s >= border) & (drive.time_s <= end))
    test = np.flatnonzero(good & (drive.time_s > end + gap_s) & bool(test_share))
    if not len(training) or not len(validation) or (test_share and not len(test)):
        raise InputError(
            f"{drive.name} lasts {last - first:.1f} s ({counted(int(good.sum()), 'frame')}): too "
            f"short to validate on {share:g} of it"
            + (f" and to test on {test_share:g}" if test_share else "")
            + f" with a gap of {gap_s:g} s"
            + (" and without what is marked as bad" if drive.bad else "")
            + ". Give it more drives, or other shares"
            + (", or a smaller --stride" if _has_strides(drive) else "")
        )
    parts = [Part(drive, test)] if test_share else []
    return Split([Part(drive, training)], [Part(drive, validation)], parts)


def gap_before(part: Part, split: Split) -> int:
    """How many frames of its drive lie between a part and the one before it, marked ones apart."""
    parts = [*split.training, *split.validation, *split.test]
    ends = [
        int(other.rows[-1])
        for other in parts
        if other.drive.name == part.drive.name and other.rows[-1] < part.rows[0]
    ]
    return int(part.drive.good[max(ends) + 1 : part.rows[0]].sum()) if ends else 0


def refuse_doubled(recordings: Sequence[Recording]) -> None:
    """Refuse a recording that is there twice: its frames would teach and validate.

    Raises:
        InputError: two of the same name; names are unique where the files are.
    """
    names = [recording.name for recording in recordings]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{doubled} is given more than once. Name each recording once")


def leave_out_copies(
    recordings: Sequence[Recording],
) -> tuple[list[Recording], list[tuple[Recording, Recording]]]:
    """The recordings without copies of others, whose frames would teach and validate.

    Returns:
        What is kept, and each copy with the recording that it is a copy of.
    """
    first: dict[str, Recording] = {}
    copies = []
    for recording in recordings:
        original = first.setdefault(recording.pictures_key, recording)
        if original is not recording:
            copies.append((recording, original))
    return list(first.values()), copies


def check_held_out(names: Sequence[str], validation: str, test: str | None) -> None:
    """Refuse shares out of range and names that no drive has, before anything is decoded.

    Args:
        names: of all drives.
        validation, test: as `split_drives` takes them.
    """
    for option, text in (("--validation", validation), ("--test", test)):
        if text is not None and _as_share(text, option) is None:
            _named(names, text, option)


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


def _named_twice(tested: Sequence[str], validation: str) -> str:
    """The first drive of the test that is to validate too; empty if there is none."""
    wanted = [part.strip() for part in validation.split(",")]
    return next((name for name in tested if any(names_match(name, w) for w in wanted)), "")


def _received(drives: Sequence[CachedDrive]) -> str:
    return f"Received {counted(len(drives), 'drive')}: {', '.join(drive.name for drive in drives)}"


def _has_strides(drive: CachedDrive) -> bool:
    """Whether no two frames of the drive are neighbours in its recording."""
    return bool((np.diff(drive.frame_index) > 1).all())


def _as_share(text: str, option: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise InputError(
            f"{option} is a share between 0 and 1, or names of drives. Received: {text}"
        )
    return share


def _chosen(
    drives: Sequence[CachedDrive], text: str, share: float | None, option: str
) -> list[str]:
    """Names of the drives that an option asks for, by name or by share."""
    if share is not None:
        count = min(len(drives) - 1, max(1, round(share * len(drives))))
        return [drive.name for drive in drives[-count:]] if count else []
    return _named([drive.name for drive in drives], text, option)


def _named(names: Sequence[str], text: str, option: str) -> list[str]:
    """Those of the names that the parts of `text`, with commas between, mean."""
    chosen: list[str] = []
    for wanted in (part.strip() for part in text.split(",")):
        found = [name for name in names if names_match(name, wanted)]
        if not found:
            known = ", ".join(names)
            raise InputError(f"{option}: no drive is called {wanted!r}. Expected some of: {known}")
        chosen += found
    return chosen


def _with_good_frames(drives: Sequence[CachedDrive]) -> list[CachedDrive]:
    """The drives that have frames outside marked stretches."""
    kept = [drive for drive in drives if drive.good.any()]
    if not kept:
        names = ", ".join(drive.name for drive in drives)
        raise InputError(
            f"Every frame of {names} is marked as bad: nothing is left to train on. Undo marks "
            "([[bad]] in recording.toml), or give it more drives"
        )
    return kept


def _whole(drive: CachedDrive) -> Part:
    """All frames of a drive but those of marked stretches."""
    return Part(drive, np.flatnonzero(drive.good))
