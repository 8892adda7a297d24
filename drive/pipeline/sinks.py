"""Where results of frames go: tables, an annotated video, annotated pictures.

A sink is a context manager with `write(result)`. Each file is whole or absent: an error inside
the `with` block leaves nothing under a final name. Knows nothing of the models.
"""

from __future__ import annotations

import csv
import sys
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from drive.core.errors import EncodeError
from drive.core.files import atomic, atomic_folder
from drive.core.region import Region
from drive.core.types import Detection, Frame
from drive.drawing.heat import HeatMap, draw_heat
from drive.drawing.overlay import Overlay
from drive.video.planes import carry_over
from drive.video.writer import VideoWriter

DETECTION_COLUMNS = (
    *("source", "frame", "time_s", "track_id", "class", "score"),
    *("x1", "y1", "x2", "y2"),
)
STEERING_COLUMNS = ("frame", "time_s", "angle_deg", "truth_deg")
SMOOTHED_COLUMN, SPREAD_COLUMN = "smoothed_deg", "spread_deg"

TIME_DIGITS = 6
SCORE_DIGITS = 4
PIXEL_DIGITS = 2
ANGLE_DIGITS = 4
POSITIVE_ZERO = 0.0  # added, it turns -0.0 into 0.0
JPEG_QUALITY = 92

LIVE_RATE_HINT = 30.0
"""Frames a second that most cameras give; times in the file come from the frames themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What the models say of one frame.

    Attributes:
        frame: the picture, its index and its time.
        detections: objects found or tracked; None where no detector ran.
        angle_deg: the model's steering angle, positive right; None where no such model ran.
        truth_deg: the human's angle, None where unknown.
        region: where the detector looked.
        header: the line at the top of the picture.
        smoothed_deg: the model's angle behind the filter over time; None without one.
        heat: how much each part of the picture counts for the angle; None where nobody asks.
        spread_deg: how far the members of an ensemble lie apart; None for a single network.
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


class Sink(ABC):
    """Takes the results of a source, frame by frame.

    What `open` enters on `_stack` is left when the `with` block ends, with its error if there is
    one: that is how files become whole or absent.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @abstractmethod
    def open(self) -> None:
        """Open the files, before the first frame is processed."""

    @abstractmethod
    def write(self, result: Result) -> None:
        """Take one frame's result."""


class _Table(Sink):
    """A CSV that is written row by row and appears when it is whole."""

    columns: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._rows: Any = None

    def open(self) -> None:
        """Open the file and write the header row."""
        part = self._stack.enter_context(atomic(self.path))
        file = self._stack.enter_context(part.open("w", newline="", encoding="utf-8"))
        self._rows = csv.writer(file)
        self._rows.writerow(self.columns)


class DetectionTable(_Table):
    """`detections.csv`: a row a box that the frame shows.

    With a tracker that includes boxes of tracked objects in frames where the detector missed them
    for a moment or, with a stride, did not run; their scores fall while they are missed. Without
    one every row is a detection, and `track_id` is empty.

    Attributes:
        rows_written: boxes so far.
        frames_with_boxes: frames with at least one box so far.
    """

    columns = DETECTION_COLUMNS

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.rows_written = 0
        self.frames_with_boxes = 0

    def write(self, result: Result) -> None:
        """Write the frame's boxes."""
        frame = result.frame
        name = Path(frame.source).name
        for found in result.detections or []:
            self._rows.writerow(
                [
                    name,
                    frame.index,
                    round(frame.time_s, TIME_DIGITS),
                    "" if found.track_id is None else found.track_id,
                    found.label,
                    round(found.score, SCORE_DIGITS),
                    *(round(float(edge), PIXEL_DIGITS) for edge in found.box),
                ]
            )
            self.rows_written += 1
        self.frames_with_boxes += bool(result.detections)


