"""Darknet's weights file: order of the values, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from drive.core.errors import MissingFileError, WeightsError
from drive.detection.darknet import check_size, load_darknet_weights


def small() -> keras.Model:
    image = keras.Input((4, 5, 3))
    x = layers.Conv2D(2, (3, 2), name="conv")(image)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(image, layers.Dense(4, name="dense")(x), name="small")


CONV, DENSE = 2 + 2 * 3 * 3 * 2, 4 + 16 * 4


def write(path: Path, count: int) -> np.ndarray:
    """Write a weights file of `count` values that each tell their own position."""
    values = np.arange(count, dtype="<f4")
    path.write_bytes(np.array([0, 1, 0, 0], "<i4").tobytes() + values.tobytes())
    return values


def test_biases_before_kernels_and_the_order_of_axes(tmp_path: Path) -> None:
    model = small()
    values = write(tmp_path / "small.weights", CONV + DENSE)
    load_darknet_weights(model, tmp_path / "small.weights")
    conv, dense = model.get_layer("conv"), model.get_layer("dense")
    np.testing.assert_array_equal(np.asarray(conv.bias), values[:2])
    kernel = np.asarray(conv.kernel)
    for out, source, row, column in [(0, 0, 0, 0), (0, 0, 0, 1), (1, 2, 1, 0), (1, 2, 2, 1)]:
        position = 2 + ((out * 3 + source) * 3 + row) * 2 + column
        assert kernel[row, column, source, out] == values[position]
    np.testing.assert_array_equal(np.asarray(dense.bias), values[CONV : CONV + 4])
    assert np.asarray(dense.kernel)[3, 1] == values[CONV + 4 + 3 * 4 + 1]  # in-by-out


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_wrong_size_names_both_sizes(extra: int, tmp_path: Path) -> None:
    model = small()
    before = np.asarray(model.get_layer("dense").kernel).copy()
    write(tmp_path / "small.weights", CONV + DENSE + extra)
    expected = 16 + 4 * (CONV + DENSE)
    with pytest.raises(
        WeightsError, match=rf"exactly {expected} bytes; got {expected + 4 * extra}"
    ):
        load_darknet_weights(model, tmp_path / "small.weights")
    np.testing.assert_array_equal(np.asarray(model.get_layer("dense").kernel), before)


def test_the_size_is_checked_without_the_network(tmp_path: Path) -> None:
    write(tmp_path / "small.weights", 10)
    check_size(tmp_path / "small.weights", "small", 10)
    with pytest.raises(WeightsError, match=r"exactly 180,357,512 bytes; got 56"):
        check_size(tmp_path / "small.weights", "tiny-yolo-v1", 45_089_374)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"absent\.weights"):
        load_darknet_weights(small(), tmp_path / "absent.weights")
