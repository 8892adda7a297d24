"""A recording: a video with the steering angle of each frame, paired by frame number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from drive.core.errors import InputError, MissingFileError
from drive.core.files import PART
from drive.core.types import Array, FloatArray, Frame, IntArray, SteeringSample
from drive.recordings.excluded import ExcludedRange, marked, marks_of
from drive.recordings.folder_formats import EXPECTED, is_image_folder, read_image_folder
from drive.recordings.label_path import LabelPath
from drive.recordings.matching import match_rows
from drive.recordings.recording_config import Overrides, RecordingConfig, read_config
from drive.recordings.steering_csv import read_steering_csv
from drive.recordings.vehicle import SPEED_UNITS
from drive.video.probe import probe
from drive.video.reader import read_frames, read_image, resized

FRONT = "_front"
STEERING = "_steering.csv"
VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".ts", ".webm")
WRONG_UNIT = 30.0  # times that are wrong by this factor are in another unit
DIGEST_HEAD = 1 << 20


@dataclass
class PairingReport:
    """Frames and rows without a partner, counted while a recording is read."""

    paired: int = 0
    frames_without_row: int = 0
    rows_without_frame: int = 0
    rows_without_angle: int = 0
    rows_repeated: int = 0
    frames_lost: int = 0


@dataclass(frozen=True, eq=False)
class Recording:
    """A video with the steering angle of each frame; see `open_recordings`.

    Rows are in order of their frames, one per frame. `samples` does not leave out excluded ranges.
    """

    name: str  # folder and video, such as `alpine-1/epoch01`
    path: Path  # the video, or the folder of a recording made of images
    steering_csv: Path  # or the log of such a folder
    frame_index: IntArray
    angle_deg: FloatArray  # float32, positive right, lag corrected; NaN where not recorded
    time_s: FloatArray | None  # of the rows, from the CSV; None without a time column
    speed: FloatArray | None  # in the recording's own unit; None if not recorded
    config: RecordingConfig
    images: tuple[Path, ...] = ()  # of a folder of images, row by row; empty for a video
    bad: tuple[ExcludedRange, ...] = ()  # excluded ranges
    rows_repeated: int = 0  # whose frame has an earlier row
    report: PairingReport = field(default_factory=PairingReport)  # of the last complete `samples()`
    labels: LabelPath = field(default_factory=LabelPath)  # how `recorded` became `angle_deg`
    recorded: FloatArray | None = None  # as in the CSV; None: `angle_deg` itself
    by_time: bool = False  # rows were matched to frames by time, and `time_s` is the video's
    notes: tuple[str, ...] = ()  # what was assumed or left out when it was opened, one line each

    def relabelled(self, labels: LabelPath) -> Recording:
        """Return the recording with labels made again from the recorded angles."""
        recorded = self.angle_deg if self.recorded is None else self.recorded
        angle_deg = labels.apply(recorded, self.row_times_s, self.bad)
        return replace(self, angle_deg=angle_deg, labels=labels, recorded=recorded)

    @property
    def digest(self) -> str:
        """A hash of the contents: size and first megabyte of the video, all angles, the lag."""
        lag = repr(self.config.lag_s).encode()
        return self._hash(self.frame_index, self.angle_deg, start=lag)

    @property
    def pixels_digest(self) -> str:
        """A hash of the frames that have an angle, whatever the angles are."""
        return self._hash(self.frame_index[np.isfinite(self.angle_deg)])

    @property
    def images_key(self) -> str:
        """A hash that is equal for copies of a recording, whatever their names and labels.

        The first image may be equal in simulators, so single images count with their angles.
        """
        return self._hash(*([self.angle_deg] if self.images else []))

    def file_name(self, what: str, version: int) -> str:
        """Return the name of a file, without suffix, of what is measured on the frames."""
        key = f"{what} {version} {self.pixels_digest}"
        return f"{what}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def _hash(self, *arrays: Array, start: bytes = b"") -> str:
        head = next((image for image in self.images if image.is_file()), self.path)
        digest = hashlib.sha256(start)
        digest.update(str(head.stat().st_size).encode())
        with head.open("rb") as file:
            digest.update(file.read(DIGEST_HEAD))
        for array in arrays:
            digest.update(array.tobytes())
        return digest.hexdigest()

    @property
    def speed_mps(self) -> FloatArray:
        """(N,) float64 speed of the rows in m/s, at least 0; that of `config.car` if unknown."""
        car = self.config.car
        if self.speed is None:
            return np.full(len(self.frame_index), car.speed_mps)
        speed = self.speed * SPEED_UNITS[car.speed_unit]
        return np.where(np.isfinite(speed), np.maximum(speed, 0.0), car.speed_mps)

    @property
    def rows_without_angle(self) -> int:
        """Number of rows whose angle is empty or not finite."""
        return int((~np.isfinite(self.angle_deg)).sum())

    def row_times_s(self) -> FloatArray:
        """Return seconds of the rows, from the frame rate if the CSV has no time.

        Raises `InputError` if the video has no frame rate either, or if the times of the CSV are
        in another unit.
        """
        if self.time_s is not None:
            self._check_unit_of(self.time_s)
            return self.time_s
        if fps := probe(self.path).average_fps:
            return self.frame_index / fps
        raise InputError(
            f"{self.path} has no frame rate, and the CSV no times; add a column time_s to the CSV"
        )

    def _check_unit_of(self, time_s: FloatArray) -> None:
        """Refuse times that would put all rows into one moment, or each into its own."""
        known = np.flatnonzero(np.isfinite(time_s))
        if self.images or self.by_time or len(known) < 2:
            return
        fps = probe(self.path).average_fps
        told_s = float(np.ptp(time_s[known]))
        frames_s = float(np.ptp(self.frame_index[known])) / fps if fps else 0.0
        if not (frames_s and told_s) or 1 / WRONG_UNIT < told_s / frames_s < WRONG_UNIT:
            return
        raise InputError(
            f"{self.steering_csv}: the times of the rows last {told_s:.3g} s, their frames "
            f"{frames_s:.3g} s; write the time_unit to recording.toml (check-data --fix does it)"
        )

    def angles_by_frame(self) -> dict[int, float]:
        """Return the finite angles in degrees by frame number."""
        pairs = zip(self.frame_index.tolist(), self.angle_deg.tolist(), strict=True)
        return {index: angle for index, angle in pairs if np.isfinite(angle)}

    def frames(self, *, stride: int = 1, size: tuple[int, int] | None = None) -> Iterator[Frame]:
        """Yield every `stride`-th frame, resized to `size` = (width, height)."""
        if self.images:
            yield from self._image_frames(stride, size)
            return
        with read_frames(self.path, stride=stride, size=size) as reader:
            yield from reader
            self.report.frames_lost = reader.frames_lost

    def samples(
        self, *, stride: int = 1, size: tuple[int, int] | None = None
    ) -> Iterator[SteeringSample]:
        """Yield every `stride`-th frame with its angle, resized to `size` = (width, height).

        Frames without a row, rows without a frame and rows without a finite angle are left out and
        counted in `report`.
        """
        report = self.report
        report.paired = report.frames_without_row = report.frames_lost = 0
        angles = self.angles_by_frame()
        recorded = set(self.frame_index.tolist())
        last = -1
        for frame in self.frames(stride=stride, size=size):
            last = frame.index
            if frame.index in angles:
                report.paired += 1
                yield SteeringSample(frame, angles[frame.index])
            elif frame.index not in recorded:
                report.frames_without_row += 1
        report.rows_without_angle = self.rows_without_angle
        report.rows_repeated = self.rows_repeated
        report.rows_without_frame = int((self.frame_index >= last + stride).sum())

    def _image_frames(self, stride: int, size: tuple[int, int] | None) -> Iterator[Frame]:
        self.report.frames_lost = 0
        for index in range(0, len(self.images), stride):
            image = read_image(self.images[index]) if self.images[index].exists() else None
            if image is None:
                self.report.frames_lost += 1
                continue
            time_s = float(self.time_s[index]) if self.time_s is not None else 0.0
            yield Frame(index, time_s, resized(image, size), str(self.images[index]))


class RecordedAngles:
    """The recorded angle of each frame; unknown in excluded ranges, whose frames it counts."""

    def __init__(self, recording: Recording) -> None:
        self.name = recording.name
        self.marked_bad = 0
        self._rows_repeated = recording.rows_repeated
        self._rows_without_angle = self._frames_without_row = 0
        self._angles = recording.angles_by_frame()
        self._recorded = set(recording.frame_index.tolist())
        self._bad = recording.bad

    def __call__(self, frame: Frame) -> float | None:
        """Return degrees, positive right; None if unknown."""
        angle_deg = self._angles.get(frame.index)
        if angle_deg is not None and marked(self._bad, np.array(frame.time_s)):
            self.marked_bad += 1
            return None
        if angle_deg is None and frame.index in self._recorded:
            self._rows_without_angle += 1
        elif angle_deg is None:
            self._frames_without_row += 1
        return angle_deg

    def left_out(self) -> dict[str, int]:
        """Return numbers of frames without an angle and of unused rows, as in `PairingReport`."""
        return {
            "frames_without_row": self._frames_without_row,
            "rows_without_angle": self._rows_without_angle,
            "rows_repeated": self._rows_repeated,
        }


def open_recordings(
    paths: Sequence[str | Path],
    *,
    steering_csv: str | Path | None = None,
    overrides: Overrides | None = None,
    on_error: Callable[[Path, InputError], None] | None = None,
) -> list[Recording]:
    """Find and open recordings: videos with steering angles, frame by frame.

    Args:
        paths: folders (searched recursively) or videos of recordings, Udacity folders, or
            donkeycar tubs.
        steering_csv: the CSV of the single video in `paths`, if its name is not the usual one.
        overrides: values by key that override those of `recording.toml`; a value of None overrides
            nothing.
        on_error: called with a recording that cannot be opened; otherwise the error is raised.

    Returns:
        The recordings, sorted by path within each of `paths`; at least one without `on_error`.

    Raises:
        MissingFileError: a path, or the CSV of a video, does not exist.
        InputError: no recording is found, or a CSV or `recording.toml` is invalid.

    Example:
        >>> for recording in open_recordings(["drives/"], overrides={"unit": "radians"}):
        ...     for sample in recording.samples(stride=2):
        ...         print(recording.name, sample.frame.time_s, sample.angle_deg)
    """
    if steering_csv is not None and (len(paths) != 1 or not Path(paths[0]).is_file()):
        raise InputError("--steering requires exactly one video file")
    found: list[Recording] = []
    for path in map(Path, paths):
        for place, open_one in _find(path, steering_csv, overrides or {}):
            try:
                found.append(open_one())
            except InputError as error:
                if on_error is None:
                    raise
                on_error(place, error)
    return _with_unique_names(found)


def find_steering_csv(video: str | Path) -> Path | None:
    """Return the steering CSV beside `NAME_front.mp4`; None if it does not exist."""
    path = Path(video)
    if not path.stem.endswith(FRONT):
        return None
    csv = _csv_of(path)
    return csv if csv.exists() else None


def _find(
    path: Path, steering_csv: str | Path | None, overrides: Overrides
) -> list[tuple[Path, Callable[[], Recording]]]:
    """Return the recordings of `path`: where each is, and the function that opens it."""
    if not path.exists():
        raise MissingFileError(f"there is no recording {path}; expected a folder or a video")
    if path.is_file():
        csv = Path(steering_csv) if steering_csv else _csv_of(path)
        return [(path, partial(_from_video, path, csv, overrides))]
    found: list[tuple[Path, Callable[[], Recording]]] = []
    for folder in [path, *sorted(entry for entry in path.rglob("*") if entry.is_dir())]:
        if is_image_folder(folder):
            found.append((folder, partial(_from_images, folder, overrides)))
        found += [
            (video, partial(_from_video, video, _csv_of(video), overrides))
            for video in sorted(folder.glob(f"*{FRONT}.*"))
            if video.suffix.lower() in VIDEO_SUFFIXES
            and not any(each.split("-")[0] == PART for each in video.suffixes)
        ]
    if not found:
        raise InputError(
            f"{path} has no recording; expected NAME{FRONT}.mp4 with NAME{STEERING}, {EXPECTED}"
        )
    return found


def _csv_of(video: Path) -> Path:
    return video.with_name(video.stem.removesuffix(FRONT) + STEERING)


def _from_video(video: Path, csv: Path, overrides: Overrides) -> Recording:
    if not csv.exists():
        raise MissingFileError(
            f"there is no steering CSV of {video}; expected {csv}, or another file as --steering"
        )
    config = read_config(csv.parent).with_overrides(**overrides)
    rows = match_rows(read_steering_csv(csv, config.time_unit), config, video)
    drive = video.stem.removesuffix(FRONT)
    return _labelled(
        config,
        rows.angle,
        name=f"{video.resolve().parent.name}/{drive}",
        path=video,
        steering_csv=csv,
        frame_index=rows.frame_index,
        time_s=rows.time_s,
        speed=rows.speed,
        bad=marks_of(csv.parent, drive),
        rows_repeated=rows.rows_repeated,
        by_time=rows.by_time,
        notes=rows.notes,
    )


def _labelled(config: RecordingConfig, recorded: FloatArray, **known: Any) -> Recording:
    unlabelled = Recording(angle_deg=recorded, config=config, **known)
    return unlabelled.relabelled(LabelPath(config.degrees_per_unit, config.lag_s))


def _from_images(folder: Path, overrides: Overrides) -> Recording:
    rows = read_image_folder(folder)
    return _labelled(
        read_config(folder, rows.config).with_overrides(**overrides),
        rows.angle,
        name=folder.resolve().name,
        path=folder,
        steering_csv=rows.log,
        frame_index=np.arange(len(rows.images), dtype=np.int64),
        time_s=rows.time_s,
        speed=rows.speed,
        images=rows.images,
        bad=marks_of(folder, folder.resolve().name),
        notes=rows.notes,
    )


def _with_unique_names(recordings: list[Recording]) -> list[Recording]:
    names = [recording.name for recording in recordings]
    for recording in recordings:
        if names.count(recording.name) > 1:
            object.__setattr__(recording, "name", str(recording.path))
    return recordings
