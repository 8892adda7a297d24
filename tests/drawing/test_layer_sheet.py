"""Sheets of kernels and feature maps, and the card of a frame."""

from __future__ import annotations

import numpy as np

from drive.drawing.layer_sheet import GAP, KERNEL_PX, MAP_WIDTH, kernel_sheet, map_sheet
from drive.drawing.palette import DARK, MODEL, RECORDED
from drive.drawing.steering_card import BAR_HEIGHT, WIDTH, steering_card


def test_kernels_keep_their_order_and_their_sign() -> None:
    kernels = np.zeros((14, 3, 3, 3))
    kernels[0, ..., 0] = 2.0  # red
    kernels[1, ..., 2] = -0.5  # less blue
    sheet = kernel_sheet(kernels)
    assert sheet.shape == (2 * (KERNEL_PX + GAP) + GAP, 12 * (KERNEL_PX + GAP) + GAP, 3)
    middle = GAP + KERNEL_PX // 2
    assert sheet[middle, middle].tolist() == [255, 128, 128]
    assert sheet[middle, middle + KERNEL_PX + GAP].tolist() == [128, 128, 0]
    assert tuple(sheet[1, 1]) == DARK


def test_a_grey_yuv_kernel_is_grey() -> None:
    kernels = np.zeros((1, 2, 2, 3))
    kernels[..., 0] = 1.0
    sheet = kernel_sheet(kernels, yuv=True)
    assert sheet[GAP + 5, GAP + 5].tolist() == [255, 255, 255]


def test_each_map_goes_from_dark_to_bright() -> None:
    ramp = np.linspace(0, 1, 40).reshape(1, 4, 10)
    sheet = map_sheet(np.concatenate([ramp, ramp * 100, ramp * 0]))
    assert sheet.shape == (60 + 2 * GAP, 3 * (MAP_WIDTH + GAP) + GAP, 3)
    first = sheet[GAP:-GAP, GAP : GAP + MAP_WIDTH]
    second = sheet[GAP:-GAP, 2 * GAP + MAP_WIDTH : 2 * GAP + 2 * MAP_WIDTH]
    np.testing.assert_array_equal(first, second)
    assert first[0, 0].sum() < first[-1, -1].sum()


def test_a_card_has_a_bar_for_the_model_and_one_for_the_human() -> None:
    card = steering_card(np.full((66, 200, 3), 90, np.uint8), -3.0, 6.0, 6.0)
    assert card.shape[1] == WIDTH
    bars = card[-BAR_HEIGHT:]
    left, right = bars[:, : WIDTH // 2 - 8], bars[:, WIDTH // 2 + 8 :]
    assert (left == MODEL).all(axis=2).any() and not (left == RECORDED).all(axis=2).any()
    assert (right == RECORDED).all(axis=2).any() and not (right == MODEL).all(axis=2).any()
