"""The plot of the shift check: how far the angle follows shifted parts of the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from drive.drawing.charts import (
    INK,
    SERIES,
    SOFT,
    add_legend,
    floats,
    new_figure,
    save_figure,
    say_empty,
    set_title,
)

STYLES: dict[str, tuple[str, str, str, str]] = {
    "all": ("the whole image", INK, "--", "s"),
    "salient": ("salient pixels", SERIES[4], "-", "o"),
    "all_but_random": ("all but a random part (control)", SOFT, "-.", "^"),
    "random": ("a random part (control)", SERIES[1], "-.", "v"),
    "rest": ("the rest", SERIES[0], "-", "D"),
}
"""Name, colour, dash and marker of each curve, in the order of the legend."""


def plot_shift_check(
    path: str | Path,
    shifts_px: ArrayLike,
    change_deg: Mapping[str, Sequence[float]],
    area_share: Mapping[str, float],
    title: str = "Change of the steering angle over a shift",
    measured_on: str = "",
) -> None:
    """Plot the mean change in degrees over (S,) shifts, per part of the image (see `STYLES`)."""
    shifts = floats(shifts_px)
    figure, (axes,) = new_figure(5.0)
    axis = "shift to the left or right [pixels of the network's input]"
    axis += f"\n{measured_on}" if measured_on else ""
    set_title(axes, title, x=axis, y="mean change of the steering angle [degrees]")
    if not shifts.size or not change_deg:
        say_empty(axes, "nothing was shifted")
        save_figure(figure, path)
        return
    for name, (words, colour, dash, marker) in STYLES.items():
        if name not in change_deg:
            continue
        label = f"{words}: {area_share[name]:.0%} of the area"
        values = [0.0, *floats(change_deg[name])]
        axes.plot(
            [0.0, *shifts], values, color=colour, linestyle=dash, marker=marker, markersize=5,
            linewidth=1.8, label=label,
        )  # fmt: skip
    axes.set_xticks([0.0, *shifts])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    add_legend(axes, loc="upper left")
    save_figure(figure, path)
