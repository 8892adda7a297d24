from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.drawing.rate_plot import plot_rate_search
from drive.steering.dataset import Batch
from drive.training.find_rate import FEWEST_STEPS, find_rate, judge

LOW, HIGH = 1e-6, 1.0


class ThreeBatches:
    """An epoch of three batches."""

    def __len__(self) -> int:
        return 3

    def epoch(self, number: int) -> Iterator[Batch]:
        yield from [Batch(np.zeros((1, 66, 200, 3), np.uint8), np.zeros(1, np.float32))] * 3


class Network:
    """Stands in for a network: its loss is a function of the rate of the step."""

    def __init__(self, loss: Callable[[float], float]) -> None:
        self.loss = loss
        self.optimizer = SimpleNamespace(learning_rate=0.0)

    def train_on_batch(self, *_: Any) -> float:
        return self.loss(self.optimizer.learning_rate)


def least_at(best: float, explodes: float = math.inf) -> Callable[[float], float]:
    """A loss that falls from 10 to 3 at the rate `best`, climbs again, and may explode."""

    def loss(rate: float) -> float:
        if rate > explodes:
            return 10 * rate / explodes
        return 10 - 7 * math.exp(-0.5 * math.log10(rate / best) ** 2)

    return loss


def search(loss: Callable[[float], float], epochs: int = 1) -> Any:
    return find_rate(Network(loss), ThreeBatches(), LOW, HIGH, epochs=epochs)  # type: ignore[arg-type]


def test_the_rate_grows_by_a_constant_factor_over_enough_steps() -> None:
    found = search(least_at(1e-2))
    assert len(found.rate) == FEWEST_STEPS  # one epoch has but three
    assert (found.rate[0], found.rate[-1]) == pytest.approx((LOW, HIGH))
    assert np.diff(np.log(found.rate)) == pytest.approx(math.log(HIGH / LOW) / (FEWEST_STEPS - 1))
    assert not found.diverged
    assert len(search(least_at(1e-2), epochs=200).rate) == 600


def test_it_suggests_a_tenth_of_the_rate_with_the_least_loss() -> None:
    for best in (1e-3, 1e-2):
        suggested = search(least_at(best)).suggested
        assert abs(math.log10(suggested / (best / 10))) < 0.1


def test_it_ends_where_the_loss_climbs_and_suggests_from_before() -> None:
    found = search(least_at(1e-3, explodes=1e-2))
    assert found.diverged
    assert 1e-2 < found.rate[-1] < HIGH
    assert abs(math.log10(found.suggested / 1e-4)) < 0.3


def test_it_ends_where_the_loss_is_no_number() -> None:
    found = search(lambda rate: least_at(1e-3)(rate) if rate < 1e-2 else math.nan)
    assert found.diverged
    assert np.isfinite(found.loss).all()
    with pytest.raises(InputError, match="not finite at the first step"):
        search(lambda _: math.nan)


@pytest.mark.parametrize("seed", range(5))
def test_neither_noise_nor_an_early_fall_moves_the_suggestion_by_a_decade(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate = np.geomspace(LOW, HIGH, 300)
    early = 3 * (1 - np.tanh(2 * np.log10(rate / 1e-5)))  # the bias of a random start, forgotten
    loss = (early + [least_at(1e-2)(r) for r in rate]) * rng.uniform(0.5, 1.5, 300)
    assert abs(math.log10(judge(rate, loss, False).suggested / 1e-3)) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_a_level_loss_gives_no_suggestion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate = np.geomspace(LOW, HIGH, 300)
    assert judge(rate, list(rng.exponential(3.0, 300)), False).suggested is None


def test_batches_that_differ_neither_end_it_nor_pass_for_a_fall() -> None:
    rng = np.random.default_rng(0)
    found = search(lambda _: rng.exponential(3.0))
    assert not found.diverged
    assert found.suggested is None


def test_a_step_that_explodes_does_not_bend_the_curve_before_it() -> None:
    rate = np.geomspace(LOW, HIGH, 100)
    calm = [least_at(1e-3)(r) for r in rate]
    smoothed = judge(rate, [*calm[:-1], 1e9], True).smoothed
    assert smoothed[:80] == pytest.approx(judge(rate, calm, False).smoothed[:80], rel=0.01)


def test_a_loss_that_only_climbs_gives_no_suggestion() -> None:
    rate = np.geomspace(LOW, HIGH, 100)
    assert judge(rate, list(np.linspace(1, 2, 100)), True).suggested is None


def test_the_plot_is_drawn_with_and_without_a_suggestion(tmp_path: Path) -> None:
    found = search(least_at(1e-2))
    for name, suggested in (("with", found.suggested), ("without", None)):
        path = tmp_path / f"{name}.png"
        plot_rate_search(path, found.rate, found.loss, found.smoothed, suggested)
        assert path.stat().st_size > 5_000
    with pytest.raises(InputError, match="must have the same length"):
        plot_rate_search(tmp_path / "x.png", [1.0], [1.0, 2.0], [1.0], None)


@pytest.mark.slow
def test_the_command_searches_and_trains_nothing_that_is_kept(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recording = make_recording("town", np.sin(np.arange(160) / 9) * 5, fps=20)
    out = tmp_path / "out"
    options = ["--find-lr", "--batch", "4", "--validation", "0.25", "--quiet", "--json"]
    assert main(["train-steering", str(recording), *options, "--out", str(out)]) == 0
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {path.name for path in out.iterdir()} == {
        "learning_rate_finder.csv",
        "learning_rate_finder.png",
        "report.html",
        "run.json",
    }
    with (out / "learning_rate_finder.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == results["steps"]
    assert list(rows[0]) == ["step", "learning_rate", "loss", "smoothed_loss"]
    suggested = results["suggested_learning_rate"]
    assert suggested is None or LOW <= suggested <= HIGH


def test_searching_and_resuming_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["train-steering", "--find-lr", "--resume", str(tmp_path)]) == 2
    assert "--find-lr" in capsys.readouterr().err
