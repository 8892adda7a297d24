"""How well predictions match the recorded angles, beside three baselines that need no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass

import numpy as np

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.wording import counted
from drive.recordings.excluded import marked
from drive.recordings.recording import Recording
from drive.results.steering import Steering
from drive.steering.ensemble import EnsembleMetrics, measure_members, spread_deg
from drive.steering.predict import SteeringModel
from drive.steering.preprocess import preprocess

BATCH = 32
PERSISTENCE_S = 1.0
OLDEST_S = 2.0
"""An older angle, before frames that were left out, is not "one second ago"."""

TIME_TOLERANCE_S = 0.001
"""Timestamps may be rounded to milliseconds."""

STILL_DEG = 0.001
"""A recorded angle with a smaller spread never changes: `steering.csv` has four decimals."""

FLAT_SHARE = 0.1
"""Predictions with less than this share of the recorded spread hardly vary."""

BASELINES = ("zero", "mean", "persistence_1s")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predicted and recorded angles of one recording, in order of time, positive right.

    `members_deg` (N, M) is None for a single network; `marked_bad` excluded frames are left out.
    """

    name: str
    frame_index: np.ndarray
    time_s: np.ndarray
    angle_deg: np.ndarray
    truth_deg: np.ndarray
    members_deg: np.ndarray | None = None
    marked_bad: int = 0

    def __post_init__(self) -> None:
        sizes = {len(self.time_s), len(self.angle_deg), len(self.truth_deg), len(self.frame_index)}
        if len(sizes) != 1 or not len(self.time_s):
            raise InputError(
                f"{self.name}: predictions require frames, times and recorded angles of the same "
                f"number, at least one; got {sorted(sizes)}"
            )

    @property
    def spread_deg(self) -> np.ndarray | None:
        """(N,) spread of the members in degrees; None for a single network."""
        return None if self.members_deg is None else spread_deg(self.members_deg)

    @property
    def steering(self) -> Steering:
        """The rows of `steering.csv`."""
        angles = (self.angle_deg, self.truth_deg)
        return Steering(self.frame_index, self.time_s, *angles, spread_deg=self.spread_deg)


@dataclass(frozen=True, slots=True)
class Baselines:
    """RMSE in degrees of always `zero`, of always the `mean`, and of the recorded angle 1 s ago."""

    zero: float
    mean: float
    persistence_1s: float | None


@dataclass(frozen=True, slots=True)
class Explained:
    """Shares of the variation of the recorded angle that the model and the baselines explain.

    1 - (mean squared error) / (variance of the recorded angle): 1 is perfect, 0 is what the best
    constant angle reaches, less is worse than that. All are None if the angle never changes.
    """

    model: float | None
    zero: float | None
    mean: float | None
    persistence_1s: float | None


@dataclass(frozen=True, slots=True)
class SteeringMetrics:
    """Errors of predictions; None where not defined. Spreads are standard deviations.

    Jitter is the mean absolute change from frame to frame, not across frames that were left out.
    """

    n: int
    rmse_deg: float
    mae_deg: float
    explained_variance: float | None
    jitter_deg: float | None
    truth_jitter_deg: float | None
    prediction_spread_deg: float
    truth_spread_deg: float
    baselines: Baselines
    ensemble: EnsembleMetrics | None = None

    @property
    def explained(self) -> Explained:
        """What the model and the baselines explain; unlike `explained_variance`, bias counts."""
        errors = (self.rmse_deg, *astuple(self.baselines))
        return Explained(*(explained_share(error, self.truth_spread_deg) for error in errors))

    @property
    def hardly_varies(self) -> bool:
        """Whether the predictions are nearly constant where the recorded angle is not."""
        return self.prediction_spread_deg < FLAT_SHARE * self.truth_spread_deg

    def as_json(self) -> dict[str, object]:
        """Return the entries of `metrics.json`."""
        entries = asdict(self)
        members = entries.pop("ensemble") or {}
        return entries | members | {"explained": asdict(self.explained)}


def explained_share(rmse_deg: float | None, spread_deg: float) -> float | None:
    """Return the share of the variation that is explained; None if nothing varies.

    `spread_deg` is the standard deviation of the recorded angle around its own mean.
    """
    if rmse_deg is None or spread_deg < STILL_DEG:
        return None
    return 1 - (rmse_deg / spread_deg) ** 2


