"""What all plots share: style, reading and subsampling of numbers, writing the PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from drive.core.errors import EncodeError
from drive.core.files import atomic
from drive.core.types import FloatArray
from drive.drawing.palette import BLUE, GREEN, ORANGE, PURPLE, VERMILLION, for_matplotlib

DPI = 110
WIDTH_IN = 9.0
POINTS_IN = 72
INK, SOFT, GRID = "#22262e", "#6b7280", "#e4e7ec"

MODEL, RECORDED, SMOOTHED = map(for_matplotlib, (BLUE, ORANGE, GREEN))
"""As in the overlay; the blue is darker, for a white background."""

SERIES = tuple(map(for_matplotlib, (BLUE, ORANGE, GREEN, PURPLE, VERMILLION)))
DASHES = ("-", "--", "-.", ":")  # lines differ by more than their colour
TITLE_PT = 12
TITLE_MARGIN_PT = 72.0  # width beside the title: the axis on its left
SHORTEST_NAME = 9
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

FEW_DECADES = 1000.0  # ranges wider than this have one label per decade
MOST_POINTS = 4_000  # maximum number of points per line; more than a screen has columns


def new_figure(
    height_in: float, *, width_in: float = WIDTH_IN, heights: Sequence[float] = (1,)
) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels below each other that share their horizontal axis."""
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    grid = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    panels = [axes for row in grid for axes in row]
    for axes in panels:
        style_axes(axes)
    return figure, panels


def style_axes(axes: Axes) -> None:
    """Give a panel the common style."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)


def series_colour(name: str, number: int) -> str:
    """Return the colour of the `number`-th series; "model" and "recorded" have their own."""
    return {"model": MODEL, "recorded": RECORDED}.get(name, SERIES[number % len(SERIES)])


def set_title(axes: Axes, text: str, name: str = "", *, x: str = "", y: str = "") -> None:
    """Set the title at the top left, wrapped, and the axes' labels; a long `name` is shortened."""
    axes.set(xlabel=x or axes.get_xlabel(), ylabel=y or axes.get_ylabel())
    figure = axes.get_figure(root=True)
    assert figure is not None
    room_pt = figure.get_figwidth() * POINTS_IN - TITLE_MARGIN_PT
    title = _fitted(name, text, room_pt) + text
    look = axes.set_title(title, loc="left", wrap=True, parse_math=False, pad=10)
    look.set(fontsize=TITLE_PT, fontweight="bold", color=INK)


def _fitted(name: str, text: str, room_pt: float) -> str:
    """Return `name`, shortened so that it and `text` fit into `room_pt` points as a title."""
    taken_pt = _title_pt(name + text)
    if taken_pt <= room_pt or len(name) <= SHORTEST_NAME:
        return name
    too_wide_pt = taken_pt - room_pt + _title_pt(ELLIPSIS)
    kept = len(name) - math.ceil(too_wide_pt * len(name) / _title_pt(name))
    return shortened(name, max(kept, SHORTEST_NAME))


def _title_pt(text: str) -> float:
    font, plain = FontProperties(weight="bold"), text.replace("$", r"\$")  # no formulas
    return float(TextPath((0, 0), plain, size=TITLE_PT, prop=font).get_extents().width)


def shortened(text: str, length: int) -> str:
    """Return `text` with its middle left out so that about `length` characters stay."""
    if len(text) <= length:
        return text
    end = length // 2
    return text[: length - end] + ELLIPSIS + text[len(text) - end :]


def use_log_scale(axes: Axes) -> None:
    """Make the vertical axis logarithmic, labelled with plain numbers."""
    axes.set_yscale("log")
    label_logarithm(axes.yaxis, *axes.get_ylim())


def add_legend(axes: Axes, loc: Literal["best", "upper left", "lower left"] = "best") -> None:
    """Show the names of the lines."""
    axes.legend(loc=loc, fontsize=9, frameon=True, framealpha=0.9, edgecolor=GRID)


def ring_point(axes: Axes, x: float, y: float, label: str, size: float) -> None:
    """Draw a ring of `size` points around a point."""
    (ring,) = axes.plot(x, y, "o", color=INK, markersize=size, label=label)
    ring.set_fillstyle("none")


def label_logarithm(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis with plain numbers, several per decade if it has few decades."""
    steps = (1.0, 2.0, 5.0) if high < FEW_DECADES * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def say_empty(axes: Axes, text: str) -> None:
    """Write in the middle of an empty plot why it is empty."""
    shown = axes.text(0.5, 0.5, text, fontsize=13, color=SOFT, transform=axes.transAxes)
    shown.set(ha="center", va="center")
    axes.set(xticks=[], yticks=[])


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write the figure as PNG."""
    try:
        with atomic(path) as part:
            figure.savefig(part, format="png", facecolor="white")
    except OSError as error:
        raise EncodeError(f"the plot {path} cannot be written: {error.strerror}") from error


def floats(values: ArrayLike) -> FloatArray:
    """Return the values as (N,) float64."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel()


def finite(values: ArrayLike) -> FloatArray:
    """Return the finite values as (M,) float64."""
    array = floats(values)
    result: np.ndarray = array[np.isfinite(array)]
    return result


def subsample(
    x: FloatArray, y: FloatArray, most: int = MOST_POINTS
) -> tuple[FloatArray, FloatArray]:
    """Return fewer points of a line: of each part its first, lowest and highest, and gaps (NaN)."""
    if x.size <= most:
        return x, y
    size = -(-3 * x.size // most)
    stretches = -(-x.size // size)
    padded = np.pad(y, (0, stretches * size - y.size), mode="edge").reshape(stretches, size)
    starts = np.arange(stretches) * size
    missing = ~np.isfinite(padded)
    lowest = starts + np.argmin(np.where(missing, np.inf, padded), axis=1)
    highest = starts + np.argmax(np.where(missing, -np.inf, padded), axis=1)
    gaps = (starts + np.argmax(missing, axis=1))[missing.any(axis=1)]
    keep = np.unique(np.concatenate([starts, lowest, highest, gaps, [x.size - 1]]))
    keep = keep[keep < x.size]
    return x[keep], y[keep]
