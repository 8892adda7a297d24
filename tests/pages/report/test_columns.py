"""Columns keep their values, as narrow as they can be."""

from __future__ import annotations

import numpy as np
import pytest

from drive.pages.columns import CLOCK, column
from tests.pages.report.conftest import values_of


@pytest.mark.parametrize(
    ("values", "step", "kind"),
    [
        ([0, 3, 255], 1, "u8"),
        ([0, 3, 256], 1, "u16"),
        ([-1, 3, 0], 1, "i8"),
        ([-0.5, 0.25, 3.1], 0.01, "i16"),
        ([0, 70_000, 3], 1, "u32"),
        ([1.5, np.nan, 2.5], 0.5, "f32"),
        ([5, 6, 7, 8], 1, "linear"),
        ([], 1, "u8"),
        ([7], 1, "u8"),
        ([0, 1e12, 3], 1, "f64"),
    ],
)
def test_a_column_comes_back(values: list[float], step: float, kind: str) -> None:
    packed = column(np.array(values, np.float64), step)
    assert packed["type"] == kind
    np.testing.assert_allclose(values_of(packed), values, atol=step / 2)


def test_times_of_a_steady_video_are_two_numbers() -> None:
    times = np.arange(108_000) / 30
    packed = column(times, CLOCK)
    assert packed["type"] == "linear"
    np.testing.assert_allclose(values_of(packed), times, atol=CLOCK)
