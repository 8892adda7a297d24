"""The plots of a run, as PNG files.

They use matplotlib's objects on Agg: no window, no global state, safe in threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from drive.core.errors import InputError
from drive.core.types import FloatArray
from drive.core.wording import noun
from drive.drawing.charts import (
    DASHES,
    GRID,
    INK,
    MODEL,
    RECORDED,
    SERIES,
    SMOOTHED,
    SOFT,
    add_legend,
    finite,
    floats,
    new_figure,
    ring_point,
    save_figure,
    say_empty,
    series_colour,
    set_title,
    subsample,
    use_log_scale,
)
from drive.recordings.labels import wide_steps
from drive.results.history import EpochResult

ANGLE_AXIS = "steering angle [degrees, right is positive]"
DECADE = 10.0
LEVEL_DASHES = ("-.", ":")
SAME_LEVEL = 0.02
"""Lines nearer than this share of their height cannot be told apart."""

LONE_MARKER, RING = 7, 7
"""Marker size of a single epoch, and how much wider the ring around the best one is."""

BAND_ALPHA = 0.3
BINS = 51  # odd, so that one bin is centred on straight ahead
TAIL_PERCENT = 0.1
SMALLEST_REACH_DEG = 1.0

PEAK_RATIO = 20.0
"""A bin this many times as high as the usual one hides the others on a linear axis."""

F1_LINES = (0.2, 0.4, 0.6, 0.8)


def plot_loss(
    history: Sequence[EpochResult],
    path: str | Path,
    *,
    loss_axis: str = "loss",
    training_name: str = "training",
    levels: Mapping[str, float] | None = None,
) -> None:
    """Plot training and validation loss over the epochs, with the best epoch marked.

    `levels` are losses to compare with, by what reaches them on the validation data: "always
    straight ahead". Each is a horizontal line.
    """
    epoch, loss, validation, rate = (
        floats([getattr(row, name) for row in history])
        for name in ("epoch", "loss", "val_loss", "learning_rate")
    )
    known_rates = rate[np.isfinite(rate)]
    varies = known_rates.size > 0 and known_rates.min() < known_rates.max()
    figure, panels = new_figure(4.6, heights=(4, 1) if varies else (1,))
    axes = panels[0]
    set_title(axes, "Loss per epoch", y=loss_axis)
    if not np.isfinite(loss).any():
        say_empty(axes, "no epoch is finished yet")
    else:
        _draw_losses(axes, epoch, loss, validation, training_name, levels or {})
    if varies:
        _draw_rate(panels[1], epoch, rate)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    save_figure(figure, path)


def plot_steering_distribution(path: str | Path, series: Mapping[str, ArrayLike]) -> None:
    """Plot the distribution of angles in degrees, one line per series; NaN is left out."""
    figure, (axes,) = new_figure(4.2)
    set_title(axes, "Distribution of steering angles", x=ANGLE_AXIS, y="share of frames [%]")
    known = {name: finite(values) for name, values in series.items()}
    known = {name: values for name, values in known.items() if values.size}
    if not known:
        say_empty(axes, "no angles")
        save_figure(figure, path)
        return
    edges = _bin_edges(np.concatenate(list(known.values())))
    highest, usual = 0.0, math.inf
    for number, (name, values) in enumerate(known.items()):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
        share = 100 * counts / values.size
        colour = series_colour(name, number)
        frames = f"{values.size:,} {noun(values.size, 'frame')}"
        label = f"{name} ({frames}, spread {values.std():.2f}\N{DEGREE SIGN})"
        dash = DASHES[number % len(DASHES)]
        axes.stairs(share, edges, color=colour, linewidth=1.8, linestyle=dash, label=label)
        if number == 0:
            axes.stairs(share, edges, color=colour, fill=True, alpha=0.16)
        highest, usual = max(highest, share.max()), min(usual, float(np.median(share[share > 0])))
    if highest > PEAK_RATIO * usual:
        use_log_scale(axes)
    axes.set_ylabel(f"share of frames [% per {edges[1] - edges[0]:.2g}\N{DEGREE SIGN}]")
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0)
    add_legend(axes)
    save_figure(figure, path)


def plot_steering_over_time(
    path: str | Path,
    time_s: ArrayLike,
    angle_deg: ArrayLike,
    truth_deg: ArrayLike | None = None,
    smoothed_deg: ArrayLike | None = None,
    spread_deg: ArrayLike | None = None,
) -> None:
    """Plot predicted and recorded angles over time, with the error below.

    Args:
        time_s: (N,) seconds, ascending; pauses and excluded ranges are gaps.
        angle_deg: (N,) predicted degrees, positive right; NaN leaves a gap.
        truth_deg: (N,) recorded degrees, or None.
        smoothed_deg: (N,) predicted degrees after a filter over time, or None; a line of its own.
        spread_deg: (N,) spread of the members of an ensemble, drawn as a band; or None.
    """
    time, angle = floats(time_s), floats(angle_deg)
    truth, smoothed, spread = (
        np.full_like(angle, np.nan) if values is None else floats(values)
        for values in (truth_deg, smoothed_deg, spread_deg)
    )
    if not time.size == angle.size == truth.size == smoothed.size == spread.size:
        raise InputError(
            "times and angles must have the same length; "
            f"got {time.size} times, {angle.size} angles, {truth.size} recorded, "
            f"{smoothed.size} smoothed, {spread.size} spreads"
        )
    time, angle, truth, smoothed, spread = _broken(time, angle, truth, smoothed, spread)
    error = angle - truth
    compared = bool(np.isfinite(error).any())
    figure, panels = new_figure(5.6 if compared else 4.0, heights=(5, 2) if compared else (1,))
    axes = panels[0]
    axes.set_ylabel("steering angle [degrees]\nleft  \N{LEFTWARDS ARROW}  0  \N{RIGHTWARDS ARROW}"
                    "  right")  # fmt: skip
    panels[-1].set_xlabel("time [s]")
    set_title(axes, _over_time_title(error) if compared else "Steering angle over time")
    axes.axhline(0, color=SOFT, linewidth=0.8, zorder=0)
    if not (np.isfinite(angle).any() or np.isfinite(truth).any()):
        say_empty(axes, "no angles")
    else:
        if np.isfinite(truth).any():
            axes.plot(*subsample(time, truth), color=RECORDED, linewidth=2.2, label="recorded")
        if np.isfinite(spread).any():
            band = axes.fill_between(time, angle - spread, angle + spread, color=MODEL)
            band.set(alpha=BAND_ALPHA, linewidth=0, label="spread of the ensemble")
        axes.plot(*subsample(time, angle), color=MODEL, linewidth=1.3, label="model")
        if np.isfinite(smoothed).any():
            x, y = subsample(time, smoothed)
            axes.plot(x, y, "--", color=SMOOTHED, linewidth=1.2, label="smoothed")
        add_legend(axes)
    if compared:
        _draw_error(panels[1], time, error)
    save_figure(figure, path)


def plot_precision_recall(
    path: str | Path, curves: Mapping[str, tuple[ArrayLike, ArrayLike, float]]
) -> None:
    """Plot (recall, precision, average precision) by name, with lines of equal F1."""
    figure, (axes,) = new_figure(5.6, width_in=6.4)
    recall_axis = "recall [share of the labelled objects that are detected]"
    precision_axis = "precision [share of the detections that are correct]"
    set_title(axes, "Precision and recall", x=recall_axis, y=precision_axis)
    axes.set(xlim=(0, 1.005), ylim=(0, 1.03))
    for f1 in F1_LINES:
        along = np.linspace(f1 / (2 - f1), 1, 60)
        axes.plot(along, f1 * along / (2 * along - f1), color=GRID, linewidth=1, zorder=0)
        axes.text(0.995, f1 / (2 - f1) + 0.01, f"F1 {f1:g}", color=SOFT, fontsize=8, ha="right")
    drawn = 0
    for name, (recall_values, precision_values, average) in curves.items():
        recall, precision = floats(recall_values), floats(precision_values)
        if recall.size:
            label = f"{name} (AP {average:.2f})"
            colour, dash = SERIES[drawn % len(SERIES)], DASHES[drawn % len(DASHES)]
            axes.plot(*subsample(recall, precision), color=colour, linestyle=dash, label=label)
            drawn += 1
    if drawn:
        add_legend(axes, loc="lower left")
    else:
        say_empty(axes, "no boxes to compare")
    save_figure(figure, path)


def _draw_losses(
    axes: Axes,
    epoch: FloatArray,
    loss: FloatArray,
    validation: FloatArray,
    training_name: str,
    levels: Mapping[str, float],
) -> None:
    size = 3 if epoch.size > 1 else LONE_MARKER
    axes.plot(epoch, loss, color=SERIES[0], marker="o", markersize=size, label=training_name)
    judged, name = (loss, "training")
    if np.isfinite(validation).any():
        judged, name = validation, "validation"
        axes.plot(epoch, validation, "--s", color=SERIES[1], markersize=size, label="validation")
    best = int(np.nanargmin(judged))
    axes.axvline(epoch[best], color=SOFT, linewidth=0.9, linestyle=":", zorder=0)
    label = f"best {name}: {judged[best]:.4g}, epoch {epoch[best]:g}"
    ring_point(axes, epoch[best], judged[best], label, size + RING)
    known = {name: level for name, level in levels.items() if math.isfinite(level)}
    _draw_levels(axes, known)
    drawn = np.concatenate([finite(loss), finite(validation), list(known.values())])
    if drawn.min() > 0 and drawn.max() > DECADE * drawn.min():
        use_log_scale(axes)
    if epoch.size == 1:
        axes.set_xlim(epoch[0] - 1, epoch[0] + 1)  # whole epochs only
    add_legend(axes)


def _draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Draw a line for each level; levels that are as good as equal share one."""
    names: dict[float, list[str]] = {}
    for name, level in levels.items():
        near = (other for other in names if math.isclose(level, other, rel_tol=SAME_LEVEL))
        names.setdefault(next(near, level), []).append(name)
    for number, (level, together) in enumerate(names.items()):
        dash = LEVEL_DASHES[number % len(LEVEL_DASHES)]
        label = f"{' and '.join(together)}: {level:.4g}"
        axes.axhline(level, color=INK, linewidth=1.1, linestyle=dash, label=label, zorder=1)


