"""Opening video files and streams with PyAV; what the reader and the probe share.

Knows containers and packets; knows nothing of pictures, steering or results.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import numpy as np
from av.video.stream import VideoStream

from drive.core.errors import InputError, MissingFileError

RIGHT_ANGLE = 90

INDEXED_SUFFIXES = (".mp4", ".mov", ".m4v")
CUT_OFF_HINT = "; if it is one, it was probably cut off before its index was written"

ORDERED_BY_DECODING = ("avi",)
"""Containers that number packets in the order of decoding, and tell no times to show them at."""

TOLD_BY_NOBODY = ("h264", "hevc")
"""Codecs of which FFmpeg does not guess those times; of older ones with B-frames it does."""

NOT_TO_BE_SOUGHT = ("mpeg",)
"""Containers (MPEG program streams) in which FFmpeg misses the times of frames behind a seek."""

OPEN_ERRORS = (av.error.FFmpegError, OSError, ValueError)


def is_stream(source: str) -> bool:
    """Whether `source` is a URL such as rtsp://..., and not a path."""
    return "://" in source


def open_container(source: str) -> av.container.InputContainer:
    """Open a video file or a stream URL for reading.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no video, or it is damaged beyond opening.
    """
    if not is_stream(source):
        _check_file(Path(source))
    try:
        return av.open(source)
    except OPEN_ERRORS as error:
        reason = getattr(error, "strerror", None) or error
        if is_stream(source):
            raise InputError(
                f"{source} cannot be opened: {reason}. Check the address and the network"
            ) from None
        raise InputError(
            f"{source} cannot be read as a video: {reason}. Expected MP4, MKV, AVI or MOV"
            + (CUT_OFF_HINT if Path(source).suffix.lower() in INDEXED_SUFFIXES else "")
        ) from None


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MissingFileError(f"There is no file {path}. Check the path")
    if path.is_dir():
        raise InputError(f"{path} is a folder. Expected a video such as an MP4")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes). Expected a video such as an MP4")


def video_stream(
    container: av.container.InputContainer, source: str, threads: int = 0
) -> VideoStream:
    """The first video stream, set up to decode on all cores, or on `threads` of them.

    Raises:
        InputError: the file has no video in it.
    """
    if not container.streams.video:
        raise InputError(f"{source} holds no video stream. Expected a video such as an MP4")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    return stream


def rotation_clockwise(frame: av.VideoFrame) -> int:
    """The clockwise turn, 0, 90, 180 or 270 degrees, that shows the frame upright.

    Container metadata (a display matrix) gives it counter-clockwise, in any number of degrees;
    cameras write right angles only, so it is rounded to the nearest.
    """
    return round(-frame.rotation / RIGHT_ANGLE) % 4 * RIGHT_ANGLE


def packets(
    container: av.container.InputContainer, *streams: VideoStream
) -> Iterator[av.packet.Packet]:
    """The packets of these streams (of all, without any) up to the end of the file or to where it
    breaks off for good."""
    iterator = container.demux(*streams)
    while True:
        try:
            yield next(iterator)
        except (StopIteration, av.error.EOFError):
            return
        except av.error.FFmpegError:
            # The demuxer lost its place (a file cut off in the middle): what was read stays.
            return


def times_are_told(stream: VideoStream) -> bool:
    """Whether the packets of a stream say when they are shown, not only when they are decoded."""
    ordered = stream.container.format.name in ORDERED_BY_DECODING
    return not (ordered and stream.codec_context.name in TOLD_BY_NOBODY)


def stamp(packet: av.packet.Packet) -> int | None:
    """The timestamp by which the place of a packet of pictures in its file is known: when it is
    shown.

    Where nobody tells, when it is decoded: over a whole file both count alike.
    """
    return packet.pts if times_are_told(packet.stream) else packet.dts


def packets_from(
    container: av.container.InputContainer, stream: VideoStream, first: int, target: int
) -> Iterator[av.packet.Packet]:
    """The packets from a key frame on that is shown at `target` or before.

    Containers without an index go somewhere near, behind it too; then it is tried further back.
    Where seeking is not to be trusted, those from the file's beginning.

    Args:
        container: just opened.
        stream: of its pictures.
        first: timestamp of the file's first frame, in the stream's time base.
        target: timestamp to be reached.
    """
    if container.format.name in NOT_TO_BE_SOUGHT:
        return packets(container, stream)
    back = 0
    second = max(1, round(1 / (stream.time_base or Fraction(1))))
    while True:
        at = target - back
        if at <= first:
            at = first - second  # its very beginning
        with suppress(av.error.FFmpegError):  # cannot seek: from where it stands
            container.seek(at, stream=stream, backward=True)
        found = packets(container, stream)
        if at < first:
            return found
        key = next((packet for packet in found if packet.is_keyframe), None)
        begins = None if key is None else stamp(key)
        if key is not None and begins is not None and begins <= target:
            return itertools.chain([key], found)
        back = 2 * back or second


def reach_s(source: str) -> float:
    """The moment up to which a file holds anything, picture or sound, in seconds of its own clock.

    The last packet is taken to last as long as the longest one of its stream, so that a slow
    slide show is not taken for a file that breaks off; infinite where no stream has two packets.
    """
    latest: dict[int, float] = {}
    longest: dict[int, float] = {}
    with open_container(source) as container:
        for packet in packets(container):
            if packet.pts is None or packet.time_base is None:
                continue
            number, time_s = packet.stream.index, float(packet.pts * packet.time_base)
            if number in latest:
                longest[number] = max(longest.get(number, 0.0), time_s - latest[number])
            latest[number] = max(time_s, latest.get(number, time_s))
    return max((latest[number] + step_s for number, step_s in longest.items()), default=math.inf)


@dataclass(frozen=True, slots=True, eq=False)
class TimeTable:
    """The presentation timestamps of all frames that a file means to show, in order.

    Attributes:
        pts: (N,) int64 in units of the stream's time base, ascending, no duplicates.
    """

    pts: np.ndarray

    @classmethod
    def read(cls, source: str) -> TimeTable:
        """Read the timestamps of all packets; nothing is decoded."""
        with open_container(source) as container:
            stream = video_stream(container, source)
            shown = (packet for packet in packets(container, stream) if not packet.is_discard)
            stamps = [found for found in map(stamp, shown) if found is not None]
        return cls(np.unique(np.array(stamps, dtype=np.int64)))

    def index(self, pts: int) -> int:
        """The position, from 0, of the frame shown at `pts`."""
        return int(np.searchsorted(self.pts, pts))

    def __len__(self) -> int:
        return len(self.pts)
