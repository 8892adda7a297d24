"""What is known of predictions besides their errors: their course, and the training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from drive.core.types import FloatArray
from drive.recordings.keyboard import is_keyboard
from drive.recordings.labels import stretches
from drive.recordings.motion import LagEstimate
from drive.steering.evaluate import STILL_DEG, Predictions
from drive.steering.split import Part

LONGEST_SHIFT_S, SHIFT_STEP_S = 1.5, 0.05

SWING = 0.5
"""Spreads that an angle must pass on either side of its mean to have swung to that side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How predictions follow the recorded angle; see `measure_response`.

    Attributes:
        correlation: of predicted and recorded angle, -1 to 1.
        scale: spread of the recorded angle over that of the predictions.
        bias_deg: mean of prediction minus recorded angle.
        shift_s: seconds after a frame whose recorded angle agrees best with the prediction.
        shifted: the correlation at that shift.
        swings: number of times that the recorded angle swings from one side to the other.
        step_s: usual seconds from frame to frame.
    """

    correlation: float
    scale: float
    bias_deg: float
    shift_s: float
    shifted: float
    swings: int
    step_s: float

    def is_clear(self, correlation: float) -> bool:
        """Whether so large a correlation over so few swings is hardly luck.

        Each swing counts as two independent values; two unrelated angles pass in 1 to 9 % of trials
        (random smooth curves of 25 to 170 s).
        """
        return abs(correlation) > 2 / math.sqrt(2 * (self.swings + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known besides the errors; None where it is not.

    Attributes:
        where: what was predicted: "the validation data".
        seen: whether the model was trained on it.
        unit, positive: of the recorded angles there, as `recording.toml` says.
        response: how the predictions follow them.
        picture: how the angles go with the motion of the images, from `find_lag`.
        keyboard: whether the angles trained on look like those of a keyboard.
        training_seconds, training_frames, training_recordings: how much was trained on.
        training_mean_deg, training_spread_deg, training_swings: its angles.
        epochs: how long was trained; None if the network was solved, not trained by steps.
        learnable: share that a linear model explains of the training data, cross-validated.
        explained_in_training: share that the trained network explains of its training frames.
        explained_before: share that it explained at the end of its training, of other data.
    """

    where: str = ""
    seen: bool = False
    unit: str | None = None
    positive: str | None = None
    response: Response | None = None
    picture: LagEstimate | None = None
    keyboard: bool | None = None
    training_seconds: float | None = None
    training_frames: int | None = None
    training_recordings: int | None = None
    training_mean_deg: float | None = None
    training_spread_deg: float | None = None
    training_swings: int | None = None
    epochs: int | None = None
    learnable: float | None = None
    explained_in_training: float | None = None
    explained_before: float | None = None


def measure_response(recordings: Sequence[Predictions]) -> Response | None:
    """Return how predictions follow the recorded angle; None where one of them is constant."""
    truth = np.concatenate([one.truth_deg for one in recordings]).astype(np.float64)
    angle = np.concatenate([one.angle_deg for one in recordings]).astype(np.float64)
    spreads = float(np.std(truth)), float(np.std(angle))
    if min(spreads) < STILL_DEG:
        return None
    shift_s, shifted = _best_shift(recordings)
    return Response(
        correlation=_correlation(angle, truth),
        scale=spreads[0] / spreads[1],
        bias_deg=float(np.mean(angle - truth)),
        shift_s=shift_s,
        shifted=shifted,
        swings=sum(count_swings(one.truth_deg) for one in recordings),
        step_s=float(np.median(np.concatenate([np.diff(one.time_s) for one in recordings]))),
    )


def count_swings(angle_deg: FloatArray) -> int:
    """Return how often an angle swings from one side of its mean to the other, noise apart."""
    centred = np.asarray(angle_deg, np.float64) - np.mean(angle_deg)
    far = np.abs(centred) > max(STILL_DEG, SWING * float(np.std(centred)))
    return int(np.count_nonzero(np.diff(np.sign(centred[far]))))


