"""How far two networks lie apart, on engines whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from drive.conversion.compare import FLOAT_TOLERANCE, INT8_TOLERANCE, compare
from drive.core.errors import InputError
from drive.runtime.base import Shape

BATCHES = [np.full((1, 2, 2, 3), value, np.uint8) for value in (0, 10, 20)]


class Fixed:
    """An engine that answers the picture's first value and its double, each plus an error."""

    name = "fixed"
    input_name = "image"
    input_dtype = np.dtype(np.float32)
    input_shape: Shape = (None, 2, 2, 3)
    fallback_reason = None

    def __init__(self, *errors: float) -> None:
        self.metadata: dict[str, str] = {}
        self.errors = errors or (0.0, 0.0)

    def predict(self, batch: np.ndarray) -> list[np.ndarray]:
        assert batch.dtype == np.float32
        value = batch[:, 0, 0, :1]
        return [value + self.errors[0], 2 * value + self.errors[1]]


def test_differences_are_over_all_values_of_all_outputs() -> None:
    found = compare(Fixed(), Fixed(0.01, -0.03), BATCHES, rounded=False)
    assert (found.largest, found.mean) == pytest.approx((0.03, 0.02), rel=1e-3)
    assert found.share == pytest.approx(0.03 / 40, rel=1e-3)  # the largest answer is 40
    assert (found.tolerance, found.frames) == (FLOAT_TOLERANCE, 3)
    assert found.accepted


def test_float_answers_may_differ_by_a_thousandth_and_no_more() -> None:
    assert compare(Fixed(), Fixed(0, 0.039), BATCHES, rounded=False).accepted
    assert not compare(Fixed(), Fixed(0, 0.041), BATCHES, rounded=False).accepted


def test_small_answers_are_held_against_one() -> None:
    dark = BATCHES[:1]  # all answers are 0
    assert compare(Fixed(), Fixed(0.0009, 0), dark, rounded=False).accepted
    assert not compare(Fixed(), Fixed(0.0011, 0), dark, rounded=False).accepted


def test_int8_is_held_against_how_much_the_answers_vary() -> None:
    spread = float(np.std([0, 10, 20, 0, 20, 40]))
    found = compare(Fixed(), Fixed(1.0, -1.0), BATCHES, rounded=True)
    assert found.share == pytest.approx(1 / spread, rel=1e-4)
    assert (found.tolerance, found.accepted) == (INT8_TOLERANCE, True)
    assert not compare(Fixed(), Fixed(2.5, 2.5), BATCHES, rounded=True).accepted


def test_answers_that_hardly_vary_are_held_against_their_size() -> None:
    class Constant(Fixed):
        def predict(self, batch: np.ndarray) -> list[np.ndarray]:
            return [np.full((1, 1), 10.0 + self.errors[0])]

    found = compare(Constant(), Constant(0.14, 0), BATCHES, rounded=True)
    assert found.share == pytest.approx(0.14)  # of a tenth of 10
    assert found.accepted


def test_answers_that_hardly_vary_are_held_against_their_usual_spread_and_told() -> None:
    near = [np.full((1, 2, 2, 3), value, np.uint8) for value in (0, 1)]  # a spread of 0.8
    known = compare(Fixed(), Fixed(0.5, 0.5), near, rounded=True, usual_spread=50.0)
    assert (known.share, known.accepted) == (pytest.approx(0.5 / 5), True)
    assert known.hardly_varies
    assert known.spread == pytest.approx(np.std([0, 0, 1, 2]))
    little = compare(Fixed(), Fixed(0.5, 0.5), near, rounded=True, usual_spread=4.0)
    assert (little.hardly_varies, little.accepted) == (True, False)  # 0.8 is less than a quarter
    unknown = compare(Fixed(), Fixed(0.5, 0.5), near, rounded=True)
    assert (unknown.hardly_varies, unknown.accepted) == (False, False)


def test_answers_of_zero_must_stay_as_they_are_in_int8() -> None:
    dark = BATCHES[:1]
    assert compare(Fixed(), Fixed(), dark, rounded=True).accepted
    assert not compare(Fixed(), Fixed(1e-6, 0), dark, rounded=True).accepted


@pytest.mark.parametrize("rounded", [False, True])
def test_not_a_number_is_never_accepted(rounded: bool) -> None:
    assert not compare(Fixed(), Fixed(np.nan, 0), BATCHES, rounded=rounded).accepted


def test_nothing_to_compare_on_is_refused() -> None:
    with pytest.raises(InputError, match="at least one image"):
        compare(Fixed(), Fixed(), [], rounded=False)
