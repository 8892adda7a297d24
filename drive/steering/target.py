"""What the network learns to answer: the recorded angle, or the curvature 1/r that it drives.

The paper's network answers 1/r (arXiv 1604.07316, section 2), which is the same for every car on
the same road, whatever its wheelbase, its steering ratio and its slip.
For `curvature` each drive is restated before training as if a `CurvatureCar` had recorded it, so
that nothing else has to know; a model file says which car turns its answers back into degrees.
Knows cars and drives; no networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from drive.core.errors import InputError
from drive.recordings.vehicle import Car
from drive.steering.curvature import ANGLE, CURVATURE, OF_CAR, UNIT_PER_M, CurvatureCar
from drive.steering.split import Part, Split


def as_curvature(split: Split) -> Split:
    """Restate every drive of a split in the unit of one `CurvatureCar`.

    The car is the one with most training frames; wheelbase and ratio of the others only enter
    their own curvatures.

    Raises:
        InputError: there are no training frames.
    """
    shape = {name: getattr(_most_frequent(split.training), name) for name in OF_CAR}
    return replace(
        split,
        training=[_restated(part, shape) for part in split.training],
        validation=[_restated(part, shape) for part in split.validation],
        test=[_restated(part, shape) for part in split.test],
    )


def describe_target(parts: Sequence[Part]) -> dict[str, str]:
    """What a model file says of the target that these training frames have; empty for the angle."""
    car = parts[0].recording.car
    if not isinstance(car, CurvatureCar):
        return {}
    return {
        "target": CURVATURE,
        "unit": "curvature",
        UNIT_PER_M: repr(car.per_curvature),
        **{name: repr(float(getattr(car, name))) for name in OF_CAR},
    }


def unit_text(parts: Sequence[Part]) -> str:
    """A line on what the angles and losses of a training on curvatures are."""
    car = parts[0].recording.car
    assert isinstance(car, CurvatureCar)
    return (
        f"target: curvature; angles and losses are in degrees of a car with a wheelbase of "
        f"{car.wheelbase_m:g} m and a steering ratio of {car.steering_ratio:g}, "
        f"{1000 / car.per_curvature:.3g}/km each"
    )


def check_start(metadata: Mapping[str, str], parts: Sequence[Part], where: str) -> float:
    """By what the output of a network to go on from is to be multiplied: its unit may differ.

    Raises:
        InputError: it learnt another target.
    """
    wanted = describe_target(parts)
    had, want = metadata.get("target", ANGLE), wanted.get("target", ANGLE)
    if had != want:
        raise InputError(f"{where} learnt the {had}. Received: --target {want}")
    return float(wanted[UNIT_PER_M]) / float(metadata[UNIT_PER_M]) if wanted else 1.0


def _most_frequent(parts: Sequence[Part]) -> Car:
    frames: dict[Car, int] = {}
    for part in parts:
        frames[part.recording.car] = frames.get(part.recording.car, 0) + len(part)
    if not frames:
        raise InputError("Training needs at least one frame with an angle. Received: none")
    return max(frames, key=lambda car: frames[car])


def _restated(part: Part, shape: dict[str, float]) -> Part:
    """A part in the unit of a car of this shape; what else is known of its own car stays."""
    recording = part.recording
    own = {entry.name: getattr(recording.car, entry.name) for entry in fields(Car)}
    unit = CurvatureCar(**{**own, **shape})
    curvature = recording.car.curvature(recording.angle_deg.astype(np.float64), recording.speed_mps)
    angle_deg = np.asarray(unit.angle_deg(curvature), np.float32)
    return replace(part, recording=replace(recording, angle_deg=angle_deg, car=unit))
