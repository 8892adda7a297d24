"""The first layers of a network, loaded from its file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import InputError
from drive.runtime.part_of_file import load_until

SIZE = (8, 12, 3)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    image = keras.Input(SIZE, name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(image)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(5, 3, name="second")(x)
    return keras.Model(image, layers.Flatten(name="flat")(x))


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_a_value_inside_is_what_the_layers_before_it_give(
    engine: str, network: keras.Model, tmp_path: Path
) -> None:
    write_onnx(network, tmp_path / "network.onnx", {})
    part = load_until(tmp_path / "network.onnx", "pool", (4, 4, 6), engine)
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE), np.uint8)
    expected = keras.Model(network.inputs, network.get_layer("pool").output)([images])
    found = part.predict(images)[0].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-2, atol=0.3)  # half precision


def test_a_value_that_is_not_there_is_refused(network: keras.Model, tmp_path: Path) -> None:
    write_onnx(network, tmp_path / "network.onnx", {})
    with pytest.raises(InputError, match="has no value 'pool9'"):
        load_until(tmp_path / "network.onnx", "pool9", (4, 4, 6))
