"""The plot of simulations: offset from the path over time, with limits and interventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from drive.core.errors import InputError
from drive.core.types import BoolArray, FloatArray
from drive.drawing.charts import (
    INK,
    MODEL,
    SOFT,
    new_figure,
    save_figure,
    say_empty,
    set_title,
    subsample,
)
from drive.drawing.palette import VERMILLION, for_matplotlib

LIMIT = for_matplotlib(VERMILLION)

MOST_PANELS = 16  # maximum number of recordings in one plot
ONE_PANEL_IN, PANEL_IN = 3.8, 1.75  # height in inches of a single panel, and of each of several
FRAME_IN = 0.7
HEADROOM = 1.25  # end of the axis / limit; further if the car went further


@dataclass(frozen=True, slots=True, eq=False)
class DriveLine:
    """One simulation, (N,) per frame; the line restarts at `cut`; the title has `numbers`."""

    name: str
    numbers: str
    time_s: FloatArray
    offset_m: FloatArray
    intervention: BoolArray
    cut: BoolArray


def plot_simulation(path: str | Path, drives: Sequence[DriveLine], limit_m: float) -> None:
    """Draw simulations below each other, with the limits of the offset in metres."""
    if not drives:
        raise InputError("a plot of simulations requires at least one; got none")
    shown = list(drives[:MOST_PANELS])
    several = len(shown) > 1
    height = FRAME_IN + (PANEL_IN * len(shown) if several else ONE_PANEL_IN)
    figure, panels = new_figure(height, heights=(1,) * len(shown))
    for axes, drive in zip(panels, shown, strict=True):
        _draw_drive(axes, drive, limit_m)
        axes.set_ylabel("offset [m]" if several else "offset from the path [m, right is positive]")
    axis = "time [s]"
    if len(drives) > len(shown):
        axis += f"; the first {len(shown)} of {len(drives)} recordings"
    panels[-1].set_xlabel(axis)
    save_figure(figure, path)


def _draw_drive(axes: Axes, drive: DriveLine, limit_m: float) -> None:
    sizes = {len(v) for v in (drive.time_s, drive.offset_m, drive.intervention, drive.cut)}
    if len(sizes) != 1:
        raise InputError(f"{drive.name}: times and offsets must have the same length; got {sizes}")
    set_title(axes, f": {drive.numbers}", drive.name)
    if not len(drive.time_s):
        say_empty(axes, "no frames")
        return
    reach = max(limit_m * HEADROOM, float(np.nanmax(np.abs(drive.offset_m))) * 1.05)
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color=SOFT, linewidth=0.8, zorder=0)
    for limit in (-limit_m, limit_m):
        axes.axhline(limit, color=LIMIT, linewidth=1.1, linestyle="--", zorder=1)
    axes.plot(*subsample(*_with_resets(drive)), color=MODEL, linewidth=1.3, zorder=3)
    at_s, at_m = drive.time_s[drive.intervention], drive.offset_m[drive.intervention]
    for time_s in at_s:
        axes.axvline(time_s, color=LIMIT, linewidth=0.8, alpha=0.35, zorder=1)
    (marks,) = axes.plot(at_s, at_m, "X", color=LIMIT, markersize=7, zorder=4)
    marks.set(markeredgecolor="white", markeredgewidth=0.7)
    axes.tick_params(labelcolor=INK)


def _with_resets(drive: DriveLine) -> tuple[FloatArray, FloatArray]:
    """Return the line, interrupted at interventions, where it continues at 0, and at cuts."""
    times: list[float] = []
    offsets: list[float] = []
    columns = (drive.time_s, drive.offset_m, drive.intervention, drive.cut)
    for time_s, offset_m, intervention, cut in zip(*columns, strict=True):
        added = [np.nan] * bool(cut) + [offset_m] + [np.nan, 0.0] * bool(intervention)
        offsets += added
        times += [time_s] * len(added)
    return np.array(times), np.array(offsets)
