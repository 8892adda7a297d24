"""Opening video files and streams with PyAV; what the reader and the probe share.

Knows containers and packets; knows nothing of pictures, steering or results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import numpy as np
from av.video.stream import VideoStream

from drive.errors import InputError, MissingFileError

RIGHT_ANGLE = 90

INDEXED_SUFFIXES = (".mp4", ".mov", ".m4v")
CUT_OFF_HINT = "; if it is one, it was probably cut off before its index was written"

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
            stamps = [
                packet.pts
                for packet in packets(container, stream)
                if packet.pts is not None and not packet.is_discard
            ]
        return cls(np.unique(np.array(stamps, dtype=np.int64)))

    def index(self, pts: int) -> int:
        """The position, from 0, of the frame shown at `pts`."""
        return int(np.searchsorted(self.pts, pts))

    def __len__(self) -> int:
        return len(self.pts)
