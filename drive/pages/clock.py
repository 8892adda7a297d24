"""The clock of a video: when each of its frames is shown. Nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from drive.core.errors import DriveError
from drive.video.container import open_container, packets, video_stream


@dataclass(frozen=True, slots=True, eq=False)
class VideoClock:
    """Pixels of a video, and the (N,) seconds from 0 of its frames; empty if not asked for."""

    width: int
    height: int
    time_s: np.ndarray


def read_clock(path: Path | None, times: bool = False) -> VideoClock | None:
    """Return the size of a video and, with `times`, its clock; None without a valid video."""
    if path is None:
        return None
    try:
        with open_container(str(path)) as container:
            stream = video_stream(container, str(path))
            width, height = stream.codec_context.width, stream.codec_context.height
            time_s = _times(container, stream) if times else np.zeros(0)
    except DriveError:
        return None
    return VideoClock(width, height, time_s)


def _times(container: InputContainer, stream: VideoStream) -> np.ndarray:
    """Our own videos, without B-frames, have them in the index; others are read through."""
    ticks = [entry.timestamp for entry in stream.index_entries]
    if not ticks or stream.codec_context.has_b_frames:
        found = [packet.pts for packet in packets(container, stream)]
        ticks = [pts for pts in found if pts is not None]
    time_s = np.sort(np.array(ticks, np.float64)) * float(stream.time_base or 1)
    return time_s - time_s[:1]
