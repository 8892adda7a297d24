"""Search for settings of a training: trials of a few epochs, proposed and pruned by Optuna.

The file `study.db` holds it, so that a search that was killed resumes after its last finished
trial.
"""

from __future__ import annotations

import math
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import OptunaError
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from drive.core.errors import DivergedError, InputError
from drive.core.progress import Progress, no_progress
from drive.results.history import EpochResult
from drive.results.names import CHECKPOINT, STUDY, TRIAL_FOLDERS
from drive.results.search import COMPLETE as COMPLETE
from drive.results.search import TrialResult, trial_folder
from drive.steering.search_space import Parameter, find_study, read_space, usual
from drive.steering.search_space import Search as Search
from drive.steering.split import Split
from drive.steering.state import fingerprint
from drive.steering.train import train_steering
from drive.steering.training_data import TrainingData
from drive.steering.training_settings import TrainingSettings

STUDY_NAME = "tune-steering"

RANDOM_TRIALS = 8
"""Random trials, with the default settings first, before the results guide."""

UNPRUNED_TRIALS = 5
UNPRUNED_EPOCHS = 2
"""No trial is pruned before this many others and this many of its epochs have finished."""

BEST_SHARE = 0.25
FEWEST_FOR_IMPORTANCE = 10
"""Importance compares the best quarter with all trials; with fewer trials it is chance."""

PRUNED, DIVERGED = "pruned", "diverged"
OUTCOMES = (COMPLETE, PRUNED, DIVERGED)
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


class _OutOfTime(Exception):  # noqa: N818 - no error: the time that was given is over
    """Ends a trial at the end of an epoch."""


