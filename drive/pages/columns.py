"""Columns of numbers as a page takes them: little-endian arrays in base64, as narrow as possible.

The script `assets/numbers.js`, `readColumn`, is the other end.
"""

from __future__ import annotations

import base64

import numpy as np

from drive.pages.data import Column

INTEGERS = (("u8", np.uint8), ("i8", np.int8), ("u16", np.uint16), ("i16", np.int16),
            ("u32", np.uint32), ("i32", np.int32))  # fmt: skip
"""From the narrowest on."""

CLOCK = 1 / 90_000  # seconds: the ticks of the annotated video


def column(values: np.ndarray, step: float | None = None) -> Column:
    """Return the column of (N,) numbers (NaN: missing), in multiples of `step`; None: float32."""
    array = np.asarray(values, dtype=np.float64)
    if step is None or not np.isfinite(array).all():
        return _packed("f32", array.astype("<f4"), 1)
    whole = np.rint(array / step)
    if linear := _linear(whole, step):
        return linear
    low, high = (whole.min(), whole.max()) if len(whole) else (0, 0)
    for name, kind in INTEGERS:
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return _packed(name, whole.astype(np.dtype(kind).newbyteorder("<")), step)
    return _packed("f64", array.astype("<f8"), 1)


def _linear(whole: np.ndarray, step: float) -> Column | None:
    """The column as two numbers, if the values are evenly spaced."""
    if len(whole) < 2 or (np.diff(whole) != whole[1] - whole[0]).any():
        return None
    start, rise = float(whole[0] * step), float((whole[1] - whole[0]) * step)
    return {"type": "linear", "n": len(whole), "start": start, "step": rise}


def _packed(name: str, array: np.ndarray, scale: float) -> Column:
    data = base64.b64encode(array.tobytes()).decode("ascii")
    return {"type": name, "n": len(array), "scale": scale, "data": data}
