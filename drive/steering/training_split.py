"""The training data that was asked for: recordings opened, corrected, cached and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from drive.core.errors import InputError
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.recordings.camera import Camera
from drive.recordings.check import WIDEST_STEERING_WHEEL_DEG
from drive.recordings.horizon import stored_horizon, with_horizon
from drive.recordings.labels import correct_lag, is_keyboard, smooth_labels, stored_turning
from drive.recordings.recording import Recording, open_recordings
from drive.results.record import RunRecord
from drive.steering.cache import CachedRecording, check_cache, default_cache, open_cached
from drive.steering.preprocess import ROAD, RoadCrop
from drive.steering.road_crop import crop_for
from drive.steering.side_cameras import SideCamera, open_sides
from drive.steering.split import (
    Part,
    Split,
    check_held_out,
    gap_before,
    leave_out,
    leave_out_copies,
    refuse_doubled,
    split_recordings,
    with_final,
)
from drive.steering.target import as_curvature, unit_text
from drive.steering.training_data import AUTO_CROP, KEYBOARD_S, TrainingData


class DataReporter(Reporter, Protocol):
    """Receives what was found in the recordings; the `Run` of a task is one."""

    record: RunRecord

    def tell_excluded(self, name: str, frames: int, what: str = "left out") -> None:
        """Receive the number of frames in excluded ranges."""
        ...

    def tell_left_out(self, name: str, found: Mapping[str, int], what: str = "left out") -> None:
        """Receive the numbers of frames and rows that are not used."""
        ...


def read_split(data: TrainingData, cache: str | None, reporter: DataReporter) -> Split:
    """Open the recordings (from the cache if they are there) and split them."""
    return _Reader(data, Path(cache or default_cache()), reporter).read()


@dataclass
class _Reader:
    data: TrainingData
    cache: Path
    reporter: DataReporter
    opened: dict[str, Recording] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    """Recordings whose horizon is assumed."""

    crop: RoadCrop = field(init=False)

    def __post_init__(self) -> None:
        crop = self.data.crop
        self.crop = ROAD if crop == AUTO_CROP else RoadCrop.parse(crop)

    def read(self) -> Split:
        check_cache(self.cache)
        data = self.data
        recordings = self._wanted()
        check_held_out([each.name for each in recordings], data.validation, data.test)
        corrected = [self._corrected(recording) for recording in recordings]
        if data.crop == AUTO_CROP:
            self.crop = crop_for([self._trusted_camera(each) for each in corrected])
        self.crop = replace(self.crop, even=data.even or self.crop.even)
        cached = [self._open(recording) for recording in corrected]
        self.reporter.message(f"crop: {self.crop}")
        split = with_final(split_recordings(cached, data.validation, data.test))
        split = self._with_recorded_labels(split)
        if data.side_cameras != "no":
            split = self._with_side_cameras(split)
        self._report_parts(split)
        if data.target == "curvature":
            split = as_curvature(split)
            self.reporter.message(unit_text(split.training))
        return split

    def _wanted(self) -> list[Recording]:
        data = self.data
        recordings = open_recordings(
            data.recordings, steering_csv=data.steering, overrides=dict(data.overrides)
        )
        refuse_doubled(recordings)
        recordings, copies = leave_out_copies(leave_out(recordings, data.exclude))
        for copy, original in copies:
            self.reporter.warn(
                f"{copy.name} is left out: its video is that of {original.name}, and a recording "
                "must not be both trained on and held out. To keep this one, leave the other out "
                "with --exclude"
            )
        return recordings

    def _corrected(self, recording: Recording) -> Recording:
        """Return a recording without lag and with a horizon."""
        self.reporter.record.add_input(recording.path)
        self.reporter.record.add_input(recording.steering_csv)
        for text in recording.notes:
            self.reporter.message(f"{recording.name}: {text}")
        return self._with_horizon(self._without_lag(recording))

    def _open(self, recording: Recording) -> CachedRecording:
        """Return the frames of a recording and the angles to learn, cached or decoded now."""
        cached = self._cached(recording)
        self._report(cached, recording)
        if width_s := self._smoothing_s(cached):
            recording = smooth_labels(recording, width_s)
            cached = self._cached(recording)
        self.opened[recording.name] = recording
        return cached

    def _smoothing_s(self, cached: CachedRecording) -> float:
        """Return the seconds over which the angles to learn are averaged."""
        data = self.data
        if data.raw_labels or data.smooth_labels_s is not None:
            return 0.0 if data.raw_labels else data.smooth_labels_s or 0.0
        if not is_keyboard(cached.angle_deg[cached.good], cached.time_s[cached.good]):
            return 0.0
        self.reporter.message(
            f"{cached.name}: steered with a keyboard, so the angles to learn are averaged over "
            f"{KEYBOARD_S:g} s; --no-smooth-labels learns them as they are"
        )
        return KEYBOARD_S

    def _cached(self, recording: Recording, camera: str = "") -> CachedRecording:
        return open_cached(
            recording,
            self.cache,
            self.data.stride,
            self.crop,
            camera=camera,
            progress=self.reporter.progress,
        )

    def _without_lag(self, recording: Recording) -> Recording:
        if not self.data.auto_lag:
            return recording
        turning = stored_turning(recording, self.cache, self.reporter.progress)
        recording, verdict = correct_lag(recording, turning)
        taken_out = self.reporter.record.extra.setdefault("lag_taken_out_s", {})
        taken_out[recording.name] = verdict.applied_s
        self.reporter.message(verdict.text)
        return recording

    def _with_horizon(self, recording: Recording) -> Recording:
        if recording.config.camera.horizon is not None:
            return recording
        estimate = stored_horizon(recording, self.cache)
        found = self.reporter.record.extra.setdefault("horizon", {})
        found[recording.name] = asdict(estimate)
        self.reporter.message(f"{recording.name}: horizon at {estimate}")
        if not estimate.trusted:
            self.guessed.add(recording.name)
        return with_horizon(recording, estimate)

    def _trusted_camera(self, recording: Recording) -> Camera:
        camera = recording.config.camera
        return replace(camera, horizon=None) if recording.name in self.guessed else camera

    def _with_recorded_labels(self, split: Split) -> Split:
        """Return the split with unsmoothed angles in validation and test: what was recorded."""
        validation, test = map(self._recorded, (split.validation, split.test))
        return replace(split, validation=validation, test=test)

    def _recorded(self, parts: Sequence[Part]) -> list[Part]:
        opened = [self.opened[part.recording.name] for part in parts]
        return [
            replace(part, recording=self._cached(smooth_labels(one, 0)))
            if one.labels.smooth_s
            else part
            for part, one in zip(parts, opened, strict=True)
        ]

    def _with_side_cameras(self, split: Split) -> Split:
        training = [self._beside(part) for part in split.training]
        beside = {part.recording.name: part.recording for part in training}
        final = [
            replace(part, recording=beside.get(part.recording.name) or self._beside(part).recording)
            for part in split.final
        ]
        if self.data.side_cameras == "yes" and not any(part.recording.sides for part in training):
            raise InputError(
                "--side-cameras: no recording to train on has them; expected NAME_left.mp4 and "
                "NAME_right.mp4 beside NAME_front.mp4, or left and right images in IMG/"
            )
        return replace(split, training=training, final=final)

    def _beside(self, part: Part) -> Part:
        cached = open_sides(
            self.opened[part.recording.name],
            part.recording,
            self._cached,
            on_error=lambda name, error: self.reporter.warn(f"{name} is not used: {error}"),
        )
        for side in cached.sides:
            self._report_side(side, part)
        return replace(part, recording=cached)

    def _report_side(self, side: SideCamera, part: Part) -> None:
        name, there = side.recording.name, int((side.rows[part.rows] >= 0).sum())
        missing, lost = len(part) - there, side.recording.frames_lost
        self.reporter.record.add_input(side.path)
        counts = self.reporter.record.counts
        counts.setdefault("side_cameras", {})[name] = there
        counts["side_frames_lost"] = counts.get("side_frames_lost", 0) + lost
        counts["side_frames_missing"] = counts.get("side_frames_missing", 0) + missing
        self.reporter.message(
            f"side camera: {name}, {side.offset_m:+g} m ({counted(there, 'frame')})"
        )
        if missing or lost:
            self.reporter.warn(
                f"{name}: damaged frames left out: {lost}; frames to train on without a side "
                f"image: {missing}"
            )

    def _report_parts(self, split: Split) -> None:
        uses = {"training": split.training, "validation": split.validation, "test": split.test}
        for use, parts in uses.items():
            if parts:
                named = [_named(part, gap_before(part, split)) for part in parts]
                self.reporter.record.counts[use] = {p.recording.name: len(p) for p in parts}
                self.reporter.message(f"{use}: {', '.join(named)}")

    def _report(self, cached: CachedRecording, recording: Recording) -> None:
        counts = self.reporter.record.counts
        counts["frames_read"] = counts.get("frames_read", 0) + len(cached)
        found = {
            "frames_lost": cached.frames_lost,
            "rows_without_angle": recording.rows_without_angle,
            "rows_repeated": recording.rows_repeated,
        }
        self.reporter.tell_left_out(cached.name, found)
        self._warn_of_labels(cached)
        self.reporter.tell_excluded(cached.name, int((~cached.good).sum()))

    def _warn_of_labels(self, cached: CachedRecording) -> None:
        """Warn about angles that no driver steered."""
        angles = cached.angle_deg[cached.good]
        if len(angles) > 1 and np.ptp(angles) == 0:
            self.reporter.warn(
                f"{cached.name}: every angle is {angles[0]:g} degrees, nothing to learn from. Is "
                "it the right column? Leave the recording out with --exclude"
            )
        widest = float(np.abs(angles).max(initial=0.0))
        if widest > WIDEST_STEERING_WHEEL_DEG:
            self.reporter.warn(
                f"{cached.name}: angles of up to {widest:.0f} degrees; no steering wheel turns "
                f"beyond {WIDEST_STEERING_WHEEL_DEG:.0f}. Check --unit; see check-data"
            )


def _named(part: Part, gap: int) -> str:
    """Return a part of a recording in words; `gap` frames before it are in no part."""
    behind = f", after a gap of {counted(gap, 'frame')} left out" if gap else ""
    return f"{part.recording.name} ({counted(len(part), 'frame')}{behind})"
