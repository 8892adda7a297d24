"""The learning-rate range test: which learning rate suits a network and its data.

After Smith, "Cyclical Learning Rates for Training Neural Networks" (arXiv 1506.01186, section 3.3):
the rate grows from step to step until the loss no longer falls but climbs. Here it grows by a
constant factor, so that every decade gets the same number of steps. Nothing that is trained here
is kept. Knows batches and Keras; draws nothing.
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
from drive.steering.dataset import Batch, TrainingBatches

RATES = {"adam": (1e-6, 1.0), "adadelta": (1e-4, 1e2)}
"""The lowest and the highest rate tried, by optimiser; Adadelta's published rate is 1."""

FEWEST_STEPS = 300
"""A decade of the rate needs some steps to show its effect; short epochs are repeated so long."""

DIVERGED = 4.0
"""The search ends where the running loss is this many times its least (as fast.ai's finder)."""

RUNNING_SHARE = 0.1
"""Weight of the newest loss in the running one that decides when to end."""

FIRST_LOSSES = 10
"""Steps before the running loss counts: one easy batch must not pass for the least loss."""

SMOOTHED_DECADES = 0.4
"""Standard deviation, in decades of the rate, of the window that smooths the loss."""

FALL_OVER_NOISE = 5.0
"""Nothing is suggested where the smoothed loss falls by less than this many times its own standard
error: batches differ, and of the dozen independent stretches of a level curve the highest and the
lowest lie three apart."""

BELOW_LEAST = 10.0
"""The suggested rate lies this many times below the one with the least loss (fast.ai's `minimum`).
Where the loss falls most steeply says less: it falls at once, at the very lowest rates, while the
network forgets the bias that it was born with (docs/decisions/steering.md)."""

COLUMNS = ("step", "learning_rate", "loss", "smoothed_loss")


@dataclass(frozen=True, slots=True, eq=False)
class RateSearch:
    """What a range test found.

    Attributes:
        rate: (N,) learning rate of each step, ascending.
        loss: (N,) loss of each step's batch, before that step.
        smoothed: (N,) the same, averaged over neighbouring rates, what has exploded cut off.
        suggested: the rate to train with; None: the smoothed loss does not fall, or by no more
            than chance.
        diverged: whether the search ended because the loss climbed.
    """

    rate: np.ndarray
    loss: np.ndarray
    smoothed: np.ndarray
    suggested: float | None
    diverged: bool


def find_rate(
    model: keras.Model,
    batches: TrainingBatches,
    low: float,
    high: float,
    *,
    epochs: int = 1,
    progress: Progress = no_progress,
) -> RateSearch:
    """Train the model at growing rates until its loss climbs.

    Args:
        model: compiled; its weights are worthless afterwards.
        batches: to learn from.
        low: the first rate.
        high: the rate of the last step, unless the loss climbs before.
        epochs: over which the rate grows; more where that is below `FEWEST_STEPS` steps.
        progress: shows the steps.

    Raises:
        InputError: rates out of order, or the loss is no number at the very first step.
    """
    if not 0 < low < high < math.inf:
        raise InputError(f"rates grow from above 0. Received: from {low} to {high}")
    wanted = max(FEWEST_STEPS, epochs * len(batches))
    rates = np.geomspace(low, high, wanted)
    losses: list[float] = []
    running, weight, least, diverged = 0.0, 0.0, math.inf, False
    steps = zip(rates, _endless(batches), strict=False)
    for rate, batch in progress(steps, wanted, "learning-rate search"):
        model.optimizer.learning_rate = float(rate)
        loss = float(model.train_on_batch(batch.images, batch.angle_deg[:, None]))
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
        raise InputError(f"The loss is no number before any learning. Look at the angles: {low}")
    return judge(rates[: len(losses)], losses, diverged)


def judge(rate: Sequence[float] | np.ndarray, loss: Sequence[float], diverged: bool) -> RateSearch:
    """Smooth the losses and suggest a rate.

    The rule: a tenth (`BELOW_LEAST`) of the rate with the least smoothed loss; none where the loss
    falls to it by no more than chance.

    Args:
        rate: (N,) ascending by a constant factor.
        loss: (N,) finite.
        diverged: as in `RateSearch`.
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
    """Of a smoothed loss, from what is left of the losses up to the least one."""
    steps_per_decade = (len(decades) - 1) / (decades[-1] - decades[0])
    window = 2 * math.sqrt(math.pi) * SMOOTHED_DECADES * steps_per_decade  # steps that count alike
    return float(np.std(rest[: until + 1])) / math.sqrt(max(1.0, window))


def smooth(decades: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """(N,) the loss averaged over neighbours, weighted by a Gaussian over decades of the rate.

    Both sides weigh alike, so that the curve does not trail the rate as a running mean does.
    """
    away = (decades[:, None] - decades[None, :]) / SMOOTHED_DECADES
    weights = np.exp(-0.5 * away**2)
    return (weights @ loss) / weights.sum(axis=1)


def write_search(path: Path, search: RateSearch) -> None:
    """Write the search as CSV, a row a step, whole or not at all."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        columns = (search.rate, search.loss, search.smoothed)
        for step, row in enumerate(zip(*columns, strict=True), 1):
            rows.writerow([step, *(f"{value:.6g}" for value in row)])


def _endless(batches: TrainingBatches) -> Iterator[Batch]:
    for epoch in count():
        yield from batches.epoch(epoch)
