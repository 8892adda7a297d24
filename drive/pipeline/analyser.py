"""Frames -> models -> render, for one source and in constant memory.

`Analyser` turns a frame into a `Result`; `run_pipeline` carries every frame of a source through
it to the sinks. Which models there are and where results go, the commands decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.region import Region
from drive.core.types import Box, Detection, Frame
from drive.drawing.heat import HeatMap
from drive.pipeline.sinks import Result, Sink
from drive.pipeline.stages import run_in_turn, run_stages
from drive.results.run_folder import RunRecord
from drive.video.reader import FrameReader
from drive.video.sources import Kind

if TYPE_CHECKING:
    from drive.detection.detector import Detector
    from drive.detection.flicker import FlickerReport
    from drive.detection.tracker import Tracker
    from drive.steering.explain import Explainer
    from drive.steering.predict import SteeringModel
    from drive.steering.shift_check import EvenSample
    from drive.steering.smooth import Smoother

SPEED_MEMORY = 0.95
"""How much of the speed shown comes from the frames before: steady enough to be read."""


@dataclass
class DetectionSettings:
    """How the detector is used on a source.

    Attributes:
        region: `auto`, `full` or `X1,Y1,X2,Y2` in source pixels.
        conf: least score; None takes the detector's own thresholds.
        every: run the network on every N-th frame and track between.
    """

    region: str = "auto"
    conf: float | None = None
    every: int = 1


class Analyser:
    """Asks the models about each frame, in the order of the frames.

    With a tracker, which carries the thresholds, the detector is asked for weaker boxes as well:
    they continue a track and never begin one. The boxes of a frame are then those that the tracker
    shows: found in this frame, held where one was missed, and carried on where the network did
    not run. `truth` says the human's angle of a frame in degrees, None where unknown.

    Attributes:
        flicker: how steady the tracks were so far; None without a tracker.
    """

    def __init__(
        self,
        *,
        detector: Detector | None = None,
        tracker: Tracker | None = None,
        settings: DetectionSettings | None = None,
        pilot: SteeringModel | None = None,
        smoother: Smoother | None = None,
        explainer: Explainer | None = None,
        sample: EvenSample | None = None,
        truth: Callable[[Frame], float | None] | None = None,
        record: RunRecord | None = None,
    ) -> None:
        self._detector = detector
        self._tracker = tracker
        self._settings = settings or DetectionSettings()
        self._pilot = pilot
        self._smoother = smoother
        self._explainer = explainer
        self._sample = sample
        self._truth = truth
        self._record = record or RunRecord([], {})
        self._regions: dict[tuple[int, int], Region] = {}
        self._speed = _Speed()
        self._turn = 0  # of the stride; not the frame's index, which may begin anywhere
        self.flicker = _flicker_report() if tracker else None

    def analyse(self, frame: Frame, shows_time: bool = True) -> Result:
        """Everything that the models say of `frame`."""
        region = self._region(frame) if self._detector else None
        with self._record.stage("detect"):
            detections = self._detect(frame, region)
        with self._record.stage("steer"):
            angle_deg, spread_deg = self._steer(frame)
        smoothed_deg = None
        if self._smoother and angle_deg is not None:
            smoothed_deg = self._smoother.add(frame.time_s, angle_deg)
        with self._record.stage("explain"):
            heat = self._heat(frame)
        return Result(
            frame=frame,
            detections=detections,
            angle_deg=angle_deg,
            truth_deg=self._truth(frame) if self._truth else None,
            region=region,
            header=self._header(frame) if shows_time else None,
            smoothed_deg=smoothed_deg,
            heat=heat,
            spread_deg=spread_deg,
        )

    def _steer(self, frame: Frame) -> tuple[float | None, float | None]:
        """The angle, and how far an ensemble's members lie apart, in degrees."""
        if self._pilot is None:
            return None, None
        if self._pilot.members == 1:
            return self._pilot.predict(frame.image), None
        angles, spreads = self._pilot.predict_with_spread([frame.image])
        return float(angles[0]), float(spreads[0])

    def _heat(self, frame: Frame) -> HeatMap | None:
        """Where the steering network looks; some of the pictures are kept for the shift check."""
        if self._explainer is None:
            return None
        prepared = self._explainer.prepare(frame.image)
        if self._sample is not None:
            self._sample.add(prepared)
        height, width = frame.image.shape[:2]
        region = self._explainer.crop.region(width, height)
        return HeatMap(self._explainer.masks(prepared[None])[0], region)

    def _detect(self, frame: Frame, region: Region | None) -> list[Detection] | None:
        if self._detector is None:
            return None
        settings = self._settings
        if self._tracker is None or self.flicker is None:
            return self._detector.detect(frame.image, region, settings.conf)
        turn, self._turn = self._turn, (self._turn + 1) % settings.every
        if turn:
            shown = self._tracker.coast(frame.time_s)
        else:
            conf = self._tracker.low_conf
            found = self._detector.detect(frame.image, region, conf)
            strong = [d for d in found if d.score >= self._tracker.threshold(d.label)]
            self.flicker.add_found(strong, frame.time_s)
            view = Box(region.x1, region.y1, region.x2, region.y2) if region else None
            shown = self._tracker.update(found, frame.time_s, view)
        self.flicker.add_shown(shown)
        return shown

    def _region(self, frame: Frame) -> Region:
        assert self._detector is not None
        height, width = frame.image.shape[:2]
        if (width, height) not in self._regions:
            self._regions[width, height] = Region.parse(
                self._settings.region, width, height, self._detector.default_region
            )
        return self._regions[width, height]

    def _header(self, frame: Frame) -> str:
        minutes, seconds = divmod(frame.time_s, 60)
        clock = f"{int(minutes):02d}:{seconds:04.1f}"
        if self._smoother:
            clock += f"  angle {self._smoother.delay_s:g} s late"
        speed = self._speed.tick()
        return f"{clock}  processed at {speed:.0f} fps" if speed else clock


