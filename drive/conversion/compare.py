"""The difference between the outputs of a written network and those of its original."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drive.core.errors import InputError
from drive.core.types import FloatArray, Image
from drive.runtime.base import Engine

FLOAT_TOLERANCE = 1e-3  # measured differences are a hundred times lower (docs/decisions.md)
INT8_TOLERANCE = 0.15  # against float; measurements: docs/decisions.md
LEAST_SPREAD = 0.1  # minimum, as a share of the largest output and of the usual spread: parked cars
HARDLY_VARIES = 0.25
"""Share of the usual spread below which outputs are too constant to judge rounding by. A network
trained for one epoch had 0.19, and a single frame of thirteen decided."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The result of a comparison; differences are absolute, in the unit of the outputs.

    The share of floats is largest difference / largest output (at least 1). That of int8 is root
    mean square of the differences / standard deviation of the original's outputs (at least
    `LEAST_SPREAD`).
    """

    largest: float
    mean: float
    share: float
    tolerance: float  # the largest accepted `share`
    frames: int  # number of images compared
    rounded: bool  # int8 was compared with float
    spread: float  # standard deviation of the original's outputs
    hardly_varies: bool  # too little on these images to judge rounding

    @property
    def accepted(self) -> bool:
        """Whether the share is within the tolerance; False for NaN."""
        return self.share <= self.tolerance


def compare(
    original: Engine,
    written: Engine,
    batches: Sequence[Image],
    *,
    rounded: bool,
    usual_spread: float = 0.0,
) -> Difference:
    """Run both engines on the same batches of uint8 images, prepared for the network.

    `rounded` says that `written` is int8 and the original float. `usual_spread` is the standard
    deviation that the outputs usually have; 0 if unknown.
    """
    if not batches:
        raise InputError("comparing two networks requires at least one image; got none")
    pairs = [(_outputs(original, batch), _outputs(written, batch)) for batch in batches]
    expected, found = (np.concatenate(side) for side in zip(*pairs, strict=True))
    gaps = np.abs(found - expected)
    largest, mean, most = float(gaps.max()), float(gaps.mean()), float(np.abs(expected).max())
    spread, least = float(expected.std()), LEAST_SPREAD * max(most, usual_spread)
    if rounded:
        share = _ratio(float(np.sqrt(np.mean(gaps**2))), max(spread, least))
    else:
        share = largest / max(1.0, most)
    tolerance = INT8_TOLERANCE if rounded else FLOAT_TOLERANCE
    return Difference(
        largest=largest,
        mean=mean,
        share=share,
        tolerance=tolerance,
        frames=sum(map(len, batches)),
        rounded=rounded,
        spread=spread,
        hardly_varies=spread < max(least, HARDLY_VARIES * usual_spread),
    )


def _outputs(engine: Engine, batch: Image) -> FloatArray:
    """All output values for a batch, (V,) float64, output by output."""
    outputs = engine.predict(batch.astype(engine.input_dtype, copy=False))
    return np.concatenate([output.reshape(-1) for output in outputs]).astype(np.float64)


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return math.inf if part else 0.0