def _draw_rate(axes: Axes, epoch: FloatArray, rate: FloatArray) -> None:
    known = finite(rate)
    axes.step(epoch, rate, where="mid", color=SOFT, linewidth=1.4)
    axes.set_ylabel("learning\nrate")
    if known.min() > 0:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    ends = [known.min(), known.max()]
    axes.set_yticks(ends, [f"{value:.2g}" for value in ends])


def _draw_error(axes: Axes, time_s: FloatArray, error_deg: FloatArray) -> None:
    time, error = subsample(time_s, error_deg)
    axes.fill_between(time, error, 0, color=MODEL, alpha=0.25, linewidth=0)
    axes.plot(time, error, color=MODEL, linewidth=0.9)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set_ylabel("error [degrees]\nmodel - recorded")


def _broken(time_s: FloatArray, *lines: FloatArray) -> tuple[FloatArray, ...]:
    """Return times and lines, interrupted by NaN at each gap in time."""
    behind = wide_steps(time_s) + 1
    broken = [np.insert(line, behind, np.nan) for line in lines]
    return np.insert(time_s, behind, time_s[behind]), *broken


def _over_time_title(error_deg: FloatArray) -> str:
    error = finite(error_deg)
    rmse = math.sqrt(float(np.mean(error**2)))
    mean = float(np.mean(np.abs(error)))
    return (
        f"Predicted and recorded steering angle: RMSE {rmse:.2f}\N{DEGREE SIGN}, "
        f"mean absolute error {mean:.2f}\N{DEGREE SIGN}"
    )


def _bin_edges(angle_deg: FloatArray) -> FloatArray:
    """Return edges of equal, symmetric bins that hold all angles except outliers."""
    low, high = np.percentile(angle_deg, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    reach = max(abs(low), abs(high), SMALLEST_REACH_DEG)
    return np.linspace(-reach, reach, BINS + 1)
