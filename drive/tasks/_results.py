"""The results of `detect`, `predict-steering` and `annotate`, for one source or several videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from drive.tasks._run import TaskResult

Fields = dict[str, Any]
"""Fields of a result, by name."""

ResultT = TypeVar("ResultT", bound="AnalysisResult", covariant=True)


@dataclass(frozen=True, slots=True)
class VideoOutcome(Generic[ResultT]):
    """What came of one of several videos: `status` is "done" or "failed".

    `reason` says in one line why it failed; `warnings` are what the user must know of the result.
    """

    source: str
    folder: Path
    status: str
    seconds: float | None
    reason: str | None
    result: ResultT | None
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the fields, and those of the result beside them."""
        names = ("source", "folder", "status", "seconds", "reason")
        found = self.result.as_json() | {"warnings": self.warnings} if self.result else {}
        return {name: getattr(self, name) for name in names} | found


@dataclass(frozen=True, kw_only=True)
class AnalysisResult(TaskResult):
    """What a run over sources wrote; the fields of one source are None for several videos.

    `videos`, `done` and `failed` count several videos, and `overview` is their summary as text.
    """

    frames: int = 0
    frames_lost: int | None = None
    video: Path | None = None
    images: Path | None = None
    videos: int | None = None
    done: int | None = None
    failed: int | None = None
    manifest: Path | None = None
    summary: Path | None = None
    overview: str = ""
    per_video: tuple[VideoOutcome[AnalysisResult], ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the fields that are known; those of several videos for several only."""
        values = super().as_json()
        del values["overview"], values["per_video"]
        if self.manifest:
            values["per_video"] = [outcome.as_json() for outcome in self.per_video]
        return values

    def as_text(self) -> str:
        """Return the summary of several videos."""
        return self.overview


@dataclass(frozen=True, kw_only=True)
class DetectionResult(AnalysisResult):
    """What the detector adds; `tracks` is None without tracking.

    `flicker` is the share of frames in which a track is missing, `flicker_untracked` the same
    without tracking; None without boxes.
    """

    detections: Path | None = None
    boxes: int | None = None
    frames_with_boxes: int | None = None
    tracks: int | None = None
    flicker: float | None = None
    flicker_untracked: float | None = None

    def as_json(self) -> dict[str, object]:
        """Return the fields that are known; the flicker of tracks even if it is not."""
        unknown = {} if self.tracks is None else {"flicker": None, "flicker_untracked": None}
        return unknown | super().as_json()


@dataclass(frozen=True, slots=True)
class Smoothing:
    """The filter over time: its delay, and the mean change per frame before and after it."""

    delay_s: float
    jitter_deg: float
    smoothed_jitter_deg: float | None


@dataclass(frozen=True, kw_only=True)
class SteeringResult(AnalysisResult):
    """What the steering model adds; `explained` is the content of `explain.json`.

    `against_human` holds errors against the recorded angle, as does `metrics.json` of
    `evaluate_steering`; None if there is none.
    """

    steering: Path | None = None
    steering_over_time: Path | None = None
    steering_distribution: Path | None = None
    smoothing: Smoothing | None = None
    against_human: Mapping[str, object] | None = None
    explanation: Path | None = None
    explanation_chart: Path | None = None
    explained: Mapping[str, object] | None = None
