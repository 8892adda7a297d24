"""The figures of `bench` as bars: milliseconds per frame, shorter is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drive.drawing.charts import INK, SERIES, SOFT, new_figure, save_figure, say_empty, set_title

BAR_IN = 0.42  # height of a bar with the space around it
FRAME_IN = 1.5  # height of title and axis
BAR_SHARE = 0.66
LABEL_ROOM = 1.18  # of the longest bar, for the figures behind the bars


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    label: str
    value_ms: float
    low_ms: float
    high_ms: float
    group: str


def plot_bench(bars: Sequence[Bar], path: str | Path, title: str) -> None:
    """Draw the bars below each other and write the PNG."""
    figure, (axes,) = new_figure(FRAME_IN + BAR_IN * max(len(bars), 1))
    set_title(axes, title)
    if not bars:
        say_empty(axes, "nothing was measured")
        save_figure(figure, path)
        return
    groups = list(dict.fromkeys(bar.group for bar in bars))
    for number, bar in enumerate(bars):
        colour = SERIES[groups.index(bar.group) % len(SERIES)]
        axes.barh(number, bar.value_ms, BAR_SHARE, color=colour)
        axes.plot([bar.low_ms, bar.high_ms], [number, number], color=INK, linewidth=1.4)
        end = max(bar.value_ms, bar.high_ms)
        text = axes.annotate(
            f"{bar.value_ms:.1f}", (end, number), (5, 0), textcoords="offset points"
        )
        text.set(va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, max(max(bar.value_ms, bar.high_ms) for bar in bars) * LABEL_ROOM)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("milliseconds per frame (median; thin line: quartiles)", color=SOFT)
    save_figure(figure, path)
