"""Several steering networks as one: the mean of their angles, and how far they lie apart.

Members are trained from different seeds on the same frames. Together they make one network in one
file, with the outputs `mean` (N, 1) and `members` (N, M), so that whatever runs a steering network
runs an ensemble. The spread of the members is a measure of how sure the mean is (Lakshminarayanan
et al., arXiv 1612.01474); `measure_members` says how honest a one. Knows networks and numbers; not
how a step of training is taken, nor videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drive.core.errors import InputError
from drive.steering.network import fold_batch_norm
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH

if TYPE_CHECKING:
    import keras

    from drive.steering.evaluate import Predictions
    from drive.steering.training_settings import TrainingSettings

ENTRY = "ensemble"
"""Entry of the metadata, and of a training's notes, with the number of members."""

FEWEST, MOST = 2, 100


def check_members(members: int) -> int:
    """Return the number of members.

    Raises:
        InputError: one network is no ensemble, and more than `MOST` fit no file.
    """
    if not FEWEST <= members <= MOST:
        raise InputError(
            f"--ensemble is a whole number from {FEWEST} to {MOST}. Received: {members}"
        )
    return members


def member_folder(folder: Path, number: int) -> Path:
    """Where member `number`, from 1, is trained."""
    return folder / f"member{number}"


def member_settings(settings: TrainingSettings, members: int) -> list[TrainingSettings]:
    """What each member is asked: the same, from seeds that two ensembles of a size never share."""
    first = settings.seed * members
    return [replace(settings, seed=first + number) for number in range(members)]


def shared_settings(first: TrainingSettings, members: int) -> TrainingSettings:
    """Undo `member_settings`, from its first."""
    return replace(first, seed=first.seed // members)


def merge(models: Sequence[keras.Model]) -> keras.Model:
    """Put networks side by side on one input; they are left as they are.

    Args:
        models: from (N, 66, 200, 3) uint8 YUV to (N, 1) degrees each.

    Returns:
        A model to their mean, (N, 1), and to each one's answer, (N, M). Its layers are named
        `member1_conv1` and so on.
    """
    import keras

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), dtype="uint8", name="image_yuv")
    answers = []
    for number, model in enumerate(models, start=1):
        copy = keras.models.clone_model(
            model, input_tensors=image, clone_function=_renamed(f"member{number}_")
        )
        copy.set_weights(model.get_weights())
        answers.append(copy.output)
    mean = keras.layers.Average(name="mean")(answers)
    together = keras.layers.Concatenate(name="members")(answers)
    return keras.Model(image, [mean, together], name="steering_ensemble")


def merge_trained(models: Sequence[keras.Model]) -> keras.Model:
    """`merge`, with batch normalisation folded into the convolutions: what a file holds."""
    return merge([fold_batch_norm(model) for model in models])


def _renamed(prefix: str) -> Any:
    """A copier of layers that puts `prefix` before their names."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, "name": f"{prefix}{config['name']}"})

    return copy


def describe_ensemble(member: Mapping[str, str], members: int) -> dict[str, str]:
    """What the file of an ensemble says: what a member's says, and how many there are."""
    return {**member, ENTRY: str(members)}


def count_members(metadata: Mapping[str, str]) -> int:
    """How many networks a model file holds; 1 where it is no ensemble."""
    return int(metadata.get(ENTRY, "1"))


def spread_deg(members_deg: np.ndarray) -> np.ndarray:
    """(N,) standard deviation of each row of (N, M) degrees; NaN where there is one member.

    The members are a sample of the networks that could have been trained, so the squares are
    divided by M - 1.
    """
    if members_deg.shape[1] < FEWEST:
        return np.full(len(members_deg), np.nan, np.float32)
    result: np.ndarray = members_deg.std(axis=1, dtype=np.float64, ddof=1).astype(np.float32)
    return result


def combine(answers: Sequence[Sequence[Predictions]]) -> list[Predictions]:
    """The ensemble's answers from those of its members.

    Args:
        answers: of each member, drive by drive, the same drives in the same order.
    """
    recordings = []
    for of_drive in zip(*answers, strict=True):
        members = np.stack([each.angle_deg for each in of_drive], axis=1)
        mean = members.mean(axis=1, dtype=np.float64).astype(np.float32)
        recordings.append(replace(of_drive[0], angle_deg=mean, members_deg=members))
    return recordings


@dataclass(frozen=True, slots=True)
class MemberErrors:
    """Errors of one member alone."""

    rmse_deg: float
    mae_deg: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How well the spread of the members predicts the error of their mean; None if undefined.

    Attributes:
        mean_deg: mean spread in degrees.
        error_correlation: Pearson's correlation of the spread with the mean's absolute error; 1
            if the spread says which frames go wrong.
        error_over_spread: the root mean square of the error divided by that of the spread: about
            1 if an error is as large as the spread says, more if the members are wrong together.
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
    """Measure each member and the spread of all.

    Args:
        members_deg: (N, M) predictions in degrees.
        truth_deg: (N,) recorded angles.
    """
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
