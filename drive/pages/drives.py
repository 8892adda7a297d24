"""A drive as the page shows it: its video's clock, curves on it, detections, moments.

Turns tables into plain JSON (`drive.pages` says its form). Knows no run folders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drive.pages.columns import CLOCK, column
from drive.pages.moments import peaks
from drive.pages.tables import BOX, Boxes, Series
from drive.recordings.labels import wide_steps

ANGLE_STEP = SCORE_STEP = METRE_STEP = 1e-4
PIXEL_STEP = 0.1
"""What the tables hold, boxes apart: a tenth of a pixel is more than anybody sees."""

CARS = ("car", "truck", "bus")
STEERING = {
    "angle_deg": ("model", "model"),
    "smoothed_deg": ("smoothed", "smoothed"),
    "truth_deg": ("human", "human"),
}
"""Curves of the angle: the table's column, their name, and who steers."""

INTERVENTION = "intervention"
MOST_INTERVENTIONS = 200


@dataclass(frozen=True, slots=True)
class Video:
    """A video beside the page.

    Attributes:
        src: relative link, URL-encoded.
        width, height: pixels.
        annotated: whether it is the run's own; else the source, whose clock the tables have.
    """

    src: str
    width: int
    height: int
    annotated: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The frames of a drive, in order.

    Attributes:
        index: (N,) their numbers in the source.
        time_s: (N,) seconds on the source's clock.
        first_s: `time_s` at second 0 of the video that is shown.
    """

    index: np.ndarray
    time_s: np.ndarray
    first_s: float

    @property
    def clock_s(self) -> np.ndarray:
        """(N,) seconds on the video's clock."""
        return self.time_s - self.first_s

    def find(self, frame: np.ndarray) -> np.ndarray:
        """The position of each of these frame numbers."""
        return np.clip(np.searchsorted(self.index, frame), 0, max(len(self.index) - 1, 0))


