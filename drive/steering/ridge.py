"""Steering without training by steps: a ridge regression on features of the detector.

Its cross-validation says, before any training, how much of the angles the images explain, and
whether mirror images help. docs/decisions/steering.md has what that is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drive.core.progress import Progress, no_progress
from drive.steering.detector_features import BATCH, FEATURES, DetectorFeatures, as_rgb
from drive.steering.split import Part

STRENGTHS = (3e-4, 1e-3, 3e-3)
"""Weights of the penalty to choose from, for features whose squares add up to about 1."""

BLOCKS = 5
GAP_S = 4.0
"""Seconds on each side of a block that do not teach while it is tested: neighbours are alike."""

MOST_FRAMES = 3000
FEWEST_FRAMES = 50
"""With fewer frames nothing is fitted: a block would have less than ten."""

MIRROR_TOLERANCE = 1.02
"""Mirror images are chosen unless they make the error so many times larger: less says nothing, and
a network gains more by them than a regression (docs/decisions/steering.md)."""

ALIKE = 1e-4
"""Changes of the features, as a share of the largest, that are rounding errors."""

SOFTENED = 0.05
"""Share of the features' mean deviation that is added to each, so that rare ones stay small."""


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """A fitted regression, and what cross-validation says of it.

    Attributes:
        mirror: whether mirror images were learnt from as well, since they do no harm.
        strength: weight of the penalty, one of `STRENGTHS`.
        explained: share of the angles' variance that is explained on held-out blocks; about 0, or
            below, if the images do not tell the angle.
        rmse_deg: root mean squared error on them, in the unit of the angles.
        frames: number of frames that were learnt from, without mirror images.
        weights: (3072,) float32, of the features in `DetectorFeatures`' order.
        offset_deg: the angle if all features are 0.
        fitted_rmse_deg: root mean squared error on the frames that were learnt from.
        even: whether the images learnt from, and to predict, have their exposure evened already.
    """

    mirror: bool
    strength: float
    explained: float
    rmse_deg: float
    frames: int
    weights: np.ndarray
    offset_deg: float
    fitted_rmse_deg: float
    even: bool

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return (N,) float32 degrees, positive right, for (N, 66, 200, 3) uint8 YUV images."""
        features = DetectorFeatures()
        groups = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
        answers = [features(as_rgb(some, self.even)) @ self.weights for some in groups]
        found = np.concatenate(answers) if answers else np.zeros(0)
        return np.asarray(found + self.offset_deg, np.float32)


def fit_ridge(
    parts: Sequence[Part],
    progress: Progress = no_progress,
    most_frames: int = MOST_FRAMES,
    mirror: bool | None = None,
) -> RidgeFit | None:
    """Fit a ridge regression on features of the detector; choose its penalty and mirror images.

    Both are chosen by five contiguous blocks of the frames, none of which crosses recordings. Of
    more than `most_frames` frames, every second, third and so on is used. Frames whose lane is
    known (`car.lane_m`) are not mirrored. `mirror` says whether to use mirror images, instead of a
    choice; where none may be mirrored they are not used.

    Returns None if there is nothing to fit: fewer than 50 frames, or angles or images that are all
    the same.

    Example:
        >>> fit = fit_ridge(split.training)
        >>> fit.explained, fit.predict(images)  # images: (N, 66, 200, 3) uint8 YUV
    """
    parts = _thinned(parts, most_frames)
    frames = _Frames(parts, mirror is not False)
    if len(frames.angle_deg) < FEWEST_FRAMES or np.ptp(frames.angle_deg) == 0:
        return None
    plain, mirrored = _features(parts, frames.mirrors, progress)
    if np.ptp(plain, axis=0).max() <= ALIKE * np.abs(plain).max():
        return None
    folds = _folds(frames)
    tried = []
    if len(mirrored):
        origin = np.concatenate([np.arange(len(plain)), np.flatnonzero(frames.mirrors)])
        tried.append(_fit(np.concatenate([plain, mirrored]), frames, origin, folds))
    if not (mirror and tried):
        tried.append(_fit(plain, frames, np.arange(len(plain)), folds))
    return min(tried, key=_handicapped)


def _handicapped(fit: RidgeFit) -> float:
    return fit.rmse_deg / MIRROR_TOLERANCE if fit.mirror else fit.rmse_deg


class _Frames:
    """What is known of the frames of some parts, in one row.

    `recording` is the number of each frame's recording; `mirrors`, whether it may be mirrored.
    """

    def __init__(self, parts: Sequence[Part], mirror: bool = True) -> None:
        sizes = [len(part) for part in parts]
        names = [part.recording.name for part in parts]
        lanes = [part.recording.car.lane_m for part in parts]
        none = np.zeros(0)
        self.angle_deg = np.concatenate([none, *(part.angle_deg for part in parts)])
        self.time_s = np.concatenate([none, *(p.recording.time_s[p.rows] for p in parts)])
        self.recording = np.repeat([names.index(name) for name in names], sizes)
        self.mirrors = np.repeat([mirror and lane is None for lane in lanes], sizes)
        self.even = any(part.recording.crop.even for part in parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """`tested` are positions of frames; `near` marks them and the frames beside them in time."""

    tested: np.ndarray
    near: np.ndarray


def _thinned(parts: Sequence[Part], most: int) -> list[Part]:
    every = max(1, -(-sum(map(len, parts)) // most))
    return [Part(part.recording, part.rows[::every]) for part in parts if len(part)]


def _features(
    parts: Sequence[Part], mirrors: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, D) features of all frames, and (M, D) of the mirror images of those that may."""
    features = DetectorFeatures()
    plain, mirrored = (np.empty((n, FEATURES), np.float32) for n in (len(mirrors), mirrors.sum()))
    groups = [
        (part.recording, part.rows[i : i + BATCH])
        for part in parts
        for i in range(0, len(part), BATCH)
    ]
    done = turned = 0
    for recording, rows in progress(groups, len(groups), "looking at the road"):
        images = as_rgb(recording.images[rows], recording.crop.even)
        plain[done : done + len(rows)] = features(images)
        if mirrors[done]:
            mirrored[turned : turned + len(rows)] = features(images[:, :, ::-1])
            turned += len(rows)
        done += len(rows)
    return plain, mirrored


