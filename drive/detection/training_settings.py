"""How a training of the detector learns: the options, declared once, and the settings."""

from __future__ import annotations

from dataclasses import dataclass

from drive.core.options import Config, OptionError, above, at_least, between, option

FROZEN_SHARE = 0.25  # of the epochs before the backbone is trained too
BACKBONE_LAYERS = 7


@dataclass(frozen=True, kw_only=True)
class LearningOptions(Config):
    """How the detector learns."""

    group = "learning"
    patience: int = option(
        0,
        "stop after N epochs without a better validation loss; 0: never",
        "N",
        at_least(0),
        resumable=True,
        advanced=True,
    )
    tensorboard: bool = option(
        False,
        "write losses and histograms of weights and gradients for TensorBoard, each epoch",
        resumable=True,
        advanced=True,
    )
    epochs: int = option(10, "number of epochs", "N", at_least(1))
    frozen_epochs: int | None = option(
        None,
        "epochs at the beginning in which the backbone keeps its weights",
        "N",
        at_least(0),
        shown_default="a quarter",
    )
    batch: int = option(8, "images per step", "N", at_least(1))
    learning_rate: float = option(
        1.5e-4, "highest learning rate; four times this while the backbone is frozen", "R", above(0)
    )
    freeze: int = option(
        3,
        f"the first N of {BACKBONE_LAYERS} backbone convolutions always keep their weights",
        "N",
        between(0, BACKBONE_LAYERS),
        advanced=True,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(LearningOptions):
    """How to train, with `frozen_epochs` resolved."""

    seed: int = option(0, "random seed", check=at_least(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frozen_epochs is None:
            object.__setattr__(self, "frozen_epochs", int(self.epochs * FROZEN_SHARE))
        if self.frozen > self.epochs:
            raise OptionError(
                "frozen_epochs", f"must be from 0 to epochs ({self.epochs}); got {self.frozen}"
            )

    @property
    def frozen(self) -> int:
        """The resolved number of frozen epochs."""
        return self.frozen_epochs or 0
