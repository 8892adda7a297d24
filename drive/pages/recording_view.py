"""A recording as the page shows it: its video's clock, charts on it, detections, moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from drive.pages import data
from drive.pages.columns import CLOCK, column
from drive.pages.moments import peaks
from drive.recordings.labels import wide_steps
from drive.results.detections import Detections
from drive.results.simulation import Simulation
from drive.results.steering import Steering

ANGLE_STEP = SCORE_STEP = METRE_STEP = 1e-4
PIXEL_STEP = 0.1  # what the tables hold; of a box, a tenth of a pixel is more than anybody sees
CARS = ("car", "truck", "bus")
CURVES = {
    "angle_deg": ("model", "model"),
    "smoothed_deg": ("smoothed", "smoothed"),
    "truth_deg": ("recorded", "recorded"),
}
"""Curves of the angle: the column, their name, and the role that gives their colour."""

INTERVENTION = "intervention"
MOST_INTERVENTIONS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The frames of a recording, in order: (N,) numbers and seconds in the source.

    `first_s` is `time_s` at second 0 of the video that is shown.
    """

    index: np.ndarray
    time_s: np.ndarray
    first_s: float

    @property
    def clock_s(self) -> np.ndarray:
        """(N,) seconds on the video's clock."""
        return self.time_s - self.first_s

    def find(self, frame: np.ndarray) -> np.ndarray:
        """Return the position of each of these frame numbers."""
        return np.clip(np.searchsorted(self.index, frame), 0, max(len(self.index) - 1, 0))


@dataclass(slots=True)
class RecordingView:
    """A recording that is put together piece by piece; `data` returns it."""

    name: str
    frames: Frames
    video: data.Video | None = None
    charts: list[data.Chart] = field(default_factory=list)
    moments: list[data.Moment] = field(default_factory=list)
    detections: data.Boxes | None = None

    def data(self) -> data.Recording:
        """Return the recording as JSON."""
        clock = self.frames.clock_s
        last = float(np.median(np.diff(clock))) if len(clock) > 1 else 0.0
        return {
            "name": self.name,
            "video": self.video,
            "first_s": self.frames.first_s,
            "duration": float(clock[-1]) + last if len(clock) else 0.0,
            "frames": {"index": column(self.frames.index, 1), "time": column(clock, CLOCK)},
            "gaps": (wide_steps(clock) + 1).tolist(),
            "charts": self.charts,
            "detections": self.detections,
            "moments": self.moments,
        }

    def add_steering(self, steering: Steering) -> None:
        """Add curves of the angles and of the error, and the moments of the largest errors."""
        known = {name: getattr(steering, name) for name in CURVES}
        known = {name: each for name, each in known.items() if _has_values(each)}
        if not known:
            return
        curves = [_curve(*CURVES[name], each, ANGLE_STEP) for name, each in known.items()]
        note = "degrees, positive to the right"
        self.charts.append(_chart("steering", "Steering angle", "°", curves, note))
        if steering.spread_deg is not None and _has_values(steering.spread_deg):
            curve = _curve("spread", "model", steering.spread_deg, ANGLE_STEP)
            note = "standard deviation over the members of the ensemble"
            self.charts.append(_chart("spread", "Disagreement", "°", [curve], note))
        self._add_error(steering)

    def _add_error(self, steering: Steering) -> None:
        error = steering.angle_deg - steering.truth_deg
        if not _has_values(error):
            return
        curve = _curve("model - recorded", "error", error, ANGLE_STEP)
        note = "predicted minus recorded angle; above 0 the model steers further right"
        if steering.smoothed_deg is not None:
            note += "; of the prediction itself, not of the smoothed one"
        self.charts.append(_chart("error", "Error", "°", [curve], note))
        for place in peaks(self.frames.clock_s, np.abs(error)):
            angle, truth = steering.angle_deg[place], steering.truth_deg[place]
            text = f"model {angle:z.1f}°, recorded {truth:z.1f}°"
            self._add_moment("difference", place, text)

    def add_offset(self, simulation: Simulation, limit_m: float) -> None:
        """Add curves of a simulated car beside the recorded path, and its interventions."""
        curve = _curve("offset", "model", simulation.offset_m, METRE_STEP)
        note = f"metres right of the recorded path; {limit_m:g} m are an intervention"
        self.charts.append(
            _chart("offset", "Offset", "m", [curve], note, limits=[limit_m, -limit_m])
        )
        if simulation.distance_m is not None:
            curve = _curve("distance", "model", simulation.distance_m, METRE_STEP)
            note = "metres along the recorded path since the last intervention"
            self.charts.append(_chart("distance", "Distance alone", "m", [curve], note))
        for place in np.flatnonzero(simulation.intervention > 0)[:MOST_INTERVENTIONS]:
            offset = simulation.offset_m[place]
            side = "right" if offset > 0 else "left"
            self._add_moment(INTERVENTION, int(place), f"{abs(offset):.2f} m too far {side}")

    def add_boxes(self, boxes: Detections, frame: np.ndarray) -> None:
        """Add curves of the number of boxes and the best score, the table, and the largest cars."""
        at = self.frames.find(frame)
        count = len(self.frames.index)
        labels = list(dict.fromkeys(boxes.label))
        kinds = {label: number for number, label in enumerate(labels)}
        label = np.array([kinds[each] for each in boxes.label], dtype=np.int64)
        is_car = np.array([each in CARS for each in labels], dtype=bool)[label]
        curves = [_curve("cars", "cars", np.bincount(at[is_car], minlength=count), 1)]
        if not is_car.all():
            others = np.bincount(at[~is_car], minlength=count)
            curves.append(_curve("others", "others", others, 1))
        note = f"boxes per frame; cars: {', '.join(CARS)}"
        self.charts.append(_chart("cars", "Cars in sight", "", curves, note, steps=True))
        best = np.zeros(count)
        np.maximum.at(best, at, boxes.score)
        best[best == 0] = np.nan
        curve = _curve("best score", "cars", best, SCORE_STEP)
        self.charts.append(
            _chart("score", "Best score", "", [curve], "highest of the frame, 0 to 1")
        )
        self.detections = {
            "at": column(at, 1),
            "track": column(boxes.track_id, 1),
            "labels": labels,
            "label": column(label, 1),
            "score": column(boxes.score, SCORE_STEP),
            "x1": column(boxes.x1, PIXEL_STEP),
            "y1": column(boxes.y1, PIXEL_STEP),
            "x2": column(boxes.x2, PIXEL_STEP),
            "y2": column(boxes.y2, PIXEL_STEP),
        }
        self._add_nearest(boxes, at, is_car)

    def _add_nearest(self, boxes: Detections, at: np.ndarray, is_car: np.ndarray) -> None:
        width, height = boxes.x2 - boxes.x1, boxes.y2 - boxes.y1
        area = np.where(is_car, width * height, 0.0)
        largest = np.zeros(len(self.frames.index))
        np.maximum.at(largest, at, area)
        for place in peaks(self.frames.clock_s, largest):
            row = int(np.flatnonzero((at == place) & (area == largest[place]))[0])
            text = f"{boxes.label[row]}, {width[row]:.0f} by {height[row]:.0f} pixels"
            self._add_moment("near", place, text)

    def _add_moment(self, kind: str, place: int, text: str) -> None:
        time = round(float(self.frames.clock_s[place]), 6)
        frame = int(self.frames.index[place])
        self.moments.append({"kind": kind, "time": time, "frame": frame, "text": text})