class SteeringTable(_Table):
    """`steering.csv`: a row a frame; keeps the numbers for the plots as well.

    Args:
        path: of the file.
        smooths: whether a column with the smoothed angle stands at the end.
        spreads: whether one with the spread of an ensemble's members stands behind that.
    """

    def __init__(self, path: Path, smooths: bool = False, spreads: bool = False) -> None:
        super().__init__(path)
        self._smooths = smooths
        self._spreads = spreads
        more = {SMOOTHED_COLUMN: smooths, SPREAD_COLUMN: spreads}
        self.columns = (*STEERING_COLUMNS, *(name for name, asked in more.items() if asked))
        self._series: list[tuple[float, ...]] = []

    def write(self, result: Result) -> None:
        """Write the frame's angles."""
        frame, missing = result.frame, float("nan")
        angles = (result.angle_deg, result.truth_deg, result.smoothed_deg, result.spread_deg)
        numbers = (missing if each is None else each for each in angles)
        self._series.append((frame.index, frame.time_s, *numbers))
        asked = (True, True, self._smooths, self._spreads)
        shown = [each for each, wanted in zip(angles, asked, strict=True) if wanted]
        cells = [
            "" if each is None else round(each, ANGLE_DIGITS) + POSITIVE_ZERO for each in shown
        ]
        self._rows.writerow([frame.index, round(frame.time_s, TIME_DIGITS), *cells])

    @property
    def series(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times in seconds, the model's and the human's angles in degrees (NaN where unknown)."""
        values = self._values()
        return values[:, 1], values[:, 2], values[:, 3]

    @property
    def frame_index(self) -> np.ndarray:
        """Frame numbers in the source, int64."""
        return self._values()[:, 0].astype(np.int64)

    @property
    def smoothed_deg(self) -> np.ndarray | None:
        """The smoothed angles in degrees; None where nothing is smoothed."""
        return self._values()[:, 4] if self._smooths else None

    @property
    def spread_deg(self) -> np.ndarray | None:
        """How far the members of an ensemble lie apart in degrees; None for a single network."""
        return self._values()[:, 5] if self._spreads else None

    def _values(self) -> np.ndarray:
        return np.array(self._series, dtype=np.float64).reshape(-1, 6)


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How an annotated video begins: see `VideoWriter`."""

    width: int
    height: int
    rate_hint: float
    audio_from: str | None = None
    audio_start_s: float = 0.0
    audio_end_s: float | None = None
    threads: int = 0


class AnnotatedVideo(Sink):
    """The source's video with everything drawn on it.

    With `settings` the encoder is opened, and so proved, before the first frame is processed;
    without them (a camera, whose size is unknown) when the first frame comes.

    Attributes:
        frames_written: frames in the file so far.
    """

    def __init__(self, path: Path, settings: VideoSettings | None) -> None:
        super().__init__()
        self.path = path
        self.frames_written = 0
        self._settings = settings
        self._writer: VideoWriter | None = None
        self._overlay: Overlay | None = None

    def open(self) -> None:
        """Open the encoder where the size is known."""
        if self._settings is not None:
            self._open_writer(self._settings)

    def write(self, result: Result) -> None:
        """Draw on the frame and write it at its own time."""
        if self._writer is None or self._overlay is None:
            height, width = result.frame.image.shape[:2]
            self._open_writer(VideoSettings(width, height, LIVE_RATE_HINT))
        assert self._writer is not None and self._overlay is not None
        frame = result.frame
        drawn = draw(self._overlay, result)
        planes = frame.planes if result.heat is None else None
        if planes is not None:
            carry_over(drawn, planes, self._overlay.places)
        self._writer.write(drawn, frame.time_s, planes)
        self.frames_written = self._writer.frames_written

    def _open_writer(self, settings: VideoSettings) -> None:
        self._writer = self._stack.enter_context(VideoWriter(self.path, **asdict(settings)))
        self._overlay = Overlay(settings.width, settings.height)


class AnnotatedImages(Sink):
    """A folder with a picture for each picture of the source, under the same name.

    Attributes:
        frames_written: pictures so far.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.frames_written = 0
        self._names: set[str] = set()
        self._part = folder

    def open(self) -> None:
        """Make the folder; it gets its name when all pictures are in it."""
        self._part = self._stack.enter_context(atomic_folder(self.folder))

    def write(self, result: Result) -> None:
        """Draw on the picture and save it."""
        image = result.frame.image
        height, width = image.shape[:2]
        name = self._free_name(Path(result.frame.source).stem)
        save_image(self._part / f"{name}.jpg", draw(Overlay(width, height), result))
        self.frames_written += 1

    def _free_name(self, stem: str) -> str:
        """Tell pictures of the same name apart, from two folders or with two suffixes."""
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name)
        return name


def draw(overlay: Overlay, result: Result) -> np.ndarray:
    """The frame with its heat, boxes, gauges and header, (H, W, 3) uint8 RGB."""
    image = result.frame.image
    if result.heat is not None:
        image = draw_heat(image, result.heat, overlay.font_px)
    return overlay.draw(
        image,
        detections=result.detections or (),
        angle_deg=result.angle_deg,
        smoothed_deg=result.smoothed_deg,
        truth_deg=result.truth_deg,
        header=result.header,
        region=result.region,
    )


def save_image(path: Path, image: np.ndarray) -> None:
    """Write an RGB picture; the suffix of `path` gives the format.

    Raises:
        EncodeError: the picture cannot be encoded or written.
    """
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    with atomic(path) as part:
        if not cv2.imwrite(str(part), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality):
            raise EncodeError(f"The picture {path} could not be written")
