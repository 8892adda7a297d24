"""Where a steering network looks: VisualBackProp (arXiv 1611.05418); `shift_check` verifies it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from drive.core.shipped import STEERING
from drive.runtime.base import Engine, check_model_file
from drive.runtime.feature_maps import Window, Windows, load_with_maps
from drive.steering.predict import build_from_metadata, metadata_of
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH, ROAD, RoadCrop, preprocess


class Explainer:
    """Computes which pixels determine a prediction; of an ensemble, the mean of its members."""

    def __init__(self, engine: Engine, members: Sequence[Windows], crop: RoadCrop = ROAD) -> None:
        self.engine, self.members, self.crop = engine, tuple(members), crop

    def mask(self, image: np.ndarray) -> np.ndarray:
        """Return the (66, 200) importance, 0 to 1, of each pixel of a frame's road crop."""
        return np.asarray(self.masks(self.prepare(image)[None])[0])

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Return the (66, 200, 3) uint8 YUV image of a frame for `masks`."""
        return preprocess(image, self.crop)

    def masks(self, prepared: np.ndarray) -> np.ndarray:
        """Return (N, 66, 200) float32, 0 to 1, for (N, 66, 200, 3) uint8 YUV from `preprocess`."""
        outputs = self.engine.predict(prepared.astype(self.engine.input_dtype, copy=False))
        maps = iter(outputs[-sum(map(len, self.members)) :])
        size = (INPUT_HEIGHT, INPUT_WIDTH)
        masks = [
            visual_back_prop(list(islice(maps, len(windows))), windows, size)
            for windows in self.members
        ]
        return _normalised(np.mean(masks, axis=0))


def load_explainer(model: str | Path | None = None, engine: str = "auto") -> Explainer:
    """Load a steering model, by default the shipped one; `.onnx` does not require TensorFlow."""
    path = Path(model or STEERING)
    check_model_file(path)
    runtime, members = load_with_maps(path, engine, build_from_metadata)
    metadata = metadata_of(path, runtime)
    return Explainer(runtime, members, RoadCrop.parse(metadata.get("crop", str(ROAD))))


def visual_back_prop(
    maps: Sequence[np.ndarray], windows: Sequence[Window], size: tuple[int, int]
) -> np.ndarray:
    """Follow mean feature maps back to the image (arXiv 1611.05418, section 3).

    The deepest map is scaled up to the size of the one before it and multiplied with it, and so on.
    `maps` begin at the image. Returns (N, *size) from 0 to 1, or all 0 if the maps are.
    """
    sizes = [size, *(values.shape[1:] for values in maps[:-1])]
    mask = np.ones_like(maps[-1], np.float32)
    for values, window, below in zip(maps[::-1], windows[::-1], sizes[::-1], strict=True):
        mask = scale_up(_normalised(mask * values), window, below)
    low = mask.min(axis=(1, 2), keepdims=True)
    return _normalised(mask - low)


def scale_up(values: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """Apply a transposed convolution with weights of one; 0 where no window reached."""
    tall = _spread(values, 1, window.kernel[0], window.stride[0], size[0])
    return _spread(tall, 2, window.kernel[1], window.stride[1], size[1])


def _spread(values: np.ndarray, axis: int, kernel: int, stride: int, size: int) -> np.ndarray:
    """Apply `scale_up` along one axis; half of the padding is before the image."""
    count = values.shape[axis]
    reach = (count - 1) * stride + kernel
    before = max(reach - size, 0) // 2
    shape = list(values.shape)
    shape[axis] = max(reach, before + size)
    total = np.zeros(shape, np.float32)
    along = np.moveaxis(total, axis, 0)
    source = np.moveaxis(values, axis, 0)
    for offset in range(kernel):
        along[offset : offset + (count - 1) * stride + 1 : stride] += source
    return np.moveaxis(along[before : before + size], 0, axis)


def _normalised(values: np.ndarray) -> np.ndarray:
    """Divide each image by its highest value, so that five products keep their digits."""
    highest = values.max(axis=(1, 2), keepdims=True)
    result: np.ndarray = np.divide(
        values, highest, out=np.zeros_like(values, np.float32), where=highest > 0
    )
    return result
