"""Check whether the salient pixels steer (arXiv 1704.07911, section 4).

Shifting them must change the angle almost as much as shifting the whole image, and shifting the
rest hardly. Masks of the same shape at random places are the control.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.wording import counted

THRESHOLD = 0.1
"""Mask value from which a pixel is salient: about a tenth of them are."""

DILATION_PX = 2
"""Pixels of the network's input by which salient parts are widened; the paper uses 30 pixels of a
larger image."""

SHIFTS_PX = (2, 5, 10, 15, 20)
"""Pixels of the network's input, 200 wide; each to the left and to the right."""

NAMED_SHIFT_PX = 10
"""The shift that is reported: 5 % of the width."""

CONTROLS = 2
"""Random places per mask."""

WHAT = ("salient", "rest", "all", "random", "all_but_random")
Predict = Callable[[np.ndarray], np.ndarray]


class EvenSample:
    """Keeps at most `most` of the `seen` images of a stream, evenly spread, in constant memory."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise InputError(f"a sample must have at least one image; got {most}")
        self._most = most
        self._kept: list[np.ndarray] = []
        self.seen = 0
        self._step = 1

    def add(self, image: np.ndarray) -> None:
        """Receive the next image."""
        if self.seen % self._step == 0:
            self._kept.append(image)
        self.seen += 1
        if len(self._kept) == 2 * self._most:
            self._kept = self._kept[::2]
            self._step *= 2

    def images(self) -> np.ndarray:
        """Return the (N, ...) kept images in their order; N is at most `most`."""
        count = min(len(self._kept), self._most)
        places = np.linspace(0, len(self._kept) - 1, count).round().astype(int)
        return np.stack([self._kept[place] for place in places])


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """How far the angle follows shifted pixels; the entries of `explain.json`.

    Dictionaries are by `WHAT`: shares of the pixels, and mean absolute changes per shift, to both
    sides. Ratios are those at the named shift, None if nothing changed the angle.
    """

    frames: int
    width_px: int
    area_share: dict[str, float]
    change_deg: dict[str, list[float]]
    at_named_shift_deg: dict[str, float]
    salient_over_rest: float | None
    salient_over_random: float | None
    salient_moves_more_share: float
    threshold: float = THRESHOLD
    dilation_px: int = DILATION_PX
    shifts_px: tuple[int, ...] = SHIFTS_PX
    named_shift_px: int = NAMED_SHIFT_PX
    frames_seen: int | None = None

    def as_json(self) -> dict[str, object]:
        """Return the entries that are known."""
        entries = asdict(self)
        return {k: v for k, v in entries.items() if k != "frames_seen" or v is not None}


def shift_check(
    predict: Predict,
    images: np.ndarray,
    masks: np.ndarray,
    seed: int = 0,
    progress: Progress = no_progress,
) -> ShiftReport:
    """Shift parts of images, as the network sees them, and measure the change of the angle.

    Salient parts cover the rest; gaps are filled from the left and right of the same row.
    """
    if not len(images) or masks.shape != images.shape[:3]:
        raise InputError(
            "expected at least one image, and one mask per image; "
            f"got images {images.shape}, masks {masks.shape}"
        )
    salient = salient_pixels(masks)
    rng = np.random.default_rng(seed)
    random = [_elsewhere(salient, rng) for _ in range(CONTROLS)]
    parts: dict[str, tuple[list[np.ndarray], bool]] = {
        "salient": ([salient], True),
        "rest": ([~salient], False),
        "all": ([np.ones_like(salient)], True),
        "random": (random, True),
        "all_but_random": ([~place for place in random], False),
    }
    before = predict(images)
    change: dict[str, list[np.ndarray]] = {name: [] for name in WHAT}
    for shift_px in progress(SHIFTS_PX, len(SHIFTS_PX), "shifting pixels"):
        for name, (places, on_top) in parts.items():
            moved = [
                np.abs(predict(shifted(images, place, pixels, on_top)) - before)
                for place in places
                for pixels in (-shift_px, shift_px)
            ]
            change[name].append(np.mean(moved, axis=0))
    return _report(salient, change)


def salient_pixels(masks: np.ndarray) -> np.ndarray:
    """Return (N, H, W) bool: the salient pixels, widened by `DILATION_PX`."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * DILATION_PX + 1,) * 2)
    marked = (masks > THRESHOLD).astype(np.uint8)
    return np.stack([cv2.dilate(mask, disc) for mask in marked]).astype(bool)


