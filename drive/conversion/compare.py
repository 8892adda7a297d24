"""How far a written network's answers lie from those of the network it was written from.

Runs two engines on the same pictures. Knows nothing of what a network is for, nor of file formats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drive.core.errors import InputError
from drive.runtime.base import Engine

FLOAT_TOLERANCE = 1e-3
"""Of float networks: largest difference, as a share of the largest answer. Runtimes add up in
different orders; what was measured lies a hundred times lower (docs/decisions.md)."""

INT8_TOLERANCE = 0.15
"""Of int8 against float: root mean square of the differences, as a share of the standard deviation
of the float network's answers. What was measured is in docs/decisions.md."""

LEAST_SPREAD = 0.1
"""Of the largest answer, and of the answers' usual spread: where they vary less (a parked car, a
network that has hardly learnt), this stands for their standard deviation."""

HARDLY_VARIES = 0.25
"""Of the usual spread: of answers that vary less, the share says little. A network of one epoch had
0.19, and one answer of thirteen frames decided."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a comparison found; differences are absolute, in the unit of the network's outputs.

    Attributes:
        largest: over all values of all outputs.
        mean: over all values of all outputs.
        share: what is held against the tolerance: for float the largest difference divided by the
            largest answer (or by 1 if that is less), for int8 the root mean square of the
            differences divided by the standard deviation of the original's answers, but at
            least by `LEAST_SPREAD` of the largest and of the usual spread.
        tolerance: the largest `share` that is taken.
        frames: pictures compared.
        rounded: int8 was compared with float.
        spread: standard deviation of the original's answers.
        hardly_varies: the answers vary too little on these pictures to measure rounding by.
    """

    largest: float
    mean: float
    share: float
    tolerance: float
    frames: int
    rounded: bool
    spread: float
    hardly_varies: bool

    @property
    def accepted(self) -> bool:
        """Whether the share is within the tolerance; not a number is not."""
        return self.share <= self.tolerance


def compare(
    original: Engine,
    written: Engine,
    batches: Sequence[np.ndarray],
    *,
    rounded: bool,
    usual_spread: float = 0.0,
) -> Difference:
    """Run both engines on the same pictures.

    Args:
        original: the network that was written.
        written: the file, loaded again.
        batches: each (N, H, W, C) uint8, as the network takes them.
        rounded: the written network is int8 and the original float.
        usual_spread: standard deviation that the answers have as a rule; 0 where it is not known.

    Raises:
        InputError: there is no picture.
    """
    if not batches:
        raise InputError("comparing two networks needs at least one picture; received: none")
    pairs = [(_answers(original, batch), _answers(written, batch)) for batch in batches]
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


def _answers(engine: Engine, batch: np.ndarray) -> np.ndarray:
    """Every value that the engine puts out for a batch, (V,) float64, output by output."""
    outputs = engine.predict(batch.astype(engine.input_dtype, copy=False))
    return np.concatenate([output.reshape(-1) for output in outputs]).astype(np.float64)


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return math.inf if part else 0.0