def evaluate(
    recordings: Sequence[Predictions], training_mean_deg: float | None = None
) -> SteeringMetrics:
    """Measure one or several recordings together; the mean is each one's own unless given."""
    angle = np.concatenate([recording.angle_deg for recording in recordings]).astype(np.float64)
    truths = [recording.truth_deg.astype(np.float64) for recording in recordings]
    truth = np.concatenate(truths)
    variance = float(np.var(truth))
    mean = training_mean_deg
    off_mean = [each - (each.mean() if mean is None else mean) for each in truths]
    behind = np.concatenate([_persistence_errors(one) for one in recordings])
    members = [one.members_deg for one in recordings if one.members_deg is not None]
    return SteeringMetrics(
        n=len(truth),
        rmse_deg=_rms(angle - truth),
        mae_deg=float(np.mean(np.abs(angle - truth))),
        explained_variance=1 - float(np.var(truth - angle)) / variance if variance else None,
        jitter_deg=_jitter([_changes(one, one.angle_deg) for one in recordings]),
        truth_jitter_deg=_jitter([_changes(one, one.truth_deg) for one in recordings]),
        prediction_spread_deg=float(np.std(angle)),
        truth_spread_deg=math.sqrt(variance),
        baselines=Baselines(
            zero=_rms(truth),
            mean=_rms(np.concatenate(off_mean)),
            persistence_1s=_rms(behind) if len(behind) else None,
        ),
        ensemble=measure_members(np.concatenate(members), truth) if members else None,
    )


@dataclass(frozen=True, slots=True)
class TrainingMetrics:
    """Errors of a trained network on the validation data and, if held out, on the test data."""

    validation: SteeringMetrics
    test: SteeringMetrics | None = None

    def as_json(self) -> dict[str, SteeringMetrics]:
        """Return the metrics that are known, by name."""
        tested = {"test": self.test} if self.test else {}
        return {"validation": self.validation, **tested}


def evaluate_split(
    validated: Sequence[Predictions], tested: Sequence[Predictions], training_mean_deg: float
) -> TrainingMetrics:
    """Measure predictions on the validation data and on the test data, which may be empty."""
    return TrainingMetrics(
        evaluate(validated, training_mean_deg),
        evaluate(tested, training_mean_deg) if tested else None,
    )


def by_recording(recordings: Sequence[Predictions]) -> dict[str, Steering]:
    """Return the angles of each recording, several parts of one joined."""
    found: dict[str, tuple[np.ndarray, ...]] = {}
    for recording in recordings:
        own = (recording.frame_index, recording.time_s, recording.angle_deg, recording.truth_deg)
        before = found.get(recording.name)
        both = own if before is None else map(np.concatenate, zip(before, own, strict=True))
        found[recording.name] = tuple(both)
    return {name: Steering(*columns) for name, columns in found.items()}


def predict_recording(
    recording: Recording, model: SteeringModel, progress: Progress = no_progress
) -> Predictions:
    """Predict every frame with an angle, in constant memory; excluded frames are counted."""
    found: list[tuple[int, float, float]] = []
    prepared: list[np.ndarray] = []
    outputs: list[np.ndarray] = []
    predict = model.predict_members if model.members > 1 else model.predict_prepared
    total = int(np.isfinite(recording.angle_deg).sum())
    marked_bad = 0
    for sample in progress(recording.samples(), total, f"predicting {recording.name}"):
        if recording.bad and marked(recording.bad, np.array([sample.frame.time_s])).any():
            marked_bad += 1
            continue
        found.append((sample.frame.index, sample.frame.time_s, sample.angle_deg))
        prepared.append(preprocess(sample.frame.image, model.crop))
        if len(prepared) == BATCH:
            outputs.append(predict(np.stack(prepared)))
            prepared.clear()
    if prepared:
        outputs.append(predict(np.stack(prepared)))
    if not found:
        raise InputError(f"{recording.name}: {_why_nothing(recording, marked_bad)}")
    columns = np.array(found, np.float64).T
    angles = np.concatenate(outputs)
    angles = model.restated(angles, recording, _speeds(recording, columns[0], angles.ndim))
    members = angles if angles.ndim > 1 else None
    if members is not None:
        angles = members.mean(axis=1, dtype=np.float64).astype(np.float32)
    frames = columns[0].astype(np.int64)
    return Predictions(recording.name, frames, columns[1], angles, columns[2], members, marked_bad)


