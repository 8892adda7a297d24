"""The work of `train-steering` once its options and recordings are known to be valid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras

from drive.core.errors import DivergedError
from drive.core.wording import counted
from drive.results.run_folder import RunFolder
from drive.steering import train
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.duration import plan_text
from drive.steering.final_fit import FINAL, can_continue
from drive.steering.recipe import Outlook
from drive.steering.solve import keep_history, solve_steering
from drive.steering.split import Split
from drive.steering.start import load_start
from drive.steering.train import SteeringCourse, new_network
from drive.steering.training_data import TrainingData
from drive.steering.training_settings import TrainingSettings
from drive.tasks._ensemble import train_members
from drive.tasks._rate_search import FoundRate, search_rate
from drive.tasks._run import Run
from drive.tasks._trained import LOSS_AXIS, TrainedNetwork, write_trained
from drive.tasks._training_report import LOSS_UNIT, begin_report, steering_loss_note
from drive.tasks._view_sheet import write_augmented_views
from drive.tasks.train_steering import TrainSteeringConfig, TrainSteeringResult
from drive.training.fit import OnEpoch, TrainingResult, kept_result


@dataclass(frozen=True)
class SteeringTraining:
    """A training that was asked for: of one network, of an ensemble, or a search of rates."""

    config: TrainSteeringConfig
    settings: TrainingSettings
    data: TrainingData
    split: Split
    run: Run
    outlook: Outlook | None = None

    def carry_out(self) -> TrainSteeringResult:
        """Train, or search for a learning rate."""
        split, run = self.split, self.run
        if self.config.find_lr:
            return TrainSteeringResult(found_rate=self._found_rate())
        if self.settings.solved:
            return self._networks()
        if not self.config.resume:
            self._tell_plan(load_start(self.config.weights, self.settings, split))
        with run.record.stage("write"):
            views = write_augmented_views(split, self.settings, run.folder)
        return replace(self._networks(), augmented_views=views)

    def _tell_plan(self, start: keras.Model | None) -> None:
        """Say how long the training will take."""
        settings, split = self.settings, self.split
        samples = Samples(split.training)
        network = start or new_network(settings, samples.angle_deg)
        steps = len(TrainingBatches(samples, settings))
        self.run.message(plan_text(network, settings, steps, split))

    def _found_rate(self) -> FoundRate:
        settings, config, split = self.settings, self.config, self.split
        keras.utils.set_random_seed(settings.seed)
        course = SteeringCourse(split, settings, load_start(config.weights, settings, split))
        model = course.compiled(frozen=course.frozen_epochs > 0)
        epochs = config.epochs or 1
        how = (settings.optimizer, epochs, self.run.folder, self.run, LOSS_AXIS)
        return search_rate(model, course.batches, *how)

    def _networks(self) -> TrainSteeringResult:
        run, settings, resume = self.run, self.settings, bool(self.config.resume)
        train_one = partial(self._train_one, self._begin_report())
        if self.data.ensemble:
            if self.config.weights:
                run.warn(
                    "every member starts from the same weights: they will hardly lie apart, and "
                    "their spread says little. Leave --weights out"
                )
            how = (settings, self.data.ensemble, resume, run, train_one, self._write)
            network, members = train_members(self.split, *how)
            return TrainSteeringResult(network=network, members=members)
        with run.record.stage("train"):
            result = train_one(run.folder, settings, resume)
        with run.record.stage("write"):
            return TrainSteeringResult(network=self._write(result, settings, run.folder))

    def _begin_report(self) -> OnEpoch | None:
        parts = {"training data": self.split.training, "validation data": self.split.validation}
        angles = {name: Samples(part).angle_deg for name, part in parts.items()}
        note = steering_loss_note(self.settings)
        return begin_report(self.run, self.settings.planned_epochs, LOSS_UNIT, note, angles)

    def _train_one(
        self, on_epoch: OnEpoch | None, home: RunFolder, own: TrainingSettings, resume: bool
    ) -> TrainingResult:
        try:
            result = self._trained(self.split, home.path, own, resume, on_epoch)
        except DivergedError as error:  # the task fails once the epochs before are written
            result, self.run.failure = kept_result(home.path, train.BEST, error)
            return result
        if own.final_fit:
            return replace(result, final=self._final(result, home.path / FINAL, own, resume))
        return result

    def _trained(
        self,
        split: Split,
        folder: Path,
        own: TrainingSettings,
        resume: bool,
        on_epoch: OnEpoch | None = None,
    ) -> TrainingResult:
        if own.solved:
            return self._solved(split, folder, own)
        return train.train_steering(
            split,
            folder,
            own,
            start=None if resume else load_start(self.config.weights, own, split),
            resume=resume,
            notes={"data": self.data.as_json(), "weights": self.config.weights},
            progress=self.run.progress,
            on_epoch=on_epoch,
        )

    def _solved(self, split: Split, folder: Path, own: TrainingSettings) -> TrainingResult:
        own = replace(own, mirror=self.config.mirror)  # else each cross-validation chooses
        known = self.outlook.fit if self.outlook and split is self.split else None
        result = solve_steering(split, own, self.run, self.run.progress, known)
        if split.validation:
            keep_history(result, folder)
        return result

    def _final(
        self, result: TrainingResult, folder: Path, own: TrainingSettings, resume: bool
    ) -> keras.Model:
        """Train once more, on all frames and for as many epochs as were planned."""
        frames = counted(sum(map(len, self.split.final)), "frame")
        epochs = "" if own.solved else f", {counted(own.planned_epochs, 'epoch')}"
        self.run.message(f"training again on all {frames}{epochs}")
        own = replace(own, patience=0, tensorboard=False)
        again = resume and can_continue(folder, own)
        try:
            return self._trained(Split(self.split.final, []), folder, own, again).model
        except DivergedError as error:
            self.run.warn(f"the network of the validation is kept, since on all frames: {error}")
            return result.model

    def _write(
        self, result: TrainingResult, own: TrainingSettings, home: RunFolder
    ) -> TrainedNetwork:
        learnable = self.outlook.explained if self.outlook else None
        how = (self.data.crop, home, self.run, learnable)
        network = write_trained(self.split, result, own, *how)
        if self.outlook and not own.backbone:
            self.run.message(self.outlook.beside(network.metrics.validation.rmse_deg))
        return network
