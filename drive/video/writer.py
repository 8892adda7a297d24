"""The annotated video: H.264 in MP4 with the frame times and the sound of its source.

Written as `NAME.part.mp4` and renamed when whole. Knows nothing of what is drawn in the frames;
the encoder's settings are in `mp4`, the sound is in `sound`.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from drive.core.errors import EncodeError, InputError
from drive.core.files import atomic
from drive.video.audio import SoundTrack, open_sound
from drive.video.mp4 import (
    CRF,
    ENCODE_ERRORS,
    LIBX264_MAX_SIZE,
    PRESET,
    TICKS_PER_SECOND,
    add_h264,
    even_size,
    open_mp4,
    planes_to_yuv,
    reason,
    to_yuv,
)

MAX_RATE_DENOMINATOR = 1001
"""Of broadcast rates such as 30000/1001."""


class VideoWriter:
    """Writes frames, each shown at its own time, and the sound of the source.

    The file, its folder and the encoder are opened by the constructor, before any frame is
    processed. Use it as a context manager: when the block ends well the file is completed and
    renamed, when it ends with an exception nothing is left behind.

    Frames are shown at `time_s` less the first frame's `time_s`, to 1/90000 s. A time that does
    not advance (a duplicate, a step back) becomes the previous one plus one tick and is counted.
    The last frame lasts as long as the one before it, and the sound ends with it. Odd widths and
    heights, which yuv420p does not have, are padded by repeating the last column or row: no pixel
    is lost or moved.

    Attributes:
        path: the final file.
        frames_written: frames given to the encoder.
        times_adjusted: frames whose time did not advance.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        width: int,
        height: int,
        rate_hint: Fraction | float,
        audio_from: str | Path | None = None,
        audio_start_s: float = 0.0,
        audio_end_s: float | None = None,
        preset: str = PRESET,
        crf: int = CRF,
        threads: int = 0,
    ) -> None:
        """Open the file and the encoder.

        Args:
            path: the MP4 to write; an existing one is replaced once the new one is whole.
            width, height: pixels of every frame.
            rate_hint: average frames a second of what will be written: a hint to the encoder. What
                the file says in the end comes from the frame times.
            audio_from: file whose sound is carried over, usually the source of the frames.
            audio_start_s: sound before this moment (the frames' clock) is left out, as is sound
                before the first frame.
            audio_end_s: sound from this moment (the frames' clock) on is left out.
            preset, crf: of x264.
            threads: that x264 encodes in; 0 leaves the number to it.

        Raises:
            InputError: size, rate or `audio_from` are wrong, or the folder is not writable.
            EncodeError: the encoder does not open.
        """
        self.path = Path(path)
        self.frames_written = 0
        self.times_adjusted = 0
        self._size = _checked_size(width, height)
        self._rate = _checked_rate(rate_hint)
        self._audio_start_s = audio_start_s
        self._audio_end_s = audio_end_s
        self._first_s: float | None = None
        self._last_pts: int | None = None
        self._duration = round(TICKS_PER_SECOND / self._rate)
        self._sound: SoundTrack | None = None
        _prove_folder(self.path)
        with ExitStack() as stack:
            part = stack.enter_context(atomic(self.path))
            self._container = open_mp4(part)
            stack.callback(self._close)
            self._stream = add_h264(self._container, self._size, self._rate, preset, crf, threads)
            if audio_from is not None:
                self._sound = open_sound(Path(audio_from), self._container)
            try:
                self._container.start_encoding()
            except ENCODE_ERRORS as error:
                raise self._error("the encoder does not open", error) from error
            self._stack = stack.pop_all()

    @property
    def sound(self) -> str:
        """What becomes of the source's sound: "none", "copied" or "encoded as AAC"."""
        if self._sound is None:
            return "none"
        return "copied" if self._sound.copied else "encoded as AAC"

    @property
    def encoded_size(self) -> tuple[int, int]:
        """(width, height) of the pictures in the file: even, so up to one pixel more."""
        return even_size(self._size)

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

    def write(self, image: np.ndarray, time_s: float, planes: np.ndarray | None = None) -> None:
        """Add a frame.

        Args:
            image: (height, width, 3) uint8, RGB; read only, and not kept.
            time_s: its time in seconds, on the source's clock.
            planes: the same picture as `drive.video.planes` has it, which saves converting it.

        Raises:
            InputError: the image has another size or type than declared, or the time is no number.
            EncodeError: it could not be encoded or written (a full disk, for one).
        """
        self._check(image, time_s)
        try:
            pts = self._advance_clock(time_s)
            frame = to_yuv(image) if planes is None else planes_to_yuv(planes)
            frame.pts = pts
            self._mux(self._stream.encode(frame))
            if self._sound is not None:
                self._sound.write_until(pts / TICKS_PER_SECOND)
        except ENCODE_ERRORS as error:
            raise self._error(f"frame {self.frames_written} was not written", error) from error
        self.frames_written += 1

    def _check(self, image: np.ndarray, time_s: float) -> None:
        width, height = self._size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise InputError(
                f"{self.path}: frame {self.frames_written} does not fit. Expected ({height}, "
                f"{width}, 3) uint8. Received: {image.shape} {image.dtype}"
            )
        if not math.isfinite(time_s):
            raise InputError(
                f"{self.path}: frame {self.frames_written} has no time. Received: {time_s}"
            )

    @property
    def _end_s(self) -> float:
        """Where the last picture ends, in seconds of the output."""
        return ((self._last_pts or 0) + self._duration) / TICKS_PER_SECOND

    def _advance_clock(self, time_s: float) -> int:
        """The frame's time in ticks, always later than the one before."""
        if self._first_s is None:
            self._first_s = time_s
            if self._sound is not None:
                self._sound.begin(time_s, self._audio_start_s, self._audio_end_s)
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

    def _mux(self, packets: list[av.packet.Packet]) -> None:
        """Write packets. MP4 stores the distance to the next, so only the last one's length counts;
        libx264 gives all packets that of the nominal rate."""
        for packet in packets:
            if packet.pts == self._last_pts:
                packet.duration = self._duration
            self._container.mux(packet)

    def _complete(self) -> None:
        if self.frames_written == 0:
            raise InputError(f"{self.path}: there was no frame to write")
        try:
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish(self._end_s)
            self._container.close()
        except ENCODE_ERRORS as error:
            raise self._error("the file was not completed", error) from error

    def _close(self) -> None:
        """Let go of the files; what went wrong before is what the caller hears of."""
        with suppress(*ENCODE_ERRORS):
            self._container.close()
        if self._sound is not None:
            self._sound.close()

    def _error(self, what: str, error: Exception) -> EncodeError:
        return EncodeError(f"{self.path}: {what}: {reason(error)}")


def _prove_folder(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"The video cannot be written: {path} is a folder. Expected a file name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {path.parent} cannot be made: {error.strerror}. Choose another"
        ) from error


def _checked_size(width: int, height: int) -> tuple[int, int]:
    if not (0 < width <= LIBX264_MAX_SIZE and 0 < height <= LIBX264_MAX_SIZE):
        raise InputError(
            f"A video has from 1 to {LIBX264_MAX_SIZE} pixels a side. Received: {width}x{height}"
        )
    return width, height


def _checked_rate(rate: Fraction | float) -> Fraction:
    if not (math.isfinite(rate) and 0 < rate <= TICKS_PER_SECOND):
        raise InputError(
            f"A frame rate lies between 0 and {TICKS_PER_SECOND} a second. Received: {rate}"
        )
    slowest = Fraction(1, MAX_RATE_DENOMINATOR)
    return max(Fraction(rate).limit_denominator(MAX_RATE_DENOMINATOR), slowest)
