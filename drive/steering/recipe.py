"""The recipe of a training: what its options leave open is chosen by its recordings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drive.core.progress import Progress, no_progress
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.ridge import RidgeFit, fit_ridge
from drive.steering.split import Part, Split
from drive.steering.training_settings import TrainingSettings

CLEARLY_BETTER = 0.95
"""Share of the network's error below which the regression is recommended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a ridge regression on the detector's features says before the training.

    Attributes:
        explained: share of the training angles' variance that it explains, cross-validated.
        mirror: whether mirror images did it no harm.
        validation_rmse_deg: its root mean squared error on the validation frames.
        fit: the regression; None if only what it says is known.
    """

    explained: float
    mirror: bool
    validation_rmse_deg: float
    fit: RidgeFit | None = None

    def as_text(self) -> str:
        """Return a sentence for people."""
        share = f"{self.explained:.0%}" if self.explained > 0 else "nothing"
        mirror = "are used" if self.mirror else "do harm"
        return (
            f"a regression on the detector's features explains {share} of the training data "
            f"(cross-validation); RMSE on the validation data {self.validation_rmse_deg:.3f} "
            f"degrees. Mirror images {mirror}"
        )

    def beside(self, network_rmse_deg: float) -> str:
        """Return a sentence that compares it with the network, and recommends one of both."""
        text = (
            f"RMSE on the validation data: this network {network_rmse_deg:.3f} degrees, the "
            f"regression on the detector's features {self.validation_rmse_deg:.3f}"
        )
        if self.validation_rmse_deg < CLEARLY_BETTER * network_rmse_deg:
            return f"{text}. Try --backbone detector, which trains the regression"
        return f"{text}. Use this network"

    def as_json(self) -> dict[str, object]:
        """Return the entry of `run.json`."""
        known = ("explained", "mirror", "validation_rmse_deg")
        return {name: getattr(self, name) for name in known}


def look_ahead(split: Split, progress: Progress = no_progress) -> Outlook | None:
    """Return what a regression says of the split; None if there is nothing to fit."""
    fit = fit_ridge(split.training, progress)
    if fit is None:
        return None
    errors = [_errors(fit, part) for part in split.validation]
    return Outlook(
        explained=fit.explained,
        mirror=fit.mirror,
        validation_rmse_deg=float(np.sqrt(np.mean(np.concatenate(errors) ** 2))),
        fit=fit,
    )


def suited(settings: TrainingSettings, split: Split, outlook: Outlook | None) -> TrainingSettings:
    """Return the settings with mirror images and a length that suit the training frames."""
    settings = with_mirror(settings, outlook)
    batches = TrainingBatches(Samples(split.training), settings)
    return settings.for_frames(len(batches.chosen(0)))


def with_mirror(settings: TrainingSettings, outlook: Outlook | None) -> TrainingSettings:
    """Return the settings; unless they say otherwise, mirror images are used where they help."""
    chosen = bool(outlook and outlook.mirror) if settings.mirror is None else settings.mirror
    return replace(settings, mirror=chosen)


def _errors(fit: RidgeFit, part: Part) -> np.ndarray:
    return np.asarray(fit.predict(part.recording.images[part.rows]) - part.angle_deg, np.float64)
