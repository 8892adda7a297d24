"""The plot of a hyper-parameter search: trials, importance of parameters, loss by parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from drive.drawing.charts import (
    DPI,
    INK,
    SERIES,
    SOFT,
    label_logarithm,
    ring_point,
    save_figure,
    say_empty,
    set_title,
    style_axes,
)

WIDTH_IN, TOP_IN, SLICES_IN = 12.0, 4.0, 2.4
COLUMNS = 4
WIDE_RATIO = 10.0  # losses further apart than this have a logarithmic axis
SPREAD = 0.2  # half the width over which trials with the same choice are spread
SLICES_TITLE = "By setting; trials with the same choice are side by side, in order from the left"

MARGIN = 0.05  # margin beside a range, as a share of it
Choice = bool | int | float | str | None  # a value of a parameter
COMPLETE, PRUNED, DIVERGED = "complete", "pruned", "diverged"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial; `loss` is NaN if there is none."""

    number: int
    outcome: str
    loss: float
    values: Mapping[str, Choice]


@dataclass(frozen=True, slots=True)
class Axis:
    """A searched parameter: its choices, or the ends of its range and whether it is logarithmic."""

    name: str
    choices: tuple[Choice, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False


def plot_search(
    path: str | Path,
    trials: Sequence[Trial],
    parameters: Sequence[Axis],
    importance: Mapping[str, float] | str,
    *,
    loss_axis: str,
) -> None:
    """Plot the trials, importance as shares by parameter (or why it is unknown), and slices."""
    columns = min(COLUMNS, len(parameters))
    rows = -(-len(parameters) // columns)
    height_in = TOP_IN + rows * SLICES_IN
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
    ratios = [TOP_IN, rows * SLICES_IN]
    (top,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=ratios)
    way, shares = top.subplots(1, 2, width_ratios=[3, 1])
    for axes in (way, shares):
        style_axes(axes)
    _draw_way(way, trials, loss_axis)
    _draw_importance(shares, importance)
    below.suptitle(SLICES_TITLE, x=0.01, ha="left", fontsize=10, color=INK)
    last = max((trial.number for trial in trials), default=0)
    for place, parameter in enumerate(parameters):
        axes = below.add_subplot(rows, columns, place + 1, sharey=way)
        style_axes(axes)
        _draw_slice(axes, trials, parameter, last)
        axes.set_ylabel(loss_axis.split(" [")[0] if place % columns == 0 else "", fontsize=9)
        axes.tick_params(labelleft=place % columns == 0)
    save_figure(figure, path)


def _draw_way(axes: Axes, trials: Sequence[Trial], loss_axis: str) -> None:
    set_title(axes, "Trials of the search", x="trial", y=loss_axis)
    if not any(np.isfinite(trial.loss) for trial in trials):
        say_empty(axes, "no trial has finished yet")
        return
    _draw_trials(axes, trials, [float(trial.number) for trial in trials])
    complete = [trial for trial in trials if trial.outcome == COMPLETE]
    if complete:
        numbers = [trial.number for trial in complete]
        least = np.minimum.accumulate([trial.loss for trial in complete])
        numbers, least = [*numbers, trials[-1].number], np.append(least, least[-1])
        axes.step(numbers, least, where="post", color=SERIES[1], label="best so far")
    first = trials[0]
    if np.isfinite(first.loss):
        label = f"default settings: {first.loss:.4g}"
        axes.axhline(first.loss, color=SOFT, linewidth=1, linestyle=":", label=label, zorder=1)
    losses = [trial.loss for trial in trials if np.isfinite(trial.loss)]
    if min(losses) > 0 and max(losses) > WIDE_RATIO * min(losses):
        axes.set_yscale("log")
        label_logarithm(axes.yaxis, min(losses), max(losses))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    look = {"fontsize": 9, "frameon": False, "columnspacing": 1.2, "handletextpad": 0.4}
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1.01), ncols=3, **look)


def _draw_trials(axes: Axes, trials: Sequence[Trial], places: Sequence[float]) -> None:
    placed = list(zip(places, trials, strict=True))
    for outcome, marker, colour in ((PRUNED, "s", SOFT), (COMPLETE, "o", SERIES[0])):
        of_outcome = [(p, t.loss) for p, t in placed if t.outcome == outcome]
        drawn = [(place, loss) for place, loss in of_outcome if np.isfinite(loss)]
        if drawn:
            label = f"{outcome} ({len(drawn)})"
            (dots,) = axes.plot(*zip(*drawn, strict=True), marker, color=colour, markersize=5)
            dots.set(label=label, fillstyle="none" if outcome == PRUNED else "full")
    lost = [place for place, trial in placed if trial.outcome == DIVERGED]
    if lost:
        label, edge = f"{DIVERGED} ({len(lost)})", axes.get_xaxis_transform()
        heights = [1.0] * len(lost)
        axes.plot(lost, heights, "x", color=SERIES[4], label=label, transform=edge, clip_on=False)
    complete = [(trial.loss, place) for place, trial in placed if trial.outcome == COMPLETE]
    if complete:
        loss, place = min(complete)
        ring_point(axes, place, loss, f"best: {loss:.4g}", 12)


def _draw_importance(axes: Axes, importance: Mapping[str, float] | str) -> None:
    set_title(axes, "Importance")
    if isinstance(importance, str) or not importance:
        say_empty(axes, importance if isinstance(importance, str) else "nothing was searched")
        return
    ordered = sorted(importance.items(), key=lambda item: item[1])
    percent = [100 * share for _, share in ordered]
    axes.barh([_spoken(name) for name, _ in ordered], percent, color=SERIES[0], height=0.6)
    axes.set_xlabel("share [%]")
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, max(*percent, 1) * 1.18)
    for row, value in enumerate(percent):
        axes.text(value, row, f" {value:.0f}", va="center", fontsize=9, color=INK)


def _draw_slice(axes: Axes, trials: Sequence[Trial], parameter: Axis, last: int) -> None:
    """Draw the losses over one parameter; `last` is the highest trial number."""
    axes.set_xlabel(_spoken(parameter.name))
    if parameter.choices:
        places = [
            parameter.choices.index(trial.values[parameter.name])
            + SPREAD * (2 * trial.number / max(1, last) - 1)
            for trial in trials
        ]
        axes.set_xticks(range(len(parameter.choices)), list(map(_written, parameter.choices)))
        axes.set_xlim(-0.5, len(parameter.choices) - 0.5)
        axes.grid(visible=False, axis="x")
    else:
        places = [float(trial.values[parameter.name] or 0) for trial in trials]
        low, high = parameter.low, parameter.high
        if parameter.log:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            edge = (high / low) ** MARGIN
            axes.set_xlim(low / edge, high * edge)
        else:
            axes.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))
    _draw_trials(axes, trials, places)


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _written(value: Choice) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
