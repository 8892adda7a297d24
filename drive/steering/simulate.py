"""Closed loop on a recording: the simulator of arXiv 1604.07316, sections 6 and 7.

Each recorded frame is redrawn as the simulated car sees it. Limits: only what the recorded camera
saw, only the recorded speeds, no slip of the tyres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.recordings.camera import Camera, View, move_camera
from drive.recordings.recording import Recording
from drive.recordings.vehicle import Car
from drive.steering.car_beside import ON_THE_PATH, Place, moved
from drive.steering.recorded_path import (
    Moment,
    PathReport,
    camera_of,
    frame_size,
    read_path,
    shrink_of,
    shrunk_size,
)
from drive.steering.smooth import Smoother

LIMIT_M = 1.0
INTERVENTION_S = 6.0
"""arXiv 1604.07316, section 7.1: the distance of an intervention, and its cost."""

LONGEST_GAP_S = 1.0
"""A longer gap between frames (a pause, lost frames) is a cut: the car starts again on the path,
and neither time nor an intervention is counted. So is an excluded range, however short."""

BASELINES = ("zero", "recorded")


class Predictor(Protocol):
    """A model that steers by images, such as `drive.load_steering()` returns."""

    def predict(self, image: np.ndarray) -> float:
        """Return degrees, positive right, for a (H, W, 3) uint8 RGB image."""
        ...


Predict = Callable[[np.ndarray], float]
"""Degrees, positive right, for a (H, W, 3) uint8 RGB image."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One frame of a simulation; after an intervention `place` is on the path, not as `reached`."""

    moment: Moment
    image: np.ndarray
    reached: Place
    place: Place
    angle_deg: float
    intervention: bool
    interventions: int


@dataclass(frozen=True, eq=False)
class SimulationResult:
    """A simulation along one recording, frame by frame; all is positive to the right.

    Offset and heading are those before the car was put back. `cut` frames follow a gap or an
    excluded range. Without images, `camera` is None; else `horizon` is the source of its horizon:
    "given", "estimated" or "assumed".
    """

    name: str
    frame_index: np.ndarray
    time_s: np.ndarray
    offset_m: np.ndarray
    heading_deg: np.ndarray
    angle_deg: np.ndarray
    truth_deg: np.ndarray
    speed_mps: np.ndarray
    intervention: np.ndarray
    cut: np.ndarray
    camera: Camera | None = None
    horizon: str = ""
    path: PathReport = field(default_factory=PathReport)

    @property
    def seconds(self) -> float:
        """Simulated time without gaps."""
        return float(np.sum(self._steps_s))

    @property
    def metres(self) -> float:
        """Length of the recorded path without gaps."""
        return float(np.sum(self._steps_s * self.speed_mps[:-1]))

    @property
    def interventions(self) -> int:
        """Number of times the car was put back."""
        return int(self.intervention.sum())

    @property
    def autonomy_percent(self) -> float:
        """Share of the time without a human at the wheel."""
        return autonomy_percent(self.interventions, self.seconds)

    @property
    def distance_m(self) -> np.ndarray:
        """(N,) metres of the recorded path since the car was last put onto it."""
        gone = np.concatenate([[0.0], np.cumsum(self._steps_s * self.speed_mps[:-1])])
        return gone - np.maximum.accumulate(np.where(self.intervention | self.cut, gone, 0.0))

    @property
    def _steps_s(self) -> np.ndarray:
        """(N - 1,) seconds to each frame from the one before it; 0 across a gap."""
        return np.where(self.cut[1:], 0.0, np.diff(self.time_s))

    def changes_deg(self) -> np.ndarray:
        """Return changes of the angle per frame, without interventions and gaps."""
        undisturbed = ~(self.cut | self.intervention)[1:]
        return np.asarray(np.abs(np.diff(self.angle_deg))[undisturbed])


def autonomy_percent(interventions: int, seconds: float) -> float:
    """Return the autonomy of arXiv 1604.07316, section 7.1; at least 0, and 0 without time."""
    if seconds <= 0:
        return 0.0
    return max(0.0, 1 - interventions * INTERVENTION_S / seconds) * 100


