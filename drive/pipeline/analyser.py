"""Frames, models, output: one source in constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.region import Region
from drive.core.types import Box, Detection, Frame
from drive.drawing.heat import HeatMap
from drive.pipeline.sinks import Result, Sink
from drive.pipeline.stages import run_in_turn, run_stages
from drive.results.record import RunRecord
from drive.video.reader import FrameReader
from drive.video.sources import Kind

if TYPE_CHECKING:
    from drive.detection.flicker import FlickerReport
    from drive.detection.network_detector import Detector
    from drive.detection.tracker import Tracker
    from drive.steering.explain import Explainer
    from drive.steering.predict import SteeringModel
    from drive.steering.shift_check import EvenSample
    from drive.steering.smooth import Smoother

SPEED_MEMORY = 0.95
"""Share of earlier frames in the speed that is shown: steady enough to read."""


@dataclass(frozen=True, slots=True)
class Detecting:
    """The detector, and how it is used on a source.

    With a tracker, which has the thresholds, the detector also reports weaker boxes: they continue
    a track but never start one. The boxes of a frame are then those that the tracker shows: found
    in this frame, held where one was missed, and predicted where the network did not run.
    Without one (images), `conf` counts; None stands for the detector's own thresholds.
    """

    detector: Detector
    tracker: Tracker | None = None
    region: str = "auto"
    conf: float | None = None
    every: int = 1


@dataclass(frozen=True, slots=True)
class Predicting:
    """The steering model, and what is done with its angle.

    `sample` keeps some frames for the shift check; `recorded` returns the recorded angle of a frame
    in degrees, None if unknown.
    """

    model: SteeringModel
    smoother: Smoother | None = None
    explainer: Explainer | None = None
    sample: EvenSample | None = None
    recorded: Callable[[Frame], float | None] | None = None


class Analyser:
    """Runs the models on each frame, in order; `flicker` says how steady the tracks were so far."""

    def __init__(
        self,
        detecting: Detecting | None = None,
        predicting: Predicting | None = None,
        record: RunRecord | None = None,
    ) -> None:
        self._detecting = detecting
        self._predicting = predicting
        self._record = record or RunRecord([], {})
        self._regions: dict[tuple[int, int], Region] = {}
        self._speed = _Speed()
        self._turn = 0  # of the stride; not the frame's index, which may start anywhere
        self.flicker: FlickerReport | None = None
        if detecting and detecting.tracker:
            from drive.detection.flicker import FlickerReport

            self.flicker = FlickerReport()

    def analyse(self, frame: Frame, shows_time: bool = True) -> Result:
        """Return what the models find in `frame`."""
        result = Result(frame, header=self._header(frame) if shows_time else None)
        if self._detecting:
            region = self._region(frame, self._detecting)
            with self._record.stage("detect"):
                found = self._detect(frame, region, self._detecting)
            result = replace(result, detections=found, region=region)
        if self._predicting:
            result = self._steer(result, self._predicting)
        return result

    def _steer(self, result: Result, predicting: Predicting) -> Result:
        frame = result.frame
        with self._record.stage("steer"):
            angle_deg, spread_deg = _angle(frame, predicting.model)
        smoother = predicting.smoother
        with self._record.stage("explain"):
            heat = _heat(frame, predicting) if predicting.explainer else None
        return replace(
            result,
            angle_deg=angle_deg,
            spread_deg=spread_deg,
            smoothed_deg=smoother.add(frame.time_s, angle_deg) if smoother else None,
            truth_deg=predicting.recorded(frame) if predicting.recorded else None,
            heat=heat,
        )

    def _detect(self, frame: Frame, region: Region, detecting: Detecting) -> list[Detection]:
        detector, tracker = detecting.detector, detecting.tracker
        if tracker is None or self.flicker is None:
            return detector.detect(frame.image, region, detecting.conf)
        turn, self._turn = self._turn, (self._turn + 1) % detecting.every
        if turn:
            shown = tracker.coast(frame.time_s)
        else:
            found = detector.detect(frame.image, region, tracker.low_conf)
            strong = [each for each in found if each.score >= tracker.threshold(each.label)]
            self.flicker.add_found(strong, frame.time_s)
            view = Box(region.x1, region.y1, region.x2, region.y2)
            shown = tracker.update(found, frame.time_s, view)
        self.flicker.add_shown(shown)
        return shown

    def _region(self, frame: Frame, detecting: Detecting) -> Region:
        height, width = frame.image.shape[:2]
        if (width, height) not in self._regions:
            self._regions[width, height] = Region.parse(
                detecting.region, width, height, detecting.detector.default_region
            )
        return self._regions[width, height]

    def _header(self, frame: Frame) -> str:
        minutes, seconds = divmod(frame.time_s, 60)
        clock = f"{int(minutes):02d}:{seconds:04.1f}"
        if self._predicting and self._predicting.smoother:
            clock += f"  angle {self._predicting.smoother.delay_s:g} s late"
        speed = self._speed.tick()
        return f"{clock}  processed at {speed:.0f} fps" if speed else clock


def _angle(frame: Frame, model: SteeringModel) -> tuple[float, float | None]:
    """The angle, and the spread of an ensemble's members, in degrees."""
    if model.members == 1:
        return model.predict(frame.image), None
    angles, spreads = model.predict_with_spread([frame.image])
    return float(angles[0]), float(spreads[0])