class Study:
    """A search on disk: its request and its trials."""

    def __init__(self, folder: Path, search: Search, study: optuna.Study) -> None:
        self.folder, self.search, self._study = folder, search, study

    @classmethod
    def begin(cls, folder: Path, search: Search) -> Study:
        """Begin a search in `folder`; another one in it is removed."""
        (folder / STUDY).unlink(missing_ok=True)
        shutil.rmtree(folder / TRIAL_FOLDERS, ignore_errors=True)
        asked = {
            "settings": asdict(search.settings),
            "space": [asdict(parameter) for parameter in search.space],
            "notes": {"data": search.data.as_json(), "options": dict(search.options)},
        }
        try:
            study = _open(folder)
            study.set_user_attr("trials", search.trials)
            study.set_user_attr("asked", asked)
        except BaseException:
            (folder / STUDY).unlink(missing_ok=True)  # half a beginning is nothing to resume
            raise
        return cls(folder, search, study)

    @classmethod
    def resume(cls, folder: str | Path, trials: int | None = None) -> Study:
        """Open the search in `folder`; an interrupted trial does not count.

        `trials` replaces the number of trials; None keeps it.
        """
        folder = Path(folder)
        find_study(folder)
        try:
            study = _open(folder)
            asked = study.user_attrs["asked"]
        except (SQLAlchemyError, OptunaError, KeyError, RuntimeError) as error:
            raise InputError(
                f"{folder / STUDY} is not the file of a search of tune-steering"
            ) from error
        search = Search(
            settings=TrainingSettings.from_state(asked["settings"]),
            space=read_space(asked["space"]),
            trials=study.user_attrs["trials"] if trials is None else trials,
            data=TrainingData.from_json(asked["notes"]["data"]),
            options=asked["notes"]["options"],
        )
        study.set_user_attr("trials", search.trials)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
            shutil.rmtree(trial_folder(folder, trial.number), ignore_errors=True)
        return cls(folder, search, study)

    def results(self) -> list[TrialResult]:
        """Return the finished trials in order."""
        finished = self._study.get_trials(deepcopy=False, states=_FINISHED)
        return [
            TrialResult(number=each.number, values=dict(each.params), **each.user_attrs["result"])
            for each in finished
        ]

    def run(
        self,
        split: Split,
        *,
        minutes: float | None = None,
        progress: Progress = no_progress,
        on_trial: Callable[[TrialResult], None] | None = None,
    ) -> list[TrialResult]:
        """Train until enough trials have finished or the time is over; return all finished ones.

        The current trial then ends after its epoch and does not count, unless it is the first.
        """
        if minutes is not None and not minutes >= 0:
            raise InputError(f"minutes must be at least 0; got {minutes}")
        self._check_frames(split)
        end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        results = self.results()
        while len(results) < self.search.trials:
            if results and time.monotonic() >= end:
                break
            trial = self._propose(len(results))
            try:
                self._train(trial, split, end if results else math.inf, progress)
            except _OutOfTime:
                break
            results = self.results()
            if on_trial:
                on_trial(results[-1])
        return results

    def importance(self) -> dict[str, float] | None:
        """Return the share of each parameter in the results; None for too few trials.

        PED-ANOVA (arXiv 2304.10255) compares the best `BEST_SHARE` of the trials with all.
        """
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < FEWEST_FOR_IMPORTANCE:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental, and parameters that never varied
            shares = optuna.importance.get_param_importances(
                self._study,
                evaluator=optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE),
            )
        return {name: float(share) for name, share in shares.items()}

    def _check_frames(self, split: Split) -> None:
        frames = fingerprint(split)
        before = self._study.user_attrs.get("frames", frames)
        if before != frames:
            raise InputError(
                f"{self.folder}: the recordings or their split have changed since this search "
                "began. Start a new one"
            )
        self._study.set_user_attr("frames", frames)

    def _propose(self, finished: int) -> Trial:
        """Return a trial: the default values first, then the sampler's.

        Its seed is the number of finished trials, so that a resumed search proposes the same.
        """
        seed = np.random.SeedSequence([self.search.settings.seed, finished]).generate_state(1)
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=int(seed[0])
        )
        if not finished and not self._study.get_trials(
            deepcopy=False, states=(TrialState.WAITING,)
        ):
            values = usual(self.search.settings, self.search.space)
            held = {p.name: values[p.name] for p in self.search.space if p.holds(values[p.name])}
            self._study.enqueue_trial(held)
        return self._study.ask({p.name: _distribution(p) for p in self.search.space})

    def _train(self, trial: Trial, split: Split, end: float, progress: Progress) -> None:
        folder = trial_folder(self.folder, trial.number)
        began = time.perf_counter()
        history: list[EpochResult] = []

        def on_epoch(row: EpochResult) -> None:
            history.append(row)
            trial.report(row.val_loss, row.epoch)
            if row.epoch >= self.search.settings.planned_epochs:
                return
            if trial.should_prune():
                raise optuna.TrialPruned
            if time.monotonic() >= end:
                raise _OutOfTime

        outcome = COMPLETE
        try:
            settings = replace(self.search.settings, **trial.params)
            train_steering(split, folder, settings, progress=progress, on_epoch=on_epoch)
        except optuna.TrialPruned:
            outcome = PRUNED
        except DivergedError:
            outcome = DIVERGED
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            keras.utils.clear_session()
            shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
        self._tell(trial, outcome, history, time.perf_counter() - began)

    def _tell(
        self, trial: Trial, outcome: str, history: Sequence[EpochResult], seconds: float
    ) -> None:
        best = min(history, key=lambda row: row.val_loss, default=None)
        result = {
            "outcome": outcome,
            "val_loss": best.val_loss if best else math.nan,
            "best_epoch": best.epoch if best else 0,
            "epochs": len(history),
            "seconds": seconds,
        }
        trial.set_user_attr("result", result)
        if outcome == COMPLETE and best:
            self._study.tell(trial, best.val_loss)
        else:
            self._study.tell(trial, state=TrialState.PRUNED)


def _open(folder: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=f"sqlite:///{(folder / STUDY).resolve()}",
        study_name=STUDY_NAME,
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=UNPRUNED_EPOCHS
        ),
    )


def _distribution(parameter: Parameter) -> BaseDistribution:
    if parameter.values:
        return CategoricalDistribution(parameter.values)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