def simulate_recording(  # noqa: PLR0913
    recording: Recording,
    model: Predictor | Predict,
    *,
    limit_m: float = LIMIT_M,
    delay_s: float = 0.0,
    smooth_s: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    watch: Callable[[Step], None] | None = None,
    progress: Progress = no_progress,
) -> SimulationResult:
    """Let a model drive along a recording; it sees what a camera in its place would see.

    Predictions of a network that was trained on curvatures are restated for the recording's car and
    speed. `delay_s` passes from an image to the moment its angle acts. The filter of `smooth_s`,
    None for none, starts again where the car is put back.
    """
    camera, horizon = camera_of(recording)
    size = frame_size(recording)
    shrink = shrink_of(size[0])
    view = camera.view(*shrunk_size(size, shrink))
    steers = _steering(model, recording)
    loop = _Loop(recording.config.car, limit_m, delay_s)
    smoother: Smoother | None = None
    path = PathReport()
    moments = read_path(recording, path, start_s=start_s, end_s=end_s, shrink=shrink)
    total = int(np.isfinite(recording.angle_deg).sum()) if end_s is None and not start_s else None
    for moment in progress(moments, total, f"simulating {recording.name}"):
        frame, truth_deg, speed_mps = moment.frame, moment.truth_deg, moment.speed_mps
        loop.arrive(frame.index, frame.time_s, truth_deg, speed_mps, cut=moment.after_mark)
        image = redraw(moment.frame.image, view, loop.place)
        angle_deg = steers(image, moment.speed_mps)
        if not math.isfinite(angle_deg):
            raise InputError(
                f"{recording.name}, frame {moment.frame.index}: the prediction must be a "
                f"finite number of degrees; got {angle_deg}"
            )
        if smooth_s is not None:
            if smoother is None or loop.anew:
                smoother = Smoother(smooth_s)
            angle_deg = smoother.add(moment.frame.time_s, angle_deg)
        loop.steer(angle_deg)
        if watch is not None:
            watch(loop.step(moment, image))
    return loop.result(recording.name, camera=camera, horizon=horizon, path=path)


def follow(
    driven: SimulationResult,
    angle_deg: np.ndarray,
    car: Car,
    limit_m: float = LIMIT_M,
    delay_s: float = 0.0,
) -> SimulationResult:
    """Drive given angles (N,), without images, along the path of an earlier simulation."""
    loop = _Loop(car, limit_m, delay_s)
    known = (driven.frame_index, driven.time_s, driven.truth_deg, driven.speed_mps, driven.cut)
    columns = [column.tolist() for column in (*known, angle_deg)]
    for frame, time_s, truth, speed, cut, angle in zip(*columns, strict=True):
        loop.arrive(frame, time_s, truth, speed, cut=cut)
        loop.steer(angle)
    return loop.result(driven.name, path=driven.path)


def follow_baselines(
    driven: SimulationResult, car: Car, *, limit_m: float = LIMIT_M, delay_s: float = 0.0
) -> dict[str, SimulationResult]:
    """Return simulations of always straight, and of the recorded angle, on the same path."""
    angles = {"zero": np.zeros_like(driven.truth_deg), "recorded": driven.truth_deg}
    return {name: follow(driven, angles[name], car, limit_m, delay_s) for name in BASELINES}


def _steering(
    model: Predictor | Predict, recording: Recording
) -> Callable[[np.ndarray, float], float]:
    """Return a function from image and speed to degrees as the recording's car records them."""
    predict: Predict = model.predict if hasattr(model, "predict") else model
    restated = getattr(model, "restated", None)
    if restated is None:
        return lambda image, speed_mps: float(predict(image))
    return lambda image, speed_mps: float(
        restated(np.array([predict(image)]), recording, speed_mps)[0]
    )


def redraw(image: np.ndarray, view: View, place: Place) -> np.ndarray:
    """Return the frame as the simulated car sees it."""
    if place == ON_THE_PATH:
        return image
    return move_camera(image, view, place.offset_m, place.heading_deg)


