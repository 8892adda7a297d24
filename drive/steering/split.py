"""Which frames train, validate and test: separate recordings, or parts in time with a gap.

Neighbouring frames are almost equal: a random split would measure memory, not driving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from drive.core.errors import InputError
from drive.core.wording import counted
from drive.recordings.recording import Recording
from drive.steering.cache import CachedRecording

GAP_S = 5.0
"""Seconds left out between parts of one recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some frames of one recording: `rows` are ascending positions in it."""

    recording: CachedRecording
    rows: np.ndarray

    @property
    def angle_deg(self) -> np.ndarray:
        """(N,) float32 degrees, positive right."""
        return np.asarray(self.recording.angle_deg[self.rows])

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Split:
    """Frames to train on, to select the best epoch, and held out if asked for; none is in two.

    `final` is for the training that comes last: all frames that are not held out for the test.
    """

    training: list[Part]
    validation: list[Part]
    test: list[Part] = field(default_factory=list)
    final: list[Part] = field(default_factory=list)


def with_final(split: Split) -> Split:
    """Return the split with its final training: training, validation and the gaps between them."""
    rows: dict[str, list[Part]] = {}
    for part in (*split.training, *split.validation):
        rows.setdefault(part.recording.name, []).append(part)
    return replace(split, final=[_spanned(parts) for parts in rows.values()])


def _spanned(parts: Sequence[Part]) -> Part:
    """Return one part of a recording from the first to the last frame of several."""
    recording = parts[0].recording
    first = min(int(part.rows[0]) for part in parts)
    last = max(int(part.rows[-1]) for part in parts)
    return Part(recording, first + np.flatnonzero(recording.good[first : last + 1]))


def split_recordings(
    recordings: Sequence[CachedRecording], validation: str, test: str | None = None
) -> Split:
    """Divide recordings into training, validation and, if asked for, test.

    `validation` and `test` are names of recordings or folders, or a share: the last recordings, at
    least one; of a single one the last part, after a gap. The test is taken first. A recording that
    is excluded from end to end counts as unknown.
    """
    recordings = _with_good_frames(recordings)
    test_share = None if test is None else _as_share(test, "--test")
    share = _as_share(validation, "--validation")
    if len(recordings) == 1 and share is not None and (test is None or test_share is not None):
        return split_by_time(recordings[0], share, test_share or 0.0)
    tested = [] if test is None else _chosen(recordings, test, test_share, "--test")
    rest = [one for one in recordings if one.name not in tested]
    if not rest:
        raise InputError(f"--test {test} leaves no recording to train on; {_given(recordings)}")
    if len(rest) == 1 and share is not None:
        split = split_by_time(rest[0], share)
    else:
        if share is None and (taken := _named_twice(tested, validation)):
            raise InputError(
                f"--validation and --test both name {taken}. A recording is for one of them"
            )
        held_out = _chosen(rest, validation, share, "--validation")
        training = [_whole(one) for one in rest if one.name not in held_out]
        if not training:
            raise InputError(
                f"--validation {validation} leaves no recording to train on"
                + (f" beside --test {test}" if tested else "")
                + f"; {_given(recordings)}"
            )
        split = Split(training, [_whole(one) for one in rest if one.name in held_out])
    test_parts = [_whole(one) for one in recordings if one.name in tested]
    return Split(split.training, split.validation, test_parts)


def split_by_time(
    recording: CachedRecording, share: float, test_share: float = 0.0, gap_s: float = GAP_S
) -> Split:
    """Divide the frames of one recording that are not excluded in time, with gaps between."""
    good, time_s = recording.good, recording.time_s
    first, last = time_s[good].min(), time_s[good].max()
    end = last - test_share * (last - first) - (gap_s if test_share else 0.0)
    border = last - (share + test_share) * (last - first)
    training = np.flatnonzero(good & (time_s < border - gap_s))
    validation = np.flatnonzero(good & (time_s >= border) & (time_s <= end))
    test = np.flatnonzero(good & (time_s > end + gap_s) & bool(test_share))
    if not len(training) or not len(validation) or (test_share and not len(test)):
        raise InputError(
            f"{recording.name} lasts {last - first:.1f} s ({counted(int(good.sum()), 'frame')}): "
            f"too short to validate on {share:g} of it"
            + (f" and to test on {test_share:g}" if test_share else "")
            + f" with a gap of {gap_s:g} s"
            + (" and without excluded ranges" if recording.bad else "")
            + ". Add recordings, or choose other shares"
            + (", or a smaller --stride" if (np.diff(recording.frame_index) > 1).all() else "")
        )
    parts = [Part(recording, test)] if test_share else []
    return Split([Part(recording, training)], [Part(recording, validation)], parts)


def gap_before(part: Part, split: Split) -> int:
    """Return the number of frames between a part and the one before it; excluded ones apart."""
    ends = [
        int(other.rows[-1])
        for other in (*split.training, *split.validation, *split.test)
        if other.recording.name == part.recording.name and other.rows[-1] < part.rows[0]
    ]
    return int(part.recording.good[max(ends) + 1 : part.rows[0]].sum()) if ends else 0


def refuse_doubled(recordings: Sequence[Recording]) -> None:
    """Refuse a recording that is given twice: its frames would train and validate."""
    names = [recording.name for recording in recordings]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{doubled} is given more than once. Name each recording once")


def leave_out_copies(
    recordings: Sequence[Recording],
) -> tuple[list[Recording], list[tuple[Recording, Recording]]]:
    """Return the recordings without copies, and each copy with its original."""
    first: dict[str, Recording] = {}
    copies = []
    for recording in recordings:
        original = first.setdefault(recording.images_key, recording)
        if original is not recording:
            copies.append((recording, original))
    return list(first.values()), copies


def check_held_out(names: Sequence[str], validation: str, test: str | None) -> None:
    """Refuse shares out of range and unknown names, before anything is decoded."""
    for option, text in (("--validation", validation), ("--test", test)):
        if text is not None and _as_share(text, option) is None:
            _named(names, text, option)


def leave_out(recordings: Sequence[Recording], names: str | None) -> list[Recording]:
    """Return the recordings without those named, with commas between."""
    wanted = [name.strip() for name in names.split(",")] if names else []
    known = [recording.name for recording in recordings]
    for name in wanted:
        _named(known, name, "--exclude")
    kept = [r for r in recordings if not any(names_match(r.name, name) for name in wanted)]
    if not kept:
        raise InputError(f"--exclude {names} leaves no recording to train on")
    return kept


def names_match(name: str, wanted: str) -> bool:
    """Return whether `wanted` means a recording: its whole name, its folder or its own part."""
    return wanted in (name, *name.split("/"))


def _named_twice(tested: Sequence[str], validation: str) -> str:
    """Return the first recording of the test that is to validate too; empty if none."""
    wanted = [part.strip() for part in validation.split(",")]
    return next((name for name in tested if any(names_match(name, w) for w in wanted)), "")


def _given(recordings: Sequence[CachedRecording]) -> str:
    names = ", ".join(recording.name for recording in recordings)
    return f"got {counted(len(recordings), 'recording')}: {names}"


def _as_share(text: str, option: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise InputError(
            f"{option} must be a share between 0 and 1, or names of recordings; got {text}"
        )
    return share


def _chosen(
    recordings: Sequence[CachedRecording], text: str, share: float | None, option: str
) -> list[str]:
    """Return the names of the recordings that an option asks for, by name or by share."""
    if share is not None:
        count = min(len(recordings) - 1, max(1, round(share * len(recordings))))
        return [recording.name for recording in recordings[-count:]] if count else []
    return _named([recording.name for recording in recordings], text, option)


def _named(names: Sequence[str], text: str, option: str) -> list[str]:
    """Return those of the names that the parts of `text`, with commas between, mean."""
    chosen: list[str] = []
    for wanted in (part.strip() for part in text.split(",")):
        found = [name for name in names if names_match(name, wanted)]
        if not found:
            raise InputError(
                f"{option}: there is no recording {wanted!r}; expected some of {', '.join(names)}"
            )
        chosen += found
    return chosen


def _with_good_frames(recordings: Sequence[CachedRecording]) -> list[CachedRecording]:
    kept = [recording for recording in recordings if recording.good.any()]
    if not kept:
        names = ", ".join(recording.name for recording in recordings)
        raise InputError(
            f"all frames of {names} are in excluded ranges: nothing is left to train on. Remove "
            "ranges ([[bad]] in recording.toml), or add recordings"
        )
    return kept


def _whole(recording: CachedRecording) -> Part:
    return Part(recording, np.flatnonzero(recording.good))