def _why_nothing(recording: Recording, marked_bad: int) -> str:
    if marked_bad:
        return "every frame is excluded. Remove ranges ([[bad]] in recording.toml)"
    if not recording.angles_by_frame():
        return (
            f"no row of {recording.steering_csv.name} has an angle: each is empty or not "
            "finite. Add the angles, or name another CSV with --steering"
        )
    return "no frame of the video has an angle in the CSV. Do the two belong together?"


def _speeds(recording: Recording, frames: np.ndarray, dimensions: int) -> np.ndarray:
    rows = np.searchsorted(recording.frame_index, frames)
    return recording.speed_mps[rows].reshape(-1, *[1] * (dimensions - 1))


def in_one_row(recordings: Sequence[Predictions]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times, predicted and recorded angles, one recording after the other."""
    times: list[np.ndarray] = []
    end_s = 0.0
    for number, recording in enumerate(recordings):
        shift_s = end_s - recording.time_s[0] if number else 0.0
        times.append(recording.time_s + shift_s)
        end_s = float(times[-1][-1])
    angle_deg = np.concatenate([recording.angle_deg for recording in recordings])
    truth_deg = np.concatenate([recording.truth_deg for recording in recordings])
    return np.concatenate(times), angle_deg, truth_deg


def as_table(results: Mapping[str, SteeringMetrics]) -> str:
    """Return a table of RMSE in degrees: one row per recording, the model beside the baselines."""
    width = max(len(name) for name in results)
    head = f"{'RMSE, degrees':<{width}}  {'frames':>7}  {'model':>7}  " + "  ".join(
        f"{name:>14}" for name in BASELINES
    )
    lines = [head + f"  {'expl. variance':>14}  {'jitter (recorded)':>17}"]
    for name, m in results.items():
        baselines = "  ".join(f"{_cell(value):>14}" for value in astuple(m.baselines))
        jitter = f"{_cell(m.jitter_deg)} ({_cell(m.truth_jitter_deg)})"
        lines.append(
            f"{name:<{width}}  {m.n:>7}  {_cell(m.rmse_deg):>7}  {baselines}  "
            f"{_cell(m.explained_variance):>14}  {jitter:>17}"
        )
    return "\n".join(lines)


def in_one_line(metrics: SteeringMetrics, mean_of: str) -> str:
    """Return a sentence on the model and the baselines, with what `mean` is the mean of."""
    zero, mean, ago = map(_cell, astuple(metrics.baselines))
    return (
        f"{counted(metrics.n, 'frame')} compared with the recorded angle: mean absolute error "
        f"{metrics.mae_deg:.3f}, RMSE {metrics.rmse_deg:.3f} degrees (RMSE of always zero "
        f"{zero}, of the mean of {mean_of} {mean}, of the angle one second ago {ago})"
    )


def name_of_mean(training_mean_deg: float | None) -> str:
    """Return what the baseline `mean` is the mean of; see `evaluate`."""
    return "the recording itself" if training_mean_deg is None else "the training data"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _persistence_errors(recording: Predictions) -> np.ndarray:
    """Return recorded angles minus those one second ago; frames without one are left out."""
    ago = recording.time_s - PERSISTENCE_S + TIME_TOLERANCE_S
    newest = np.searchsorted(recording.time_s, ago, side="right") - 1
    known = (newest >= 0) & (recording.time_s - recording.time_s[newest] <= OLDEST_S)
    truth = recording.truth_deg.astype(np.float64)
    return np.asarray(truth[known] - truth[newest[known]])


def _changes(recording: Predictions, angle_deg: np.ndarray) -> np.ndarray:
    """Return absolute changes of an angle from frame to frame, but not across gaps.

    The median distance is no gap: a recording may have an angle for every second frame.
    """
    steps = np.diff(recording.frame_index)
    changes = np.abs(np.diff(angle_deg.astype(np.float64)))
    return changes[steps <= np.median(steps)] if len(steps) else changes


def _jitter(changes: Sequence[np.ndarray]) -> float | None:
    together = np.concatenate(changes)
    return float(np.mean(together)) if len(together) else None


def _rms(error: np.ndarray) -> float:
    return math.sqrt(float(np.mean(np.asarray(error, np.float64) ** 2)))
