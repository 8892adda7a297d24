"""Who steers while the network records its own mistakes; without TORCS."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import dagger_torcs
from benchmarks.dagger_torcs import PUSH_M, RESCUE_M, RETURN_M, Driver
from benchmarks.record_torcs import Weave, row, write_rows

NETWORK_DEG, EXPERT_DEG = 5.0, -2.0


def state(offset_m: float) -> SimpleNamespace:
    """A moment of the simulator, this far off the lane."""
    return SimpleNamespace(
        frame=np.zeros((4, 4, 3), np.uint8),
        expert_wheel_deg=EXPERT_DEG,
        wheel_deg=1.0,
        offset_m=offset_m,
        speed_mps=20.0,
    )


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A network without disturbance that drives every stretch."""
    monkeypatch.setattr(dagger_torcs, "UNDISTURBED", 1.0)
    monkeypatch.setattr(dagger_torcs, "EXPERT_SHARE", 0.0)
    return Driver(lambda _: NETWORK_DEG, np.random.default_rng(0))


def test_the_network_drives_until_it_needs_rescue(driver: Driver) -> None:
    offsets = [0.0, RESCUE_M - 0.01, RESCUE_M + 0.01, RETURN_M + 0.01, RETURN_M - 0.01, -1.4, 0.0]
    driven = [driver.steer(state(offset)) for offset in offsets]
    assert driven == [NETWORK_DEG] * 2 + [EXPERT_DEG] * 2 + [NETWORK_DEG, EXPERT_DEG, NETWORK_DEG]
    assert driver.rescues == 2
    assert driver.rmse_deg == pytest.approx(NETWORK_DEG - EXPERT_DEG)


def test_the_expert_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagger_torcs, "UNDISTURBED", 1.0)
    driver = Driver(lambda _: NETWORK_DEG, np.random.default_rng(0))
    driven = np.array([driver.steer(state(0.0)) for _ in range(4000)])
    share = np.mean(driven == EXPERT_DEG)
    assert 0.05 < share < 0.3
    assert set(driven) == {NETWORK_DEG, EXPERT_DEG}


def test_the_disturbance_is_weak_and_mostly_absent() -> None:
    weave = Weave(np.random.default_rng(0), PUSH_M, dagger_torcs.UNDISTURBED)
    widest = Weave(np.random.default_rng(0), PUSH_M, 0.0)
    pushes = np.array([weave.step(20.0) for _ in range(5000)])
    strong = np.abs([widest.step(20.0) for _ in range(5000)])
    assert 0.5 < np.mean(pushes == 0) < 0.7
    assert np.abs(pushes).max() <= np.degrees(2 * 2.6 * PUSH_M / 15.0**2) + 1e-9
    assert np.mean(strong == 0) == 0


def test_the_label_is_the_angle_of_the_expert(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [row(0, state(0.25)), row(1, state(-0.5))])
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(one["wheel"]) for one in rows] == [EXPERT_DEG, EXPERT_DEG]
    assert [float(one["driven_wheel"]) for one in rows] == [1.0, 1.0]
    assert [one["ts_micro"] for one in rows] == ["0", "100000"]
    assert [one["offset_m"] for one in rows] == ["0.250", "-0.500"]
