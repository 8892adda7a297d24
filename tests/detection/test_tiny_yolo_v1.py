"""The network is the published one, and gives what the original C implementation gives."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from drive.detection.darknet import load_darknet_weights
from drive.detection.tiny_yolo_v1 import LEAKY_SLOPE, PARAMETERS, build_tiny_yolo_v1

CONVOLUTIONS = [(3, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
CONVOLUTIONS += [(512, 1024), (1024, 1024), (1024, 1024)]
DENSE = [(50176, 256), (256, 4096), (4096, 1470)]
GOLDEN_DIFFERENCE = 1e-3  # shared/golden/README.md


def write_golden_weights(path: Path) -> None:
    """Write the weights file of shared/golden/README.md."""
    rng = np.random.default_rng(20261121)
    with path.open("wb") as file:
        file.write(np.array([0, 1, 0, 0], "<i4").tobytes())
        for inputs, outputs in CONVOLUTIONS:
            file.write((0.01 * rng.standard_normal(outputs)).astype("<f4").tobytes())
            kernel = rng.standard_normal(outputs * inputs * 9) * np.sqrt(2 / (inputs * 9))
            file.write(kernel.astype("<f4").tobytes())
        for inputs, outputs in DENSE:
            file.write((0.01 * rng.standard_normal(outputs)).astype("<f4").tobytes())
            kernel = rng.standard_normal(inputs * outputs) * np.sqrt(1 / inputs)
            file.write(kernel.astype("<f4").tobytes())


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build_tiny_yolo_v1(pixels=False)


def test_exactly_the_published_layers(network: keras.Model) -> None:
    assert network.count_params() == PARAMETERS == 45_089_374
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    shapes = [tuple(layer.kernel.shape) for layer in convolutions]
    assert shapes == [(3, 3, inputs, outputs) for inputs, outputs in CONVOLUTIONS]
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert [tuple(layer.kernel.shape) for layer in dense] == DENSE
    assert sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in network.layers) == 6
    slopes = [x.negative_slope for x in network.layers if isinstance(x, keras.layers.LeakyReLU)]
    assert slopes == [pytest.approx(LEAKY_SLOPE)] * 10
    assert network.output_shape == (None, 1470)


def dense_part(network: keras.Model, features: np.ndarray, transposed: bool) -> np.ndarray:
    """Compute the fully connected layers in NumPy from the flattened features."""
    x = features
    for name in ("dense1", "dense2", "detections"):
        layer = network.get_layer(name)
        kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
        if transposed:  # out-by-in, as Darknet's convolutions are stored
            kernel = kernel.reshape(kernel.shape[::-1]).T
        x = x @ kernel + bias
        if name == "dense2":
            x = np.where(x > 0, x, LEAKY_SLOPE * x)
    return x


def test_gives_what_the_original_gives(network: keras.Model, shared: Path, tmp_path: Path) -> None:
    golden = np.load(shared / "golden" / "tiny_yolo_v1_output.npy")
    write_golden_weights(tmp_path / "golden.weights")
    assert (tmp_path / "golden.weights").stat().st_size == 180_357_512
    load_darknet_weights(network, tmp_path / "golden.weights")
    image = np.random.default_rng(7).uniform(-1, 1, (3, 448, 448)).astype(np.float32)

    stages = keras.Model(network.input, [network.get_layer("leaky9").output, network.output])
    features, result = (np.asarray(x) for x in stages(image.transpose(1, 2, 0)[None]))

    assert np.abs(result[0] - golden).max() < GOLDEN_DIFFERENCE
    # The comparison has teeth: each of the usual mistakes is far outside.
    first = features[0].transpose(2, 0, 1).ravel()
    assert np.abs(dense_part(network, first, transposed=False) - golden).max() < GOLDEN_DIFFERENCE
    assert np.abs(dense_part(network, first, transposed=True) - golden).max() > 0.1
    last = features[0].ravel()
    assert np.abs(dense_part(network, last, transposed=False) - golden).max() > 0.1
