"""Where results of frames go: tables, an annotated video, annotated images.

A sink is a context manager with `write(result)`; an error inside its `with` block leaves no file.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain, count
from pathlib import Path
from typing import Self

import numpy as np

from drive.core.files import atomic_folder
from drive.core.region import Region
from drive.core.types import Detection, Frame
from drive.drawing.heat import HeatMap, draw_heat
from drive.drawing.overlay import Overlay, font_px_of
from drive.results.detections import detection_row, open_detections
from drive.results.steering import Steering, open_steering
from drive.video.planes import carry_over
from drive.video.writer import USUAL_RATE, VideoWriter, save_image


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What the models found in one frame; None for what did not run.

    Angles are in degrees, positive right; `header` is the line at the top of the image and
    `spread_deg` the standard deviation over the members of an ensemble.
    """

    frame: Frame
    detections: list[Detection] | None = None
    angle_deg: float | None = None
    truth_deg: float | None = None
    region: Region | None = None
    header: str | None = None
    smoothed_deg: float | None = None
    heat: HeatMap | None = None
    spread_deg: float | None = None


class Sink(ExitStack, ABC):
    """Takes the results of a source, frame by frame.

    What `open` enters is left with the error of the `with` block, if there is one.
    """

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    @abstractmethod
    def open(self) -> None:
        """Open the files, before the first frame is processed."""

    @abstractmethod
    def write(self, result: Result) -> None:
        """Take the result of one frame."""


class DetectionTable(Sink):
    """`detections.csv`: a row per box that the frame shows.

    With a tracker, that includes tracked objects in frames where the detector missed them or, with
    a stride, did not run; their scores fall meanwhile. Without one, `track_id` is empty.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows_written = self.frames_with_boxes = 0

    def open(self) -> None:
        """Open the file and write the header row."""
        self._write = self.enter_context(open_detections(self.path))

    def write(self, result: Result) -> None:
        """Write the frame's boxes."""
        found = result.detections or []
        for detection in found:
            self._write(detection_row(result.frame, detection))
        self.rows_written += len(found)
        self.frames_with_boxes += bool(found)


class SteeringTable(Sink):
    """`steering.csv`: a row per frame; keeps the numbers for the plots as well.

    With `smooths` it has a column with the smoothed angle, with `spreads` one with the spread of an
    ensemble's members.
    """

    def __init__(self, path: Path, smooths: bool = False, spreads: bool = False) -> None:
        super().__init__()
        self.path = path
        self._smooths, self._spreads = smooths, spreads
        self._rows: list[tuple[float | None, ...]] = []

    def open(self) -> None:
        """Open the file and write the header row."""
        table = open_steering(self.path, self._smooths, self._spreads)
        self._write = self.enter_context(table)

    def write(self, result: Result) -> None:
        """Write the frame's angles."""
        frame = result.frame
        row = [frame.index, frame.time_s, result.angle_deg, result.truth_deg]
        row += [result.smoothed_deg] if self._smooths else []
        row += [result.spread_deg] if self._spreads else []
        self._rows.append(tuple(row))
        self._write(row)

    @property
    def steering(self) -> Steering:
        """The rows so far."""
        width = 4 + self._smooths + self._spreads
        frame, *columns = np.array(self._rows, dtype=np.float64).reshape(-1, width).T
        time_s, angle_deg, truth_deg, *more = columns
        smoothed_deg = more[0] if self._smooths else None
        spread_deg = more[-1] if self._spreads else None
        index = frame.astype(np.int64)
        return Steering(index, time_s, angle_deg, truth_deg, smoothed_deg, spread_deg)


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How an annotated video starts: see `VideoWriter`."""

    width: int | None = None
    height: int | None = None
    rate_hint: float = USUAL_RATE
    audio_from: str | None = None
    audio_start_s: float = 0.0
    audio_end_s: float | None = None
    threads: int = 0


class AnnotatedVideo(Sink):
    """The video of the source with everything drawn on it.

    If the settings have a size, the encoder opens, and so proves itself, before the first frame.
    """

    def __init__(self, path: Path, settings: VideoSettings | None = None) -> None:
        super().__init__()
        self.path = path
        self.frames_written = 0
        self._settings = settings or VideoSettings()
        self._overlay = Overlay()

    def open(self) -> None:
        """Open the file."""
        writer = VideoWriter(self.path, **asdict(self._settings))
        self._writer = self.enter_context(writer)

    def write(self, result: Result) -> None:
        """Draw on the frame and write it at its own time."""
        frame = result.frame
        drawn = draw(self._overlay, result)
        planes = frame.planes if result.heat is None else None
        if planes is not None:
            carry_over(drawn, planes, self._overlay.places)
        self._writer.write(drawn, frame.time_s, planes)
        self.frames_written = self._writer.frames_written


class AnnotatedImages(Sink):
    """A folder with an annotated image for each image of the source, under the same name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.frames_written = 0
        self._overlay = Overlay()
        self._names: set[str] = set()
        self._part = path

    def open(self) -> None:
        """Make the folder; it gets its name when all images are in it."""
        self._part = self.enter_context(atomic_folder(self.path))

    def write(self, result: Result) -> None:
        """Draw on the image and save it."""
        name = self._free_name(Path(result.frame.source).stem)
        save_image(self._part / f"{name}.jpg", draw(self._overlay, result))
        self.frames_written += 1

    def _free_name(self, stem: str) -> str:
        """Number images of the same name, from two folders or with two suffixes."""
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        name = next(name for name in names if name not in self._names)
        self._names.add(name)
        return name


def draw(overlay: Overlay, result: Result) -> np.ndarray:
    """Return the frame with heat, boxes, gauges and header, (H, W, 3) uint8 RGB."""
    image = result.frame.image
    if result.heat is not None:
        image = draw_heat(image, result.heat, font_px_of(image.shape[1], image.shape[0]))
    return overlay.draw(
        image,
        detections=result.detections or (),
        angle_deg=result.angle_deg,
        smoothed_deg=result.smoothed_deg,
        truth_deg=result.truth_deg,
        header=result.header,
        region=result.region,
    )
