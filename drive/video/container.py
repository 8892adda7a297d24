"""Open video files and streams with PyAV; what the reader and the probe share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, cast

import av
import av.container
import numpy as np
from av.video.stream import VideoStream

from drive.core.errors import InputError, MissingFileError
from drive.core.types import IntArray

VideoPacket: TypeAlias = "av.packet.Packet[VideoStream]"

INDEXED_SUFFIXES = (".mp4", ".mov", ".m4v")
CUT_OFF_HINT = "; if it is one, it was probably cut off before its index was written"
ORDERED_BY_DECODING = ("avi",)  # containers without presentation timestamps
TOLD_BY_NOBODY = ("h264", "hevc")  # codecs for which FFmpeg does not guess these times
NOT_TO_BE_SOUGHT = ("mpeg",)  # program streams, in which FFmpeg loses frame times after seeking
AV_ERRORS = (av.error.FFmpegError, OSError, ValueError)


def is_stream(source: str) -> bool:
    """Return whether `source` is a URL such as rtsp://..."""
    return "://" in source


def open_container(source: str) -> av.container.InputContainer:
    """Open a video file or a stream URL for reading."""
    if not is_stream(source):
        _check_file(Path(source))
    try:
        return av.open(source)
    except AV_ERRORS as error:
        why = reason(error)
        text = f"{source} cannot be read as a video: {why}; expected MP4, MKV, AVI or MOV"
        if is_stream(source):
            text = f"{source} cannot be opened: {why}; check the address and the network"
        elif Path(source).suffix.lower() in INDEXED_SUFFIXES:
            text += CUT_OFF_HINT
        raise InputError(text) from None


def reason(error: BaseException) -> str:
    """Return the reason that the system or FFmpeg gives."""
    return str(getattr(error, "strerror", None) or error)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MissingFileError(f"there is no file {path}")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a video such as an MP4")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); expected a video such as an MP4")


def video_stream(
    container: av.container.InputContainer, source: str, threads: int = 0
) -> VideoStream:
    """Return the first video stream, set up to decode in `threads` threads; 0 for all cores."""
    if not container.streams.video:
        raise InputError(f"{source} has no video stream; expected a video such as an MP4")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    return stream


def rotation_clockwise(frame: av.VideoFrame) -> int:
    """Return the clockwise rotation, 0, 90, 180 or 270 degrees, that shows the frame upright."""
    return round(-frame.rotation / 90) % 4 * 90


def packets(container: av.container.InputContainer, *streams: VideoStream) -> Iterator[VideoPacket]:
    """Yield the packets of these streams (default: all) until the file ends or breaks off."""
    with suppress(av.error.FFmpegError):
        yield from cast("Iterator[VideoPacket]", container.demux(*streams))


def times_are_told(stream: VideoStream) -> bool:
    """Return whether the packets of a stream have presentation timestamps."""
    ordered = stream.container.format.name in ORDERED_BY_DECODING
    return not (ordered and stream.codec_context.name in TOLD_BY_NOBODY)


def stamp(packet: VideoPacket) -> int | None:
    """Return the presentation timestamp of a packet; its decoding timestamp if there is none."""
    return packet.pts if times_are_told(packet.stream) else packet.dts


def packets_from(
    container: av.container.InputContainer, stream: VideoStream, first: int, target: int
) -> Iterator[VideoPacket]:
    """Return the packets from a key frame on that is shown at `target` or before.

    Timestamps are in the time base of the stream; `first` is that of the first frame. Containers
    without an index may seek too far; then a seek further back is tried. Where seeking is not
    reliable, the packets start at the beginning of the file.
    """
    if container.format.name in NOT_TO_BE_SOUGHT:
        return packets(container, stream)
    back = 0
    second = max(1, round(1 / (stream.time_base or Fraction(1))))
    while True:
        at = target - back
        if at <= first:
            at = first - second  # the beginning of the file
        with suppress(av.error.FFmpegError):  # cannot seek: read on from here
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
    """Return the end of all streams, video and audio, in seconds of the file's own clock.

    The last packet counts as long as the longest one of its stream, for slide shows. The end is
    infinite if no stream has two packets.
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


def read_stamps(source: str) -> IntArray:
    """Return the presentation timestamps of all shown frames, ascending, without decoding."""
    with open_container(source) as container:
        stream = video_stream(container, source)
        shown = (packet for packet in packets(container, stream) if not packet.is_discard)
        stamps = [found for found in map(stamp, shown) if found is not None]
    return np.unique(np.array(stamps, dtype=np.int64))
