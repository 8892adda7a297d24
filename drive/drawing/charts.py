"""What every plot shares: the figure's look, reading and thinning of numbers, writing the PNG.

Knows matplotlib's objects; not what a plot is about.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from drive.core.errors import EncodeError, InputError, MissingFileError
from drive.core.files import atomic
from drive.drawing.palette import BLUE, GREEN, ORANGE, PURPLE, VERMILLION, for_matplotlib

DPI = 110
WIDTH_IN = 9.0
POINTS_IN = 72
INK, SOFT, GRID = "#22262e", "#6b7280", "#e4e7ec"

MODEL, HUMAN, SMOOTHED = map(for_matplotlib, (BLUE, ORANGE, GREEN))
"""As in the overlay, the model's blue darker: these stand on white."""

SERIES = tuple(map(for_matplotlib, (BLUE, ORANGE, GREEN, PURPLE, VERMILLION)))
DASHES = ("-", "--", "-.", ":")
"""Lines are told apart by more than their colour."""

TITLE_PT = 12
TITLE_MARGIN_PT = 72.0
"""What beside the title takes of the figure's width: the axis on its left."""

SHORTEST_NAME = 9
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

FEW_DECADES = 1000.0
"""Numbers further apart than this are labelled by the decade."""

MOST_POINTS = 4_000
"""Points of a line that are drawn: more than a screen has columns."""


def new_figure(
    height_in: float, *, width_in: float = WIDTH_IN, heights: Sequence[float] = (1,)
) -> tuple[Figure, list[Axes]]:
    """A figure with panels below each other that share their horizontal axis."""
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    grid = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    panels = [axes for row in grid for axes in row]
    for axes in panels:
        style_axes(axes)
    return figure, panels


def style_axes(axes: Axes) -> None:
    """Give a panel the look that all have."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)


def series_colour(name: str, number: int) -> str:
    """The colour of the `number`-th series; model and recorded angle have their own everywhere."""
    return {"model": MODEL, "recorded": HUMAN}.get(name, SERIES[number % len(SERIES)])


def set_title(axes: Axes, text: str, name: str = "") -> None:
    """Say at the top left what one sees, on several lines where one is too short.

    A long `name` in front is shortened in its middle.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    room_pt = figure.get_figwidth() * POINTS_IN - TITLE_MARGIN_PT
    title = _fitted(name, text, room_pt) + text
    look: dict[str, Any] = {"fontsize": TITLE_PT, "fontweight": "bold", "color": INK, "pad": 10}
    axes.set_title(title, loc="left", wrap=True, parse_math=False, **look)


def _fitted(name: str, text: str, room_pt: float) -> str:
    """`name`, so short that it and `text` behind it take `room_pt` points as a title."""
    taken_pt = _title_pt(name + text)
    if taken_pt <= room_pt or len(name) <= SHORTEST_NAME:
        return name
    too_wide_pt = taken_pt - room_pt + _title_pt(ELLIPSIS)
    kept = len(name) - math.ceil(too_wide_pt * len(name) / _title_pt(name))
    return shortened(name, max(kept, SHORTEST_NAME))


def _title_pt(text: str) -> float:
    """Width of a title in points."""
    font, plain = FontProperties(weight="bold"), text.replace("$", r"\$")  # no formulas
    return float(TextPath((0, 0), plain, size=TITLE_PT, prop=font).get_extents().width)


def shortened(text: str, length: int) -> str:
    """`text` with so much of its middle left out that about `length` characters stay."""
    if len(text) <= length:
        return text
    end = length // 2
    return text[: length - end] + ELLIPSIS + text[len(text) - end :]


def use_log_scale(axes: Axes) -> None:
    """Make the vertical axis of what has been drawn logarithmic, labelled with plain numbers."""
    axes.set_yscale("log")
    label_logarithm(axes.yaxis, *axes.get_ylim())


def add_legend(axes: Axes, loc: Literal["best", "upper left", "lower left"] = "best") -> None:
    """The names of the lines."""
    axes.legend(loc=loc, fontsize=9, frameon=True, framealpha=0.9, edgecolor=GRID)


def label_logarithm(axis: Axis, low: float, high: float) -> None:
    """Write plain numbers on a logarithmic axis, several a decade where it spans few decades.

    Args:
        axis: whose scale is logarithmic.
        low, high: the ends of what is drawn, above 0.
    """
    steps = (1.0, 2.0, 5.0) if high < FEW_DECADES * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def say_empty(axes: Axes, text: str) -> None:
    """Say in the middle of an empty plot why it is empty."""
    place: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, fontsize=13, color=SOFT, **place)
    axes.set(xticks=[], yticks=[])


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write the figure as PNG, whole or not at all.

    Raises:
        EncodeError: it cannot be written.
    """
    try:
        with atomic(path) as part:
            figure.savefig(part, format="png", facecolor="white")
    except OSError as error:
        raise EncodeError(f"The plot {path} cannot be written: {error.strerror}") from error


def floats(values: ArrayLike) -> np.ndarray:
    """(N,) float64."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel()


def finite(values: ArrayLike) -> np.ndarray:
    """(M,) float64: the numbers among the values."""
    array = floats(values)
    result: np.ndarray = array[np.isfinite(array)]
    return result


def thin(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """The line with fewer points that looks the same.

    Of each stretch its first, lowest and highest points stay, so that no spike is lost, and a gap
    (NaN) stays a gap.

    Args:
        x, y: (N,) float64.
        most: about how many points to keep at most.

    Returns:
        x and y of the points that stay, in order.
    """
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


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV by column name.

    Raises:
        InputError: it is missing or is no text.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise MissingFileError(f"There is no file {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no readable CSV: {error}") from error


def column(rows: Iterable[Mapping[str, Any]], name: str) -> np.ndarray:
    """(N,) float64 of a column; NaN where it is empty or absent.

    Raises:
        InputError: a value is no number.
    """
    values = [row.get(name) for row in rows]
    try:
        return np.array([np.nan if value in ("", None) else float(value) for value in values])
    except (TypeError, ValueError):
        raise InputError(f"The column {name} holds numbers. Received: {values}") from None