def shifted(images: np.ndarray, moves: np.ndarray, shift_px: int, on_top: bool) -> np.ndarray:
    """Shift some pixels of images to the right (negative: left), and leave the others.

    `on_top`: whether the moved pixels cover the others. Pixels that neither covers are blended from
    their neighbours in the row; at the image's edge the nearest one is repeated.
    """
    width = images.shape[2]
    source = np.arange(width) - shift_px
    inside = (source >= 0) & (source < width)
    source = source.clip(0, width - 1)
    arrives = moves[:, :, source] & inside
    takes = arrives if on_top else arrives & moves
    mixed = np.where(takes[..., None], images[:, :, source], images)
    return _fill_rows(mixed, takes | ~moves)


def _fill_rows(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Blend unknown pixels, in place, from the nearest known ones to the left and the right."""
    width = images.shape[2]
    columns = np.arange(width, dtype=np.int16)
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=2)
    right = np.where(known, columns, width)[:, :, ::-1]
    right = np.minimum.accumulate(right, axis=2)[:, :, ::-1]
    number, row, column = np.nonzero(~known)
    low, high = left[number, row, column], right[number, row, column]
    low, high = np.where(low < 0, high, low), np.where(high >= width, low, high)
    low, high = low.clip(0, width - 1), high.clip(0, width - 1)
    share = ((column - low) / np.maximum(high - low, 1)).clip(0, 1)[:, None]
    before, behind = images[number, row, low], images[number, row, high]
    images[number, row, column] = np.rint((1 - share) * before + share * behind)
    return images


def _elsewhere(marked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each mask at a random place, wrapped around the edges."""
    rows, columns = marked.shape[1:]
    return np.stack(
        [np.roll(mask, (rng.integers(rows), rng.integers(columns)), (0, 1)) for mask in marked]
    )


def _report(salient: np.ndarray, change: dict[str, list[np.ndarray]]) -> ShiftReport:
    share = float(salient.mean())
    named = SHIFTS_PX.index(NAMED_SHIFT_PX)
    mean = {name: [float(each.mean()) for each in values] for name, values in change.items()}
    at_named = {name: values[named] for name, values in mean.items()}
    further = change["salient"][named] > change["rest"][named]
    return ShiftReport(
        frames=len(salient),
        width_px=salient.shape[2],
        area_share=dict(zip(WHAT, (share, 1 - share, 1.0, share, 1 - share), strict=True)),
        change_deg=mean,
        at_named_shift_deg=at_named,
        salient_over_rest=_ratio(at_named["salient"], at_named["rest"]),
        salient_over_random=_ratio(at_named["salient"], at_named["random"]),
        salient_moves_more_share=float(np.mean(further)),
    )


def _ratio(a: float, b: float) -> float | None:
    return a / b if b > 0 else None


def in_one_line(report: ShiftReport) -> str:
    """Return the result as the title of a chart."""
    ratio = report.salient_over_rest
    if ratio is None:
        return "No shift changes the angle"
    times = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"Shifting salient pixels changes the angle {times} times as much as shifting the rest"


def frames_in_words(report: ShiftReport) -> str:
    """Return what the numbers of the report are means of."""
    of_all = "" if report.frames_seen is None else f"{report.frames} of "
    seen = report.frames if report.frames_seen is None else report.frames_seen
    return f"mean of {of_all}{counted(seen, 'frame')}, evenly spread, and both directions"


def in_words(report: ShiftReport) -> list[str]:
    """Return the lines of the report as text."""
    names = {
        "salient": "the salient pixels",
        "rest": "the rest",
        "all": "the whole image",
        "random": "as many pixels elsewhere (control)",
        "all_but_random": "all but those (control)",
    }
    width = max(map(len, names.values()))
    head = (
        f"shifted by {report.named_shift_px} of {report.width_px} pixels, "
        f"{frames_in_words(report)}:"
    )
    lines = [
        f"  {words:<{width}}  {report.area_share[name]:>5.0%} of the image  "
        f"{report.at_named_shift_deg[name]:6.3f} degrees of change"
        for name, words in names.items()
    ]
    return [head, *lines]
