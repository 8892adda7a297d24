"""Write a video: H.264 in MP4 with the frame times and the audio of its source."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np

from drive.core.errors import EncodeError, InputError
from drive.core.files import atomic
from drive.core.types import Array, Image
from drive.video.audio import AudioTrack, open_audio
from drive.video.container import AV_ERRORS, VideoPacket, reason
from drive.video.mp4 import (
    CRF,
    LIBX264_MAX_SIZE,
    PRESET,
    TICKS_PER_SECOND,
    TIME_BASE,
    add_h264,
    open_mp4,
    to_yuv,
)

USUAL_RATE = 30.0
JPEG_QUALITY = 92
MAX_RATE_DENOMINATOR = 1001  # of broadcast rates such as 30000/1001


class VideoWriter:
    """Writes frames, each shown at its own time, and the audio of the source.

    With a size, the constructor opens file and encoder, before any frame is processed. Use it as a
    context manager: when the block ends, the file is completed and renamed; when it ends with an
    exception, nothing is left behind.

    Frames are shown at `time_s` less the first frame's `time_s`, to 1/90000 s. A time that does
    not advance (a duplicate, a step back) becomes the previous one plus one tick and is counted.
    The last frame lasts as long as the one before it, and the audio ends with it. Odd widths and
    heights, which yuv420p does not have, are padded by repeating the last column or row: no pixel
    is lost or moved.

    Example:
        >>> with VideoWriter("negative.mp4", audio_from="video.mp4") as writer:
        ...     for frame in read_frames("video.mp4"):
        ...         writer.write(255 - frame.image, frame.time_s)

    Attributes:
        path: the final file.
        frames_written: frames given to the encoder.
        times_adjusted: frames whose time did not advance.
    """

    def __init__(  # noqa: PLR0913
        self,
        path: str | Path,
        *,
        width: int | None = None,
        height: int | None = None,
        rate_hint: Fraction | float = USUAL_RATE,
        audio_from: str | Path | None = None,
        audio_start_s: float = 0.0,
        audio_end_s: float | None = None,
        preset: str = PRESET,
        crf: int = CRF,
        threads: int = 0,
    ) -> None:
        """Open the file and the encoder; without a size, when the first frame comes.

        Args:
            path: the MP4 to write; an existing one is replaced once the new one is complete.
            width, height: pixels of every frame; None for those of the first one.
            rate_hint: average frames per second of what will be written: a hint to the encoder.
                The rate of the file comes from the frame times.
            audio_from: file whose audio is copied, usually the source of the frames.
            audio_start_s: leave out audio before this time (the frames' clock); audio before the
                first frame is left out too.
            audio_end_s: leave out audio from this time (the frames' clock) on.
            preset, crf: of x264.
            threads: of x264; 0 leaves the number to it.

        Raises:
            InputError: size, rate or `audio_from` are invalid, or the folder is not writable.
            EncodeError: the encoder does not open.
        """
        self.path = Path(path)
        self.frames_written = 0
        self.times_adjusted = 0
        self._size: tuple[int, int] | None = None
        self._rate = _checked_rate(rate_hint)
        self._audio_from = audio_from
        self._audio_start_s = audio_start_s
        self._audio_end_s = audio_end_s
        self._x264 = (preset, crf, threads)
        self._first_s: float | None = None
        self._last_pts: int | None = None
        self._duration = round(TICKS_PER_SECOND / self._rate)
        self._audio: AudioTrack | None = None
        self._stack = ExitStack()
        _prove_folder(self.path)
        if width is not None and height is not None:
            self._open((width, height))

    def _open(self, size: tuple[int, int]) -> None:
        """Open the file and the encoder for frames of `size` (width, height)."""
        width, height = size
        if not (0 < width <= LIBX264_MAX_SIZE and 0 < height <= LIBX264_MAX_SIZE):
            raise InputError(
                f"a video must have 1 to {LIBX264_MAX_SIZE} pixels per side; got {width}x{height}"
            )
        with ExitStack() as stack:
            part = stack.enter_context(atomic(self.path))
            self._container = open_mp4(part)
            stack.callback(self._close)
            self._stream = add_h264(self._container, size, self._rate, *self._x264)
            if self._audio_from is not None:
                self._audio = open_audio(Path(self._audio_from), self._container)
            try:
                self._container.start_encoding()
            except AV_ERRORS as error:
                raise self._error("the encoder does not open", error) from error
            self._stack, self._size = stack.pop_all(), size

    @property
    def audio(self) -> str:
        """What happens to the audio of the source: "none", "copied" or "encoded as AAC"."""
        if self._audio is None:
            return "none"
        return "copied" if self._audio.copied else "encoded as AAC"

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack:
            self._complete()

    def write(self, image: Image, time_s: float, planes: Image | None = None) -> None:
        """Add a frame.

        Args:
            image: (height, width, 3) uint8, RGB; read only, and not kept.
            time_s: its time in seconds, on the source's clock.
            planes: the same frame as `Frame.planes`, which saves the conversion.

        Raises:
            InputError: the image has another size or type, or the time is not finite.
            EncodeError: the frame could not be encoded or written, for example on a full disk.
        """
        if self._size is None and image.ndim == 3 and image.dtype == np.uint8:
            self._open((image.shape[1], image.shape[0]))
        self._check(image, time_s)
        try:
            pts = self._advance_clock(time_s)
            if planes is None:
                frame = to_yuv(image)
            else:
                frame = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
            frame.pts, frame.time_base = pts, TIME_BASE
            self._mux(self._stream.encode(frame))
            if self._audio is not None:
                self._audio.write_until(pts / TICKS_PER_SECOND)
        except AV_ERRORS as error:
            raise self._error(f"frame {self.frames_written} was not written", error) from error
        self.frames_written += 1

    def _check(self, image: Image, time_s: float) -> None:
        width, height = self._size or ("W", "H")
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise InputError(
                f"{self.path}: frame {self.frames_written} must be ({height}, {width}, 3) uint8; "
                f"got {image.shape} {image.dtype}"
            )
        if not math.isfinite(time_s):
            raise InputError(
                f"{self.path}: the time of frame {self.frames_written} must be finite; got {time_s}"
            )

    def _advance_clock(self, time_s: float) -> int:
        """Return the time of the frame in ticks, always later than the last one."""
        if self._first_s is None:
            self._first_s = time_s
            if self._audio is not None:
                self._audio.begin(time_s, self._audio_start_s, self._audio_end_s)
        pts = round((time_s - self._first_s) * TICKS_PER_SECOND)
        if self._last_pts is None:
            self._last_pts = pts
            return pts
        if pts <= self._last_pts:
            pts = self._last_pts + 1
            self.times_adjusted += 1
        self._duration = pts - self._last_pts
        self._last_pts = pts
        return pts

    def _mux(self, packets: list[VideoPacket]) -> None:
        """Write packets; the length of the last one, which libx264 takes from the rate, is set."""
        for packet in packets:
            if packet.pts == self._last_pts:
                packet.duration = self._duration
            self._container.mux(packet)

    def _complete(self) -> None:
        if self.frames_written == 0:
            raise InputError(f"{self.path}: there was no frame to write")
        try:
            self._mux(self._stream.encode(None))
            if self._audio is not None:
                self._audio.finish(((self._last_pts or 0) + self._duration) / TICKS_PER_SECOND)
            self._container.close()
        except AV_ERRORS as error:
            raise self._error("the file was not completed", error) from error

    def _close(self) -> None:
        """Close the files; an earlier error takes precedence."""
        with suppress(*AV_ERRORS):
            self._container.close()
        if self._audio is not None:
            self._audio.close()

    def _error(self, what: str, error: Exception) -> EncodeError:
        return EncodeError(f"{self.path}: {what}: {reason(error)}")


def save_image(path: str | Path, image: Array) -> None:
    """Write an (H, W, 3) uint8 RGB image; the suffix of `path` gives the format."""
    suffix = Path(path).suffix.lower()
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    _, coded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    try:
        with atomic(path) as part:
            part.write_bytes(coded.tobytes())
    except OSError as error:
        raise EncodeError(f"{path} cannot be written: {reason(error)}") from error


def _prove_folder(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a video to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {path.parent} cannot be made: {error.strerror}") from error


def _checked_rate(rate: Fraction | float) -> Fraction:
    if not (math.isfinite(rate) and 0 < rate <= TICKS_PER_SECOND):
        raise InputError(
            f"a frame rate must be above 0 and at most {TICKS_PER_SECOND} per second; got {rate}"
        )
    slowest = Fraction(1, MAX_RATE_DENOMINATOR)
    return max(Fraction(rate).limit_denominator(MAX_RATE_DENOMINATOR), slowest)
