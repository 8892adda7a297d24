"""Read frames from any source, with index and time, in constant memory.

Damaged packets are skipped and counted. If a frame is missing, the index of the next one is looked
up by its presentation timestamp, so rows of a CSV still belong to their frames after the damage.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from drive.core.errors import InputError
from drive.core.types import HD_HEIGHT, Frame, Image, IntArray, VideoInfo
from drive.video.container import (
    VideoPacket,
    open_container,
    packets,
    packets_from,
    reach_s,
    read_stamps,
    rotation_clockwise,
    times_are_told,
    video_stream,
)
from drive.video.probe import probe
from drive.video.sources import Kind, Source, find_source

GAP = 1.5  # a step longer than this many usual ones means that a frame may be missing
DECLARE_FRAMES, DECLARE_DURATION = "mp4", ("matroska", "flv")  # containers, at their beginning
MISSING_END_S = 0.25  # before its declared duration, the end of a file counts as cut off
UNSPECIFIED_COLORSPACE = 2
HD_COLORSPACES, SD_COLORSPACES = {1, UNSPECIFIED_COLORSPACE}, {5, 6, UNSPECIFIED_COLORSPACE}
"""ITU-T H.273 codes of the matrix: BT.709; BT.601 in its 625- and 525-line forms."""

LIMITED_RANGES = {0, 1}  # unspecified, which players take as limited, and limited


def read_frames(
    source: str | Path,
    *,
    stride: int = 1,
    start_s: float = 0.0,
    end_s: float | None = None,
    size: tuple[int, int] | None = None,
    threads: int = 0,
    planes: bool = False,
) -> FrameReader:
    """Read frames from a video, images, a camera or a stream.

    `Frame.image` is (H, W, 3) uint8, RGB; `Frame.time_s` is the presentation timestamp.

    Args:
        source: a video file, an image, a folder or glob of images, a camera index or a URL.
        stride: read every `stride`-th frame; indices still count all of them.
        start_s: start in seconds after the first frame.
        end_s: end in seconds, exclusive; None reads to the end.
        size: (width, height) in pixels to resize to while decoding; None keeps the size.
        threads: number of threads that decode a video; 0 for one per core.
        planes: also set `Frame.planes`, to write a video of the same frames.

    Returns:
        An iterator over `Frame`, and a context manager that closes the source.

    Raises:
        MissingFileError: there is no such source.
        InputError: it cannot be decoded, or an argument is out of range.

    Example:
        >>> with read_frames("video.mp4", start_s=10, end_s=20) as frames:
        ...     for frame in frames:
        ...         print(frame.index, frame.time_s, frame.image.shape)
    """
    found = find_source(source)
    if stride < 1:
        raise InputError(f"the stride must be at least 1; got {stride}")
    _check_times(found, start_s, end_s)
    end_s = None if end_s == math.inf else end_s
    return FrameReader(found, stride, start_s, end_s, size, threads, planes)


def _check_times(source: Source, start_s: float, end_s: float | None) -> None:
    if not 0 <= start_s < math.inf:
        raise InputError(f"the start must be at least 0 seconds; got {start_s:g}")
    if end_s is not None and not end_s > start_s:
        raise InputError(f"the end must be after the start ({start_s:g} s); got {end_s:g} s")
    if source.kind is Kind.IMAGES and (start_s > 0 or end_s is not None):
        raise InputError(f"{source.name}: start and end require a video; got images")


@dataclass(eq=False)
class FrameReader:
    """Iterates over the frames of one source; made by `read_frames`.

    `frames_lost` is the number of damaged packets, missing frames and unreadable images so far,
    estimated behind the end of a cut-off file that declares its duration only.
    """

    source: Source
    stride: int
    start_s: float
    end_s: float | None
    size: tuple[int, int] | None
    threads: int = 0
    planes: bool = False
    info: VideoInfo | None = field(init=False)  # None for images, cameras and streams
    frames_read: int = field(init=False, default=0)
    frames_lost: int = field(init=False, default=0)
    breaks_off_s: float | None = field(init=False, default=None)  # end of a file that is cut off

    def __post_init__(self) -> None:
        self.info = probe(self.source.name) if self.source.kind is Kind.VIDEO else None
        self._frames = self._read()

    def check_start(self) -> None:
        """Raise `InputError` if no frame would be read because the start is behind the end."""
        info, start_s = self.info, self.start_s
        if info is None or not info.duration_s or start_s < info.duration_s:
            return
        if start_s >= reach_s(info.path):
            raise InputError(
                f"the start must be before the end of {info.path}, which lasts "
                f"{info.duration_s:.2f} s; got {start_s:g} s"
            )

    @property
    def expected(self) -> int | None:
        """Approximate number of frames to read, for a progress bar; None if unknown."""
        if self.info is None:
            return -(-len(self.source.images) // self.stride) or None
        count, duration_s = self.info.frame_count, self.info.duration_s
        if not count or not duration_s:
            return count
        end_s = min(duration_s, math.inf if self.end_s is None else self.end_s)
        share = max(0.0, end_s - self.start_s) / duration_s
        return max(1, round(count * share / self.stride))

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Close the source; frames that were read stay valid."""
        with suppress(ValueError):  # a thread still waits for a stream
            self._frames.close()

    def _read(self) -> Generator[Frame]:
        others = {Kind.IMAGES: self._read_images, Kind.CAMERA: self._read_camera}
        for frame in others.get(self.source.kind, self._read_video)():
            self.frames_read += 1
            yield frame

    def _read_video(self) -> Iterator[Frame]:
        name = self.source.name
        with open_container(name) as container:
            stream = video_stream(container, name, self.threads)
            clock = _Clock(stream, name, is_file=self.source.kind is Kind.VIDEO)
            found = packets(container, stream)
            if self.start_s > 0 and self.source.kind is Kind.VIDEO:
                found = clock.seek(container, self.start_s)
            for decoded in self._decode(found, clock):
                index, time_s = clock.place(decoded)
                self.frames_lost = clock.frames_lost
                if self.end_s is not None and time_s >= self.end_s:
                    return
                if time_s >= self.start_s and index % self.stride == 0:
                    image, planes = self._to_image(decoded), self._to_planes(decoded)
                    yield Frame(index, time_s, image, name, planes)
            clock.finish(container, self.end_s)
            self.frames_lost, self.breaks_off_s = clock.frames_lost, clock.breaks_off_s

    @staticmethod
    def _decode(found: Iterator[VideoPacket], clock: _Clock) -> Iterator[av.VideoFrame]:
        for packet in found:
            clock.meet(packet)
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                clock.packets_damaged += 1
                continue
            yield from frames

    def _to_image(self, decoded: av.VideoFrame) -> Image:
        turn = rotation_clockwise(decoded)
        width, height = self.size or (None, None)
        if self.size and turn in (90, 270):
            width, height = height, width
        unnamed = decoded.colorspace == UNSPECIFIED_COLORSPACE and decoded.height >= HD_HEIGHT
        found = decoded.to_ndarray(
            format="rgb24",
            width=width,
            height=height,
            src_colorspace=Colorspace.ITU709 if unnamed else None,
            interpolation="AREA" if self.size else None,
        )
        image = np.asarray(found, np.uint8)
        return np.ascontiguousarray(np.rot90(image, -turn // 90)) if turn else image

    def _to_planes(self, decoded: av.VideoFrame) -> Image | None:
        """Return the planes of the decoder if they have the form of `Frame.planes`."""
        usual = HD_COLORSPACES if decoded.height >= HD_HEIGHT else SD_COLORSPACES
        fits = (
            decoded.format.name == "yuv420p"
            and decoded.colorspace in usual
            and decoded.color_range in LIMITED_RANGES
            and decoded.width % 2 == decoded.height % 2 == 0
        )
        if not (self.planes and fits) or self.size or rotation_clockwise(decoded):
            return None
        return np.asarray(decoded.to_ndarray(), np.uint8)

    def _read_images(self) -> Iterator[Frame]:
        for index in range(0, len(self.source.images), self.stride):
            path = self.source.images[index]
            image = read_image(path)
            if image is None:
                self.frames_lost += 1
                continue
            yield Frame(index, 0.0, resized(image, self.size), str(path))
        if self.frames_read == 0:
            raise InputError(f"{self.source.name}: none of the images can be decoded")

    def _read_camera(self) -> Iterator[Frame]:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        camera = cv2.VideoCapture(int(self.source.name))
        if not camera.isOpened():
            raise InputError(f"there is no camera {self.source.name}; the first one is 0")
        try:
            start = cv2.getTickCount()
            index = 0
            while True:
                whole, image = camera.read()
                if not whole:
                    return
                time_s = (cv2.getTickCount() - start) / cv2.getTickFrequency()
                if self.end_s is not None and time_s >= self.end_s:
                    return
                if time_s >= self.start_s and index % self.stride == 0:
                    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                    yield Frame(index, time_s, resized(rgb, self.size), self.source.name)
                index += 1
        finally:
            camera.release()


class _Clock:
    """Gives every decoded frame its index and time, and counts missing frames."""

    def __init__(self, stream: VideoStream, name: str, is_file: bool) -> None:
        self.packets_damaged = 0
        self.packets_hidden = 0
        self.breaks_off_s: float | None = None
        self._time_base = stream.time_base or Fraction(1)
        self._stream = stream
        self._name = name
        self._is_file = is_file
        self._times_are_told = times_are_told(stream)
        self._first_dts: int | None = None
        self._late: int | None = None
        self._first_pts: int | None = None
        self._last_pts: int | None = None
        self._usual_step: int | None = None
        self._next_index: int | None = 0
        self._missed = 0

    @property
    def frames_lost(self) -> int:
        """Lost frames; a damaged packet and its missing frame count once."""
        return max(self.packets_damaged, self._missed)

    def seek(self, container: av.container.InputContainer, start_s: float) -> Iterator[VideoPacket]:
        """Return the packets from the key frame before `start_s` on; indices do not change."""
        if not len(self._stamps):
            return packets(container, self._stream)
        self._first_pts = int(self._stamps[0])
        self._next_index = None
        target = self._first_pts + int(start_s / self._time_base)
        return packets_from(container, self._stream, self._first_pts, target)

    def meet(self, packet: VideoPacket) -> None:
        """Note a packet before it is decoded."""
        self.packets_hidden += packet.is_discard
        if self._first_dts is None and packet.is_keyframe:
            self._first_dts = packet.dts

    def place(self, decoded: av.VideoFrame) -> tuple[int, float]:
        """Return the index of a frame in its file and its seconds after the first frame."""
        pts = decoded.pts if self._times_are_told else self._untold(decoded)
        if pts is None:
            pts = (self._last_pts or 0) + (self._usual_step or 1)
        if self._first_pts is None:
            self._first_pts = self._origin(pts)
        index = self._index(pts)
        self._next_index = index + 1
        self._last_pts = pts
        return index, self._seconds(pts - self._first_pts)

    def _untold(self, decoded: av.VideoFrame) -> int | None:
        """Return the presentation time of a frame whose container does not state it.

        It is that of the packet that released it: with B-frames, as late as the first frame is.
        """
        if decoded.dts is None or self._first_dts is None:
            return None
        if self._late is None:
            late = decoded.dts - self._first_dts
            self._late = late if self._stream.codec_context.has_b_frames and late > 0 else 0
        return decoded.dts - self._late

    def finish(self, container: av.container.InputContainer, end_s: float | None = None) -> None:
        """Count the frames up to `end_s` that a cut-off file declares but does not have."""
        if self._next_index is None or self._last_pts is None or self._first_pts is None:
            return
        step = self._usual_step or 0
        end, kind = self._last_pts + step, container.format.name
        missing_s = 0.0
        if DECLARE_FRAMES in kind:
            declared = self._stream.frames - self.packets_hidden
            if end_s is not None and step:
                declared = min(declared, math.ceil(end_s / self._seconds(step)))
            self._missed += max(0, declared - self._next_index)
            if declared > self._next_index:
                missing_s = self._seconds(self._first_pts + (self._stream.duration or 0) - end)
        elif self._is_file and kind.startswith(DECLARE_DURATION) and container.duration:
            missing_s = self._missing_s(container.duration / av.time_base, self._seconds(end))
            asked_s = math.inf if end_s is None else end_s - self._seconds(end - self._first_pts)
            self._missed += round(min(missing_s, asked_s) / self._seconds(step)) if step else 0
        if missing_s > 0:
            self.breaks_off_s = self._seconds(end - self._first_pts)

    def _missing_s(self, declared_s: float, end_s: float) -> float:
        """Return the seconds missing after the last frame; audio may be longer than video."""
        if declared_s - end_s < MISSING_END_S or declared_s - reach_s(self._name) < MISSING_END_S:
            return 0.0
        return declared_s - end_s

    def _seconds(self, ticks: int) -> float:
        return float(ticks * self._time_base)

    def _origin(self, pts: int) -> int:
        """Return the timestamp of the first frame, even if that frame is damaged."""
        if self.packets_damaged and self._is_file and len(self._stamps):
            self._next_index = None
            return int(self._stamps[0])
        return pts

    def _index(self, pts: int) -> int:
        if self._next_index is None:
            return self._position(pts)
        step = None if self._last_pts is None else pts - self._last_pts
        usual = self._usual_step
        if step is not None and step > 0:
            self._usual_step = min(step, usual or step)
        if not self._is_file or step is None or usual is None or step <= GAP * usual:
            return self._next_index
        index = max(self._position(pts), self._next_index)
        self._missed += index - self._next_index
        return index

    @cached_property
    def _stamps(self) -> IntArray:
        return read_stamps(self._name)

    def _position(self, pts: int) -> int:
        return int(np.searchsorted(self._stamps, pts))


def resized(image: Image, size: tuple[int, int] | None) -> Image:
    """Return an image of `size` = (width, height); None keeps its own."""
    if size is None or size == image.shape[1::-1]:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def read_image(path: str | Path) -> Image | None:
    """Read an image file as (H, W, 3) uint8 RGB, upright; None if it cannot be decoded."""
    data = np.fromfile(path, dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
