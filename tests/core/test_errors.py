"""What the models and readers say about arguments of another kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from drive import load_detector, load_steering, read_run
from drive.core.errors import InputError

NOT_IMAGES = [
    (np.zeros((0, 160, 3), np.uint8), r"uint8 in shape \(0, 160, 3\)"),
    (np.zeros((90, 160), np.uint8), r"uint8 in shape \(90, 160\)"),
    (np.zeros((90, 160, 3)), r"float64 in shape \(90, 160, 3\)"),
    (None, "NoneType"),
    ("x", "str"),
    ([[0]], "list"),
]


@pytest.mark.parametrize(("image", "got"), NOT_IMAGES)
@pytest.mark.parametrize(
    "run",
    [
        lambda image: load_detector().detect(image),
        lambda image: load_steering().predict(image),
        lambda image: load_steering().predict_with_spread([image]),
    ],
)
def test_what_is_not_an_image_is_refused(run: Callable, image: object, got: str) -> None:
    with pytest.raises(InputError, match=rf"image must be \(H, W, 3\) uint8; got {got}$"):
        run(image)


@pytest.mark.parametrize("images", [None, "x", 5, iter([np.zeros((9, 16, 3), np.uint8)])])
def test_what_is_not_a_sequence_of_images_is_refused(images: object) -> None:
    for run in (load_detector().detect_batch, load_steering().predict_batch):
        with pytest.raises(InputError, match="image must be"):
            run(images)


@pytest.mark.parametrize("call", [load_detector, load_steering, read_run])
def test_what_is_not_a_path_is_refused(call: Callable) -> None:
    with pytest.raises(InputError, match="a path must be text or a Path; got 5"):
        call(5)
