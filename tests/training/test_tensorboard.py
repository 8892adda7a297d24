from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from drive.training.tensorboard import GradientProbe, histogram_of


@dataclass(frozen=True)
class Step:
    images: np.ndarray
    targets: np.ndarray


def test_gradients_are_those_of_the_loss_and_leave_the_model_alone() -> None:
    image = keras.Input((3,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(2, name="one")(image))
    model = keras.Model(image, keras.layers.Dense(1, name="two")(hidden))
    model.compile("sgd", loss="mse")
    before = [array.copy() for array in model.get_weights()]
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    y = np.arange(8, dtype=np.float32)
    probe = GradientProbe(Step(x, y[:, None]))
    for _ in range(2):
        found = probe.of(model)
        w1, b1, w2, b2 = before
        behind = x @ w1 + b1
        error = 2 * (behind @ w2 + b2 - y[:, None]) / len(y)
        np.testing.assert_allclose(found["two/kernel"], behind.T @ error, rtol=1e-4)
        np.testing.assert_allclose(found["one/kernel"], x.T @ (error @ w2.T), rtol=1e-4)
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_histogram_counts_what_is_finite() -> None:
    found = histogram_of(np.array([[0.0, 1.0], [np.nan, 2.0]]))
    assert (found["num"], found["min"], found["max"], found["sum"]) == (3, 0, 2, 3)
    assert sum(found["bucket"]) == 3
    assert found["bucket_limit"][-1] == 2
    assert histogram_of(np.array([np.nan]))["num"] == 1
