"""`--backbone detector`: a steering network that is solved at once, without steps."""

from __future__ import annotations

import math
import time
from pathlib import Path

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.results.history import EpochResult, write_history
from drive.results.names import HISTORY
from drive.steering.dataset import Samples
from drive.steering.detector_network import as_network
from drive.steering.ridge import FEWEST_FRAMES, RidgeFit, fit_ridge
from drive.steering.split import Split
from drive.steering.train import mean_squared_error, target_scale_deg
from drive.steering.training_settings import TrainingSettings
from drive.training.fit import TrainingResult


def solve_steering(
    split: Split,
    settings: TrainingSettings,
    reporter: Reporter,
    progress: Progress = no_progress,
    fit: RidgeFit | None = None,
) -> TrainingResult:
    """Solve the network of `--backbone detector` on the training frames; `fit` if that is done.

    Its only epoch has the error on the frames that it was solved on as the loss. Raises
    `InputError` if there is nothing to learn from.

    Example:
        >>> solve_steering(split, TrainingSettings(backbone="detector"), reporter).model
    """
    began = time.perf_counter()
    if fit is None or settings.mirror not in (None, fit.mirror):
        fit = _fitted(split, settings, progress)
        reporter.message(fit_text(fit))
    model = as_network(fit, target_scale_deg(Samples(split.training).angle_deg))
    validation = Samples(split.validation)
    val_loss = mean_squared_error(model, validation) if len(validation) else math.nan
    seconds = time.perf_counter() - began
    return TrainingResult(model, [EpochResult(1, fit.fitted_rmse_deg**2, val_loss, 0.0, seconds)])


def _fitted(split: Split, settings: TrainingSettings, progress: Progress) -> RidgeFit:
    fit = fit_ridge(split.training, progress, mirror=settings.mirror)
    if fit is None:
        raise InputError(
            f"--backbone detector requires at least {FEWEST_FRAMES} training frames, and images "
            f"and angles that vary; got {counted(sum(map(len, split.training)), 'frame')}. Look "
            "at the recordings with check-data"
        )
    return fit


def keep_history(result: TrainingResult, folder: Path) -> None:
    """Write `history.csv` of a network that was solved."""
    write_history(folder / HISTORY, result.history)


def fit_text(fit: RidgeFit) -> str:
    """Return a sentence on a regression and what cross-validation says of it."""
    mirrored = "and their mirror images " if fit.mirror else ""
    return (
        f"solved on {counted(fit.frames, 'frame')} {mirrored}with the features of the detector; "
        f"in cross-validation it explains {fit.explained:.0%} of the variation of the angle"
    )
