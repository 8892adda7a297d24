"""The plots: real pictures for data, gaps, spikes and nothing at all; whole or absent."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from drive.core.errors import EncodeError, InputError
from drive.drawing import plots
from drive.drawing.charts import new_figure, set_title, subsample
from drive.drawing.palette import BLUE, ORANGE
from drive.drawing.plots import (
    plot_loss,
    plot_precision_recall,
    plot_steering_distribution,
    plot_steering_over_time,
)
from drive.results.history import EpochResult

NAN = float("nan")


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape[1] >= 600
    return image[..., ::-1]


def amount(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels have nearly this colour."""
    return int(np.all(np.abs(image.astype(int) - colour) < 12, axis=2).sum())


def flat_lines(image: np.ndarray) -> int:
    """How many horizontal lines, dashed or dotted, cross the image."""
    dark = (image.max(axis=2) < 190).sum(axis=1) > 0.2 * image.shape[1]
    return int(np.count_nonzero(np.diff(dark.astype(int)) == 1))


def history(epochs: int, rate: float | None = None) -> list[EpochResult]:
    return [
        EpochResult(epoch, 20 / epoch**2, 20 / epoch + 0.2 * epoch, rate or 0.001 / epoch, 1.0)
        for epoch in range(1, epochs + 1)
    ]


def test_loss_shows_both_curves(tmp_path: Path) -> None:
    plot_loss(history(20), tmp_path / "loss.png")
    image = read(tmp_path / "loss.png")
    assert amount(image, BLUE) > 300
    assert amount(image, ORANGE) > 300
    assert [entry.name for entry in tmp_path.iterdir()] == ["loss.png"]


def test_loss_shows_what_a_constant_angle_reaches(tmp_path: Path) -> None:
    plain, compared, together = (tmp_path / f"{name}.png" for name in ("a", "b", "c"))
    plot_loss(history(20), plain)
    plot_loss(history(20), compared, levels={"always straight ahead": 9.0, "mean angle": 4.0})
    plot_loss(history(20), together, levels={"always straight ahead": 9.0, "mean angle": 9.01})
    none, one, two = (flat_lines(read(path)) for path in (plain, together, compared))
    assert (one - none, two - none) == (1, 2)


@pytest.mark.parametrize(
    "rows",
    [[], history(1), [EpochResult(1, NAN, NAN, 0.001, 1.0)], [EpochResult(1, 0.0, NAN, NAN, NAN)]],
)
def test_loss_takes_what_little_there_is(tmp_path: Path, rows: list[EpochResult]) -> None:
    plot_loss(rows, tmp_path / "loss.png")
    assert read(tmp_path / "loss.png").std() > 1


