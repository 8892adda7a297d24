"""The target of a training: the recorded angle, or the curvature 1/r, the same for every car.

For `curvature` recordings are restated as if a `CurvatureCar` had recorded them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from drive.core.errors import InputError
from drive.recordings.vehicle import Car
from drive.steering.curvature import ANGLE, CURVATURE, OF_CAR, UNIT_PER_M, CurvatureCar
from drive.steering.split import Part, Split


def as_curvature(split: Split) -> Split:
    """Restate every recording of a split in the unit of the car with the most training frames."""
    shape = {name: getattr(_most_frequent(split.training), name) for name in OF_CAR}
    uses = (split.training, split.validation, split.test, split.final)
    return Split(*([_restated(part, shape) for part in parts] for parts in uses))


def describe_target(parts: Sequence[Part]) -> dict[str, str]:
    """Return the entries of a model file about the target; empty for the angle."""
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
    """Return a sentence on the unit of angles and losses in a training on curvatures."""
    car = parts[0].recording.car
    assert isinstance(car, CurvatureCar)
    return (
        f"target: curvature; angles and losses are in degrees of a car with a wheelbase of "
        f"{car.wheelbase_m:g} m and a steering ratio of {car.steering_ratio:g}, "
        f"{1000 / car.per_curvature:.3g}/km each"
    )


def check_start(metadata: Mapping[str, str], parts: Sequence[Part], where: str) -> float:
    """Return the factor that turns the output of a network to start from into the new unit."""
    wanted = describe_target(parts)
    had, want = metadata.get("target", ANGLE), wanted.get("target", ANGLE)
    if had != want:
        raise InputError(f"{where} was trained on the {had}; got --target {want}")
    return float(wanted[UNIT_PER_M]) / float(metadata[UNIT_PER_M]) if wanted else 1.0


def _most_frequent(parts: Sequence[Part]) -> Car:
    frames: Counter[Car] = Counter()
    for part in parts:
        frames[part.recording.car] += len(part)
    if not frames:
        raise InputError("training requires at least one frame with an angle; got none")
    return frames.most_common(1)[0][0]


def _restated(part: Part, shape: dict[str, float]) -> Part:
    recording = part.recording
    own = {entry.name: getattr(recording.car, entry.name) for entry in fields(Car)}
    unit = CurvatureCar(**{**own, **shape})
    curvature = recording.car.curvature(recording.angle_deg.astype(np.float64), recording.speed_mps)
    angle_deg = np.asarray(unit.angle_deg(curvature), np.float32)
    return replace(part, recording=replace(recording, angle_deg=angle_deg, car=unit))
