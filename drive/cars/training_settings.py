"""How a detector is trained, in plain numbers; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from drive.errors import InputError


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: passes over the pictures, of the whole training (resumed parts included).
        batch: pictures in a step.
        learning_rate: highest, after the warm-up; it falls by a cosine to `final_share` of it.
        warm_up_share: share of all steps in which the learning rate rises from 0.
        final_share: of the learning rate at the end.
        weight_decay: of kernels (decoupled, as in AdamW).
        frozen: the first so many convolutions keep their weights; edges and colours look the same
            everywhere, and a step takes a quarter less time without the first three.
        average: momentum of the running average of the weights, which is what is kept.
        seed: of batches and augmentation.
    """

    epochs: int = 10
    batch: int = 8
    learning_rate: float = 1.5e-4
    warm_up_share: float = 0.05
    final_share: float = 0.02
    weight_decay: float = 1e-4
    frozen: int = 3
    average: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be above 0; received: {getattr(self, name)}")
