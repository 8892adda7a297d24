from __future__ import annotations

import threading
from functools import partial

import pytest

from drive.training.batches import AHEAD, prefetched


def test_order_is_kept_and_only_a_few_are_made_ahead() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    seen = []
    for number in prefetched(partial(make, n) for n in range(10)):
        assert len(made) <= number + AHEAD + 1
        seen.append(number)
    assert seen == made == list(range(10))


def test_they_are_made_in_one_other_thread() -> None:
    threads = set(prefetched([threading.get_ident] * 5))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_an_error_reaches_who_waits() -> None:
    def fail() -> int:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        list(prefetched([lambda: 1, fail]))