def _flicker_report() -> FlickerReport:
    from drive.detection.flicker import FlickerReport

    return FlickerReport()


@dataclass
class _Speed:
    """Frames a second that the whole loop manages, smoothed."""

    _last: float | None = None
    _interval_s: float | None = field(default=None)

    def tick(self) -> float | None:
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
    """Carry every frame of the source through the models to the sinks, in three threads.

    See `drive.pipeline.stages`: one reads, the caller's asks the models, one draws and writes.
    Of a camera or a stream only the newest frame waits; the others are dropped and counted.
    With `threads` 1 one frame after the other goes through all of it, unless they come live.

    A camera or a stream ends when the user interrupts it: what was written is finished. A file
    that is interrupted leaves nothing.
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
        with _ends_on_interrupt(live):
            if threads == 1 and not live:
                run_in_turn(_timed(reader, record), think, write, wrap=wrap)
            else:
                run_stages(_timed(reader, record), think, write, wrap=wrap, live=live)
        if reader.frames_read == 0:
            raise InputError(f"{reader.source.name} has no frame in the time that was asked for")
    record.counts["frames_read"] = reader.frames_read
    record.counts["frames_lost"] = reader.frames_lost
    if live:
        record.counts["frames_dropped"] = reader.frames_read - analysed


def _note_ends(record: RunRecord, frame: Frame) -> None:
    """Keep the first and the last frame's number and time: the clock of what was written."""
    end = {"frame": frame.index, "time_s": frame.time_s}
    ends = record.extra.setdefault("frames", {"first": end})
    ends["last"] = end


def _timed(reader: FrameReader, record: RunRecord) -> Iterator[Frame]:
    """The reader's frames, their decoding timed."""
    frames = iter(reader)
    while True:
        with record.stage("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


@contextmanager
def _ends_on_interrupt(live: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if not live:
            raise
