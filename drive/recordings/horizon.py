"""Estimate the horizon from the motion of the image while the car drives straight.

Static points move away from the point that the car drives towards, which is on the horizon on a
flat road. Turns, other cars and standstill spoil a moment; it counts if enough corners agree.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.files import atomic_or_refused
from drive.core.types import Array, BoolArray, FloatArray, Image
from drive.recordings.camera import DEFAULT_HORIZON
from drive.video.reader import read_frames, read_image

if TYPE_CHECKING:
    from drive.recordings.recording import Recording

HORIZON_VERSION = 1  # increases when the estimate changes, so that stored ones are made again
MOMENTS = 12  # number of moments, spread over the recording
FRAMES_A_MOMENT = 4
STEP_S = 0.09  # between two compared frames; at 10 m/s, road 10 m ahead moves 6 to 10 pixels
WORKING_WIDTH = 640
SLOW_MPS = 3.0
CORNERS, CORNER_QUALITY, CORNER_DISTANCE = 400, 0.005, 7
WINDOW, LEVELS = (15, 15), 4
ROUND_TRIP_PX = 0.5  # a corner tracked to the next frame and back must end this near its start
MOTION_PX = (1.0, 0.25 * WORKING_WIDTH)
FEWEST_CORNERS = 25
GUESSES = 400
FLATTEST_CROSSING = 0.1  # minimum sine of the angle at which two lines of motion cross
PLAUSIBLE_X, PLAUSIBLE_Y = (0.15, 0.85), (0.1, 0.9)
ANGLE_TOLERANCE = (np.radians(3.0), np.radians(15.0))
POSITION_PX = 0.4  # accuracy of tracking: a short motion may point this much the wrong way
REFINEMENTS = 4
NEAREST_PX = 10.0
AGREEMENT = 0.5  # share of the moving corners that must move away from one point
FEWEST_PAIRS = 6
WIDEST_SPREAD = 0.08
"""Between the quartiles of the estimates of pairs, as a share of the height; recordings whose
horizon can be judged by eye have 0.005 to 0.064."""


@dataclass(frozen=True, slots=True)
class HorizonEstimate:
    """The horizon of a recording."""

    share: float  # of the height, from the top; the middle if not trusted
    trusted: bool  # enough pairs of frames agree
    pairs: int  # in which most corners move away from one point
    spread: float  # between the quartiles of their shares; 1 if there are too few

    def __str__(self) -> str:
        """As in `0.49 of the height (estimated from motion)`."""
        where = "estimated from motion" if self.trusted else "assumed: motion does not show it"
        return f"{self.share:.2f} of the height ({where})"


def estimate_horizon(recording: Recording) -> HorizonEstimate:
    """Estimate the horizon of a recording from about fifty of its frames."""
    moments = _straight_moments(recording)
    return horizon_of_pairs(
        pair for start_s in moments for pair in pairwise(_frames(recording, start_s))
    )


def stored_horizon(recording: Recording, folder: str | Path) -> HorizonEstimate:
    """Return `estimate_horizon`, stored in `folder` so that frames are read only once."""
    file = Path(folder) / f"{recording.file_name('horizon', HORIZON_VERSION)}.json"
    if file.exists():
        return HorizonEstimate(**json.loads(file.read_text(encoding="utf-8")))
    estimate = estimate_horizon(recording)
    with atomic_or_refused(file) as part:
        part.write_text(json.dumps(asdict(estimate)), encoding="utf-8")
    return estimate


def with_horizon(recording: Recording, estimate: HorizonEstimate) -> Recording:
    """Return the recording with the estimate as the horizon of its camera."""
    camera = replace(recording.config.camera, horizon=estimate.share)
    return replace(recording, config=replace(recording.config, camera=camera))


def horizon_of_pairs(pairs: Iterable[tuple[Array, Array]]) -> HorizonEstimate:
    """Estimate the horizon from pairs of grey uint8 frames, about a tenth of a second apart."""
    rng = np.random.default_rng(0)
    shares = [
        centre[1] / first.shape[0]
        for first, second in pairs
        if (centre := _centre_of_motion(first, second, rng)) is not None
    ]
    if len(shares) < FEWEST_PAIRS:
        return HorizonEstimate(DEFAULT_HORIZON, False, len(shares), 1.0)
    low, share, high = np.percentile(shares, [25, 50, 75])
    spread = round(float(high - low), 4)
    if spread > WIDEST_SPREAD:
        return HorizonEstimate(DEFAULT_HORIZON, False, len(shares), spread)
    return HorizonEstimate(round(float(share), 4), True, len(shares), spread)


def _straight_moments(recording: Recording) -> Iterator[float]:
    """Yield the straightest moment of each part of the recording."""
    try:
        times_s = recording.row_times_s()
    except InputError:  # neither the rows nor the video have times
        return
    known = np.flatnonzero(np.isfinite(times_s))
    bend = np.abs(np.nan_to_num(recording.angle_deg, nan=np.inf))
    if recording.speed is not None:
        bend = np.where(recording.speed_mps < SLOW_MPS, np.inf, bend)
    for part in np.array_split(known, MOMENTS):
        if len(part):
            # the middle of the straightest ones, not always the first
            best = part[bend[part] <= bend[part].min()]
            yield float(times_s[best[len(best) // 2]])


def _frames(recording: Recording, start_s: float) -> Iterator[Array]:
    last_s, count = -np.inf, 0
    with closing(_images(recording, start_s)) as images:
        for time_s, image in images:
            if time_s - last_s < STEP_S:
                continue
            last_s, count = time_s, count + 1
            yield _grey(image)
            if count == FRAMES_A_MOMENT:
                return


def _images(recording: Recording, start_s: float) -> Generator[tuple[float, Image]]:
    if not recording.images:
        with read_frames(recording.path, start_s=max(0.0, start_s)) as frames:
            for frame in frames:
                yield frame.time_s, frame.image
        return
    times_s = recording.row_times_s()
    for row in range(int(np.searchsorted(times_s, start_s)), len(times_s)):
        image = read_image(recording.images[row]) if recording.images[row].exists() else None
        if image is not None:
            yield float(times_s[row]), image


def _grey(image: Array) -> Array:
    """Turn (H, W, 3) uint8 RGB into grey, at most `WORKING_WIDTH` wide."""
    height, width = image.shape[:2]
    if width > WORKING_WIDTH:
        size = (WORKING_WIDTH, round(height * WORKING_WIDTH / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _centre_of_motion(first: Array, second: Array, rng: np.random.Generator) -> FloatArray | None:
    """Return the pixel (x, y) that most corners move away from; None if there is none."""
    points, motions = _followed(first, second)
    lengths = np.linalg.norm(motions, axis=1)
    moving = (lengths > MOTION_PX[0]) & (lengths < MOTION_PX[1])
    points, motions, lengths = points[moving], motions[moving], lengths[moving]
    if len(points) < FEWEST_CORNERS:
        return None
    guesses = _meeting_points(points, motions, lengths, first.shape, rng)
    if not len(guesses):
        return None
    tolerance = np.clip(POSITION_PX / lengths, *ANGLE_TOLERANCE)
    agree = _away_from(guesses, points, motions) < tolerance
    best: FloatArray = guesses[agree.sum(axis=1).argmax()]
    for _ in range(REFINEMENTS):
        agreeing = _away_from(best[None], points, motions)[0] < tolerance
        if agreeing.mean() < AGREEMENT:
            return None
        best = _nearest_to_lines(
            points[agreeing], motions[agreeing], (lengths * tolerance)[agreeing], best
        )
    return best


def _followed(first: Array, second: Array) -> tuple[FloatArray, FloatArray]:
    """Return corners of the first frame and their motion to the second: two (N, 2) float32."""
    corners = cv2.goodFeaturesToTrack(first, CORNERS, CORNER_QUALITY, CORNER_DISTANCE)
    if corners is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    there, found = _flow(first, second, corners)
    back, found_again = _flow(second, first, there)
    off_px = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    good = found & found_again & (off_px < ROUND_TRIP_PX)
    return corners.reshape(-1, 2)[good], (there - corners).reshape(-1, 2)[good]


def _flow(first: Array, second: Array, corners: Array) -> tuple[Array, BoolArray]:
    """Return where the corners go, and whether they were found: (N, 1, 2) float32, (N,) bool."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, corners, np.empty_like(corners), winSize=WINDOW, maxLevel=LEVELS
    )
    return there, found.ravel() > 0