def frames_of_boxes(
    boxes: Detections, clock_s: np.ndarray | None, ends: list[tuple[int, float]], start_s: float
) -> Frames:
    """Return the frames of a video of which only boxes are listed; `clock_s` is None without it."""
    known = dict(zip(boxes.frame.tolist(), boxes.time_s.tolist(), strict=True)) | dict(ends)
    numbers = np.array(sorted(known), dtype=np.float64)
    times = np.array([known[int(number)] for number in numbers], dtype=np.float64)
    first_s = ends[0][1] if ends else start_s
    if clock_s is None:
        if not len(numbers):
            return Frames(np.zeros(0, np.int64), np.zeros(0), first_s)
        index = np.arange(int(numbers[0]), int(numbers[-1]) + 1)
        return Frames(index, np.interp(index, numbers, times), float(times[0]))
    places = np.searchsorted(clock_s, times - first_s - _half_step(clock_s))
    index = np.arange(len(clock_s), dtype=np.int64)
    if len(numbers):
        shift = np.interp(index, places, numbers - places)
        index = index + np.rint(shift).astype(np.int64)
    return Frames(np.maximum.accumulate(index), clock_s + first_s, first_s)


def _half_step(clock_s: np.ndarray) -> float:
    return float(np.diff(clock_s).min()) / 2 if len(clock_s) > 1 else 0.0


def _has_values(values: np.ndarray | None) -> bool:
    return values is not None and bool(np.isfinite(values).any())


def _curve(name: str, role: str, values: np.ndarray, step: float) -> data.Curve:
    return {"name": name, "role": role, "values": column(values, step)}


def _chart(
    name: str,
    title: str,
    unit: str,
    series: list[data.Curve],
    note: str,
    steps: bool = False,
    limits: Sequence[float] = (),
) -> data.Chart:
    return data.Chart(
        id=name, title=title, unit=unit, note=note, series=series, steps=steps, zero=True,
        limits=list(limits),
    )  # fmt: skip