@dataclass(slots=True)
class DriveView:
    """What is put together, piece by piece, and given out by `data`.

    Attributes:
        name: of the recording.
        frames: all of them.
        video: that shows them; None without one.
        charts, moments, detections: as the page takes them.
    """

    name: str
    frames: Frames
    video: Video | None = None
    charts: list[dict[str, Any]] = field(default_factory=list)
    moments: list[dict[str, Any]] = field(default_factory=list)
    detections: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        """The drive as JSON."""
        clock = self.frames.clock_s
        last = float(np.median(np.diff(clock))) if len(clock) > 1 else 0.0
        video = self.video and {
            "src": self.video.src,
            "width": self.video.width,
            "height": self.video.height,
            "annotated": self.video.annotated,
        }
        return {
            "name": self.name,
            "video": video,
            "first_s": self.frames.first_s,
            "duration": float(clock[-1]) + last if len(clock) else 0.0,
            "frames": {"index": column(self.frames.index, 1), "time": column(clock, CLOCK)},
            "gaps": (wide_steps(clock) + 1).tolist(),
            "charts": self.charts,
            "detections": self.detections,
            "moments": self.moments,
        }

    def add_steering(self, series: Series) -> None:
        """Curves of the angles and of their difference; where model and human differ most."""
        known = {
            name: values
            for name, values in series.columns.items()
            if name in STEERING and np.isfinite(values).any()
        }
        if not known:
            return
        curves = [
            _curve(*STEERING[name], known[name], ANGLE_STEP) for name in STEERING if name in known
        ]
        note = "degrees, positive to the right"
        self.charts.append(_chart("steering", "Steering angle", "°", curves, note, zero=True))
        model = known.get("angle_deg")
        spread = series.columns.get("spread_deg")
        if spread is not None and np.isfinite(spread).any():
            curve = _curve("spread", "model", spread, ANGLE_STEP)
            note = "standard deviation over the ensemble's members"
            self.charts.append(_chart("spread", "Disagreement", "°", [curve], note, zero=True))
        if model is None or "truth_deg" not in known:
            return
        error = model - known["truth_deg"]
        if not np.isfinite(error).any():
            return
        curve = _curve("model - human", "error", error, ANGLE_STEP)
        note = "model minus human; above 0 the model steers further right"
        if "smoothed_deg" in known:
            note += "; of the model's own angle, not of the smoothed one"
        self.charts.append(_chart("error", "Error", "°", [curve], note, zero=True))
        for place in peaks(self.frames.clock_s, np.abs(error)):
            text = f"model {model[place]:z.1f}°, human {known['truth_deg'][place]:z.1f}°"
            self._add_moment("difference", place, text)

    def add_offset(self, series: Series, limit_m: float) -> None:
        """Curves of a simulated drive beside the recorded path, and its interventions."""
        columns = series.columns
        curve = _curve("offset", "model", columns["offset_m"], METRE_STEP)
        note = f"metres right of the recorded path; {limit_m:g} m are an intervention"
        chart = _chart("offset", "Offset", "m", [curve], note, zero=True)
        self.charts.append(chart | {"limits": [limit_m, -limit_m]})
        if "distance_m" in columns:
            curve = _curve("distance", "model", columns["distance_m"], METRE_STEP)
            note = "metres along the recorded path since the last intervention"
            self.charts.append(_chart("distance", "Distance alone", "m", [curve], note, zero=True))
        for place in np.flatnonzero(columns[INTERVENTION] > 0)[:MOST_INTERVENTIONS]:
            offset = columns["offset_m"][place]
            side = "right" if offset > 0 else "left"
            self._add_moment(INTERVENTION, int(place), f"{abs(offset):.2f} m too far {side}")

    def add_boxes(self, boxes: Boxes) -> None:
        """Curves of how many there are and how sure; the table; the largest boxes of cars."""
        at = self.frames.find(boxes.frame)
        count = len(self.frames.index)
        labels = list(dict.fromkeys(boxes.label))
        kinds = {label: number for number, label in enumerate(labels)}
        label = np.array([kinds[each] for each in boxes.label], dtype=np.int64)
        is_car = np.array([each in CARS for each in labels], dtype=bool)[label]
        curves = [_curve("cars", "cars", np.bincount(at[is_car], minlength=count), 1)]
        if not is_car.all():
            others = np.bincount(at[~is_car], minlength=count)
            curves.append(_curve("others", "others", others, 1))
        note = f"boxes in a frame; cars: {', '.join(CARS)}"
        chart = _chart("cars", "Cars in sight", "", curves, note, zero=True)
        self.charts.append(chart | {"steps": True})
        best = np.zeros(count)
        np.maximum.at(best, at, boxes.score)
        best[best == 0] = np.nan
        curve = _curve("best score", "cars", best, SCORE_STEP)
        note = "the highest of the frame, 0 to 1"
        self.charts.append(_chart("score", "Best score", "", [curve], note, zero=True))
        self.detections = {
            "at": column(at, 1),
            "track": column(boxes.track, 1),
            "labels": labels,
            "label": column(label, 1),
            "score": column(boxes.score, SCORE_STEP),
            **{name: column(boxes.box[:, k], PIXEL_STEP) for k, name in enumerate(BOX)},
        }
        self._add_nearest(boxes, at, is_car)

    def _add_nearest(self, boxes: Boxes, at: np.ndarray, is_car: np.ndarray) -> None:
        width, height = (boxes.box[:, 2:] - boxes.box[:, :2]).T
        area = np.where(is_car, width * height, 0.0)
        largest = np.zeros(len(self.frames.index))
        np.maximum.at(largest, at, area)
        for place in peaks(self.frames.clock_s, largest):
            row = int(np.flatnonzero((at == place) & (area == largest[place]))[0])
            text = f"{boxes.label[row]}, {width[row]:.0f} by {height[row]:.0f} pixels"
            self._add_moment("near", place, text)

    def _add_moment(self, kind: str, place: int, text: str) -> None:
        self.moments.append(
            {
                "kind": kind,
                "time": round(float(self.frames.clock_s[place]), 6),
                "frame": int(self.frames.index[place]),
                "text": text,
            }
        )


def frames_of_boxes(
    boxes: Boxes, clock_s: np.ndarray | None, ends: list[tuple[int, float]], start_s: float
) -> Frames:
    """The frames of a video of which only the boxes are listed.

    Args:
        boxes: of the detections.
        clock_s: when each frame is shown, from 0; None without a video.
        ends: number and `time_s` of the first and the last frame, where the run noted them.
        start_s: where the source was begun at, if it did not.
    """
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


def _chart(
    name: str, title: str, unit: str, series: list[dict[str, Any]], note: str, zero: bool
) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "unit": unit,
        "note": note,
        "steps": False,
        "zero": zero,
        "limits": [],
        "series": series,
    }


def _curve(name: str, role: str, values: np.ndarray, step: float) -> dict[str, Any]:
    return {"name": name, "role": role, "values": column(values, step)}
