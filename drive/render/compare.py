"""Previews of finished videos, put together with moviepy: two side by side, and a short GIF.

moviepy reads by time at a constant rate, so single frames of a variable-rate video may be shown
twice or left out: right for looking at, not for measuring. There is no sound. Knows finished
videos; not how they were made.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from moviepy import VideoClip, VideoFileClip

from drive.errors import EncodeError, InputError
from drive.files import atomic
from drive.frames.probe import probe
from drive.render.palette import DARK, LIGHT
from drive.render.text import fit, line_height, put_text

CODEC, PRESET, CRF = "libx264", "superfast", "22"
MAX_FPS = 60.0
DEFAULT_FPS = 25.0

SMALLEST_SIDE = 32
GAP_PX = 4
LABEL_SHARE = 1 / 24
SMALLEST_LABEL_PX = 11
WRITE_ERRORS = (OSError, ValueError, RuntimeError)

Picture = Callable[[float], np.ndarray]


def side_by_side(
    a: str | Path,
    b: str | Path,
    path: str | Path,
    *,
    height: int = 360,
    labels: tuple[str, str] | None = None,
    starts_s: tuple[float, float] = (0.0, 0.0),
    seconds: float | None = None,
) -> float:
    """Write two videos beside each other on one time axis; the shorter holds its last frame.

    Args:
        a, b: the videos, left and right.
        path: the MP4 to write (H.264, yuv420p, faststart), at the higher of the two frame rates.
        height: pixels of each video in the result; a line with its name stands above it.
        labels: the names; by default those of the files.
        starts_s: second of each video that the result begins with.
        seconds: length of the result; None: until both have ended.

    Returns:
        Length of the result in seconds.

    Raises:
        InputError: a video is missing or cannot be read, or the height is too small.
        EncodeError: the result cannot be written.
    """
    if height < SMALLEST_SIDE:
        raise InputError(f"The height is at least {SMALLEST_SIDE} pixels. Received: {height}")
    names = labels or default_labels(Path(a), Path(b))
    with ExitStack() as stack:
        clips = [stack.enter_context(_opened(video, height=height)) for video in (a, b)]
        panels = [_panel(*each) for each in zip(clips, names, starts_s, strict=True)]
        rests_s = [clip.duration - start for clip, start in zip(clips, starts_s, strict=True)]
        duration_s = max(rests_s) if seconds is None else seconds
        fps = min(max(clip.fps or DEFAULT_FPS for clip in clips), MAX_FPS)
        joined = stack.enter_context(VideoClip(_joined(*panels), duration=duration_s))
        options = ["-crf", CRF, "-movflags", "+faststart"]
        with _writing(path) as part:
            joined.write_videofile(
                str(part),
                fps=fps,
                codec=CODEC,
                preset=PRESET,
                audio=False,
                ffmpeg_params=options,
                logger=None,
            )
    return float(duration_s)


def preview_gif(
    video: str | Path, path: str | Path, *, seconds: float = 4, width: int = 320, fps: float = 8
) -> float:
    """Write a short GIF from the middle of a video.

    Args:
        video: the video.
        path: the GIF to write; it repeats for ever.
        seconds: its length; less where the video is shorter.
        width: pixels.
        fps: frames a second.

    Returns:
        Length of the GIF in seconds.

    Raises:
        InputError: the video is missing or cannot be read, or a number is out of range.
        EncodeError: the GIF cannot be written.
    """
    if seconds <= 0 or fps <= 0 or width < SMALLEST_SIDE:
        raise InputError(
            f"A preview needs seconds and fps above 0 and a width from {SMALLEST_SIDE}. "
            f"Received: {seconds} s, {fps} fps, {width} pixels"
        )
    with _opened(video, width=width) as clip:
        length_s = min(seconds, clip.duration)
        start_s = (clip.duration - length_s) / 2
        held = _held(clip)
        with (
            VideoClip(lambda time_s: held(start_s + time_s), duration=length_s) as part_clip,
            _writing(path) as part,
        ):
            part_clip.write_gif(str(part), fps=fps, logger=None)
    return float(length_s)


def default_labels(a: Path, b: Path) -> tuple[str, str]:
    """The files' names, with their folders where the names are the same."""
    if a.stem != b.stem:
        return a.stem, b.stem
    return f"{a.resolve().parent.name}/{a.stem}", f"{b.resolve().parent.name}/{b.stem}"


@contextmanager
def _opened(
    video: str | Path, *, height: int | None = None, width: int | None = None
) -> Iterator[VideoFileClip]:
    """The video, scaled to a height or a width, with even sides as yuv420p needs."""
    info = probe(video)
    scale = height / info.height if height else (width or info.width) / info.width
    size = (_even(info.width * scale), _even(info.height * scale))
    try:
        clip = VideoFileClip(str(video), audio=False, target_resolution=size)
    except WRITE_ERRORS as error:
        raise InputError(f"{video} cannot be read: {_first_line(error)}") from error
    with clip:
        yield clip


@contextmanager
def _writing(path: str | Path) -> Iterator[Path]:
    """A `.part` path that becomes `path`; moviepy's errors become ours, its warnings go.

    The warnings are about the last frames of a video, which `_held` repeats on purpose.
    """
    try:
        with atomic(path) as part, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield part
    except WRITE_ERRORS as error:
        raise EncodeError(f"{path} cannot be written: {_first_line(error)}") from error


def _held(clip: VideoFileClip) -> Picture:
    """The clip's picture at a time; after the end, its last one."""
    last_s = max(clip.duration - 1 / (clip.fps or DEFAULT_FPS), 0.0)
    return lambda time_s: clip.get_frame(min(time_s, last_s))


def _panel(clip: VideoFileClip, name: str, start_s: float) -> Picture:
    """The clip's picture from a second on, with its name on a line above."""
    width, height = clip.size
    font_px = max(SMALLEST_LABEL_PX, round(height * LABEL_SHARE))
    pad = font_px // 2
    line = np.full((_even(line_height(font_px) + pad), width, 3), DARK, dtype=np.uint8)
    text = fit(name, width - 2 * pad, font_px)
    put_text(line, text, (pad, pad // 2), font_px, LIGHT)
    held = _held(clip)
    return lambda time_s: np.vstack([line, held(start_s + time_s)])


def _joined(left: Picture, right: Picture) -> Picture:
    def picture(time_s: float) -> np.ndarray:
        a, b = left(time_s), right(time_s)
        gap = np.full((a.shape[0], GAP_PX, 3), DARK, dtype=np.uint8)
        return np.hstack([a, gap, b])

    return picture


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