def _meeting_points(
    points: FloatArray,
    motions: FloatArray,
    lengths: FloatArray,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> FloatArray:
    """Return (K, 2) crossings of the lines of random pairs of corners, inside the image."""
    one, other = rng.integers(0, len(points), (2, GUESSES))
    crossing = _cross(motions[one], motions[other])
    usable = np.abs(crossing) > FLATTEST_CROSSING * lengths[one] * lengths[other]
    one, other, crossing = one[usable], other[usable], crossing[usable]
    along = _cross(points[other] - points[one], motions[other]) / crossing
    meeting = points[one] + along[:, None] * motions[one]
    x, y = meeting[:, 0] / shape[1], meeting[:, 1] / shape[0]
    inside = (x > PLAUSIBLE_X[0]) & (x < PLAUSIBLE_X[1])
    result: FloatArray = meeting[inside & (y > PLAUSIBLE_Y[0]) & (y < PLAUSIBLE_Y[1])]
    return result


def _away_from(centres: FloatArray, points: FloatArray, motions: FloatArray) -> FloatArray:
    """Return (K, N) radians between each motion and the direction away from each centre."""
    outward = points[None] - centres[:, None]
    straight = (outward * motions[None]).sum(axis=-1)
    result: FloatArray = np.arctan2(np.abs(_cross(outward, motions[None])), straight)
    return result


def _nearest_to_lines(
    points: FloatArray, motions: FloatArray, doubt: FloatArray, near: FloatArray
) -> FloatArray:
    """Return the point with the smallest angles to all lines of motion (least squares)."""
    away_px = np.maximum(np.linalg.norm(points - near, axis=1), NEAREST_PX)
    weights = 1 / (doubt * away_px)
    sides = np.stack([motions[:, 1], -motions[:, 0]], axis=1) * weights[:, None]
    offsets = (motions[:, 1] * points[:, 0] - motions[:, 0] * points[:, 1]) * weights
    result: FloatArray = np.linalg.lstsq(sides, offsets, rcond=None)[0]
    return result


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    result: FloatArray = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return result
