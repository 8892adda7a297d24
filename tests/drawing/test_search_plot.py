from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from drive.drawing import search_plot
from drive.drawing.search_plot import Axis, Trial, plot_search

AXES = [
    Axis("learning_rate", low=1e-4, high=1e-2, log=True),
    Axis("batch", (16, 32)),
    Axis("batch_norm", (False, True)),
]


def trial(number: int, outcome: str, loss: float) -> Trial:
    values = {"learning_rate": 1e-3, "batch": 32, "batch_norm": number % 2 == 0}
    return Trial(number, outcome, loss, values)


TRIALS = [
    trial(0, "complete", 2.0),
    trial(1, "complete", 30.0),
    trial(2, "pruned", 3.0),
    trial(4, "diverged", math.nan),
    trial(5, "complete", 1.5),
]


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The panels of the picture of all kinds of trials."""
    figures = []
    monkeypatch.setattr(search_plot, "save_figure", lambda figure, _: figures.append(figure))
    importance = {"learning_rate": 0.7, "batch": 0.2, "batch_norm": 0.1}
    plot_search(tmp_path / "search.png", TRIALS, AXES, importance, loss_axis="loss")
    return figures[0].axes


def test_every_outcome_the_best_and_the_usual_settings_are_named(drawn: list[Axes]) -> None:
    names = [text.get_text() for text in drawn[0].get_legend().get_texts()]
    assert names == [
        "pruned (1)",
        "complete (3)",
        "diverged (1)",
        "best: 1.5",
        "best so far",
        "default settings: 2",
    ]
    assert drawn[0].get_yscale() == "log"


def test_the_best_so_far_never_rises(drawn: list[Axes]) -> None:
    (line,) = [line for line in drawn[0].lines if line.get_label() == "best so far"]
    assert list(line.get_xdata()) == [0, 1, 5, 5]
    assert list(line.get_ydata()) == [2.0, 2.0, 1.5, 1.5]


def test_each_parameter_has_a_panel_with_its_own_scale(drawn: list[Axes]) -> None:
    panels = {panel.get_xlabel(): panel for panel in drawn[2:]}
    assert list(panels) == ["learning rate", "batch", "batch norm"]
    assert panels["learning rate"].get_xscale() == "log"
    assert [label.get_text() for label in panels["batch norm"].get_xticklabels()] == ["off", "on"]


def test_trials_with_one_choice_stand_side_by_side_in_order(drawn: list[Axes]) -> None:
    (panel,) = [panel for panel in drawn[2:] if panel.get_xlabel() == "batch"]
    (complete,) = [line for line in panel.lines if line.get_label() == "complete (3)"]
    places = list(complete.get_xdata())
    assert places == sorted(places)
    assert places[0] == pytest.approx(0.8)
    assert places[-1] == pytest.approx(1.2)


@pytest.mark.parametrize("trials", [[], TRIALS[3:4], TRIALS[:1]])
def test_little_to_draw_is_a_picture_too(trials: list[Trial], tmp_path: Path) -> None:
    path = tmp_path / "search.png"
    plot_search(path, trials, AXES[:1], "not known yet", loss_axis="loss")
    assert path.read_bytes().startswith(b"\x89PNG")
