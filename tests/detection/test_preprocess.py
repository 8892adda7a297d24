"""Letterboxing maps boxes there and back, for any shape of picture."""

from __future__ import annotations

import numpy as np
import pytest

from drive.detection.preprocess import closest_aspect, finer, letterbox


def test_closest_aspect() -> None:
    sizes = [(416, 416), (320, 576), (256, 768)]
    assert closest_aspect(sizes, 720, 720) == (416, 416)
    assert closest_aspect(sizes, 720, 1280) == (320, 576)
    assert closest_aspect(sizes, 461, 1280) == (256, 768)


def test_large_pictures_get_a_larger_input() -> None:
    assert finer((352, 608), 720, 1280, 1.75) == (608, 1056)  # as large as is allowed
    assert finer((352, 608), 480, 850, 1.75) == (448, 768)  # not past the picture's own size
    assert finer((352, 608), 337, 600, 1.75) == (352, 608)
    assert finer((352, 608), 50, 80, 1.75) == (352, 608)


@pytest.mark.parametrize("size", [(100, 30), (30, 100), (33, 33), (1, 500), (700, 900)])
def test_letterbox_maps_boxes_there_and_back(size: tuple[int, int]) -> None:
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    picture, placement = letterbox(image, 64, 96)
    assert picture.shape == (64, 96, 3)
    inside = picture[placement.top :, placement.left :][: placement.height, : placement.width]
    assert (inside == 0).all()
    assert (picture == 0).all(axis=2).sum() == placement.width * placement.height
    whole = np.array([[0, 0, width, height]])
    placed = placement.apply(whole, width, height)
    assert placement.remove(placed) == pytest.approx(
        np.array([[0, 0, placement.width, placement.height]])
    )
