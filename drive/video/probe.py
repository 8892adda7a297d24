"""Properties of a video file: size, frame rate, length, audio."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.video.stream import VideoStream

from drive.core.errors import InputError
from drive.core.types import VideoInfo
from drive.video.container import open_container, packets, rotation_clockwise, video_stream

MICROSECONDS = 1_000_000

RATE_TOLERANCE = 0.05
"""The rate is variable if a distance between frames differs from the mean by more than this share:
more than the rounding of common time bases, less than one dropped frame."""


def probe(path: str | Path, count: bool = False) -> VideoInfo:
    """Return the properties of a video file.

    With `count` the whole file is decoded to count its frames, since the number in a container can
    be wrong by a factor of 1,000, and to check whether the rate varies.
    """
    source = str(path)
    with open_container(source) as container:
        stream = video_stream(container, source)
        container_s = container.duration / MICROSECONDS if container.duration else None
        times_s: list[float] = []
        damaged = 0
        first: av.VideoFrame | None = None
        for packet in packets(container, stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                damaged += 1
                continue
            if first is None and frames:
                first = frames[0]
            if first is not None and not count:
                break
            times_s.extend(float(frame.time) for frame in frames if frame.time is not None)
        if first is None:
            raise InputError(f"{source} has no frame that can be decoded")
        counted_s = sorted(times_s) if count else None
        return _describe(source, stream, first, counted_s, container_s, damaged)


def _describe(
    source: str,
    stream: VideoStream,
    first: av.VideoFrame,
    times_s: list[float] | None,
    container_s: float | None,
    damaged: int,
) -> VideoInfo:
    turn = rotation_clockwise(first)
    width, height = first.width, first.height
    if turn in (90, 270):
        width, height = height, width
    frame_count = len(times_s) if times_s is not None else stream.frames or None
    duration_s = _counted_duration(times_s) if times_s else _claimed_duration(stream) or container_s
    return VideoInfo(
        path=source,
        width=width,
        height=height,
        rotation_deg=turn,
        nominal_fps=_rate(stream.guessed_rate or stream.base_rate),
        average_fps=(
            frame_count / duration_s if frame_count and duration_s else _rate(stream.average_rate)
        ),
        variable_rate=_varies(times_s) if times_s else None,
        frame_count=frame_count,
        counted=times_s is not None,
        frames_lost=damaged,
        duration_s=duration_s,
        codec=stream.codec_context.name,
        has_audio=bool(stream.container.streams.audio),
    )


def _rate(rate: Fraction | None) -> float | None:
    return float(rate) if rate else None


def _counted_duration(times_s: list[float]) -> float | None:
    if len(times_s) < 2:
        return None
    span_s = times_s[-1] - times_s[0]
    return span_s * len(times_s) / (len(times_s) - 1)


def _claimed_duration(stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def _varies(times_s: list[float]) -> bool:
    steps_s = [later - earlier for earlier, later in pairwise(times_s)]
    if not steps_s:
        return False
    mean_s = sum(steps_s) / len(steps_s)
    return any(abs(step_s - mean_s) > RATE_TOLERANCE * mean_s for step_s in steps_s)
