"""Previews of finished videos: two side by side, and a short GIF.

Each video shows, at every moment of the result, the frame whose own time covers it; moviepy writes
the results. There is no sound. Knows finished videos; not how they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from moviepy import VideoClip

from drive.core.errors import EncodeError, InputError
from drive.core.files import atomic
from drive.drawing.palette import DARK, LIGHT
from drive.drawing.text import fit, line_height, put_text
from drive.video.mp4 import LIBX264_MAX_SIZE
from drive.video.probe import probe
from drive.video.reader import read_frames

CODEC, PRESET, CRF = "libx264", "superfast", "22"
MIN_FPS, MAX_FPS = 1.0, 60.0
FPS_DECIMALS = 2
"""moviepy gives FFmpeg no more of them; a finer rate would let the result run out of step."""

DEFAULT_FPS = 25.0

ROUNDING_S = 0.001
"""Containers round times, the coarsest to milliseconds: a frame due so soon is shown already."""

SMALLEST_SIDE, LARGEST_HEIGHT = 32, 2160
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
        height: pixels of each video in the result, at most `LARGEST_HEIGHT`; a line with its name
            stands above it.
        labels: the names; by default those of the files.
        starts_s: second of each video that the result begins with.
        seconds: length of the result; None: until both have ended.

    Returns:
        Length of the result in seconds.

    Raises:
        InputError: a video is missing or cannot be read, or the height is out of range.
        EncodeError: the result cannot be written.
    """
    if not SMALLEST_SIDE <= height <= LARGEST_HEIGHT:
        raise InputError(
            f"--height is from {SMALLEST_SIDE} to {LARGEST_HEIGHT} pixels. Received: {height}"
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
    with _Shown(video, width=width) as shown:
        length_s = _whole_frames_s(min(seconds, shown.duration_s), fps)
        start_s = max(0.0, (shown.duration_s - length_s) / 2)
        picture = _from(shown, start_s)
        with _clip(picture, length_s, fps) as clip, _writing(path) as part:
            clip.write_gif(str(part), fps=fps, logger=None)
    return length_s


def default_labels(a: Path, b: Path) -> tuple[str, str]:
    """The files' names, with their folders where the names are the same."""
    if a.stem != b.stem:
        return a.stem, b.stem
    return f"{a.resolve().parent.name}/{a.stem}", f"{b.resolve().parent.name}/{b.stem}"


class _Shown:
    """What a video shows: each frame from its own time on, until the next one comes.

    Scaled to a height or a width, with even sides as yuv420p needs. A context manager.

    Attributes:
        size: (width, height) in pixels of its pictures.
        fps: frames a second that show all there is to see, within `MIN_FPS` and `MAX_FPS`.
        duration_s: seconds from the first frame's start to the last one's end; 0 of a picture.
    """

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

    def at(self, time_s: float) -> np.ndarray:
        """The picture at a moment, in seconds after the first frame; never an earlier one than
        before. Behind the end it is the last."""
        while self._next is not None and self._next.time_s <= time_s + ROUNDING_S:
            self._now, self._next = self._next, next(self._frames, None)
        return self._now.image


def _check_width(width: int, height: int) -> None:
    if width > LIBX264_MAX_SIZE:
        raise InputError(
            f"Side by side the two are at most {LIBX264_MAX_SIZE} pixels wide. Received: {width} "
            f"at --height {height}; choose a smaller one"
        )


def _whole_frames_s(seconds: float, fps: float) -> float:
    """The length of a result: whole frames, one at least."""
    return max(1, round(seconds * fps)) / fps


def _clip(picture: Picture, length_s: float, fps: float) -> VideoClip:
    """A clip for moviepy to write, half a frame longer: it rounds the number of frames down."""
    return VideoClip(picture, duration=length_s + 0.5 / fps)


@contextmanager
def _writing(path: str | Path) -> Iterator[Path]:
    """A `.part` path that becomes `path`; moviepy's errors become ours."""
    try:
        with atomic(path) as part:
            yield part
    except WRITE_ERRORS as error:
        raise EncodeError(f"{path} cannot be written: {_first_line(error)}") from error


def _from(shown: _Shown, start_s: float) -> Picture:
    """A video's picture from a second on."""
    return lambda time_s: shown.at(start_s + time_s)


def _panel(shown: _Shown, name: str, start_s: float) -> Picture:
    """A video's picture from a second on, with its name on a line above."""
    width, height = shown.size
    font_px = max(SMALLEST_LABEL_PX, round(height * LABEL_SHARE))
    pad = font_px // 2
    line = np.full((_even(line_height(font_px) + pad), width, 3), DARK, dtype=np.uint8)
    text = fit(name, width - 2 * pad, font_px)
    put_text(line, text, (pad, pad // 2), font_px, LIGHT)
    picture = _from(shown, start_s)
    return lambda time_s: np.vstack([line, picture(time_s)])


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
