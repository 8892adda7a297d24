from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.results.history import read_history
from drive.results.names import HISTORY
from drive.runtime.keras_file import load_model
from drive.steering.split import Split, split_recordings
from drive.steering.train import train_steering
from drive.steering.training_settings import TrainingSettings
from drive.training.schedule import learning_rates
from drive.training.state import STATE


@pytest.fixture(scope="module")
def split(make_drive: Callable[..., object]) -> Split:
    rng = np.random.default_rng(0)
    drives = [make_drive(f"t{n}/epoch01", rng.uniform(-5, 5, 48)) for n in range(2)]
    return split_recordings(drives, "0.5")


@pytest.mark.slow
def test_the_history_tells_the_rates_and_a_resumed_training_goes_on_with_them(
    split: Split, tmp_path: Path
) -> None:
    def settings(epochs: int) -> TrainingSettings:
        return TrainingSettings(
            epochs=epochs,
            batch=16,
            balance=False,
            learning_rate=0.01,
            schedule="restarts",
            restart_epochs=1,
            warm_up=2,
            dropout=0.1,
            batch_norm=True,
            l2=1e-3,
        )

    train_steering(split, tmp_path, settings(1))
    train_steering(split, tmp_path, settings(2), resume=True)
    steps = 3  # 48 frames in batches of 16
    at = learning_rates("restarts", 0.01, steps, 2, restart_epochs=1, restart_factor=2, warm_up=2)
    expected = [np.mean([at(steps * epoch + i) for i in range(steps)]) for epoch in range(2)]
    history = read_history(tmp_path / HISTORY)
    assert [row.learning_rate for row in history] == pytest.approx(expected)
    used = load_model(tmp_path / STATE, compiled=True).optimizer.learning_rate
    assert float(used) == pytest.approx(at(2 * steps - 1))
