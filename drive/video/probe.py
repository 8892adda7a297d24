"""Properties of a video file: size, frame rate, length, audio."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from drive.core.errors import InputError
from drive.core.types import FloatArray, VideoInfo
from drive.video.container import open_container, packets, rotation_clockwise, video_stream

RATE_TOLERANCE = 0.05
"""Share by which frames of a constant rate may differ from the mean distance: more than rounding,
less than one dropped frame."""


def probe(path: str | Path, count: bool = False) -> VideoInfo:
    """Return the properties of a video file.

    With `count` the whole file is decoded to count its frames, since the number in a container can
    be wrong by a factor of 1,000, and to check whether the rate varies.
    """
    source = str(path)
    with open_container(source) as container:
        stream = video_stream(container, source)
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
        return _describe(source, container, first, sorted(times_s) if count else None, damaged)


def _describe(
    source: str,
    container: InputContainer,
    first: av.VideoFrame,
    times_s: list[float] | None,
    damaged: int,
) -> VideoInfo:
    stream, turn = container.streams.video[0], rotation_clockwise(first)
    width, height = first.width, first.height
    if turn in (90, 270):
        width, height = height, width
    steps_s = np.diff(times_s or [])
    frame_count = len(times_s) if times_s is not None else stream.frames or None
    duration_s = container.duration / av.time_base if container.duration else None
    if times_s:
        duration_s = float(steps_s.mean()) * len(times_s) if len(steps_s) else None
    elif stream.duration and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    nominal, average = stream.guessed_rate or stream.base_rate, stream.average_rate
    if frame_count and duration_s:
        average_fps: float | None = frame_count / duration_s
    else:
        average_fps = float(average) if average else None
    return VideoInfo(
        path=source,
        width=width,
        height=height,
        rotation_deg=turn,
        nominal_fps=float(nominal) if nominal else None,
        average_fps=average_fps,
        variable_rate=_varies(steps_s) if times_s else None,
        frame_count=frame_count,
        counted=times_s is not None,
        frames_lost=damaged,
        duration_s=duration_s,
        codec=stream.codec_context.name,
        has_audio=bool(container.streams.audio),
    )


def _varies(steps_s: FloatArray) -> bool:
    mean_s = steps_s.mean() if len(steps_s) else 0.0
    return bool((np.abs(steps_s - mean_s) > RATE_TOLERANCE * mean_s).any())
