"""The cache of decoded, small frames: a recording is decoded once.

Angles, speeds and excluded ranges are read from the recording, so changing them decodes nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.core.files import cache_folder
from drive.core.progress import Progress, no_progress
from drive.recordings.camera import Camera, View
from drive.recordings.excluded import ExcludedRange, marked
from drive.recordings.recording import Recording
from drive.recordings.vehicle import Car
from drive.steering.preprocess import (
    INPUT_HEIGHT,
    INPUT_WIDTH,
    PREPROCESS_VERSION,
    ROAD,
    RoadCrop,
    preprocess_with_margins,
)

if TYPE_CHECKING:
    from drive.steering.side_cameras import SideCamera

FRAMES, ROWS = "frames.npy", "rows.npz"
UNFINISHED = ".unfinished-"
STALE_S = 3600.0
"""An older unfinished folder belongs to a process that was killed."""


@dataclass(frozen=True, slots=True, eq=False)
class CachedRecording:
    """The frames of one recording that have an angle, as the network sees them.

    `images` are (N, 66, 200, 3) uint8 YUV, mapped from disk; `wide` has `margin` more columns on
    each side, and is None without. `view` is the geometry of `images`, None if unknown; `crop` is
    what they show of the frame. `speed_known` says whether speeds were recorded, not assumed.
    `sides` are for training only. Frames in the excluded ranges `bad` are cached, but not used.
    """

    name: str
    digest: str
    images: np.ndarray
    angle_deg: np.ndarray
    time_s: np.ndarray
    frame_index: np.ndarray
    frames_lost: int
    speed_mps: np.ndarray
    speed_known: bool = False
    camera: Camera = field(default_factory=Camera)
    car: Car = field(default_factory=Car)
    view: View | None = None
    crop: RoadCrop = ROAD
    sides: tuple[SideCamera, ...] = ()
    wide: np.ndarray | None = None
    bad: tuple[ExcludedRange, ...] = ()

    def __len__(self) -> int:
        return len(self.angle_deg)

    @property
    def good(self) -> np.ndarray:
        """(N,) bool: the frames outside excluded ranges."""
        return ~marked(self.bad, self.time_s)


def default_cache() -> Path:
    """Return the folder for decoded frames, by default `~/.cache/drive/steering`."""
    return cache_folder() / "steering"


def check_cache(folder: str | Path) -> None:
    """Raise `InputError` if the folder of all caches is a file."""
    if Path(folder).is_file():
        raise InputError(f"--cache must be a folder; {folder} is a file")


def open_cached(
    recording: Recording,
    folder: str | Path,
    stride: int = 1,
    crop: RoadCrop = ROAD,
    *,
    camera: str = "",
    progress: Progress = no_progress,
) -> CachedRecording:
    """Open the small frames of a recording or of its side `camera`; decode them if not cached."""
    check_cache(folder)
    what = f"{recording.pixels_digest} {PREPROCESS_VERSION} {crop} {stride}" + camera
    home = Path(folder) / hashlib.sha256(what.encode()).hexdigest()[:32]
    if not home.is_dir():
        try:
            _fill(recording, home, stride, crop, progress)
        except OSError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"The cache folder {folder} cannot be written ({error.strerror}). "
                "Name another with --cache"
            ) from error
    return _open(recording, home, crop)


def _open(recording: Recording, home: Path, crop: RoadCrop) -> CachedRecording:
    """Return the cached frames with the recording's current angles and speeds."""
    wide = np.load(home / FRAMES, mmap_mode="r")
    with np.load(home / ROWS) as rows:
        frame_index = rows["frame_index"]
        wide = wide[: len(frame_index)]
        places = np.searchsorted(recording.frame_index, frame_index)
        width, height = (int(pixels) for pixels in rows["frame_size"])
        view = recording.config.camera.view(width, height)
        return CachedRecording(
            name=recording.name,
            digest=recording.digest,
            images=wide[:, :, crop.margin : crop.margin + INPUT_WIDTH],
            wide=wide if crop.margin else None,
            angle_deg=recording.angle_deg[places],
            time_s=rows["time_s"],
            frame_index=frame_index,
            frames_lost=int(rows["frames_lost"]),
            speed_mps=recording.speed_mps[places],
            speed_known=recording.speed is not None,
            camera=recording.config.camera,
            car=recording.config.car,
            view=view.cropped(crop.region(width, height), INPUT_WIDTH, INPUT_HEIGHT),
            crop=crop,
            bad=recording.bad,
        )


def _fill(
    recording: Recording, home: Path, stride: int, crop: RoadCrop, progress: Progress
) -> None:
    """Decode into a temporary folder and rename it, so that a cache is whole or absent."""
    home.parent.mkdir(parents=True, exist_ok=True)
    _sweep(home.parent)
    work = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=home.parent))
    try:
        _decode(recording, work, stride, crop, progress)
        try:
            work.rename(home)
        except OSError:  # another process was faster; its cache is as good
            if not home.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _decode(
    recording: Recording, work: Path, stride: int, crop: RoadCrop, progress: Progress
) -> None:
    most = int(np.isfinite(recording.angle_deg).sum())
    width = INPUT_WIDTH + 2 * crop.margin
    shape = (max(1, most), INPUT_HEIGHT, width, 3)  # what stays unused takes no disk
    images = np.lib.format.open_memmap(work / FRAMES, mode="w+", dtype=np.uint8, shape=shape)
    times: list[float] = []
    indices: list[int] = []
    size = (0, 0)
    samples = recording.samples(stride=stride)
    for sample in progress(samples, -(-most // stride), f"reading {recording.name}"):
        images[len(times)] = preprocess_with_margins(sample.frame.image, crop)
        times.append(sample.frame.time_s)
        indices.append(sample.frame.index)
        size = sample.frame.image.shape[1::-1]
    if not times:
        raise InputError(
            f"{recording.path}: no frame has a steering angle in {recording.steering_csv}. "
            "Look at it with check-data"
        )
    images.flush()
    np.savez(
        work / ROWS,
        time_s=np.array(times, np.float64),
        frame_index=np.array(indices, np.int64),
        frames_lost=recording.report.frames_lost,
        frame_size=np.array(size, np.int64),
    )


def _sweep(folder: Path) -> None:
    for work in folder.glob(f"{UNFINISHED}*"):
        try:
            if time.time() - work.stat().st_mtime > STALE_S:
                shutil.rmtree(work, ignore_errors=True)
        except FileNotFoundError:
            continue
