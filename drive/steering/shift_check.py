"""Whether the salient pixels steer: they are shifted, then all the others, then everything.

The test of arXiv 1704.07911, section 4, where an explanation is true if shifting what it marks
changes the angle nearly as much as shifting the whole picture, and shifting the rest hardly does.
Here with the areas beside it, and with marks of the same shape at random places as a control.
Knows masks, pictures and angles; not how the mask came about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.wording import counted

THRESHOLD = 0.1
"""From which value of the mask a pixel is salient: about a tenth of them are."""

DILATION_PX = 2
"""Pixels of the network's input by which the salient parts are widened, since an edge is seen from
both sides. The paper takes 30 pixels of a larger picture."""

SHIFTS_PX = (2, 5, 10, 15, 20)
"""Pixels of the network's input, 200 wide; each to the left and to the right."""

NAMED_SHIFT_PX = 10
"""The shift whose numbers are printed: 5 % of the width."""

CONTROLS = 2
"""Random places that are tried for each picture's mask."""

WHAT = ("salient", "rest", "all", "random", "all_but_random")
Predict = Callable[[np.ndarray], np.ndarray]


class EvenSample:
    """Keeps some of a stream of unknown length, evenly spread, in constant memory.

    Attributes:
        seen: how many there were so far.
    """

    def __init__(self, most: int) -> None:
        """Keep at most `most`.

        Raises:
            InputError: `most` is below 1.
        """
        if most < 1:
            raise InputError(f"A sample holds at least one picture. Received: {most}")
        self._most = most
        self._kept: list[np.ndarray] = []
        self.seen = 0
        self._step = 1

    def add(self, picture: np.ndarray) -> None:
        """See the next one."""
        if self.seen % self._step == 0:
            self._kept.append(picture)
        self.seen += 1
        if len(self._kept) == 2 * self._most:
            self._kept = self._kept[::2]
            self._step *= 2

    def pictures(self) -> np.ndarray:
        """(N, ...) the kept ones, in their order; N at most `most`."""
        count = min(len(self._kept), self._most)
        places = np.linspace(0, len(self._kept) - 1, count).round().astype(int)
        return np.stack([self._kept[place] for place in places])


