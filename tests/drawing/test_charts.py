"""What plots share: titles that fit, axes that can be read."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from drive.drawing.charts import new_figure, set_title, shortened, use_log_scale

NUMBERS = ": autonomy 100.0 %, 12 interventions in 1800 s"


@pytest.mark.parametrize("name", ["road", "A_folder/" + "very_long_" * 20 + "end", "$x^2$ " * 30])
def test_a_title_fits_and_keeps_its_numbers(name: str) -> None:
    figure, (axes,) = new_figure(3.0)
    axes.set_ylabel("offset from the path [m, right is positive]")
    set_title(axes, NUMBERS, name)
    title = axes.get_title(loc="left")
    FigureCanvasAgg(figure).draw()
    (drawn,) = [text for text in axes.get_children() if _says(text, title)]
    assert drawn.get_window_extent().x1 <= figure.bbox.x1
    assert title.endswith(NUMBERS)
    assert title.startswith(name[:4])
    assert ("\N{HORIZONTAL ELLIPSIS}" in title) == (len(name) > 40)
    assert name[-3:] in title


def _says(artist: Artist, words: str) -> bool:
    return isinstance(artist, Text) and artist.get_text() == words


def test_the_middle_goes_first() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghij", 5) == "abc\N{HORIZONTAL ELLIPSIS}ij"


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.3, 40, ["0.5", "1", "2", "5", "10", "20"]), (1e-4, 10, ["0.001", "0.01", "0.1", "1"])],
)
def test_a_logarithmic_axis_is_labelled_with_plain_numbers(
    low: float, high: float, labels: list[str]
) -> None:
    figure, (axes,) = new_figure(4.0)
    axes.plot(np.array([low, high]))
    use_log_scale(axes)
    FigureCanvasAgg(figure).draw()
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert set(labels) <= set(shown)
    assert not any("$" in text for text in shown)
