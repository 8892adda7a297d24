"""The conditions that `benchmarks/train_shipped.py` adds to the augmentation."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import train_shipped
from benchmarks.weather import DARK, SHARES, as_video, in_condition, weather
from drive.detection import augment
from drive.detection.augment import Sample

BOXES = np.array([[20, 30, 60, 50]], np.float32)
VEHICLES = np.array([True])


@pytest.fixture
def street() -> np.ndarray:
    return np.random.default_rng(1).integers(60, 200, (64, 96, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", [name for name in SHARES if name != "none"])
def test_a_condition_changes_levels_and_not_the_shape(name: str, street: np.ndarray) -> None:
    made = in_condition(name, street, BOXES, VEHICLES, np.random.default_rng(0))
    assert made.shape == street.shape
    assert made.dtype == np.uint8
    assert np.abs(made.astype(int) - street).mean() > 5


def test_dark_images_stay_as_they_are() -> None:
    dark = np.full((64, 96, 3), DARK - 1, np.uint8)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert weather(dark, BOXES, VEHICLES, rng) is dark


def test_video_blurs_noise(street: np.ndarray) -> None:
    made = as_video(street, np.random.default_rng(0))
    assert made.shape == street.shape
    assert made.std() < street.std()


def test_training_places_images_in_weather(
    street: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(image: np.ndarray, boxes: np.ndarray, vehicles: np.ndarray, rng: object) -> object:
        seen.append(vehicles.tolist())
        return np.zeros_like(image)

    monkeypatch.setattr(augment, "place", augment.place)  # put back afterwards
    monkeypatch.setattr(augment, "degrade", augment.degrade)
    monkeypatch.setattr(train_shipped, "weather", noted)
    train_shipped.with_weather()
    boxes = np.array([[20, 10, 60, 50], [30, 10, 70, 50]], np.float32)
    car_and_person = np.array([0, 5])
    sample = Sample(street, boxes, car_and_person, np.zeros(2, bool), np.ones(6, bool))
    for seed in range(3):
        augment.augment([sample] * 4, 128, 192, np.random.default_rng(seed))
    assert len(seen) == 12
    assert [True, False] in seen
