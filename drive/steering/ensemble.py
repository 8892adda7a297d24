"""Ensembles: several steering networks as one, with the mean and the spread of their angles.

Members differ in their seeds. The spread measures the uncertainty of the mean (arXiv 1612.01474).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drive.steering.network import fold_batch_norm
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH

if TYPE_CHECKING:
    import keras

    from drive.steering.evaluate import Predictions
    from drive.steering.training_settings import TrainingSettings

ENTRY = "ensemble"
"""Entry of the metadata with the number of members."""


def member_folder(folder: Path, number: int) -> Path:
    """Return the folder of member `number`, from 1."""
    return folder / f"member{number}"


def member_settings(settings: TrainingSettings, members: int) -> list[TrainingSettings]:
    """Return the settings of each member, with seeds that no other ensemble of this size has."""
    first = settings.seed * members
    return [replace(settings, seed=first + number) for number in range(members)]


def shared_settings(first: TrainingSettings, members: int) -> TrainingSettings:
    """Return the settings that `member_settings` made the first ones of."""
    return replace(first, seed=first.seed // members)


def merge(models: Sequence[keras.Model]) -> keras.Model:
    """Return one model with the outputs mean (N, 1) and members (N, M).

    Its layers are named `member1_conv1` and so on.
    """
    import keras

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), dtype="uint8", name="image_yuv")
    outputs = []
    for number, model in enumerate(models, start=1):
        copy = keras.models.clone_model(
            model, input_tensors=image, clone_function=_renamed(f"member{number}_")
        )
        copy.set_weights(model.get_weights())
        outputs.append(copy.output)
    mean = keras.layers.Average(name="mean")(outputs)
    together = keras.layers.Concatenate(name="members")(outputs)
    return keras.Model(image, [mean, together], name="steering_ensemble")


def merge_trained(models: Sequence[keras.Model]) -> keras.Model:
    """Merge networks with their batch normalisation folded, as a file holds them."""
    return merge([fold_batch_norm(model) for model in models])


def _renamed(prefix: str) -> Any:
    """Return a function that copies a layer and puts `prefix` before its name."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, "name": f"{prefix}{config['name']}"})

    return copy


def describe_ensemble(member: Mapping[str, str], members: int) -> dict[str, str]:
    """Return the metadata of an ensemble, from that of a member."""
    return {**member, ENTRY: str(members)}


def count_members(metadata: Mapping[str, str]) -> int:
    """Return the number of networks in a model file."""
    return int(metadata.get(ENTRY, "1"))


def spread_deg(members_deg: np.ndarray) -> np.ndarray:
    """Return (N,) sample standard deviations of the rows of (N, M) degrees; NaN if M is 1."""
    if members_deg.shape[1] < 2:
        return np.full(len(members_deg), np.nan, np.float32)
    result: np.ndarray = members_deg.std(axis=1, dtype=np.float64, ddof=1).astype(np.float32)
    return result


def combine(members: Sequence[Sequence[Predictions]]) -> list[Predictions]:
    """Return the predictions of an ensemble, from each member's for the same recordings."""
    together = []
    for each in zip(*members, strict=True):
        angles_deg = np.stack([one.angle_deg for one in each], axis=1)
        mean = angles_deg.mean(axis=1, dtype=np.float64).astype(np.float32)
        together.append(replace(each[0], angle_deg=mean, members_deg=angles_deg))
    return together


@dataclass(frozen=True, slots=True)
class MemberErrors:
    """Errors of one member alone."""

    rmse_deg: float
    mae_deg: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How well the spread of the members predicts the error of their mean; None if undefined.

    A correlation of 1 says which frames go wrong. `error_over_spread`, of root mean squares, is
    about 1 if an error is as large as the spread says, more if the members are wrong together.
    """

    mean_deg: float
    error_correlation: float | None
    error_over_spread: float | None


@dataclass(frozen=True, slots=True)
class EnsembleMetrics:
    """How good each member is alone, and what the members' spread is worth."""

    members: tuple[MemberErrors, ...]
    spread: Spread


def measure_members(members_deg: np.ndarray, truth_deg: np.ndarray) -> EnsembleMetrics:
    """Measure each member and the spread of all, from (N, M) predictions."""
    members = members_deg.astype(np.float64)
    errors = members - np.asarray(truth_deg, np.float64)[:, None]
    error, spread = np.abs(errors.mean(axis=1)), spread_deg(members).astype(np.float64)
    varies = error.std() > 0 and spread.std() > 0
    rms = float(np.sqrt(np.mean(spread**2)))
    return EnsembleMetrics(
        tuple(
            MemberErrors(float(np.sqrt(np.mean(e**2))), float(np.mean(np.abs(e)))) for e in errors.T
        ),
        Spread(
            mean_deg=float(spread.mean()),
            error_correlation=float(np.corrcoef(spread, error)[0, 1]) if varies else None,
            error_over_spread=float(np.sqrt(np.mean(error**2))) / rms if rms else None,
        ),
    )


def as_line(rmse_deg: float, metrics: EnsembleMetrics) -> str:
    """Return a sentence on an ensemble with this RMSE."""
    spread = metrics.spread
    each = ", ".join(f"{member.rmse_deg:.3f}" for member in metrics.members)
    correlation, ratio = spread.error_correlation, spread.error_over_spread
    return (
        f"ensemble {rmse_deg:.3f}, its members {each} (RMSE, degrees); "
        f"mean spread {spread.mean_deg:.3f}, correlation with the error "
        f"{'-' if correlation is None else f'{correlation:.2f}'}, "
        f"error / spread {'-' if ratio is None else f'{ratio:.1f}'}"
    )
