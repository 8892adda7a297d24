"""Heat over a frame and the chart of the shift check: in its place, and the road shows through."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.types import Frame
from drive.drawing.heat import HeatMap, draw_heat, tint
from drive.drawing.overlay import Overlay
from drive.drawing.palette import ORANGE, VERMILLION
from drive.drawing.shift_chart import plot_shift_check
from drive.pipeline.sinks import Result, draw

REGION = Region(40, 100, 600, 300)


def frame(width: int = 640, height: int = 360) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(60, 160, (height, width, 3), np.uint8)


def spot(row: int, column: int) -> HeatMap:
    values = np.zeros((66, 200), np.float32)
    values[row - 3 : row + 4, column - 3 : column + 4] = 1
    return HeatMap(values, REGION)


def test_the_tint_lies_where_the_mask_says_and_nowhere_else() -> None:
    before, heat = frame(), spot(20, 150)
    image = draw_heat(before.copy(), heat, 14)
    change = np.abs(image.astype(int) - before).max(axis=2)
    change[320:, 320:] = 0  # the legend
    x = REGION.x1 + 150.5 / 200 * REGION.width
    y = REGION.y1 + 20.5 / 66 * REGION.height
    rows, columns = np.nonzero(change > 60)
    assert rows.mean() == pytest.approx(y, abs=3)
    assert columns.mean() == pytest.approx(x, abs=3)
    assert change[:, :300].max() == 0
    assert change[: REGION.y1].max() == 0 and change[REGION.y2 :].max() == 0


def test_a_result_with_heat_is_drawn_with_it() -> None:
    before = frame()
    plain, hot = (
        draw(Overlay(640, 360), Result(Frame(0, 0.0, before.copy()), heat=heat))
        for heat in (None, spot(20, 150))
    )
    assert np.array_equal(plain, before)
    change = np.abs(hot.astype(int) - before).max(axis=2)
    assert change[140:180, 440:480].max() > 60


def test_the_road_shows_through_the_strongest_tint() -> None:
    values = HeatMap(np.ones((66, 200), np.float32), REGION)
    dark, light = (np.full((360, 640, 3), level, np.uint8) for level in (20, 220))
    a, b = (draw_heat(image, values, 14)[200, 320].astype(int) for image in (dark, light))
    assert (b - a).min() > 0.2 * 200


def test_more_is_lighter_and_more_opaque() -> None:
    ramp = np.tile(np.linspace(0, 1, 200, dtype=np.float32), (66, 1))
    light, through = tint(ramp)
    brightness = light.astype(int).sum(axis=2)[33]
    assert (np.diff(brightness) >= -2).all() and brightness[-1] > brightness[100] > brightness[5]
    assert (np.diff(through[33, :, 0].astype(int)) <= 0).all()
    nothing, everything = tint(np.zeros((66, 200), np.float32))
    assert not nothing.any() and (everything == 255).all()


def test_the_grid_of_transposed_convolutions_is_gone() -> None:
    board = np.indices((66, 200)).sum(axis=0) % 2
    light, _ = tint((0.5 + 0.2 * board).astype(np.float32))
    inner = light[10:-10, 10:-10].astype(int)
    assert np.abs(np.diff(inner, axis=1)).max() <= 2


def test_the_legend_stays_inside_and_small_frames_go_without() -> None:
    nothing = HeatMap(np.zeros((66, 200), np.float32), Region(0, 40, 640, 300))
    before = frame()
    image = draw_heat(before.copy(), nothing, 14)
    changed = np.any(image != before, axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 300 and columns.min() > 320
    tiny = frame(64, 48)
    small = HeatMap(nothing.values, Region(0, 10, 64, 40))
    assert np.array_equal(draw_heat(tiny.copy(), small, 14), tiny)


def test_a_read_only_frame_is_copied_and_a_wrong_mask_refused() -> None:
    locked = frame()
    locked.flags.writeable = False
    assert draw_heat(locked, spot(20, 100), 14) is not locked
    with pytest.raises(InputError, match="rows and columns"):
        HeatMap(np.zeros(5), REGION)


def test_the_chart_of_the_shift_check(tmp_path: Path) -> None:
    curves = {"salient": [0.5, 1.0], "rest": [0.1, 0.1], "all": [0.6, 1.1], "random": [0.2, 0.3]}
    shares = {"salient": 0.2, "rest": 0.8, "all": 1.0, "random": 0.2}
    plot_shift_check(tmp_path / "check.png", [5, 10], curves, shares)
    image = cv2.imread(str(tmp_path / "check.png"))[..., ::-1].astype(int)
    for colour in (VERMILLION, ORANGE):
        assert np.all(np.abs(image - colour) < 12, axis=2).sum() > 100
    plot_shift_check(tmp_path / "empty.png", [], {}, {})
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["check.png", "empty.png"]
