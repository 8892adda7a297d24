"""The plot of a learning-rate search: loss over the rate, with the suggested rate."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from drive.core.errors import InputError
from drive.drawing.charts import (
    SERIES,
    SOFT,
    add_legend,
    finite,
    floats,
    new_figure,
    ring_point,
    save_figure,
    say_empty,
    set_title,
    subsample,
)

HEADROOM = 1.2  # top of the axis / highest smoothed loss; losses of single steps may be above it


def plot_rate_search(
    path: str | Path,
    rate: ArrayLike,
    loss: ArrayLike,
    smoothed: ArrayLike,
    suggested: float | None,
    *,
    loss_axis: str = "loss",
) -> None:
    """Plot loss and smoothed loss over ascending learning rates, and the suggested one, if any."""
    rates, losses, course = floats(rate), floats(loss), floats(smoothed)
    if not rates.size == losses.size == course.size:
        raise InputError(
            "rates and losses must have the same length; "
            f"got {rates.size} rates, {losses.size} losses and {course.size} smoothed losses"
        )
    figure, (axes,) = new_figure(4.6)
    found = (
        "the loss falls by no more than chance"
        if suggested is None
        else (f"{suggested:.2g} suggested")
    )
    set_title(axes, f"Learning-rate search: {found}", x="learning rate", y=loss_axis)
    if not rates.size:
        say_empty(axes, "no step was taken")
        save_figure(figure, path)
        return
    axes.set_xscale("log")
    steps = axes.scatter(rates, losses, s=5, color=SOFT, alpha=0.6, label="each step", linewidths=0)
    axes.plot(*subsample(rates, course), color=SERIES[0], linewidth=2, label="smoothed")
    if suggested is not None:
        at = int(np.argmin(np.abs(np.log(rates) - math.log(suggested))))
        label = f"suggested: {suggested:.2g}, a tenth of the rate with the lowest loss"
        axes.axvline(suggested, color=SOFT, linewidth=0.9, linestyle=":", zorder=0)
        ring_point(axes, suggested, course[at], label, 10)
    top = HEADROOM * float(finite(course).max())
    above = int(np.count_nonzero(losses > top))
    axes.set_ylim(0, top)
    if above:
        steps.set_label(f"each step ({above} above the plot)")
    add_legend(axes, loc="best")
    save_figure(figure, path)
