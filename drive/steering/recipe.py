"""The recipe of a training: what its options leave open is chosen by its recordings."""

from __future__ import annotations

from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.split import Split
from drive.steering.training_settings import TrainingSettings


def suited(settings: TrainingSettings, split: Split) -> TrainingSettings:
    """Return the settings with mirror images, moved cameras and a length that suit the frames."""
    batches = TrainingBatches(Samples(split.training), settings)
    return settings.for_frames(len(batches.chosen(0)))
