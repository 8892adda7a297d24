"""How long a training will take, from the speed of its network on this computer."""

from __future__ import annotations

import math
import time

import keras
import numpy as np

from drive.core.wording import counted
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH
from drive.steering.split import Split
from drive.steering.training_settings import TrainingSettings

TRIES = 4
STEP_OVER_PREDICTION = 3.1
"""Time of a training step over that of predicting its batch: measured, 2.9 to 3.2 on two cores."""


def seconds_per_step(network: keras.Model, batch: int) -> float:
    """Return the seconds that a training step takes, from the fastest of some predictions."""
    images = np.zeros((batch, INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    network.predict_on_batch(images)  # traced here, not timed
    seconds = []
    for _ in range(TRIES):
        began = time.perf_counter()
        network.predict_on_batch(images)
        seconds.append(time.perf_counter() - began)
    return STEP_OVER_PREDICTION * min(seconds)


def plan_text(network: keras.Model, settings: TrainingSettings, steps: int, split: Split) -> str:
    """Return a sentence on the length of a training whose epochs have so many steps."""
    total = settings.planned_epochs * steps
    text = f"training: {counted(settings.planned_epochs, 'epoch')}, {total:,} steps of "
    text += counted(settings.batch, "frame")
    if settings.final_fit:
        frames = sum(map(len, split.final)) / max(1, sum(map(len, split.training)))
        total = round(total * (1 + frames))
        text += ", then again on all frames"
    minutes = math.ceil(total * seconds_per_step(network, settings.batch) / 60)
    return f"{text}; {counted(minutes, 'minute')} at most, if this computer does nothing else"
