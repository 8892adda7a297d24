"""A course of the smallest network: a dense layer on top of another, which can be frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pytest

from drive.runtime.keras_file import save_model


@dataclass(frozen=True)
class Step:
    images: np.ndarray
    targets: np.ndarray


class Line:
    """Batches of points on a line; each epoch has its own points."""

    def __init__(self, steps: int = 4) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int) -> Iterator[Step]:
        rng = np.random.default_rng(number)
        for _ in range(self.steps):
            x = rng.normal(size=(8, 1)).astype(np.float32)
            yield Step(x, 2 * x + 1)


@dataclass
class TinyCourse:
    epochs: int = 3
    frozen_epochs: int = 0
    patience: int = 0
    best: str = "best.keras"
    learning_rate: float = 0.01
    batches: Line = field(default_factory=Line)
    losses: Sequence[float | None] | None = None
    frozen_phases: list[bool] = field(default_factory=list)
    validated: int = 0

    def __post_init__(self) -> None:
        keras.utils.set_random_seed(0)
        image = keras.Input((1,))
        hidden = keras.layers.Dense(4, name="backbone")(image)
        self.network = keras.Model(image, keras.layers.Dense(1, name="head")(hidden))

    def compiled(self, frozen: bool) -> keras.Model:
        self.frozen_phases.append(frozen)
        self.network.get_layer("backbone").trainable = not frozen
        optimizer = keras.optimizers.Adam(self.learning_rate, use_ema=True, ema_momentum=0.5)
        self.network.compile(optimizer, loss="mse", jit_compile=False)
        optimizer.build(self.network.trainable_variables)
        return self.network

    def rate(self, step: int) -> float:
        return self.learning_rate / (1 + step)

    def validation_loss(self, model: keras.Model) -> float | None:
        self.validated += 1
        if self.losses is not None:
            return self.losses[self.validated - 1]
        x = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
        return float(np.mean((model.predict_on_batch(x) - 2 * x - 1) ** 2))

    def save_best(self, model: keras.Model, path: Path) -> None:
        save_model(model, path, {})


@pytest.fixture
def tiny() -> Callable[..., TinyCourse]:
    return TinyCourse
