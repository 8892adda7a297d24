"""`tune-steering`: search for the settings with which the steering network trains best."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import DriveError
from drive.core.files import atomic
from drive.core.options import above, at_least, fields_of, option
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.results.names import BEST_CONFIG, SEARCH_PLOT, STUDY, TRIALS
from drive.results.search import COMPLETE, TrialResult, Value, best_trial, write_trials
from drive.steering.training_data import TrainingData, TrainingDataOptions
from drive.steering.training_settings import (
    LearningOptions,
    TrainingSettings,
    TransferOptions,
    VariationOptions,
)
from drive.tasks._options import RecordingOptions
from drive.tasks._run import (
    ReportConfig,
    Run,
    RunConfig,
    SeedConfig,
    TaskResult,
    resumable,
    run_task,
)

if TYPE_CHECKING:
    from drive.steering.search_space import Search
    from drive.steering.split import Split
    from drive.steering.tune import Study

LOSS_AXIS = "least validation loss [degrees²]"
DIGITS = 4
"""Significant digits of a searched number in messages and in `best.toml`."""

FILES = ("steering", "backbone_weights")
"""Options of a training that can name a file; `best.toml` may be used from another folder."""


@dataclass(frozen=True, kw_only=True)
class TuneSteeringConfig(
    ReportConfig,
    SeedConfig,
    RecordingOptions,
    TransferOptions,
    LearningOptions,
    VariationOptions,
    TrainingDataOptions,
):
    """What is searched, and on which recordings. Learning options that are given are fixed."""

    summary = (
        "Search for the settings with which the steering network trains best, by short trainings:\n"
        "best.toml is for train-steering --config. Settings that are given are not searched."
    )
    example = "tune-steering data/sample --trials 20 --minutes 60"
    group = "search"
    rare = (
        *("steering", "unit", "positive", "full_scale_deg", "lag_s", "overwrite", "report"),
        *("batch", "learning_rate"),
    )

    trials: int = option(
        20, "number of trials; the first as train-steering has it", "N", at_least(1), resumable=True
    )
    minutes: float | None = option(
        None,
        "stop after this time, even within a trial",
        "M",
        above(0),
        resumable=True,
        shown_default="no limit",
    )
    epochs: int = option(6, "epochs per trial; poor ones are stopped earlier", "N", at_least(1))
    search: str | None = option(
        None,
        "settings to search, of learning_rate, dropout, batch, l2, batch_norm, variant, schedule",
        "NAME[,NAME]",
        shown_default="all that are not given",
    )
    resume: str | None = option(
        None, "resume the search in DIR that was stopped", "DIR", resumable=True
    )


@dataclass(frozen=True, kw_only=True)
class TuneSteeringResult(TaskResult):
    """What a search found; losses are in degrees squared.

    `outcomes` counts the trials that were complete, pruned or diverged. `usual_val_loss` is of the
    default settings, None if that trial diverged. `importance` is the share of each setting in the
    differences, None for too few trials; `note` says what the validation loss does not tell.
    """

    trials: int
    outcomes: Mapping[str, int]
    epochs: int
    best_trial: int
    val_loss: float
    usual_val_loss: float | None
    best: Mapping[str, Value]
    importance: Mapping[str, float] | None
    note: str
    table: Path
    config: Path
    plot: Path
    study: Path

    def as_json(self) -> dict[str, object]:
        """Return the fields, with the outcomes by name."""
        entries = super().as_json()
        del entries["outcomes"]
        unknown = {name: getattr(self, name) for name in ("usual_val_loss", "importance")}
        return entries | unknown | {**self.outcomes}


OF_THE_SEARCH = {"recordings", "cache", *TuneSteeringConfig.__annotations__}
"""Options that say nothing about a single training."""


def tune_steering(
    config: TuneSteeringConfig, reporter: Reporter | None = None
) -> TuneSteeringResult:
    """Train briefly with different settings; write the best ones for `train-steering --config`.

    Raises:
        InputError: a recording or an option is invalid, or there is nothing to resume.
        DriveError: no trial was complete.

    Example:
        >>> from drive import TuneSteeringConfig, tune_steering
        >>> found = tune_steering(TuneSteeringConfig(["recordings/"], minutes=60))
        >>> found.best
    """
    return run_task("tune-steering", _tune, config, reporter)


def _tune(config: TuneSteeringConfig, run: Run) -> TuneSteeringResult:
    from drive.steering.recipe import look_ahead, with_mirror
    from drive.steering.training_split import read_split

    study = _resumed(config, run) if config.resume else None
    search = study.search if study else _fresh(config, run)
    asked = {"training": asdict(search.settings), "trials": search.trials}
    run.record.extra |= {**asked, "data": search.data.as_json(), "options": search.options}
    with run.record.stage("read"):
        split = read_split(search.data, config.cache, run)
        if not study:
            search = replace(search, settings=with_mirror(search.settings, look_ahead(split)))
    folder = run.folder.path
    with resumable(folder, "finished trials", folder / STUDY):
        with run.record.stage("search"):
            begun = study or _study().begin(folder, search)
            report = run.live_report()

            def after(result: TrialResult) -> None:
                _write(begun)
                if report:
                    report.update()
                run.message(_line(result, begun))

            begun.run(split, minutes=config.minutes, progress=run.progress, on_trial=after)
        with run.record.stage("write"):
            _write(begun)
    return _summary(begun, split, run)


def _study() -> type[Study]:
    """Return the searches on disk; loading what they need takes seconds."""
    from drive.runtime.quiet import load_keras

    load_keras()
    from drive.steering.tune import Study

    return Study


def _fresh(config: TuneSteeringConfig, run: Run) -> Search:
    from drive.steering.search_space import Search, names_to_search, search_space, short

    names = names_to_search(config.search, config.given, config.backbone)
    settings = short(TrainingSettings.from_options(config), config.epochs)
    data = TrainingData.from_options(config, config.steering, config.overrides())
    options = _training_options(config)
    for name in (STUDY, TRIALS, BEST_CONFIG, SEARCH_PLOT):
        run.folder.file(name)  # refuses a folder in which another search was stopped
    space, trials = search_space(settings, names), config.trials
    return Search(settings=settings, space=space, trials=trials, data=data, options=options)


def _resumed(config: TuneSteeringConfig, run: Run) -> Study:
    """Return the search that was stopped; `trials` and `minutes` may be new."""
    from drive.steering.search_space import find_study

    assert config.resume
    config.refuse_with_resume()
    find_study(config.resume)
    study = _study().resume(config.resume, config.trials if "trials" in config.given else None)
    run.use(replace(config, out=config.resume, overwrite=True))
    return study


def _training_options(config: TuneSteeringConfig) -> dict[str, Value]:
    """Return the options given that `train-steering` takes too, as its `--config` reads them."""
    kept = {}
    for each in fields_of(TuneSteeringConfig):
        value = getattr(config, each.name)
        common = each.group == RunConfig.group and each.name != "seed"
        if common or each.name in OF_THE_SEARCH or each.name not in config.given or value is None:
            continue
        if each.name in FILES and Path(value).is_file():
            value = str(Path(value).resolve())
        kept[each.key] = True if each.kind is bool and each.default is True else value
    return kept


def _write(study: Study) -> None:
    """Write what the finished trials say."""
    from drive.drawing.search_plot import Axis, Trial, plot_search
    from drive.steering.tune import FEWEST_FOR_IMPORTANCE

    results, space = study.results(), study.search.space
    write_trials(study.folder / TRIALS, results, [parameter.name for parameter in space])
    if best := best_trial(results):
        _write_config(study.folder / BEST_CONFIG, best, study)
    trials = [Trial(r.number, r.outcome, r.val_loss, r.values) for r in results]
    axes = [Axis(p.name, p.values, p.low, p.high, p.log) for p in space]
    unknown = f"not known before\n{FEWEST_FOR_IMPORTANCE} trials are complete"
    importance = study.importance() or unknown
    plot_search(study.folder / SEARCH_PLOT, trials, axes, importance, loss_axis=LOSS_AXIS)


def _write_config(path: Path, best: TrialResult, study: Study) -> None:
    """Write the options of `train-steering` with which the best trial was trained, as TOML."""
    options = {**study.search.options, **_rounded(best.values)}
    lines = [
        f"# Trial {best.number}, the best of {len(study.results())} of tune-steering. Validation "
        f"loss: {best.val_loss:.{DIGITS}g} degrees squared; epochs: {study.search.settings.epochs}",
        f"# Use: drive train-steering RECORDING ... --config {path.name}",
        *(f"{name.replace('_', '-')} = {json.dumps(value)}" for name, value in options.items()),
    ]
    with atomic(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rounded(values: Mapping[str, Value]) -> dict[str, Value]:
    floats = {name: value for name, value in values.items() if isinstance(value, float)}
    return {**values, **{name: float(f"{value:.{DIGITS}g}") for name, value in floats.items()}}


def _line(result: TrialResult, study: Study) -> str:
    best = best_trial(study.results())
    values = ", ".join(f"{name} {value}" for name, value in _rounded(result.values).items())
    told = f"trial {result.number} ({len(study.results())} of {study.search.trials}): "
    told += f"{result.outcome}, validation loss {result.val_loss:.{DIGITS}g}"
    if best:
        told += f" (best {best.val_loss:.{DIGITS}g}, trial {best.number})"
    return f"{told}, {counted(result.epochs, 'epoch')}, {result.seconds:.0f} s: {values}"


def _summary(study: Study, split: Split, run: Run) -> TuneSteeringResult:
    from drive.steering.tune import OUTCOMES

    results = study.results()
    best, first = best_trial(results), results[0]
    if best is None:
        raise DriveError(
            f"none of {len(results)} trials was complete: the loss of each is no longer a "
            "number. Look at the recordings with check-data, or give a small --learning-rate"
        )
    count = {name: sum(result.outcome == name for result in results) for name in OUTCOMES}
    usual = first.val_loss if first.outcome == COMPLETE else None
    if len(results) < study.search.trials:
        told = f"{len(results)} of {study.search.trials} trials have finished in the given time"
        run.message(f"{told}; resume with --resume {study.folder}")
    outcomes = ", ".join(f"{number} {name}" for name, number in count.items() if number)
    loss = f"validation loss {best.val_loss:.{DIGITS}g} degrees squared"
    beside = f"; with the default settings {usual:.{DIGITS}g}" if usual is not None else ""
    run.message(f"best: trial {best.number} of {len(results)} ({outcomes}), {loss}{beside}")
    note = _caution(len(results), bool(split.test))
    run.message(note)
    run.message(f"settings for train-steering --config, table and plot -> {study.folder}")
    return TuneSteeringResult(
        trials=len(results),
        outcomes=count,
        epochs=study.search.settings.planned_epochs,
        best_trial=best.number,
        val_loss=best.val_loss,
        usual_val_loss=usual,
        best=_rounded(best.values),
        importance=study.importance(),
        note=note,
        table=study.folder / TRIALS,
        config=study.folder / BEST_CONFIG,
        plot=study.folder / SEARCH_PLOT,
        study=study.folder / STUDY,
    )


def _caution(count: int, has_test: bool) -> str:
    """Return what the best validation loss does not tell."""
    where = "the recordings of --test" if has_test else "recordings held out with --test"
    return (
        f"This loss is optimistic: it is the lowest of {count} on the frames that selected the "
        f"trial. Train with {BEST_CONFIG} and evaluate on {where}. Whether the network stays on "
        "the road, only simulate shows"
    )
