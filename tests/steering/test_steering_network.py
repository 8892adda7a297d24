from __future__ import annotations

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.steering.network import PUBLISHED_PARAMETERS, build_network


def test_the_published_network_has_the_published_number_of_parameters() -> None:
    assert build_network().count_params() == PUBLISHED_PARAMETERS == 252_219


def test_the_published_layers_in_order() -> None:
    model = build_network()
    shapes = [tuple(layer.kernel.shape) for layer in model.layers if hasattr(layer, "kernel")]
    assert shapes == [
        (5, 5, 3, 24),
        (5, 5, 24, 36),
        (5, 5, 36, 48),
        (3, 3, 48, 64),
        (3, 3, 64, 64),
        (1152, 100),
        (100, 50),
        (50, 10),
        (10, 1),
    ]
    assert {layer.activation.__name__ for layer in model.layers[2:7]} == {"relu"}


def test_pictures_are_normalised_inside_the_network() -> None:
    layer = build_network().get_layer("normalise")
    levels = np.array([0, 127.5, 255], np.float32)
    assert np.allclose(layer(levels), [-1, 0, 1])


def test_the_variant_has_elu_he_start_and_a_dense_layer_of_1164() -> None:
    model = build_network("elu")
    assert model.get_layer("dense1164").units == 1164
    assert model.get_layer("conv1").activation.__name__ == "elu"
    assert model.get_layer("conv1").kernel_initializer.__class__.__name__ == "HeNormal"


def test_the_scale_multiplies_the_answer_and_adds_no_parameter() -> None:
    one, ten = build_network(scale_deg=1.0), build_network(scale_deg=10.0)
    ten.set_weights(one.get_weights())
    pictures = np.random.default_rng(0).integers(0, 256, (2, 66, 200, 3), np.uint8)
    assert np.allclose(ten.predict_on_batch(pictures), 10 * one.predict_on_batch(pictures))
    assert ten.count_params() == PUBLISHED_PARAMETERS


def test_an_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"published, elu.*'tiny'"):
        build_network("tiny")
