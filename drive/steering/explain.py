"""Where a steering network looks: VisualBackProp. `shift_check` tests whether it is true.

VisualBackProp (Bojarski et al., arXiv 1611.05418) follows what every convolution answered back to
the picture; applied to this very network in arXiv 1704.07911. Knows masks; not how they are
drawn, and no videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from drive.core.shipped import STEERING
from drive.runtime.base import Engine, check_model_file
from drive.runtime.feature_maps import Window, Windows, load_with_maps
from drive.steering.predict import build_from_metadata
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH, ROAD, RoadCrop, preprocess


class Explainer:
    """Says which pixels a steering network's answer hangs on.

    Args:
        engine: gives the mean feature maps behind the answer; see `load_with_maps`.
        members: the convolutions of each network in the file, from the picture upwards; an
            ensemble looks where its members look on average.
        crop: the part of a frame that the network looks at.
    """

    def __init__(self, engine: Engine, members: Sequence[Windows], crop: RoadCrop = ROAD) -> None:
        self.engine = engine
        self.members = tuple(members)
        self.crop = crop

    def mask(self, image: np.ndarray) -> np.ndarray:
        """How much each pixel of the road crop counts.

        Args:
            image: (H, W, 3) uint8 RGB, any size.

        Returns:
            (66, 200) float32, 0 to 1, over the crop of the frame.
        """
        result: np.ndarray = self.masks(self.prepare(image)[None])[0]
        return result

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """The (66, 200, 3) uint8 YUV picture that `masks` takes of a frame."""
        return preprocess(image, self.crop)

    def masks(self, prepared: np.ndarray) -> np.ndarray:
        """(N, 66, 200) float32, 0 to 1, for (N, 66, 200, 3) uint8 YUV from `preprocess`."""
        outputs = self.engine.predict(prepared.astype(self.engine.input_dtype, copy=False))
        maps = iter(outputs[-sum(map(len, self.members)) :])
        size = (INPUT_HEIGHT, INPUT_WIDTH)
        masks = [
            visual_back_prop(list(islice(maps, len(windows))), windows, size)
            for windows in self.members
        ]
        return _per_picture(np.mean(masks, axis=0))


def load_explainer(model: str | Path | None = None, engine: str = "auto") -> Explainer:
    """Load a steering model to ask it where it looks; TensorFlow is not needed for `.onnx`.

    Args:
        model: `.onnx` or `.keras` file; None for the one that ships.
        engine: "openvino", "onnx", "keras" or "auto".

    Raises:
        MissingFileError: there is no such file.
        InputError: the network's convolutions do not stand one behind the other.
        WeightsError: the file is damaged.
    """
    path = Path(model or STEERING)
    check_model_file(path)
    runtime, members = load_with_maps(path, engine, build_from_metadata)
    metadata = runtime.metadata
    if path.suffix.lower() == ".keras":
        from drive.runtime.keras_file import read_notes

        metadata = read_notes(path)
    return Explainer(runtime, members, RoadCrop.parse(metadata.get("crop", str(ROAD))))


def visual_back_prop(
    maps: Sequence[np.ndarray], windows: Sequence[Window], size: tuple[int, int]
) -> np.ndarray:
    """Follow mean feature maps back to the picture (arXiv 1611.05418, section 3).

    The deepest map is scaled up to the size of the one before it, multiplied with it point by
    point, and so on down to the picture; the authors' own code does the same.

    Args:
        maps: (N, rows, columns) mean of each convolution's maps, from the picture upwards.
        windows: the convolutions, in the same order.
        size: (rows, columns) of the picture.

    Returns:
        (N, rows, columns) float32; each picture's lowest value is 0 and its highest 1, or all is 0
        where the network answers nothing anywhere.
    """
    sizes = [size, *(values.shape[1:] for values in maps[:-1])]
    mask = np.ones_like(maps[-1], np.float32)
    for values, window, below in zip(maps[::-1], windows[::-1], sizes[::-1], strict=True):
        mask = scale_up(_per_picture(mask * values), window, below)
    low = mask.min(axis=(1, 2), keepdims=True)
    return _per_picture(mask - low)


def scale_up(values: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """Transposed convolution with weights of one: each value is added to all that it was seen from.

    Args:
        values: (N, rows, columns) float.
        window: of the convolution that is gone back through.
        size: (rows, columns) of what it had seen; 0 where no window reached.

    Returns:
        (N, *size) float32.
    """
    tall = _spread(values, 1, window.kernel[0], window.stride[0], size[0])
    return _spread(tall, 2, window.kernel[1], window.stride[1], size[1])


def _spread(values: np.ndarray, axis: int, kernel: int, stride: int, size: int) -> np.ndarray:
    """`scale_up` along one axis; padding was half before the picture, as in ONNX and Keras."""
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


def _per_picture(values: np.ndarray) -> np.ndarray:
    """Each picture divided by its highest value, so that five products keep their digits."""
    highest = values.max(axis=(1, 2), keepdims=True)
    result: np.ndarray = np.divide(
        values, highest, out=np.zeros_like(values, np.float32), where=highest > 0
    )
    return result
