"""H.264 in MP4: set up the file and the encoder, and convert RGB for it.

There are no B-frames: with them, FFmpeg's MP4 writer gives a variable-rate file a wrong length, and
some readers take the decode order for the frame times. docs/decisions.md has the measurements.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.container
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from drive.core.errors import InputError
from drive.core.types import HD_HEIGHT, Image
from drive.video.container import AV_ERRORS, reason

TICKS_PER_SECOND = 90_000  # as in MPEG: 25, 30, 30000/1001 and 60 frames per second are whole ticks
TIME_BASE = Fraction(1, TICKS_PER_SECOND)
PRESET = "ultrafast"
TOOLS = "8x8dct=1:deblock=0,0:no-dct-decimate=1"
"""x264 settings on top of the preset: larger transforms and deblocking cost almost nothing, and
skipping the search for blocks to leave out is faster."""

CRF = 23
KEY_FRAME_EVERY_S = 2.0  # distance between key frames; short enough for fast seeking in a browser
LIBX264_MAX_SIZE = 16_384
BT709, BT601 = 1, 6
"""ITU-T H.273 codes of matrix, primaries and transfer. BT.709 from 720 rows on, else BT.601: what
players assume without tags, so players that ignore tags are right too."""

COLORSPACES = {BT709: Colorspace.ITU709, BT601: Colorspace.ITU601}
LIMITED_RANGE = 1


def open_mp4(part: Path) -> av.container.OutputContainer:
    """Open an MP4 for writing, with its index at the start (faststart)."""
    options = {"movflags": "+faststart", "video_track_timescale": str(TICKS_PER_SECOND)}
    try:
        part.touch()
        return av.open(str(part), "w", format="mp4", options=options)
    except AV_ERRORS as error:
        raise InputError(
            f"the folder {part.parent} is not writable: {reason(error)}; choose another"
        ) from error


def add_h264(
    container: av.container.OutputContainer,
    size: tuple[int, int],
    rate: Fraction,
    preset: str,
    crf: int,
    threads: int = 0,
) -> VideoStream:
    """Add the video stream; the encoder opens when the container starts.

    `size` is (width, height), which become even. `rate` is a hint for rate control. The rest goes
    to x264, which chooses the number of threads if it is 0.
    """
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height = (pixels + pixels % 2 for pixels in size)
    stream.pix_fmt = "yuv420p"
    stream.time_base = TIME_BASE
    key_frame_distance = max(round(KEY_FRAME_EVERY_S * rate), 1)
    stream.options = {"preset": preset, "crf": str(crf), "bf": "0", "g": str(key_frame_distance)}
    stream.options |= {"x264-params": TOOLS} if preset == PRESET else {}
    codec = stream.codec_context
    codec.thread_count = threads
    codec.time_base = TIME_BASE
    codec.color_range = LIMITED_RANGE
    codec.colorspace = codec.color_primaries = codec.color_trc = _matrix(size)
    return stream


def to_yuv(image: Image) -> av.VideoFrame:
    """Return an RGB image as a yuv420p frame; odd sizes repeat the last column or row."""
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(image)
    if width % 2 or height % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return av.VideoFrame.from_numpy_buffer(pixels, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=COLORSPACES[_matrix((width, height))],
        dst_color_range=ColorRange.MPEG,
    )


def _matrix(size: tuple[int, int]) -> int:
    return BT709 if size[1] >= HD_HEIGHT else BT601
