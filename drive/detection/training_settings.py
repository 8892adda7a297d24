"""How a detector is trained, in plain numbers; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from drive.core.errors import InputError, as_option


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
        frozen_epochs: so many epochs at the beginning train necks and heads alone; the whole
            backbone keeps its weights: new heads learn fast then and cannot spoil what it knows.
        frozen_rate: the highest learning rate of those epochs, as a multiple of `learning_rate`.
        frozen: the first so many convolutions keep their weights; edges and colours look the same
            everywhere, and a step takes a quarter less time without the first three.
        average: highest momentum of the running average of the weights, which is what is kept;
            short trainings average over fewer steps.
        seed: of batches and augmentation.
    """

    epochs: int = 10
    batch: int = 8
    learning_rate: float = 1.5e-4
    warm_up_share: float = 0.05
    final_share: float = 0.02
    weight_decay: float = 1e-4
    frozen_epochs: int = 0
    frozen_rate: float = 4.0
    frozen: int = 3
    average: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "learning_rate", "frozen_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{as_option(name)} is above 0; received: {getattr(self, name)}")
        if not 0 <= self.frozen_epochs <= self.epochs:
            raise InputError(
                f"--frozen-epochs is a whole number from 0 to --epochs, {self.epochs}; "
                f"received: {self.frozen_epochs}"
            )
