"""Even exposure: dark and bright images come to the same brightness."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from drive.steering.exposure import even_exposure


@pytest.mark.parametrize("light", [0.25, 0.6, 1.0])
def test_the_median_is_brought_to_the_middle(light: float) -> None:
    shades = np.random.default_rng(0).uniform(60, 200, (66, 200, 3)) * light
    image = shades.astype(np.uint8)
    evened = even_exposure(image)
    assert evened.dtype == np.uint8
    median = np.median(cv2.cvtColor(evened, cv2.COLOR_RGB2GRAY)) / 255
    assert median == pytest.approx(0.4, abs=0.02)
    order = np.argsort(image[..., 0], axis=None)
    assert (np.diff(evened[..., 0].ravel()[order].astype(int)) >= 0).all()


def test_black_and_white_images_stay_as_they_are() -> None:
    for level in (0, 255):
        image = np.full((66, 200, 3), level, np.uint8)
        np.testing.assert_array_equal(even_exposure(image), image)


def test_the_exponent_has_limits() -> None:
    dark = np.full((66, 200, 3), 3, np.uint8)
    assert even_exposure(dark).max() == round((3 / 255) ** 0.3 * 255)
