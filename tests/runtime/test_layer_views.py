"""What the first layers look for and answer, of networks with and without separate activations."""

from __future__ import annotations

import numpy as np
import pytest

from drive.runtime.layer_views import feature_maps, first_kernels

keras = pytest.importorskip("keras")


def small(separate: bool, channels: int = 3) -> keras.Model:
    image = keras.Input((8, 12, channels), name="image")
    activation = None if separate else "relu"
    x = keras.layers.Conv2D(4, 3, activation=activation, name="one")(image)
    if separate:
        x = keras.layers.ReLU(name="one_relu")(x)
    x = keras.layers.Conv2D(5, 3, activation="relu", name="two")(x)
    return keras.Model(image, x)


@pytest.mark.parametrize("separate", [False, True])
def test_maps_are_behind_the_activation(separate: bool) -> None:
    model = small(separate)
    maps = feature_maps(model, np.random.default_rng(0).normal(size=(8, 12, 3)))
    assert [one.layer for one in maps] == ["one", "two"]
    assert [one.values.shape for one in maps] == [(4, 6, 10), (5, 4, 8)]
    assert min(one.values.min() for one in maps) >= 0


def test_kernels_stand_filter_by_filter() -> None:
    model = small(separate=False)
    kernels = first_kernels(model)
    assert kernels is not None
    np.testing.assert_array_equal(kernels[2], model.get_layer("one").get_weights()[0][..., 2])
    assert first_kernels(small(separate=False, channels=1)) is None


def test_a_network_without_convolutions_has_neither() -> None:
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(1)(image))
    assert first_kernels(model) is None
    assert feature_maps(model, np.zeros(4)) == []


def test_kernels_are_found_inside_a_backbone() -> None:
    image = keras.Input((8, 12, 3))
    model = keras.Model(image, small(separate=False)(image))
    kernels = first_kernels(model)
    assert kernels is not None and kernels.shape == (4, 3, 3, 3)
    assert feature_maps(model, np.zeros((8, 12, 3))) == []
