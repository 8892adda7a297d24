"""What `bench` times of whole commands: a video in, an annotated MP4 out.

Our `predict-steering`, beside the half minute that its video plays; and detection in three ways.

Ours decodes, detects, tracks, draws and encodes; the others are the straightforward loop
(`benchmarks/straightforward.py`) and Ultralytics' predict-and-save
(`benchmarks/ultralytics_predict.py`). All read the same excerpt, and each has its network loaded
before the clock starts. A unit is a frame. Knows files and processes; not clocks (`measure`).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from drive.benchmark.measure import Stage
from drive.benchmark.stages import Row
from drive.core.errors import DriveError, InputError

DETECT, PREDICT = "detect", "predict-steering"
OURS, STRAIGHTFORWARD, ULTRALYTICS = "drive", "straightforward", "ultralytics"
FRAMES = 100
"""Of the video's beginning, in each turn: 4 s, half a minute of the straightforward loop."""

STEERED_S = 30.0
"""A drive that `predict-steering` is timed on: the excerpt as often as it takes."""

PEER = Path(__file__).with_name("ultralytics_predict.py")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The first frames of a video in a file of their own.

    Attributes:
        path: of the file.
        frames: in it.
        size: width x height in pixels.
        seconds: that it plays.
    """

    path: Path
    frames: int
    size: str
    seconds: float


def cut_excerpt(video: str | Path, folder: Path) -> Excerpt:
    """Write the first `FRAMES` frames of a video, without sound, into `folder`.

    Raises:
        InputError: there is no such video, or it has no frame.
    """
    from drive.video.reader import read_frames
    from drive.video.writer import VideoWriter

    path = folder / "excerpt.mp4"
    with read_frames(video) as frames:
        if frames.info is None:
            raise InputError(f"bench detects in a video. Received: {video}")
        size = frames.info.width, frames.info.height
        rate = frames.info.average_fps or frames.info.nominal_fps or 30.0
        with VideoWriter(path, width=size[0], height=size[1], rate_hint=rate) as writer:
            for frame in islice(frames, FRAMES):
                writer.write(frame.image, frame.time_s)
    count = writer.frames_written
    return Excerpt(path, count, f"{size[0]}x{size[1]}", count / rate)


def repeat_excerpt(excerpt: Excerpt, folder: Path, seconds: float) -> Excerpt:
    """Write the excerpt as often as `seconds` take, in a file of its own in `folder`."""
    from drive.benchmark.repeat import repeat_video

    path = folder / "repeated.mp4"
    times = max(1, round(seconds / excerpt.seconds))
    frames = repeat_video(excerpt.path, path, times)
    return Excerpt(path, frames, excerpt.size, times * excerpt.seconds)


def our_stage(
    excerpt: Excerpt, command: str, label: str, call: Callable[[Path], object]
) -> tuple[Row, Stage]:
    """One of our commands, given as a callable that takes the video.

    Args:
        excerpt: the video.
        command: its name.
        label: how it works, as the table has it.
        call: runs the command.
    """
    row = Row(command, OURS, "", label, excerpt.size)
    return row, _stage(row, excerpt, lambda: call(excerpt.path))


def straightforward_stage(excerpt: Excerpt, folder: Path) -> list[tuple[Row, Stage]]:
    """The straightforward loop; nothing where `benchmarks` was not brought along."""
    try:
        from benchmarks import straightforward
    except ImportError:
        return []
    model = straightforward.build_tiny_yolo_v1()
    row = Row(DETECT, STRAIGHTFORWARD, "", "keras, moviepy", excerpt.size)

    def detect() -> None:
        straightforward.detect_video(model, excerpt.path, folder / "straightforward.mp4")

    return [(row, _stage(row, excerpt, detect))]


@contextmanager
def ultralytics_stage(
    excerpt: Excerpt, folder: Path, python: str | None
) -> Iterator[list[tuple[Row, Stage]]]:
    """Yield Ultralytics' predict-and-save, run by another interpreter that has its package.

    Args:
        excerpt: the video.
        folder: for what it writes.
        python: the interpreter; None yields nothing.

    Raises:
        InputError: there is no such interpreter, or it does not have the package.
    """
    if python is None:
        yield []
        return
    peer = _Peer(python, excerpt, folder)
    row = Row(DETECT, ULTRALYTICS, "", "yolo11n, pytorch", excerpt.size)
    try:
        yield [(row, _stage(row, excerpt, peer.predict))]
    finally:
        peer.close()


def _stage(row: Row, excerpt: Excerpt, call: Callable[[], object]) -> Stage:
    call()  # graphs are traced, files are in memory
    return Stage(row.key, call, units=excerpt.frames, repeat=1, warm_up=0)


class _Peer:
    """The other interpreter, which works once for each line that it is sent."""

    def __init__(self, python: str, excerpt: Excerpt, folder: Path) -> None:
        command = [python, str(PEER), str(excerpt.path), str(folder)]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=folder
            )
        except OSError as error:
            raise InputError(
                f"--ultralytics names an interpreter that has the package. "
                f"Received: {python} ({error.strerror})"
            ) from error
        self._frames = excerpt.frames

    def predict(self) -> None:
        """Predict and save once.

        Raises:
            InputError: it does not work there.
            DriveError: it saw other frames than we do.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write("\n")
            stdin.flush()
            answer = next((line for line in stdout if line.startswith("{")), "")
        except BrokenPipeError:
            answer = ""
        if not answer:
            _, errors = self._process.communicate()
            last = (errors.strip() or "no answer").splitlines()[-1]
            raise InputError(f"--ultralytics does not work with {self._process.args!r}: {last}")
        found = json.loads(answer)["frames"]
        if found != self._frames:
            raise DriveError(f"Ultralytics saw {found} frames where there are {self._frames}")

    def close(self) -> None:
        """End the other interpreter."""
        self._process.terminate()
        self._process.wait()


def shares(seconds: Mapping[str, float], wall_s: float) -> dict[str, Any]:
    """How long each stage of our pipeline took, beside the clock on the wall.

    The stages run side by side, so they add up to more than the clock shows; `overlap` says how
    much more: 1 if nothing ran beside anything.

    Args:
        seconds: of each stage, as a run records them.
        wall_s: of the whole command.
    """
    total = sum(seconds.values())
    return {
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "share_of_wall": {name: round(value / wall_s, 3) for name, value in seconds.items()},
        "sum_s": round(total, 3),
        "wall_s": round(wall_s, 3),
        "overlap": round(total / wall_s, 3),
    }
