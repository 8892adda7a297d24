"""Plain values that all parts of drive share."""

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

DType: TypeAlias = "np.dtype[Any]"

HD_HEIGHT = 720
"""Files that do not name their colour matrix are taken as BT.709 from this height on, as BT.601
below it, as players do."""


class Box(NamedTuple):
    """A bounding box in pixels of the source frame.

    The origin is the top left corner; `x2` and `y2` are exclusive.

    Example:
        >>> box = Box(10.0, 20.0, 50.0, 40.0)
        >>> box.width, box.height
        (40.0, 20.0)
    """

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of a video, with its time.

    Attributes:
        index: position in the source, counted from 0.
        time_s: presentation timestamp in seconds; 0 at the first frame of the source.
        image: (H, W, 3) uint8, RGB, upright.
        source: name of the file, camera or URL.
        planes: the image as decoded, (H * 3 / 2, W) uint8, I420 in limited range, BT.709 from 720
            rows on and BT.601 below; None unless requested (`read_frames(planes=True)`).

    Example:
        >>> for frame in read_frames("video.mp4"):
        ...     print(frame.index, frame.time_s, frame.image.shape)
    """

    index: int
    time_s: float
    image: Image
    source: str = ""
    planes: Image | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in a frame, with its box in source pixels and its confidence, 0 to 1.

    `track_id` is the same for the same object over time; None without tracking, and until the track
    is confirmed.

    Example:
        >>> for d in load_detector().detect(frame.image):
        ...     print(d.label, d.score, d.box.x1, d.box.width)
    """

    label: str
    score: float
    box: Box
    track_id: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SteeringSample:
    """A frame with its steering angle in degrees, positive to the right."""

    frame: Frame
    angle_deg: float


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Properties of a video file; None if unknown.

    Attributes:
        width, height: in pixels, after rotation.
        rotation_deg: clockwise rotation for display: 0, 90, 180 or 270.
        nominal_fps: frame rate that the container states.
        average_fps: number of frames / duration.
        frame_count: of frames that decode if `counted`, else what the container states.
        frames_lost: number of damaged packets, if counted.
        duration_s: from the start of the first frame to the end of the last one.
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

    @property
    def fps(self) -> float | None:
        """Frame rate: the average if known, else the nominal one."""
        return self.average_fps or self.nominal_fps
