"""What every task asks of its config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drive import AnnotateConfig, DetectConfig, InputError, compare, detect


@pytest.mark.parametrize(
    ("task", "config", "text"),
    [
        (detect, "a.mp4", "a DetectConfig; got a str. Write detect(DetectConfig('a.mp4'))"),
        (detect, None, "a DetectConfig; got None. Write detect(DetectConfig(...))"),
        (detect, AnnotateConfig("a.mp4"), "a DetectConfig; got an AnnotateConfig. Write"),
        (compare, {"a": 1}, "a CompareConfig; got a dict. Write compare(CompareConfig(...))"),
    ],
)
def test_a_task_refuses_what_is_not_its_config(
    task: Callable[[Any], object], config: object, text: str
) -> None:
    with pytest.raises(InputError) as caught:
        task(config)
    assert str(caught.value).startswith(f"{task.__name__} requires {text}")


def test_the_home_of_the_user_is_expanded_in_out() -> None:
    assert DetectConfig("a.mp4", out="~/x").out == str(Path.home() / "x")
    for kept in ("x/~", "~nobody-has-this-name/x"):
        assert DetectConfig("a.mp4", out=kept).out == kept


def test_a_seed_fits_into_32_bits() -> None:
    assert DetectConfig("a.mp4", seed=2**32 - 1).seed == 4294967295
    for seed in (-1, 2**32):
        with pytest.raises(InputError, match=r"^seed must be from 0 to 4294967295; got"):
            DetectConfig("a.mp4", seed=seed)