def shift_check(
    predict: Predict,
    pictures: np.ndarray,
    masks: np.ndarray,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Shift parts of pictures sideways and see how far the angle follows.

    What is salient lies on top wherever it meets the rest; gaps are filled from the left and the
    right of the same row.

    Args:
        predict: (N, H, W, 3) uint8 to (N,) degrees.
        pictures: (N, H, W, 3) uint8, as the network takes them.
        masks: (N, H, W) float, 0 to 1, the pixels' importance.
        seed: of the random places.
        progress: shows how far it has come.

    Returns:
        `frames`; `width_px` of the pictures; `threshold` and `dilation_px`; `area_share`, of the
        pixels, for each of `WHAT`; `shifts_px`; `change_deg`, for each of `WHAT` and each shift
        the mean absolute change of the angle in degrees, over the pictures and both directions;
        `named_shift_px` and `at_named_shift_deg`, the same at that one shift; `salient_over_rest`
        and `salient_over_random`, ratios there (None where nothing moved the angle);
        `salient_moves_more_share`, the share of pictures there in which the salient part moved
        the angle further than the rest.

    Raises:
        InputError: there is no picture, or not a mask for each.
    """
    if not len(pictures) or masks.shape != pictures.shape[:3]:
        raise InputError(
            "A mask belongs to each picture, and there is at least one. "
            f"Received: pictures {pictures.shape}, masks {masks.shape}"
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
    before = predict(pictures)
    change: dict[str, list[np.ndarray]] = {name: [] for name in WHAT}
    for shift_px in progress(SHIFTS_PX, len(SHIFTS_PX), "shifting pixels"):
        for name, (places, on_top) in parts.items():
            moved = [
                np.abs(predict(shifted(pictures, place, pixels, on_top)) - before)
                for place in places
                for pixels in (-shift_px, shift_px)
            ]
            change[name].append(np.mean(moved, axis=0))
    return _report(salient, change)


def salient_pixels(masks: np.ndarray) -> np.ndarray:
    """(N, H, W) bool: what the masks mark, widened by `DILATION_PX`."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * DILATION_PX + 1,) * 2)
    marked = (masks > THRESHOLD).astype(np.uint8)
    return np.stack([cv2.dilate(mask, disc) for mask in marked]).astype(bool)


def shifted(pictures: np.ndarray, moves: np.ndarray, shift_px: int, on_top: bool) -> np.ndarray:
    """Shift the marked pixels of pictures sideways, and leave the others where they are.

    Args:
        pictures: (N, H, W, 3) uint8.
        moves: (N, H, W) bool, the pixels that move.
        shift_px: pixels to the right; negative to the left.
        on_top: whether what moves covers what stays, or the other way round.

    Returns:
        (N, H, W, 3) uint8. Pixels that neither covers are blended from their neighbours in the
        row; at the picture's edge the nearest one is repeated.
    """
    width = pictures.shape[2]
    source = np.arange(width) - shift_px
    inside = (source >= 0) & (source < width)
    source = source.clip(0, width - 1)
    arrives = moves[:, :, source] & inside
    takes = arrives if on_top else arrives & moves
    mixed = np.where(takes[..., None], pictures[:, :, source], pictures)
    return _fill_rows(mixed, takes | ~moves)


def _fill_rows(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Blend unknown pixels, in place, from the nearest known ones to the left and the right."""
    width = pictures.shape[2]
    columns = np.arange(width, dtype=np.int16)
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=2)
    right = np.where(known, columns, width)[:, :, ::-1]
    right = np.minimum.accumulate(right, axis=2)[:, :, ::-1]
    number, row, column = np.nonzero(~known)
    low, high = left[number, row, column], right[number, row, column]
    low, high = np.where(low < 0, high, low), np.where(high >= width, low, high)
    low, high = low.clip(0, width - 1), high.clip(0, width - 1)
    share = ((column - low) / np.maximum(high - low, 1)).clip(0, 1)[:, None]
    before, behind = pictures[number, row, low], pictures[number, row, high]
    pictures[number, row, column] = np.rint((1 - share) * before + share * behind)
    return pictures


def _elsewhere(marked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each mask moved to a random place, round the edges: same area, same shape."""
    rows, columns = marked.shape[1:]
    return np.stack(
        [np.roll(mask, (rng.integers(rows), rng.integers(columns)), (0, 1)) for mask in marked]
    )


def _report(salient: np.ndarray, change: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    share = float(salient.mean())
    shares = dict(zip(WHAT, (share, 1 - share, 1.0, share, 1 - share), strict=True))
    named = SHIFTS_PX.index(NAMED_SHIFT_PX)
    mean = {name: [float(each.mean()) for each in values] for name, values in change.items()}
    at_named = {name: values[named] for name, values in mean.items()}
    return {
        "frames": len(salient),
        "width_px": salient.shape[2],
        "threshold": THRESHOLD,
        "dilation_px": DILATION_PX,
        "area_share": shares,
        "shifts_px": list(SHIFTS_PX),
        "change_deg": mean,
        "named_shift_px": NAMED_SHIFT_PX,
        "at_named_shift_deg": at_named,
        "salient_over_rest": _ratio(at_named["salient"], at_named["rest"]),
        "salient_over_random": _ratio(at_named["salient"], at_named["random"]),
        "salient_moves_more_share": float(
            np.mean(change["salient"][named] > change["rest"][named])
        ),
    }


def _ratio(a: float, b: float) -> float | None:
    return a / b if b > 0 else None


def in_one_line(report: dict[str, Any]) -> str:
    """What the check found, as a chart's title."""
    ratio = report["salient_over_rest"]
    if ratio is None:
        return "Nothing that was shifted moves the angle"
    times = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"Shifting what is marked moves the angle {times} times as far as shifting the rest"


def frames_in_words(report: dict[str, Any]) -> str:
    """What the numbers of the check are means of; `frames_seen` says of how many frames."""
    seen = report.get("frames_seen", report["frames"])
    of_all = f"{report['frames']} of " if "frames_seen" in report else ""
    return f"mean of {of_all}{counted(seen, 'frame')}, evenly spread, and both directions"


def in_words(report: dict[str, Any]) -> Sequence[str]:
    """The report for people, line by line."""
    deg, share = report["at_named_shift_deg"], report["area_share"]
    names = {
        "salient": "the salient pixels",
        "rest": "the rest",
        "all": "the whole picture",
        "random": "as many pixels elsewhere (control)",
        "all_but_random": "all but those (control)",
    }
    width = max(map(len, names.values()))
    head = (
        f"shifted by {report['named_shift_px']} of {report['width_px']} pixels, "
        f"{frames_in_words(report)}:"
    )
    lines = [
        f"  {words:<{width}}  {share[name]:>5.0%} of the picture  "
        f"{deg[name]:6.3f} degrees of change"
        for name, words in names.items()
    ]
    return [head, *lines]
