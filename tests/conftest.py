"""What tests share: small videos and recordings made on the spot, and the shared material."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.options import OptionField, checked_value

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
TIME_BASE = Fraction(1, 1000)
MARK = 16


@pytest.fixture
def shared() -> Path:
    """The folder of shared material; tests that need it are skipped without it."""
    if not (SHARED / "README.md").exists():
        pytest.skip("../shared is absent: its clips, recordings and golden values are not shipped")
    return SHARED


def other_value(declared: OptionField) -> object:
    """A valid value of an option that is not its default."""
    if declared.kind is bool:
        return not declared.default
    texts = ("a", "0.3", "1,2,3,4", "0.3,0.9", "3", "auto", "full", "all")
    words = declared.option.choices or texts
    numbers = (2, 3, 1, 0.5, 0.25, 5, 20, 50, 0, 100, 320, 1000)
    values = words if declared.kind is str else map(declared.kind, numbers)
    for value in values:
        several = len(declared.option.metavar) if isinstance(declared.option.metavar, tuple) else 1
        shape = (value,) * several if declared.many else value
        with suppress(InputError):
            if (found := checked_value(declared, shape)) != declared.default:
                return found
    raise AssertionError(f"no valid value of {declared.name} is known here")


def marked_picture(index: int, width: int, height: int) -> np.ndarray:
    """A grey picture that carries its own number as ten black or white squares in the first row."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[:, : width // 2, 0] = 200
    for bit in range(10):
        value = 255 if index >> bit & 1 else 0
        image[:MARK, bit * MARK : (bit + 1) * MARK] = value
    return image


def read_mark(image: np.ndarray) -> int:
    """The number that `marked_picture` wrote."""
    centres = [image[MARK // 2, bit * MARK + MARK // 2].mean() > 128 for bit in range(10)]
    return sum(1 << bit for bit, on in enumerate(centres) if on)


@dataclass(frozen=True)
class VideoMaker:
    """Writes small H.264 videos whose frames carry their own number."""

    folder: Path

    def __call__(
        self,
        name: str = "video.mp4",
        *,
        frames: int = 30,
        size: tuple[int, int] = (160, 96),
        times_ms: Sequence[int] | None = None,
        fps: int = 20,
        rotation: int = 0,
        audio: bool = False,
        sound_s: float | None = None,
        key_frames_every: int = 10,
        codec: str = "libx264",
        b_frames: int = 0,
    ) -> Path:
        """Write `frames` frames at `times_ms`, or at a constant `fps`; return the path.

        `audio` adds a tone as long as the pictures, or `sound_s` seconds of it.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        times = times_ms or [round(index * 1000 / fps) for index in range(frames)]
        width, height = size
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            container.metadata["title"] = name  # no two videos are copies of one another
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            steady = codec != "libx264" or path.suffix == ".avi"
            time_base = Fraction(1, fps) if steady else TIME_BASE
            stream.time_base = stream.codec_context.time_base = time_base
            stream.options = {"g": str(key_frames_every), "bf": str(b_frames)}
            if codec == "libx264":
                stream.options |= {"preset": "ultrafast"}
            if rotation:
                stream.set_display_rotation(rotation)
            sound = _add_sound(container) if audio else None
            for index, time_ms in enumerate(times):
                picture = av.VideoFrame.from_ndarray(marked_picture(index, width, height), "rgb24")
                picture.pts, picture.time_base = time_ms, TIME_BASE
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
            if sound is not None:
                _write_sound(container, sound, seconds=sound_s or times[-1] / 1000)
        return path


def _add_sound(container: av.container.OutputContainer) -> av.AudioStream:
    return container.add_stream("aac", rate=48_000, layout="mono")


def _write_sound(
    container: av.container.OutputContainer, stream: av.AudioStream, seconds: float
) -> None:
    block = 1024
    wave = np.sin(np.arange(block) * 0.06).astype(np.float32)[None, :]
    for number in range(max(1, int(seconds * 48_000 / block))):
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48_000, number * block
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture
def make_video(tmp_path: Path) -> VideoMaker:
    """A maker of small videos in the test's own folder."""
    return VideoMaker(tmp_path)


@pytest.fixture
def make_recording(make_video: VideoMaker, tmp_path: Path) -> Callable[..., Path]:
    """A maker of small recordings: `make_recording("drive1", angles, header=..., **video)`."""

    def make(
        name: str = "drive",
        angles: Sequence[float] | None = None,
        *,
        epoch: str = "epoch01",
        header: str = "time_s,frame,wheel",
        **video: object,
    ) -> Path:
        folder = tmp_path / name
        values = list(angles) if angles is not None else [float(index % 7) for index in range(30)]
        make_video(f"{name}/{epoch}_front.mp4", **{"frames": len(values), **video})
        rows = [f"{index * 0.05:.3f},{index},{angle}" for index, angle in enumerate(values)]
        (folder / f"{epoch}_steering.csv").write_text("\n".join([header, *rows]) + "\n")
        return folder

    return make


@pytest.fixture
def white_cars(tmp_path: Path) -> Path:
    """A data set for the detector: four pictures of white cars on black."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rows = ["image,class,x1,y1,x2,y2"]
    for number in range(4):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[20:50, 20 + number : 60 + number] = 255
        cv2.imwrite(str(folder / f"images/{number}.png"), picture)
        rows.append(f"{number}.png,car,{20 + number},20,{60 + number},50")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder
