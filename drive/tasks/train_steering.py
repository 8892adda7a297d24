"""`train-steering`: train the steering network on recordings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.options import between, fields_of, option
from drive.core.reporter import Reporter
from drive.results.names import HISTORY
from drive.steering.training_data import SIDE_CAMERAS, TrainingData, TrainingDataOptions
from drive.steering.training_settings import (
    RANDOM_START,
    LearningOptions,
    LengthOptions,
    StartOptions,
    TrainingSettings,
    TransferOptions,
    VariationOptions,
)
from drive.tasks._options import RecordingOptions
from drive.tasks._run import ReportConfig, Run, SeedConfig, TaskResult, resumable, run_task

if TYPE_CHECKING:
    from drive.results.verdict import Verdict
    from drive.steering.evaluate import TrainingMetrics
    from drive.steering.recipe import Outlook
    from drive.steering.split import Split
    from drive.tasks._rate_search import FoundRate
    from drive.tasks._trained import TrainedNetwork

FEWEST_MEMBERS, MOST_MEMBERS = 2, 100


@dataclass(frozen=True, kw_only=True)
class TrainSteeringConfig(
    ReportConfig,
    SeedConfig,
    RecordingOptions,
    TransferOptions,
    StartOptions,
    LengthOptions,
    LearningOptions,
    VariationOptions,
    TrainingDataOptions,
):
    """What the steering network is trained on, and how."""

    summary = "Train the steering network on recordings; write the model, its history and plots."
    example = "train-steering data/sample --epochs 10"
    group = "learning"
    rare = ("steering", "unit", "positive", "full_scale_deg", "lag_s", "overwrite", "report")

    weights: str | None = option(
        None, "model file to start from", "FILE", shown_default="random weights"
    )
    find_lr: bool = option(
        False,
        "do not train: increase the learning rate over one epoch (or --epochs), at least 300 "
        "steps, until the loss rises; suggest a tenth of the rate with the lowest loss",
        advanced=True,
    )
    ensemble: int | None = option(
        None,
        "train N networks from different seeds, each in its own folder; the model predicts their "
        "mean and reports their spread",
        "N",
        between(FEWEST_MEMBERS, MOST_MEMBERS),
    )
    resume: str | None = option(
        None, "resume the training in DIR that was stopped", "DIR", resumable=True
    )


@dataclass(frozen=True, kw_only=True)
class TrainSteeringResult(TaskResult):
    """What came out of a training: the network of the best epoch, or the ensemble of its `members`.

    With `find_lr`, only `found_rate` has a value. `augmented_views` shows training frames and how
    they are varied; None if nothing is known of the camera.
    """

    network: TrainedNetwork | None = None
    members: tuple[TrainedNetwork, ...] = ()
    found_rate: FoundRate | None = None
    augmented_views: Path | None = None

    @property
    def model(self) -> Path | None:
        """`model.keras`."""
        return self.network.model if self.network else None

    @property
    def onnx(self) -> Path | None:
        """`model.onnx`."""
        return self.network.onnx if self.network else None

    @property
    def history(self) -> Path | None:
        """`history.csv`, one row per epoch; None for an ensemble, whose members have their own."""
        return self.network.history if self.network else None

    @property
    def metrics(self) -> TrainingMetrics | None:
        """Errors on the validation data and on the test data."""
        return self.network.metrics if self.network else None

    @property
    def verdict(self) -> Verdict | None:
        """What the model explains, in a sentence, and why not more; `as_text` prints it."""
        return self.network.verdict if self.network else None

    def as_text(self) -> str:
        """Return the verdict."""
        return self.verdict.as_text() if self.verdict else ""

    def as_json(self) -> dict[str, object]:
        """Return the metrics and the files."""
        names = ("augmented_views", "members")
        known = {name: value for name in names if (value := getattr(self, name))}
        network = self.network.as_json() if self.network else {}
        rate = asdict(self.found_rate) if self.found_rate else {}
        return known | network | rate | self.run_files()


def train_steering(
    config: TrainSteeringConfig, reporter: Reporter | None = None
) -> TrainSteeringResult:
    """Train the steering network; write the model of the best epoch, and what shows its quality.

    Raises:
        InputError: a recording or an option is invalid, or there is nothing to resume.
        DivergedError: the loss is no longer finite; `result` has what was kept.

    Example:
        >>> from drive import TrainSteeringConfig, train_steering
        >>> run = train_steering(TrainSteeringConfig(["recordings/"], epochs=10))
        >>> run.model, run.metrics.validation.rmse_deg
    """
    return run_task("train-steering", _train, config, reporter)


def _train(config: TrainSteeringConfig, run: Run) -> TrainSteeringResult:
    from drive.runtime.quiet import load_keras
    from drive.steering.ensemble import member_folder
    from drive.steering.recipe import suited
    from drive.steering.training_split import read_split
    from drive.training.state import STATE

    settings, data = _resumed(config, run) if config.resume else _fresh(config, run)
    config = replace(config, weights=_kept_weights(config))
    folder = run.folder
    states = [home / STATE for home in (folder.path, member_folder(folder.path, 1))]
    with resumable(folder.path, "finished epochs", *states):
        run.record.extra |= {"training": asdict(settings), "data": data.as_json()}
        with run.record.stage("read"):
            split = read_split(data, config.cache, run)
        outlook = None if config.resume else _looked_ahead(split, run)
        settings = suited(settings, split, outlook)
        data = replace(data, crop=str(split.training[0].recording.crop))
        run.record.extra |= {"training": asdict(settings), "data": data.as_json()}
        load_keras()  # takes seconds; wrong arguments have been reported by now
        from drive.tasks._steering_training import SteeringTraining

        return SteeringTraining(config, settings, data, split, run, outlook).carry_out()


def _looked_ahead(split: Split, run: Run) -> Outlook | None:
    """Return what a regression makes of the frames, and report it."""
    from drive.steering.recipe import look_ahead

    with run.record.stage("look ahead"):
        outlook = look_ahead(split, run.progress)
    if outlook:
        run.record.extra["ridge"] = outlook.as_json()
        run.message(outlook.as_text())
    return outlook


def _fresh(config: TrainSteeringConfig, run: Run) -> tuple[TrainingSettings, TrainingData]:
    """Return the settings and data of a new training, checked before any work."""
    from drive.steering.ensemble import member_folder

    if config.weights:
        from drive.runtime.base import check_model_file
        from drive.steering.start import can_train

        check_model_file(config.weights, usable=can_train)
    settings = TrainingSettings.from_options(config, config.weights)
    data = TrainingData.from_options(config, config.steering, config.overrides())
    if settings.solved:
        data = replace(data, even=True, side_cameras=SIDE_CAMERAS[False])
    if config.weights:
        from drive.steering.start import check_weights

        check_weights(config.weights, settings)
    place = run.folder.path
    for home in (place, member_folder(place, 1)):  # refuses one that was stopped there
        run.folder.file(str(home.relative_to(place) / HISTORY))
    return settings, replace(data, ensemble=config.ensemble)


def _resumed(config: TrainSteeringConfig, run: Run) -> tuple[TrainingSettings, TrainingData]:
    """Return what the stopped training was asked, with the new values that may change."""
    from drive.steering.ensemble import shared_settings
    from drive.steering.state import read_state

    assert config.resume
    config.refuse_with_resume()
    settings, notes = read_state(_state_home(config.resume))
    data = TrainingData.from_json(notes["data"])
    if data.ensemble:
        settings = shared_settings(settings, data.ensemble)
    lengths = {each.name for each in fields_of(LengthOptions)} & config.given
    settings = replace(settings, **{name: getattr(config, name) for name in lengths})
    run.use(_as_config(config, settings, data))
    return settings, data


def _kept_weights(config: TrainSteeringConfig) -> str | None:
    """Return the file that the training began with: a final training begins there, too."""
    from drive.steering.state import read_state

    if config.resume:
        weights: str | None = read_state(_state_home(config.resume))[1].get("weights")
        return weights
    return str(Path(config.weights).resolve()) if config.weights else None


def _state_home(folder: str) -> Path:
    """Return the folder with the state of a training: that of the first member of an ensemble."""
    from drive.steering.ensemble import member_folder
    from drive.training.state import STATE

    home = Path(folder)
    first = member_folder(home, 1)
    return first if (first / STATE).is_file() and not (home / STATE).is_file() else home


def _as_config(
    config: TrainSteeringConfig, settings: TrainingSettings, data: TrainingData
) -> TrainSteeringConfig:
    """Return the config of a resumed training, with all that it was asked."""
    asked = {each.name: getattr(data, each.name) for each in fields(data)}
    asked |= asked.pop("overrides")
    asked.pop("even")  # follows from --backbone
    sides = next(key for key, value in SIDE_CAMERAS.items() if value == data.side_cameras)
    asked |= asdict(settings) | {"side_cameras": sides, "out": config.resume, "overwrite": True}
    asked["from_scratch"] = asked.pop("start") == RANDOM_START
    return replace(config, **asked)