def _heat(frame: Frame, predicting: Predicting) -> HeatMap | None:
    """Where the steering model looks; the sample may keep the frame for the shift check."""
    explainer = predicting.explainer
    if explainer is None:
        return None
    prepared = explainer.prepare(frame.image)
    if predicting.sample is not None:
        predicting.sample.add(prepared)
    height, width = frame.image.shape[:2]
    return HeatMap(explainer.masks(prepared[None])[0], explainer.crop.region(width, height))


@dataclass
class _Speed:
    """Frames per second of the whole loop, smoothed."""

    _last: float | None = None
    _interval_s: float | None = None

    def tick(self) -> float | None:
        """Count a frame; return the speed, None for the first frame."""
        now = time.perf_counter()
        last, self._last = self._last, now
        if last is None:
            return None
        interval_s = now - last
        before_s = self._interval_s if self._interval_s is not None else interval_s
        self._interval_s = SPEED_MEMORY * before_s + (1 - SPEED_MEMORY) * interval_s
        return 1 / self._interval_s if self._interval_s > 0 else None


def run_pipeline(
    reader: FrameReader,
    analyser: Analyser,
    sinks: Sequence[Sink],
    record: RunRecord,
    progress: Progress = no_progress,
    threads: int = 0,
) -> None:
    """Pass every frame of the source through the models to the sinks, in three threads.

    One thread reads, the caller's runs the models, one draws and writes; see
    `drive.pipeline.stages`. Of a camera or stream only the newest frame waits; others are dropped
    and counted. With `threads` 1, frames of a file go through all of it one by one. When the user
    interrupts a camera or stream, the results so far are completed; of a file nothing is left.
    """
    live = reader.source.kind in (Kind.CAMERA, Kind.STREAM)
    shows_time = reader.source.kind is not Kind.IMAGES
    analysed = 0

    def think(frame: Frame) -> Result:
        nonlocal analysed
        analysed += 1
        return analyser.analyse(frame, shows_time)

    def write(result: Result) -> None:
        _note_ends(record, result.frame)
        with record.stage("write"):
            for sink in sinks:
                sink.write(result)

    def wrap(frames: Iterable[Frame]) -> Iterable[Frame]:
        return progress(frames, reader.expected, reader.source.stem)

    with ExitStack() as stack:
        stack.enter_context(reader)
        for sink in sinks:
            stack.enter_context(sink)
        with suppress(KeyboardInterrupt) if live else nullcontext():
            if threads == 1 and not live:
                run_in_turn(wrap(_timed(reader, record)), think, write)
            else:
                run_stages(_timed(reader, record), think, write, wrap=wrap, live=live)
        if reader.frames_read == 0:
            raise InputError(f"{reader.source.name} has no frame between --start and --end")
    record.counts["frames_read"] = reader.frames_read
    record.counts["frames_lost"] = reader.frames_lost
    if live:
        record.counts["frames_dropped"] = reader.frames_read - analysed


def _note_ends(record: RunRecord, frame: Frame) -> None:
    """Record the number and time of the first and the last frame that was written."""
    end = {"frame": frame.index, "time_s": frame.time_s}
    ends = record.extra.setdefault("frames", {"first": end})
    ends["last"] = end


def _timed(reader: FrameReader, record: RunRecord) -> Iterator[Frame]:
    """The frames of the reader; measures how long decoding takes."""
    frames = iter(reader)
    while True:
        with record.stage("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame
