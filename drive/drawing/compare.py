"""Two videos side by side, and a short GIF of a video; moviepy writes them, without audio.

At every moment of the result, each video shows the frame of that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from moviepy import VideoClip

from drive.core.errors import EncodeError, InputError
from drive.core.files import atomic
from drive.core.types import Image
from drive.drawing.palette import DARK, LIGHT
from drive.drawing.text import fit, line_height, put_text
from drive.video.mp4 import LIBX264_MAX_SIZE
from drive.video.probe import probe
from drive.video.reader import read_frames

CODEC, PRESET, CRF = "libx264", "superfast", "22"
MIN_FPS, MAX_FPS = 1.0, 60.0
FPS_DECIMALS = 2  # moviepy passes no more decimals to FFmpeg; a finer rate would drift
DEFAULT_FPS = 25.0

ROUNDING_S = 0.001
"""Containers round times, some to milliseconds; a frame that starts so soon is shown."""

SMALLEST_SIDE, LARGEST_HEIGHT = 32, 2160
GAP_PX = 4
LABEL_SHARE = 1 / 24
SMALLEST_LABEL_PX = 11
WRITE_ERRORS = (OSError, ValueError, RuntimeError)

View = Callable[[float], Image]  # returns the image at a time in seconds


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
    """Write two videos side by side on one time axis; the shorter one keeps its last frame.

    Args:
        path: the MP4 to write (H.264, yuv420p, faststart), at the higher of the two frame rates.
        height: of each video in pixels, without the line with its name above it.
        labels: the names; by default those of the files.
        starts_s: start of each video in seconds.
        seconds: length of the result; None: until both have ended.

    Returns:
        Length of the result in seconds.
    """
    if not SMALLEST_SIDE <= height <= LARGEST_HEIGHT:
        raise InputError(
            f"--height must be from {SMALLEST_SIDE} to {LARGEST_HEIGHT} pixels; got {height}"
        )
    names = labels or default_labels(Path(a), Path(b))
    with _Shown(a, height=height) as left, _Shown(b, height=height) as right:
        _check_width(left.size[0] + GAP_PX + right.size[0], height)
        sides = (left, right)
        panels = [_panel(*each) for each in zip(sides, names, starts_s, strict=True)]
        rests_s = [side.duration_s - start for side, start in zip(sides, starts_s, strict=True)]
        fps = max(left.fps, right.fps)
        length_s = _whole_frames_s(max(rests_s) if seconds is None else seconds, fps)
        with _clip(_joined(*panels), length_s, fps) as clip, _writing(path) as part:
            clip.write_videofile(
                str(part),
                fps=fps,
                codec=CODEC,
                preset=PRESET,
                audio=False,
                ffmpeg_params=["-crf", CRF, "-movflags", "+faststart"],
                logger=None,
            )
    return length_s


def preview_gif(
    video: str | Path, path: str | Path, *, seconds: float = 4, width: int = 320, fps: float = 8
) -> float:
    """Write a GIF of at most `seconds` from the middle of a video; return its length in seconds."""
    if seconds <= 0 or fps <= 0 or width < SMALLEST_SIDE:
        raise InputError(
            f"a preview requires seconds and fps above 0 and a width from {SMALLEST_SIDE}; "
            f"got {seconds} s, {fps} fps, {width} pixels"
        )
    with _Shown(video, width=width) as shown:
        length_s = _whole_frames_s(min(seconds, shown.duration_s), fps)
        start_s = max(0.0, (shown.duration_s - length_s) / 2)
        view = _from(shown, start_s)
        with _clip(view, length_s, fps) as clip, _writing(path) as part:
            clip.write_gif(str(part), fps=fps, logger=None)
    return length_s


def default_labels(a: Path, b: Path) -> tuple[str, str]:
    """Return the names of the files, with their folders if the names are equal."""
    if a.stem != b.stem:
        return a.stem, b.stem
    return f"{a.resolve().parent.name}/{a.stem}", f"{b.resolve().parent.name}/{b.stem}"


class _Shown:
    """A video by time, scaled to a height or a width, with even sides; a context manager."""

    def __init__(
        self, video: str | Path, *, height: int | None = None, width: int | None = None
    ) -> None:
        info = probe(video)
        scale = height / info.height if height else (width or info.width) / info.width
        rates = [rate for rate in (info.nominal_fps, info.average_fps) if rate]
        self.size = (_even(info.width * scale), _even(info.height * scale))
        fps = max(rates, default=DEFAULT_FPS)
        self.fps = round(min(max(fps, MIN_FPS), MAX_FPS), FPS_DECIMALS)
        self.duration_s = info.duration_s or probe(video, count=True).duration_s or 0.0
        self._reader = read_frames(video, size=self.size)
        self._frames = iter(self._reader)
        self._now = next(self._frames)
        self._next = next(self._frames, None)

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def at(self, time_s: float) -> Image:
        """Return the image at a time in seconds, which must not decrease; at the end, the last."""
        while self._next is not None and self._next.time_s <= time_s + ROUNDING_S:
            self._now, self._next = self._next, next(self._frames, None)
        return self._now.image


def _check_width(width: int, height: int) -> None:
    if width > LIBX264_MAX_SIZE:
        raise InputError(
            f"side by side the videos must be at most {LIBX264_MAX_SIZE} pixels wide; "
            f"got {width} at --height {height}. Choose a smaller --height"
        )


def _whole_frames_s(seconds: float, fps: float) -> float:
    return max(1, round(seconds * fps)) / fps


def _clip(view: View, length_s: float, fps: float) -> VideoClip:
    """Return a clip, half a frame longer, since moviepy rounds the number of frames down."""
    return VideoClip(view, duration=length_s + 0.5 / fps)


@contextmanager
def _writing(path: str | Path) -> Iterator[Path]:
    """Yield a `.part` path that becomes `path`; moviepy's errors become ours."""
    try:
        with atomic(path) as part:
            yield part
    except WRITE_ERRORS as error:
        raise EncodeError(f"{path} cannot be written: {_first_line(error)}") from error


def _from(shown: _Shown, start_s: float) -> View:
    return lambda time_s: shown.at(start_s + time_s)


def _panel(shown: _Shown, name: str, start_s: float) -> View:
    """Return the view of a video from a second on, with its name on a line above."""
    width, height = shown.size
    font_px = max(SMALLEST_LABEL_PX, round(height * LABEL_SHARE))
    pad = font_px // 2
    line = np.full((_even(line_height(font_px) + pad), width, 3), DARK, dtype=np.uint8)
    text = fit(name, width - 2 * pad, font_px)
    put_text(line, text, (pad, pad // 2), font_px, LIGHT)
    view = _from(shown, start_s)
    return lambda time_s: np.vstack([line, view(time_s)])


def _joined(left: View, right: View) -> View:
    def view(time_s: float) -> Image:
        a, b = left(time_s), right(time_s)
        gap = np.full((a.shape[0], GAP_PX, 3), DARK, dtype=np.uint8)
        return np.hstack([a, gap, b])

    return view


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