def _best_shift(recordings: Sequence[Predictions]) -> tuple[float, float]:
    """Return the shift with the highest correlation, and the correlation; 0 if all are short."""
    inner = [part for one in recordings for part in _inner_parts(one)]
    steps = round(LONGEST_SHIFT_S / SHIFT_STEP_S)
    shifts_s = np.arange(-steps, steps + 1) * SHIFT_STEP_S
    if not inner:
        return 0.0, 0.0
    angle = np.concatenate([angle[within] for _, angle, _, within in inner])
    if np.std(angle) < STILL_DEG:
        return 0.0, 0.0
    found = [
        _correlation(angle, np.concatenate([_shifted(part, shift) for part in inner]))
        for shift in shifts_s
    ]
    best = int(np.argmax(found))
    return round(float(shifts_s[best]), 3), found[best]


_Part = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def _inner_parts(one: Predictions) -> Iterator[_Part]:
    """Yield times, both angles and what lies well within, of each part without a gap."""
    for rows in stretches(one.time_s):
        time_s = one.time_s[rows]
        within = (time_s >= time_s[0] + LONGEST_SHIFT_S) & (time_s <= time_s[-1] - LONGEST_SHIFT_S)
        if within.any():
            yield time_s, one.angle_deg[rows], one.truth_deg[rows], within


def _shifted(part: _Part, shift_s: float) -> FloatArray:
    time_s, _, truth, within = part
    moved: FloatArray = np.interp(time_s[within] + shift_s, time_s, truth)
    return moved


def _correlation(one: FloatArray, other: FloatArray) -> float:
    if min(np.std(one), np.std(other)) < STILL_DEG:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


# What the training knows, and what of it a model file keeps

EXPLAINED = "explained"
KEPT: dict[str, type[int] | type[float]] = {
    "training_seconds": float,
    "training_frames": int,
    "training_swings": int,
    "training_recordings": int,
    "training_spread_deg": float,
    "epochs": int,
    "learnable": float,
    "explained_in_training": float,
}
"""Entries of a model file, fields of `Evidence`, and what they are."""


def training_evidence(
    parts: Sequence[Part],
    explained: float | None = None,
    epochs: int | None = None,
    learnable: float | None = None,
) -> Evidence:
    """Return what is known of a training on these parts; the numbers are those of `Evidence`."""
    angles = np.concatenate([part.angle_deg for part in parts]).astype(np.float64)
    return Evidence(
        keyboard=any(is_keyboard(part.angle_deg, _times_s(part)) for part in parts),
        training_seconds=sum(map(_seconds, parts)),
        training_frames=len(angles),
        training_recordings=len({part.recording.name for part in parts}),
        training_mean_deg=float(np.mean(angles)),
        training_spread_deg=float(np.std(angles)),
        training_swings=sum(count_swings(part.angle_deg) for part in parts),
        epochs=epochs,
        learnable=learnable,
        explained_in_training=explained,
    )


def describe_evidence(known: Evidence, explained: float | None) -> dict[str, str]:
    """Return the entries of a model file: what it was trained on, and what it explained then."""
    values = {name: getattr(known, name) for name in KEPT} | {EXPLAINED: explained}
    return {name: repr(value) for name, value in values.items() if value is not None}


def read_evidence(metadata: Mapping[str, str], mean_deg: float | None) -> Evidence:
    """Return what a model file says of its training; `mean_deg` is the mean angle in degrees.

    Files of version 0.1 have the spread alone, as the scale of the network's output.
    """
    said: dict[str, Any] = {
        name: kind(metadata[name]) for name, kind in KEPT.items() if name in metadata
    }
    if not said and metadata.get("target", "angle") == "angle" and "scale_deg" in metadata:
        said["training_spread_deg"] = float(metadata["scale_deg"])
    if EXPLAINED in metadata:
        said["explained_before"] = float(metadata[EXPLAINED])
    return Evidence(training_mean_deg=mean_deg, **said)


def trained_on(metadata: Mapping[str, str]) -> set[str]:
    """Return the names of the recordings that a model file was trained on."""
    return {name.strip() for name in metadata.get("trained_on", "").split(",")} - {""}


def _times_s(part: Part) -> FloatArray:
    return np.asarray(part.recording.time_s[part.rows], np.float64)


def _seconds(part: Part) -> float:
    """Return how long the frames of a part last together; excluded ranges do not count."""
    steps_s = np.diff(_times_s(part))
    return float(np.median(steps_s)) * len(part) if len(steps_s) else 0.0
