"""One model that several threads share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from drive import load_detector, load_steering

THREADS, FRAMES = 4, 40


def _detect(engine: str) -> Callable[[np.ndarray], object]:
    detector = load_detector(engine=engine, threads=1)
    return lambda image: detector.detect(image, conf=0.02)


def _predict(engine: str) -> Callable[[np.ndarray], object]:
    return load_steering(engine=engine, threads=1).predict


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
@pytest.mark.parametrize("load", [_detect, _predict])
def test_threads_get_what_one_thread_gets(load: Callable, engine: str) -> None:
    random = np.random.default_rng(0)
    shapes = [(90, 160, 3), (120, 120, 3)]  # which the detector runs at two input sizes
    images = [random.integers(0, 256, shapes[n % 2], np.uint8) for n in range(FRAMES)]
    run = load(engine)
    alone = [run(image) for image in images]
    with ThreadPoolExecutor(THREADS) as pool:
        shared = list(pool.map(lambda _: [run(image) for image in images], range(THREADS)))
    assert shared == [alone] * THREADS
