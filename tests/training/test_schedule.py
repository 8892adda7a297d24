from __future__ import annotations

import numpy as np
import pytest

from drive.training.schedule import SCHEDULES, learning_rates

STEPS = 10  # of an epoch


def rates(schedule: str, epochs: int, **changes: float) -> np.ndarray:
    how = {"restart_epochs": 2, "restart_factor": 2, **changes}
    at = learning_rates(schedule, 0.1, STEPS, epochs, **how)
    return np.array([at(step) for step in range(STEPS * epochs)])


def test_a_constant_rate_stays() -> None:
    assert set(rates("constant", 3)) == {0.1}


def test_the_cosine_falls_from_the_full_rate_to_nothing_over_the_training() -> None:
    found = rates("cosine", 4)
    assert found[0] == pytest.approx(0.1)
    assert found[len(found) // 2] == pytest.approx(0.05)
    assert 0 < found[-1] < 0.001
    assert (np.diff(found) < 0).all()


def test_restarts_come_where_the_paper_has_them() -> None:
    found = rates("restarts", 14)
    begins = np.flatnonzero(np.diff(found) > 0) + 1
    assert list(begins) == [2 * STEPS, 6 * STEPS]  # cycles of 2, 4 and 8 epochs
    assert found[begins] == pytest.approx(0.1)
    assert found[[STEPS, 4 * STEPS, 10 * STEPS]] == pytest.approx(0.05)  # the middle of each


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_warm_up_rises_to_the_schedule(schedule: str) -> None:
    plain, warm = rates(schedule, 6), rates(schedule, 6, warm_up=5)
    np.testing.assert_allclose(warm[:5] / plain[:5], [0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_array_equal(warm[5:], plain[5:])


def test_the_warm_up_of_a_short_training_is_a_tenth_of_it() -> None:
    assert rates("constant", 4, warm_up=100) == pytest.approx([0.025, 0.05, 0.075] + [0.1] * 37)
    assert rates("constant", 1, warm_up=100) == pytest.approx([0.1] * STEPS)
