"""The learning rate of each step: constant, falling on a cosine, or falling and starting again.

Pure functions of the step's number, so that a resumed training continues where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable

SCHEDULES = ("constant", "cosine", "restarts")
"""`cosine`: half a cosine from the full rate to 0 over the whole training. `restarts`: the
same over a cycle of epochs, then again from the full rate, each cycle longer than the one before
(SGDR, arXiv 1608.03983, equation 5 with its lower rate 0 and its T_i as multiples of the last)."""

WARM_UP_SHARE = 0.1  # of the steps at most: short trainings must reach the full rate


def learning_rates(
    schedule: str,
    rate: float,
    steps_per_epoch: int,
    epochs: int,
    *,
    restart_epochs: int,
    restart_factor: float,
    warm_up: int = 0,
) -> Callable[[int], float]:
    """Return the learning rate as a function of the step, counted from 0 over all epochs.

    `rate` is the full rate, `restart_epochs` the length of the first cycle of `restarts`, and
    `restart_factor` (from 1) how many times longer each further one is. Over the first `warm_up`
    steps, at most `WARM_UP_SHARE` of all, the rate rises linearly.
    """
    rise = min(warm_up, WARM_UP_SHARE * steps_per_epoch * epochs)

    def at(step: int) -> float:
        epoch = step / steps_per_epoch
        share = 0.0
        if schedule == "cosine":
            share = min(1.0, epoch / epochs)
        elif schedule == "restarts":
            share = share_of_cycle(epoch, restart_epochs, restart_factor)
        risen = min(1.0, (step + 1) / rise) if rise else 1.0
        return risen * rate * (1 + math.cos(math.pi * share)) / 2

    return at


def share_of_cycle(epoch: float, first: float, factor: float) -> float:
    """Return how far a cycle has come, 0 to below 1; each is `factor` times as long as the last."""
    begins, length = 0.0, float(first)
    while epoch >= begins + length:
        begins, length = begins + length, length * factor
    return (epoch - begins) / length
