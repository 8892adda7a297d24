"""The mean of the weights of two steering networks."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.average_steering import average
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.network import build_network


def saved(path: Path, seed: int) -> Path:
    """A network with random weights."""
    keras.utils.set_random_seed(seed)
    model = build_network("published", 2.0)
    save_trained(model, path, describe(model, "published", "0.4,0.875", np.zeros(2), ["a"]))
    return path


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_weights_lie_between_those_of_both(tmp_path: Path, share: float) -> None:
    before, after = saved(tmp_path / "a.keras", 1), saved(tmp_path / "b.keras", 2)
    onnx = average(before, after, tmp_path / "mean.keras", share)
    found, metadata = load_network(tmp_path / "mean.keras")
    first, second = (load_network(path)[0].get_weights() for path in (before, after))
    for weight, mine, theirs in zip(found.get_weights(), first, second, strict=True):
        np.testing.assert_allclose(weight, (1 - share) * mine + share * theirs, atol=1e-6)
    assert metadata["crop"] == "0.4,0.875" and onnx == tmp_path / "mean.onnx"
    assert onnx.is_file()