def drawn_loss(rows: list[EpochResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Axes:
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, _: figures.append(figure))
    plot_loss(rows, tmp_path / "loss.png")
    FigureCanvasAgg(figures[0]).draw()
    return figures[0].axes[0]


def labels(axes: Axes) -> list[str]:
    """What stands beside the ticks of the upright axis, the small ones among them."""
    low, high = axes.get_ylim()
    ticks = [*axes.yaxis.get_major_ticks(), *axes.yaxis.get_minor_ticks()]
    texts = [tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high]
    return [text for text in texts if text]


def test_a_single_epoch_is_a_point_on_a_whole_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = drawn_loss(history(1), tmp_path, monkeypatch)
    assert [line.get_markersize() for line in axes.lines[:2]] == [7, 7]
    low, high = axes.get_xlim()
    assert all(tick == round(tick) for tick in axes.get_xticks() if low <= tick <= high)


def test_a_logarithm_is_labelled_with_plain_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [EpochResult(n, 30 / n, 20 / n, 0.001, 1.0) for n in range(1, 21)]
    many = [EpochResult(n, 10.0 ** (6 - 2 * n), NAN, 0.001, 1.0) for n in range(6)]
    assert labels(drawn_loss(few, tmp_path, monkeypatch)) == ["1", "2", "5", "10", "20"]
    assert "100" in labels(drawn_loss(many, tmp_path, monkeypatch))
    assert "2" not in labels(drawn_loss(many, tmp_path, monkeypatch))


def test_a_long_title_goes_on_in_a_second_line() -> None:
    figure, (axes,) = new_figure(4.0)
    set_title(axes, "a title " * 20)
    canvas = FigureCanvasAgg(figure)
    (title,) = [text for text in axes.findobj(Text) if text.get_text().startswith("a title")]
    assert title.get_window_extent(canvas.get_renderer()).x1 <= canvas.get_width_height()[0]


def test_distributions_are_compared_by_share(tmp_path: Path) -> None:
    angles = np.clip(np.random.default_rng(0).normal(0, 3, 400), -5, 5)
    plot_steering_distribution(tmp_path / "a.png", {"recorded": angles})
    plot_steering_distribution(tmp_path / "b.png", {"recorded": np.tile(angles, 5)})
    few, many = read(tmp_path / "a.png"), read(tmp_path / "b.png")
    below_legend = slice(90, None)
    difference = np.abs(few[below_legend].astype(int) - many[below_legend])
    assert difference.max() < 40
    assert amount(few, ORANGE) > 300


@pytest.mark.parametrize(
    "series",
    [
        {},
        {"model": []},
        {"model": [NAN, NAN]},
        {"model": [0.0] * 50},
        {"model": [1.0, NAN, -400.0], "recorded": np.zeros(3, np.float32)},
    ],
)
def test_odd_distributions_do_not_crash(tmp_path: Path, series: dict[str, object]) -> None:
    plot_steering_distribution(tmp_path / "d.png", series)
    assert read(tmp_path / "d.png").std() > 1


def test_the_error_has_a_panel_where_the_human_is_known(tmp_path: Path) -> None:
    time_s = np.arange(300) / 30
    angle = np.sin(time_s)
    plot_steering_over_time(tmp_path / "alone.png", time_s, angle)
    plot_steering_over_time(tmp_path / "both.png", time_s, angle, angle * 0.5)
    alone, both = read(tmp_path / "alone.png"), read(tmp_path / "both.png")
    assert both.shape[0] > alone.shape[0]
    assert amount(alone, ORANGE) == 0 < amount(both, ORANGE)


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    time_s = np.arange(300) / 30
    angle = np.full(300, 2.0)
    plot_steering_over_time(tmp_path / "whole.png", time_s, angle)
    angle[50:250] = NAN
    plot_steering_over_time(tmp_path / "gap.png", time_s, angle)
    whole = amount(read(tmp_path / "whole.png"), BLUE)
    assert amount(read(tmp_path / "gap.png"), BLUE) < 0.6 * whole
    known = np.isfinite(angle)
    plot_steering_over_time(tmp_path / "left_out.png", time_s[known], angle[known])
    assert amount(read(tmp_path / "left_out.png"), BLUE) < 0.6 * whole


@pytest.mark.parametrize("size", [0, 1])
def test_hardly_any_angles_do_not_crash(tmp_path: Path, size: int) -> None:
    plot_steering_over_time(tmp_path / "o.png", [0.0] * size, [NAN] * size, [1.0] * size)
    assert read(tmp_path / "o.png").std() > 1


def test_angles_without_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got 2 times, 3 angles"):
        plot_steering_over_time(tmp_path / "o.png", [0, 1], [0, 1, 2])


def test_thinning_keeps_spikes_gaps_and_ends() -> None:
    x = np.arange(100_000, dtype=float)
    y = np.sin(x / 9000)
    y[54_321] = 50
    y[77_777] = -50
    y[20_000:30_000] = NAN
    y[60_001] = NAN
    thin_x, thin_y = subsample(x, y)
    assert thin_x.size <= 4_500
    assert np.all(np.diff(thin_x) > 0)
    assert (thin_x[0], thin_x[-1]) == (0, 99_999)
    assert (np.nanmax(thin_y), np.nanmin(thin_y)) == (50, -50)
    assert not np.isfinite(thin_y[(thin_x >= 20_000) & (thin_x < 30_000)]).any()
    assert 60_001 in thin_x
    short = subsample(x[:10], y[:10])
    assert np.array_equal(short[0], x[:10])


def test_precision_recall_shows_every_curve(tmp_path: Path) -> None:
    recall = np.linspace(0, 0.9, 40)
    curves = {"car": (recall, 1 - recall / 2, 0.7), "bus": (recall, 1 - recall, 0.5)}
    plot_precision_recall(tmp_path / "pr.png", curves)
    image = read(tmp_path / "pr.png")
    assert amount(image, BLUE) > 200
    assert amount(image, ORANGE) > 100
    plot_precision_recall(tmp_path / "none.png", {"car": ([], [], NAN)})
    assert amount(read(tmp_path / "none.png"), BLUE) == 0


def test_a_plot_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EncodeError, match="cannot be written"):
        plot_loss(history(2), tmp_path / "file" / "loss.png")
