"""The learning-rate range test: which learning rate suits a network and its data.

After Smith (arXiv 1506.01186, section 3.3), but the rate grows by a constant factor per step.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import keras
import numpy as np

from drive.core.errors import InputError
from drive.core.files import atomic
from drive.core.progress import Progress, no_progress
from drive.training.batches import Batch, Batches

RATES = {"adam": (1e-6, 1.0), "adadelta": (1e-4, 1e2)}  # lowest and highest to try
FEWEST_STEPS = 300  # short epochs are repeated: each decade of the rate needs some steps
DIVERGED = 4.0  # the search ends at this many times the lowest running loss, as in fast.ai
RUNNING_SHARE = 0.1  # weight of the newest loss in the running loss
FIRST_LOSSES = 10  # steps before it counts: one easy batch must not pass for the lowest loss
SMOOTHED_DECADES = 0.4  # standard deviation of the window that smooths the loss
FALL_OVER_NOISE = 5.0
"""No rate is suggested if the smoothed loss falls by less than this many of its standard errors:
batches differ, and the highest and lowest of a dozen independent stretches of a level curve lie
three apart."""

BELOW_LEAST = 10.0
"""The suggested rate is this many times below the one with the lowest loss (fast.ai's `minimum`).
The steepest fall says less: it comes at the very lowest rates, while the network unlearns its
initial bias (docs/decisions/steering.md)."""

COLUMNS = ("step", "learning_rate", "loss", "smoothed_loss")


@dataclass(frozen=True, slots=True, eq=False)
class RateSearch:
    """The result of a range test.

    Attributes:
        rate: (N,) learning rate of each step, ascending.
        loss: (N,) loss of each step's batch, before that step.
        smoothed: (N,) the same, averaged over neighbouring rates, very high losses cut off.
        suggested: the rate to train with; None if the smoothed loss falls by no more than chance.
        diverged: whether the search ended because the loss climbed.
    """

    rate: np.ndarray
    loss: np.ndarray
    smoothed: np.ndarray
    suggested: float | None
    diverged: bool


def find_rate(
    model: keras.Model,
    batches: Batches,
    low: float,
    high: float,
    *,
    epochs: int = 1,
    progress: Progress = no_progress,
) -> RateSearch:
    """Train a compiled model at growing rates until its loss climbs; its weights are useless then.

    The rate grows from `low` to `high` over `epochs`, or `FEWEST_STEPS` steps if they have fewer.

    Raises:
        InputError: the rates are out of order, or the loss is not finite at the first step.
    """
    if not 0 < low < high < math.inf:
        raise InputError(f"learning rates must be above 0 and ascend; got {low} to {high}")
    wanted = max(FEWEST_STEPS, epochs * len(batches))
    rates = np.geomspace(low, high, wanted)
    losses: list[float] = []
    running, weight, least, diverged = 0.0, 0.0, math.inf, False
    steps = zip(rates, _endless(batches), strict=False)
    for rate, batch in progress(steps, wanted, "learning-rate search"):
        model.optimizer.learning_rate = float(rate)
        loss = float(model.train_on_batch(batch.images, batch.targets))
        if not math.isfinite(loss):
            diverged = True
            break
        losses.append(loss)
        running += RUNNING_SHARE * (loss - running)
        weight += RUNNING_SHARE * (1 - weight)
        if len(losses) >= FIRST_LOSSES:
            least = min(least, running / weight)
        if running / weight > DIVERGED * least:
            diverged = True
            break
    if not losses:
        raise InputError(
            "the loss is not finite at the first step; look at the data with check-data"
        )
    return judge(rates[: len(losses)], losses, diverged)


def judge(rate: Sequence[float] | np.ndarray, loss: Sequence[float], diverged: bool) -> RateSearch:
    """Smooth the losses and suggest a tenth (`BELOW_LEAST`) of the rate with the lowest one.

    `rate` ascends by a constant factor. None is suggested if the loss falls by no more than chance.
    """
    rates, losses = np.asarray(rate, np.float64), np.asarray(loss, np.float64)
    decades = np.log10(rates)
    kept = np.minimum(losses, DIVERGED * np.median(losses))
    smoothed = smooth(decades, kept)
    least = int(np.argmin(smoothed))
    fall = float(smoothed[: least + 1].max() - smoothed[least])
    suggested = None
    if least > 0 and fall > FALL_OVER_NOISE * _standard_error(decades, kept - smoothed, least):
        suggested = float(rates[least]) / BELOW_LEAST
    return RateSearch(rates, losses, smoothed, suggested, diverged)


def _standard_error(decades: np.ndarray, rest: np.ndarray, until: int) -> float:
    """Return that of a smoothed loss, from the residuals up to the lowest one."""
    steps_per_decade = (len(decades) - 1) / (decades[-1] - decades[0])
    window = 2 * math.sqrt(math.pi) * SMOOTHED_DECADES * steps_per_decade  # in steps
    return float(np.std(rest[: until + 1])) / math.sqrt(max(1.0, window))


def smooth(decades: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return (N,) losses averaged over neighbours on both sides; a running mean would lag."""
    away = (decades[:, None] - decades[None, :]) / SMOOTHED_DECADES
    weights = np.exp(-0.5 * away**2)
    result: np.ndarray = (weights @ loss) / weights.sum(axis=1)
    return result


def write_search(path: Path, search: RateSearch) -> None:
    """Write the search as CSV, one row per step."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        columns = (search.rate, search.loss, search.smoothed)
        for step, row in enumerate(zip(*columns, strict=True), 1):
            rows.writerow([step, *(f"{value:.6g}" for value in row)])


def _endless(batches: Batches) -> Iterator[Batch]:
    for epoch in count():
        yield from batches.epoch(epoch)
