"""How a training of the steering network learns: the options, declared once, and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from drive.core.errors import InputError, as_option
from drive.core.options import Config, above, at_least, fields_of, from_below, option, rare_option
from drive.training.schedule import SCHEDULES

LEARNING_RATES = {"adam": 5e-4, "adadelta": 1.0}
"""Each optimizer with its learning rate: for Adam half the usual one, for Adadelta the published
one (Keras' own default for Adadelta, 0.001, hardly moves)."""

BATCH_NORM_RATES = {"adam": 1e-3}
"""Learning rates with batch normalisation, where they differ."""

IMAGENET, RANDOM = "imagenet", "none"
"""In place of a file: Keras' own ImageNet weights, and a random start."""

SOLVED = "detector"
"""The backbone under a single layer that is solved, not trained by steps."""

NO_STEPS = {"epochs": 1, "patience": 0, "freeze_epochs": 0, "augment": False, "viewpoints": False}
"""Settings of a network that is solved."""

FREEZE_EPOCHS = 5
PASSES, FEWEST_STEPS, MOST_PASSES = 12, 1000, 50
"""Length of a training: each frame twelve times; more often, up to 50 times, if these are fewer
than 1,000 steps. On 2,700 frames of a real road twice as many steps changed nothing
(docs/decisions/steering.md)."""

PATIENCE_SHARE, LEAST_PATIENCE = 0.5, 4
"""Without `--patience`: share of the epochs without a better validation loss, and the least."""

RANDOM_START, SHIPPED_START, FILE_START = "random", "shipped", "file"
"""Where the first weights come from; `FILE_START` is `--weights`."""

BEFORE_THE_OPTION: Mapping[str, Any] = {
    "batch_norm": False,
    "warm_up": 0,
    "weight_decay": 0.0,
    "clip": False,
    "start": RANDOM_START,
    "mirror": False,
    "final_fit": False,
}
"""Settings of states that were written before these options existed."""


@dataclass(frozen=True, kw_only=True)
class VariationOptions(Config):
    """Which frames an epoch uses, and how it varies them."""

    group = "data"

    balance: bool | None = rare_option(None, "subsample straight driving", shown_default="no")
    augment: bool = rare_option(True, "do not vary the images")
    viewpoints: bool = rare_option(
        True,
        "do not move the cameras of training images. Without moved cameras, the model imitates the "
        "driver but cannot recover from drift",
    )
    mirror: bool | None = option(
        None,
        "mirror half of the images; not for a car that keeps to one side of an empty road",
        shown_default="yes, unless it harms predictions in cross-validation",
    )
    looks: str = rare_option(
        "gentle",
        "how far images vary: gentle tilts them and changes light and colours; mild does more, "
        "and covers and shades them; wild is for many recordings on many roads, to drive on others",
        choices=("gentle", "mild", "wild"),
    )
    fps: float = rare_option(
        0.0,
        "frames per second of video that an epoch uses, others in each epoch; the paper uses 10. "
        "0: all",
        "F",
        at_least(0),
    )
    return_s: float = rare_option(
        2.0, "seconds in which a moved car returns to its path", "S", from_below(0.1, 60)
    )


@dataclass(frozen=True, kw_only=True)
class LearningOptions(Config):
    """The network and how it learns, but not for how long."""

    group = "learning"

    batch: int = option(32, "frames per step", "N", at_least(1))
    optimizer: str = rare_option("adam", "optimizer", choices=tuple(LEARNING_RATES))
    learning_rate: float | None = option(
        None,
        "learning rate",
        "R",
        above(0),
        shown_default="adam 0.001, without batch normalisation 0.0005; adadelta 1.0",
    )
    variant: str = rare_option(
        "published", "network: that of the paper, or with ELU", choices=("published", "elu")
    )
    dropout: float = rare_option(
        0.3,
        "share of the values dropped in each step, behind the convolutions and the larger dense "
        "layers",
        "P",
        from_below(0, 1),
    )
    batch_norm: bool | None = rare_option(
        None,
        "normalise over the batch between each convolution and its activation; the finished "
        "network has it folded into the convolutions",
        shown_default="yes; with --weights as in that network, with --backbone no",
    )
    l2: float = rare_option(
        0.0,
        "add W times the sum of squared kernels to the loss, but not to val_loss, which stays the "
        "mean squared error",
        "W",
        at_least(0),
    )
    weight_decay: float = rare_option(
        1e-3, "shrink all weights by W times the learning rate in each step", "W", from_below(0, 1)
    )
    clip: bool = rare_option(
        True, "do not clip gradients (at a norm of 2, for angles in standard deviations)"
    )
    schedule: str = rare_option(
        "cosine",
        "learning rate over time: constant, falling to 0 over all --epochs, or falling to 0 and "
        "restarting",
        choices=SCHEDULES,
    )
    restart_epochs: int = rare_option(
        10,
        "with --schedule restarts: epochs before the first restart; let --patience be longer than "
        "a cycle",
        "N",
        at_least(1),
    )
    restart_factor: float = rare_option(
        2.0,
        "with --schedule restarts: each cycle is F times longer than the one before",
        "F",
        at_least(1),
    )
    warm_up: int = rare_option(
        50,
        "steps at the beginning over which the learning rate rises, at most a tenth of all",
        "STEPS",
        at_least(0),
    )


@dataclass(frozen=True, kw_only=True)
class TransferOptions(Config):
    """The pretrained backbone and how it is trained."""

    group = "transfer learning"

    backbone: str | None = rare_option(
        None,
        "put the angle on top of a pretrained network, in place of --variant. detector: the one "
        "that comes with drive, under a single layer that is solved, not trained; about as good, "
        "in a minute",
        choices=(SOLVED, "vgg16", "resnet50"),
    )
    backbone_weights: str = rare_option(
        IMAGENET,
        "weights of the backbone without its classifier; imagenet: those of Keras, downloaded if "
        "they are not in ~/.keras/models; none: a random start",
        "FILE|imagenet|none",
    )
    freeze_epochs: int | None = rare_option(
        None,
        "epochs at the beginning in which only the layers on top are trained",
        "N",
        at_least(0),
        shown_default=f"{FREEZE_EPOCHS}; 0 with random weights",
    )
    depth_rate: float = rare_option(
        0.3,
        "after these, the backbone's last block learns at F times --learning-rate, and each "
        "earlier block at F times the rate of the next one",
        "F",
        above(0, 1),
    )


@dataclass(frozen=True, kw_only=True)
class StartOptions(Config):
    """The weights that a training begins with, without `--weights`."""

    group = "learning"

    from_scratch: bool = option(
        False, "begin with random weights instead of those that come with drive"
    )


@dataclass(frozen=True, kw_only=True)
class LengthOptions(Config):
    """How long a training lasts; a stopped one may resume with other values."""

    group = "learning"

    epochs: int | None = option(
        None,
        "maximum number of epochs",
        "N",
        at_least(1),
        shown_default=f"{PASSES}; up to {MOST_PASSES} until there are {FEWEST_STEPS:,} steps",
        resumable=True,
    )
    patience: int | None = option(
        None,
        "stop after N epochs without a better validation loss; 0: never",
        "N",
        at_least(0),
        shown_default="half of the epochs",
        resumable=True,
    )
    final_fit: bool = rare_option(
        True,
        "do not train again on all frames, those of the validation included, once the validation "
        "has shown how well this works",
    )
    tensorboard: bool = rare_option(
        False,
        "write losses and histograms of weights and gradients for TensorBoard, each epoch",
        resumable=True,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(LengthOptions, LearningOptions, VariationOptions, TransferOptions):
    """How to train. What the options leave open is resolved: no `batch_norm` is None."""

    seed: int = option(0, "random seed", check=at_least(0))
    start: str = SHIPPED_START

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backbone and self.batch_norm:
            raise InputError(
                "--batch-norm does not apply to --backbone, which keeps the layers it was trained "
                "with"
            )
        frozen = 0 if self.backbone and self.backbone_weights == RANDOM else FREEZE_EPOCHS
        resolved = {"batch_norm": self.backbone is None, "freeze_epochs": frozen}
        for name, value in resolved.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        fits = self.variant == "published" and self.batch_norm and not self.backbone
        if self.start == SHIPPED_START and not fits:
            object.__setattr__(self, "start", RANDOM_START)

    @property
    def rate(self) -> float:
        """The learning rate: the given one, or the default of the optimizer and the network."""
        usual = LEARNING_RATES | (BATCH_NORM_RATES if self.batch_norm else {})
        return self.learning_rate or usual[self.optimizer]

    def for_frames(self, frames: int) -> Self:
        """Return the settings with the length of a training whose epochs use so many frames."""
        steps = -(-frames // self.batch)
        enough = round(FEWEST_STEPS / max(1, steps))
        epochs = self.epochs or min(MOST_PASSES, max(PASSES, enough))
        patience = self.patience
        if patience is None:
            patience = max(LEAST_PATIENCE, round(PATIENCE_SHARE * epochs))
        return replace(self, epochs=epochs, patience=patience)

    @property
    def planned_epochs(self) -> int:
        """The number of epochs; see `for_frames`."""
        return self.epochs or PASSES

    @property
    def solved(self) -> bool:
        """Whether the network is solved, not trained by steps."""
        return self.backbone == SOLVED

    @property
    def frozen_epochs(self) -> int:
        """Epochs at the beginning in which the backbone is not trained."""
        return self.freeze_epochs or 0

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Read settings back from the JSON of `asdict`, of this version or an earlier one."""
        return cls(**{**BEFORE_THE_OPTION, **state})

    @classmethod
    def from_options(cls, options: Config, weights: str | None = None, **changes: Any) -> Self:
        """Return the settings of a command; `weights` is the file to start from."""
        _check_transfer(options, weights)
        if getattr(options, "backbone", None) == SOLVED:
            _check_solved(options)
            changes |= NO_STEPS
        names = [each.name for each in fields_of(cls)]
        scratch = getattr(options, "from_scratch", False)
        changes["start"] = FILE_START if weights else RANDOM_START if scratch else SHIPPED_START
        values = {name: getattr(options, name) for name in names if hasattr(options, name)}
        if weights and values["batch_norm"] is None:
            values["batch_norm"] = _normalises(weights)
        given = values["backbone_weights"]
        if values["backbone"] and given not in (IMAGENET, RANDOM):
            values["backbone_weights"] = str(Path(given).resolve())
        settings = cls(**{**values, **changes})
        if settings.backbone and not settings.solved and not weights:
            from drive.steering.backbone import find_weights

            find_weights(settings.backbone, settings.backbone_weights)  # before hours of work
        return settings


def _check_transfer(options: Config, weights: str | None) -> None:
    """Refuse options that have no meaning without a backbone, or none with one."""
    chosen = options.changed()
    of_backbone = ("backbone_weights", "freeze_epochs", "depth_rate")
    if "backbone" not in chosen:
        for name in of_backbone:
            if name in chosen:
                raise InputError(f"{as_option(name)} requires --backbone")
    elif "variant" in chosen or chosen.get("batch_norm"):
        raise InputError("--variant and --batch-norm do not apply to --backbone. Leave them out")
    elif weights and "backbone_weights" in chosen:
        raise InputError("--weights holds the backbone's weights. Leave --backbone-weights out")


def _check_solved(options: Config) -> None:
    """Refuse options of a training by steps: a network that is solved has none."""
    configs = (LengthOptions, LearningOptions, VariationOptions, StartOptions, TransferOptions)
    of_steps = {each.name for config in configs for each in fields_of(config)}
    of_steps |= {"weights", "find_lr", "ensemble"}
    chosen = options.changed()
    refused = [n for n in chosen if n in of_steps - {"backbone", "mirror", "final_fit"}]
    if chosen.get("side_cameras"):
        refused.append("side_cameras")
    if refused:
        raise InputError(
            f"{as_option(refused[0])} does not apply to --backbone {SOLVED}, which is solved, not "
            "trained by steps. Leave it out"
        )


def _normalises(weights: str) -> bool:
    from drive.steering.model_file import read_network_metadata
    from drive.steering.network import read_network_options

    return bool(read_network_options(read_network_metadata(weights))["batch_norm"])
