"""The plain values that pass from one room of the application to the next.

Knows no file format, no network and no drawing: numpy and the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Image: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 3) RGB, or a batch (N, H, W, 3)."""

FloatArray: TypeAlias = "NDArray[np.floating[Any]]"
IntArray: TypeAlias = "NDArray[np.int64]"
BoolArray: TypeAlias = "NDArray[np.bool_]"
Array: TypeAlias = "NDArray[Any]"
"""Of any element type."""

HD_HEIGHT = 720
"""Colours are in BT.709 from this height up, below it in BT.601, where a file does not name its
matrix: what players assume."""


class Box(NamedTuple):
    """A rectangle in pixels of the source frame, origin at the top left, `x2`/`y2` exclusive."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Pixels from left to right."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.y2 - self.y1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture.

    Attributes:
        index: position in the source, counted from 0 over decoded frames.
        time_s: presentation timestamp in seconds, 0 at the source's first frame.
        image: (H, W, 3) uint8, RGB, upright.
        source: name of the file (or camera, or URL) that it comes from.
        planes: the same picture as the decoder gave it, (H * 3 / 2, W) uint8, I420 in the limited
            range, BT.709 from 720 rows up and BT.601 below; None where nobody asked for it or the
            decoder gave something else.
    """

    index: int
    time_s: float
    image: np.ndarray
    source: str = ""
    planes: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """One object found in a frame; `score` is in 0..1, `box` in source pixels."""

    label: str
    score: float
    box: Box
    track_id: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SteeringSample:
    """A frame with the steering angle of the same moment, in degrees, positive to the right."""

    frame: Frame
    angle_deg: float


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file says about itself, checked where that is cheap.

    Attributes:
        path: the file.
        width, height: pixels as shown, after rotation.
        rotation_deg: clockwise turn that the file asks for: 0, 90, 180 or 270.
        nominal_fps: frame rate that the container states, None where it states none.
        average_fps: frames over duration, None when neither is known.
        variable_rate: whether the distance between frames varies; None when not counted.
        frame_count: frames that decode when counted, else the container's claim, else None.
        counted: whether `frame_count` comes from decoding.
        frames_lost: damaged packets met while counting.
        duration_s: seconds from the first frame's start to the last one's end.
        codec: name of the video codec.
        has_audio: whether there is an audio stream.
    """

    path: str
    width: int
    height: int
    rotation_deg: int
    nominal_fps: float | None
    average_fps: float | None
    variable_rate: bool | None
    frame_count: int | None
    counted: bool
    frames_lost: int
    duration_s: float | None
    codec: str
    has_audio: bool
