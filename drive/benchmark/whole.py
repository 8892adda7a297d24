"""Whole commands for `bench`: a video in, an annotated MP4 out, and others that do the same.

All read the same excerpt, with networks loaded before the clock starts. A unit is a frame.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from drive.benchmark.measure import Stage
from drive.benchmark.stages import Row, long_stage
from drive.core.errors import DriveError, InputError

DETECT, PREDICT = "detect", "predict-steering"
OURS, STRAIGHTFORWARD, ULTRALYTICS = "drive", "straightforward", "ultralytics"
FRAMES = 100
"""At the start of the video, per turn: 4 s, for which the straightforward loop takes 30 s."""

STEERED_S = 30.0  # length of the video for `predict-steering`, which repeats the excerpt
LEAST_SHARE = 0.005  # share of the time from which a stage is mentioned
PEER = Path(__file__).with_name("ultralytics_predict.py")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A file with the first frames of a video; `size` is width x height in pixels."""

    path: Path
    frames: int
    size: str
    seconds: float


def cut_excerpt(video: str | Path, folder: Path) -> Excerpt:
    """Write the first `FRAMES` frames of a video, without audio, into `folder`."""
    from drive.video.reader import read_frames
    from drive.video.writer import VideoWriter

    path = folder / "excerpt.mp4"
    with read_frames(video) as frames:
        if frames.info is None:
            raise InputError(f"bench requires a video; got {video}")
        size = frames.info.width, frames.info.height
        rate = frames.info.average_fps or frames.info.nominal_fps or 30.0
        with VideoWriter(path, width=size[0], height=size[1], rate_hint=rate) as writer:
            for frame in islice(frames, FRAMES):
                writer.write(frame.image, frame.time_s)
    count = writer.frames_written
    return Excerpt(path, count, f"{size[0]}x{size[1]}", count / rate)


def repeat_excerpt(excerpt: Excerpt, folder: Path, seconds: float) -> Excerpt:
    """Write a file of about `seconds` into `folder` that repeats the excerpt."""
    from drive.benchmark.repeat import repeat_video

    path = folder / "repeated.mp4"
    times = max(1, round(seconds / excerpt.seconds))
    frames = repeat_video(excerpt.path, path, times)
    return Excerpt(path, frames, excerpt.size, times * excerpt.seconds)


def our_stage(
    excerpt: Excerpt, command: str, label: str, call: Callable[[Path], object]
) -> tuple[Row, Stage]:
    """Return the stage of one of our commands; the label says how it works."""
    row = Row(command, OURS, "", label, excerpt.size)
    return long_stage(row, lambda: call(excerpt.path), excerpt.frames)


def straightforward_stage(excerpt: Excerpt, folder: Path) -> list[tuple[Row, Stage]]:
    """Return the straightforward loop; nothing if `benchmarks` is not installed."""
    try:
        from benchmarks import straightforward
    except ImportError:
        return []
    model = straightforward.build_tiny_yolo_v1()
    row = Row(DETECT, STRAIGHTFORWARD, "", "keras, moviepy", excerpt.size)

    def detect() -> None:
        straightforward.detect_video(model, excerpt.path, folder / "straightforward.mp4")

    return [long_stage(row, detect, excerpt.frames)]


@contextmanager
def ultralytics_stage(
    excerpt: Excerpt, folder: Path, python: str | None
) -> Iterator[list[tuple[Row, Stage]]]:
    """Yield Ultralytics' predict-and-save, run by another interpreter; nothing without one."""
    if python is None:
        yield []
        return
    peer = _Peer(python, excerpt, folder)
    row = Row(DETECT, ULTRALYTICS, "", "yolo11n, pytorch", excerpt.size)
    try:
        yield [long_stage(row, peer.predict, excerpt.frames)]
    finally:
        peer.close()


class _Peer:
    """The other interpreter, which works once per line that it reads."""

    def __init__(self, python: str, excerpt: Excerpt, folder: Path) -> None:
        command = [python, str(PEER), str(excerpt.path), str(folder)]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=folder
            )
        except OSError as error:
            raise InputError(
                "--ultralytics must name a Python interpreter that has the package; "
                f"got {python} ({error.strerror})"
            ) from error
        self._frames = excerpt.frames

    def predict(self) -> None:
        """Predict and save once."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write("\n")
            stdin.flush()
            line = next((line for line in stdout if line.startswith("{")), "")
        except BrokenPipeError:
            line = ""
        if not line:
            _, errors = self._process.communicate()
            last = (errors.strip() or "no output").splitlines()[-1]
            raise InputError(f"--ultralytics does not work with {self._process.args!r}: {last}")
        found = json.loads(line)["frames"]
        if found != self._frames:
            raise DriveError(f"Ultralytics must read {self._frames} frames; got {found}")

    def close(self) -> None:
        """End the other interpreter."""
        self._process.terminate()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class WholeFacts:
    """The last run of our detection, as `bench.json` has it; stages run in parallel."""

    frames: int
    seconds_of_video: float
    first_run_s: float
    seconds: dict[str, float]
    share_of_wall: dict[str, float]
    sum_s: float
    wall_s: float
    overlap: float

    @property
    def frame_s(self) -> float:
        """Seconds per frame of the video."""
        return self.seconds_of_video / self.frames

    def as_text(self) -> str:
        """Return one line for the terminal."""
        stages = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.share_of_wall.items()
            if share >= LEAST_SHARE
        )
        return (
            f"detect: {self.frames} frames, video to annotated video, networks loaded before. The "
            f"last run took {self.wall_s:.1f} s; its stages ran in parallel for {stages} of the "
            f"time: {self.overlap:.2f} times as much work as time"
        )


def whole_facts(
    excerpt: Excerpt, first_run_s: float, seconds: Mapping[str, float], wall_s: float
) -> WholeFacts:
    """Return the facts of a run from the seconds of its stages and of the whole."""
    total = sum(seconds.values())
    return WholeFacts(
        frames=excerpt.frames,
        seconds_of_video=round(excerpt.seconds, 3),
        first_run_s=round(first_run_s, 3),
        seconds={name: round(value, 3) for name, value in seconds.items()},
        share_of_wall={name: round(value / wall_s, 3) for name, value in seconds.items()},
        sum_s=round(total, 3),
        wall_s=round(wall_s, 3),
        overlap=round(total / wall_s, 3),
    )