NUMBERS = ("time_s", "offset_m", "heading_deg", "angle_deg", "truth_deg", "speed_mps")
FLAGS = ("intervention", "cut")
ROW = np.dtype(
    [("frame_index", "i8"), *((name, "f8") for name in NUMBERS), *((name, "?") for name in FLAGS)]
)
"""The columns of a `SimulationResult`."""


class _Loop:
    """The state of a simulation: place, acting angle, and angles that are delayed."""

    def __init__(self, car: Car, limit_m: float, delay_s: float) -> None:
        if not limit_m > 0 or not math.isfinite(limit_m):
            raise InputError(f"limit_m must be above 0; got {limit_m:g}")
        if not 0 <= delay_s < LONGEST_GAP_S:
            raise InputError(f"delay_s must be from 0 to below {LONGEST_GAP_S:g}; got {delay_s:g}")
        self._car, self._limit_m, self._delay_s = car, limit_m, delay_s
        self._rows: list[tuple[float, ...]] = []  # see ROW
        self._coming: list[tuple[float, float]] = []
        self._acting: float | None = None
        self.place = self._reached = ON_THE_PATH
        self._intervention = self._cut = False
        self._now: tuple[int, float, float, float] | None = None
        self._interventions = 0

    def arrive(
        self, frame: int, time_s: float, truth_deg: float, speed_mps: float, cut: bool = False
    ) -> None:
        """Drive to the next frame; put the car back if it is too far off, or after a `cut`."""
        self._cut = self._intervention = False
        if self._now is not None:
            self._drive_to(time_s, cut)
        self._now = (frame, time_s, truth_deg, speed_mps)
        self._reached = self.place
        if abs(self.place.offset_m) > self._limit_m:
            self._intervention = True
            self._interventions += 1
            self._put_back()

    @property
    def anew(self) -> bool:
        """Whether the car was put on the path at the last frame."""
        return self._intervention or self._cut

    def steer(self, angle_deg: float) -> None:
        """Receive the prediction for the last frame."""
        assert self._now is not None
        frame, time_s, truth_deg, speed_mps = self._now
        self._coming.append((time_s + self._delay_s, angle_deg))
        place = self._reached.offset_m, self._reached.heading_deg
        angles, put_back = (angle_deg, truth_deg), (self._intervention, self._cut)
        self._rows.append((frame, time_s, *place, *angles, speed_mps, *put_back))

    def step(self, moment: Moment, image: np.ndarray) -> Step:
        """Return the last frame for `watch`."""
        angle_deg, places = self._rows[-1][4], (self._reached, self.place)
        return Step(moment, image, *places, angle_deg, self._intervention, self._interventions)

    def result(self, name: str, path: PathReport, **known: Any) -> SimulationResult:
        """Return the simulation so far."""
        if len(self._rows) < 2:
            marked = path.frames_marked_bad
            raise InputError(
                f"{name}: a simulation requires at least two frames with an angle; got "
                f"{len(self._rows)} in this part"
                + (f", and {marked} in excluded ranges of recording.toml" if marked else "")
            )
        rows = np.array(self._rows, ROW)
        columns: dict[str, Any] = {each: rows[each].copy() for each in ROW.names or ()}
        return SimulationResult(name, **columns, path=path, **known)

    def _drive_to(self, time_s: float, cut: bool) -> None:
        assert self._now is not None
        _, now_s, truth_deg, speed_mps = self._now
        if cut or not 0 <= time_s - now_s <= LONGEST_GAP_S:
            self._cut = True
            self._put_back()
            return
        while now_s < time_s:
            while self._coming and self._coming[0][0] <= now_s:
                self._acting = self._coming.pop(0)[1]
            until_s = min(time_s, self._coming[0][0]) if self._coming else time_s
            angle = truth_deg if self._acting is None else self._acting
            self.place = moved(self.place, angle, truth_deg, speed_mps, until_s - now_s, self._car)
            now_s = until_s

    def _put_back(self) -> None:
        """Put the car on the path; the recorded angle acts until the next prediction does."""
        self.place = ON_THE_PATH
        self._acting = None
        self._coming.clear()
