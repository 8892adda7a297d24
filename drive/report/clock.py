"""The clock of an annotated video: when each of its frames is shown.

Read from the file's own index, nothing is decoded. Knows video files, not runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drive.errors import DriveError
from drive.frames.video import open_container, packets, video_stream


@dataclass(frozen=True, slots=True, eq=False)
class VideoClock:
    """What a page has to know of a video.

    Attributes:
        width, height: pixels.
        time_s: (N,) seconds at which its frames are shown, from 0.
    """

    width: int
    height: int
    time_s: np.ndarray


def read_clock(path: Path) -> VideoClock | None:
    """The clock of a video; None where there is none, or none that can be read."""
    try:
        with open_container(str(path)) as container:
            stream = video_stream(container, str(path))
            width, height = stream.codec_context.width, stream.codec_context.height
            ticks = [entry.timestamp for entry in stream.index_entries]
            if path.suffix.lower() != ".mp4" or not ticks or stream.codec_context.has_b_frames:
                found = [packet.pts for packet in packets(container, stream)]
                ticks = [pts for pts in found if pts is not None]
            times = np.sort(np.array(ticks, np.float64)) * float(stream.time_base or 1)
    except DriveError:
        return None
    return VideoClock(width, height, times - times[0]) if len(times) else None