def _folds(frames: _Frames) -> list[_Fold]:
    """Divide the frames into about five folds of contiguous blocks; recordings stay apart."""
    total = len(frames.recording)
    blocks: list[np.ndarray] = []
    for number in np.unique(frames.recording):
        own = np.flatnonzero(frames.recording == number)
        blocks += np.array_split(own, max(1, round(BLOCKS * len(own) / total)))
    groups: list[list[np.ndarray]] = [[] for _ in range(min(BLOCKS, len(blocks)))]
    for block in sorted(blocks, key=len, reverse=True):
        min(groups, key=lambda group: sum(map(len, group))).append(block)
    return [_fold(group, frames) for group in groups]


def _fold(blocks: Sequence[np.ndarray], frames: _Frames) -> _Fold:
    near = np.zeros(len(frames.time_s), bool)
    for block in blocks:
        same = frames.recording == frames.recording[block[0]]
        own, tested = frames.time_s[same], frames.time_s[block]
        gap_s = min(GAP_S, np.ptp(own) / BLOCKS)
        beside = (frames.time_s > tested.min() - gap_s) & (frames.time_s < tested.max() + gap_s)
        near |= same & beside
        near[block] = True
    return _Fold(np.concatenate(blocks), near)


def _fit(
    stack: np.ndarray, frames: _Frames, origin: np.ndarray, folds: Sequence[_Fold]
) -> RidgeFit:
    """Choose the penalty by the folds and solve on everything.

    `stack` are (R, D) features, first of each frame, then of mirror images; it is overwritten.
    `origin` is the frame that each row shows.
    """
    count = len(frames.angle_deg)
    y = frames.angle_deg[origin] * np.where(np.arange(len(stack)) < count, 1, -1)
    offset, mean, scale = y.mean(), stack.mean(axis=0), _scale(stack)
    stack -= mean
    stack /= scale
    target = (y - offset).astype(np.float32)
    equations = (_Weights if len(stack) > stack.shape[1] else _Kernel)(stack, target)
    answers = np.zeros((len(STRENGTHS), count), np.float32)
    for fold in folds:
        answers[:, fold.tested] = equations.held_out(fold.near[origin], fold.tested)
    errors = answers - target[:count]
    rmse = np.sqrt((errors**2).mean(axis=1))
    best = int(rmse.argmin())
    weights = equations.weights(STRENGTHS[best] * len(stack))
    fitted = stack[:count] @ weights - target[:count]
    weights /= scale
    return RidgeFit(
        mirror=len(stack) > count,
        strength=STRENGTHS[best],
        explained=float(1 - np.var(errors[best]) / np.var(target[:count])),
        rmse_deg=float(rmse[best]),
        frames=count,
        weights=weights,
        offset_deg=float(offset - mean @ weights),
        fitted_rmse_deg=float(np.sqrt(np.mean(fitted**2))),
        even=frames.even,
    )


def _scale(stack: np.ndarray) -> np.ndarray:
    """Return what each feature is divided by, so that the squares of all add up to about 1."""
    spread = stack.std(axis=0)
    return np.asarray(np.sqrt(stack.shape[1]) * (spread + SOFTENED * spread.mean()))


class _Weights:
    """The equations of a ridge regression, one per feature: for more rows than features."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._x, self._y = x, y
        self._squares, self._products = x.T @ x, x.T @ y

    def weights(self, penalty: float) -> np.ndarray:
        """Return (D,) weights."""
        return _solved(self._squares, self._products, penalty)

    def held_out(self, near: np.ndarray, tested: np.ndarray) -> np.ndarray:
        """Return each strength's answers for `tested` rows, with no `near` row learnt from."""
        some, asked, taught = self._x[near], self._x[tested], int((~near).sum())
        squares = self._squares - some.T @ some
        products = self._products - some.T @ self._y[near]
        return np.stack([asked @ _solved(squares, products, s * taught) for s in STRENGTHS])


class _Kernel:
    """The same with one equation per row: for fewer rows than features."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._x, self._y, self._alike = x, y, x @ x.T

    def weights(self, penalty: float) -> np.ndarray:
        """Return (D,) weights."""
        return np.asarray(self._x.T @ _solved(self._alike, self._y, penalty))

    def held_out(self, near: np.ndarray, tested: np.ndarray) -> np.ndarray:
        """Return each strength's answers for `tested` rows, with no `near` row learnt from."""
        rest = np.flatnonzero(~near)
        alike, asked, y = self._alike[np.ix_(rest, rest)], self._alike[tested][:, rest], self._y
        return np.stack([asked @ _solved(alike, y[rest], s * len(rest)) for s in STRENGTHS])


def _solved(squares: np.ndarray, products: np.ndarray, penalty: float) -> np.ndarray:
    """Return the solution of symmetric equations with a penalty added to the diagonal."""
    penalised = squares.copy()
    penalised.flat[:: len(squares) + 1] += penalty
    return np.linalg.solve(penalised, products)
