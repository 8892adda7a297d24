"""A lighter tiny-yolo-drive, and how it begins from a trained one.

    python benchmarks/slim.py OLD.onnx OUT.weights.h5 IMAGES...

The first two convolutions take steps of two instead of pooling; the wide ones are narrower; the
finest head sees a second convolution. It begins layer by layer: each layer of the new network is
fitted by least squares to what the old one has at the same place, given what the new layers before
it give (He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.detection.dataset import CLASSES
from drive.detection.tiny_yolo_drive import ANCHORS, BOX_VALUES, LEAKY_SLOPE
from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

WIDTHS = {
    "conv1": 24, "conv2": 32, "conv3": 64, "conv4": 128, "conv5": 256, "conv6": 320, "conv7": 320,
    "neck32": 160, "features32": 192, "neck16": 64, "side16": 96, "features16": 128,
    "neck8": 64, "side8": 64, "features8": 96, "features8b": 96,
}  # fmt: skip
RIDGE = 3e-3
SLOPE = LEAKY_SLOPE


def build_slim(classes: int = len(CLASSES), widths: dict[str, int] | None = None) -> keras.Model:
    """Build the light network with random weights; inputs and outputs as those of today's."""
    load_keras()
    import keras
    from keras import layers

    of = WIDTHS | (widths or {})

    def convolve(
        x: keras.KerasTensor, name: str, size: int = 3, step: int = 1
    ) -> keras.KerasTensor:
        x = layers.Conv2D(of[name], size, strides=step, padding="same", name=name)(x)
        return layers.LeakyReLU(SLOPE, name=f"{name}_leaky")(x)

    def halve(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.MaxPooling2D(2, name=name)(x)

    outputs = len(ANCHORS[32]) * (BOX_VALUES + classes)
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = convolve(x, "conv1", step=2)
    x = convolve(x, "conv2", step=2)
    x = halve(convolve(x, "conv3"), "pool3")
    stride8 = convolve(x, "conv4")
    stride16 = convolve(halve(stride8, "pool4"), "conv5")
    x = convolve(halve(stride16, "pool5"), "conv6")
    x = layers.MaxPooling2D(2, strides=1, padding="same", name="pool6")(x)
    x = convolve(x, "conv7")
    neck = convolve(x, "neck32", 1)
    head32 = layers.Conv2D(outputs, 1, name="head32")(convolve(neck, "features32"))
    x = layers.UpSampling2D(2, name="upsample16")(convolve(neck, "neck16", 1))
    x = layers.Concatenate(name="join16")([x, convolve(stride16, "side16", 1)])
    features16 = convolve(x, "features16")
    head16 = layers.Conv2D(outputs, 1, name="head16")(features16)
    x = layers.UpSampling2D(2, name="upsample8")(convolve(features16, "neck8", 1))
    x = layers.Concatenate(name="join8")([x, convolve(stride8, "side8", 1)])
    x = convolve(convolve(x, "features8"), "features8b")
    head8 = layers.Conv2D(outputs, 1, name="head8")(x)
    return keras.Model(image, [head32, head16, head8], name="tiny-yolo-drive")


def start_slim(old: keras.Model, images: np.ndarray, steps: int = 600) -> keras.Model:
    """Return a light network that does nearly what `old` does.

    Args:
        old: of `build_tiny_yolo_drive`, trained.
        images: (N, H, W, 3) uint8 RGB; some 150.
        steps: of gradient descent for the first two convolutions.
    """
    import keras

    rng = np.random.default_rng(0)
    new = build_slim(classes_of(old))
    fit_stem(old, new, images, steps, rng)
    print("stem fitted", flush=True)
    order = ["conv3", "conv4", "conv5", "conv6", "conv7", "neck32", "features32", "head32",
             "neck16", "side16", "features16", "head16", "neck8", "side8", "features8",
             "features8b", "head8"]  # fmt: skip
    for name in order:
        if name == "features8b":
            _identity(new.get_layer(name))
            continue
        if name == "side16":
            _pick(
                new.get_layer(name), importance(old, "conv5", ["features16"], images[:24], skip=128)
            )
            continue
        target = keras.Model(old.input, old.get_layer(name).output)
        source = keras.Model(new.input, new.get_layer(name).input)
        kept = np.arange(new.get_layer(name).filters)
        if new.get_layer(name).filters < old.get_layer(name).filters:
            kept = importance(old, name, CONSUMERS[name], images[:24])
            kept = np.sort(kept[: new.get_layer(name).filters])
        start = time.perf_counter()
        share = _fit(source, target, new.get_layer(name), kept, images, rng)
        print(f"{name}: {share:.3f} of the variance left over, {time.perf_counter() - start:.0f} s",
              flush=True)  # fmt: skip
    return new


CONSUMERS = {
    "conv6": ["conv7"], "conv7": ["neck32"], "neck32": ["features32", "neck16"],
    "features32": ["head32"], "neck16": ["features16"], "features16": ["head16", "neck8"],
}  # fmt: skip


def classes_of(network: keras.Model) -> int:
    """Return for how many classes a network is."""
    return int(network.get_layer("head32").filters // len(ANCHORS[32]) - BOX_VALUES)


def is_slim(network: keras.Model) -> bool:
    """Tell whether a network is of `build_slim`."""
    return any(layer.name == "side16" for layer in network.layers)


def importance(
    old: keras.Model, name: str, consumers: list[str], images: np.ndarray, skip: int = 0
) -> np.ndarray:
    """Return the filters of a layer, those first whose going would change its consumers most."""
    import keras

    seen = keras.Model(old.input, old.get_layer(f"{name}_leaky").output)
    values = np.concatenate(
        [np.asarray(seen(p[None])).reshape(-1, old.get_layer(name).filters) for p in images]
    )
    spread = values.var(axis=0)
    weight = np.zeros(len(spread))
    for consumer in consumers:
        kernel = old.get_layer(consumer).get_weights()[0]
        kernel = kernel[:, :, skip : skip + len(spread)]
        norm = (kernel**2).sum(axis=(0, 1, 3))
        weight += norm / norm.sum()
    order: np.ndarray = np.argsort(-spread * weight)
    return order


def fit_stem(
    old: keras.Model, new: keras.Model, images: np.ndarray, steps: int, rng: np.random.Generator
) -> None:
    """Let the first two convolutions give what the old ones and their pools give."""
    import keras

    target = keras.Model(old.input, old.get_layer("pool2").output)
    stem = keras.Model(new.input, new.get_layer("conv2_leaky").output)
    kernel, bias = old.get_layer("conv1").get_weights()
    mine, zeros = new.get_layer("conv1").get_weights()
    mine[..., : kernel.shape[-1]] = kernel
    zeros[: len(bias)] = bias
    new.get_layer("conv1").set_weights([mine, zeros])
    kernel, bias = old.get_layer("conv2").get_weights()
    mine = rng.normal(0, 0.03, (3, 3, WIDTHS["conv1"], 32)).astype(np.float32)
    mine[:, :, : kernel.shape[2]] = kernel
    new.get_layer("conv2").set_weights([mine, bias])
    probe = np.stack([_crop(images, rng) for _ in range(64)])
    scale = np.asarray(target(probe)).std(axis=(0, 1, 2)) + 1e-3
    stem.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps, alpha=0.02)),
        loss=lambda y, p: keras.ops.mean(keras.ops.square((y - p) / scale)),
        jit_compile=False,
    )
    for step in range(steps):
        batch = np.stack([_crop(images, rng) for _ in range(12)])
        loss = stem.train_on_batch(batch, np.asarray(target(batch)))
        if step % 100 == 0:
            print("stem", step, round(float(loss), 4), flush=True)


def _crop(images: np.ndarray, rng: np.random.Generator, side: int = 128) -> np.ndarray:
    image = images[int(rng.integers(len(images)))]
    y = int(rng.integers(image.shape[0] - side + 1)) // 4 * 4
    x = int(rng.integers(image.shape[1] - side + 1)) // 4 * 4
    part = image[y : y + side, x : x + side]
    gain = rng.uniform(0.25, 1.3)
    crop: np.ndarray = np.clip(part * gain, 0, 255).astype(np.uint8)
    return crop


def _identity(layer: keras.layers.Conv2D) -> None:
    kernel = np.zeros(layer.kernel.shape, np.float32)
    middle = kernel.shape[0] // 2
    kernel[middle, middle] = np.eye(kernel.shape[2])
    layer.set_weights([kernel, np.zeros(kernel.shape[3], np.float32)])


def _pick(layer: keras.layers.Conv2D, order: np.ndarray) -> None:
    """Let a 1x1 convolution hand on the most important of its inputs."""
    kernel = np.zeros(layer.kernel.shape, np.float32)
    for out, channel in enumerate(np.sort(order[: kernel.shape[3]])):
        kernel[0, 0, channel, out] = 1
    layer.set_weights([kernel, np.zeros(kernel.shape[3], np.float32)])


def _fit(
    source: keras.Model,
    target: keras.Model,
    layer: keras.layers.Conv2D,
    kept: np.ndarray,
    images: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """Fit a layer by least squares to chosen outputs of another; return the share left over."""
    size = layer.kernel_size[0]
    inputs = layer.kernel.shape[2]
    length = size * size * inputs + 1
    products = np.zeros((length, length))
    wanted = np.zeros((length, len(kept)))
    total, mean, count = 0.0, np.zeros(len(kept)), 0
    places = max(60, int(6 * length / len(images)))
    for image in images:
        x = np.asarray(source(image[None]))[0]
        y = np.asarray(target(image[None]))[0][..., kept]
        rows = rng.integers(x.shape[0], size=places)
        columns = rng.integers(x.shape[1], size=places)
        edge = size // 2
        padded = np.pad(x, ((edge, edge), (edge, edge), (0, 0)))
        parts = [padded[rows + dy, columns + dx] for dy in range(size) for dx in range(size)]
        a = np.concatenate([*parts, np.ones((places, 1))], axis=1).astype(np.float32)
        b = y[rows, columns].astype(np.float32)
        products += a.T @ a
        wanted += a.T @ b
        total += float((b.astype(np.float64) ** 2).sum())
        mean += b.sum(axis=0)
        count += places
    scale = np.trace(products) / length
    solved = np.linalg.solve(products + RIDGE * scale * np.eye(length), wanted)
    error = total - 2 * (solved * wanted).sum() + (solved * (products @ solved)).sum()
    variance = total - float((mean**2).sum()) / count
    kernel = solved[:-1].reshape(size, size, inputs, len(kept)).astype(np.float32)
    layer.set_weights([kernel, solved[-1].astype(np.float32)])
    return float(error / variance)


def images_for(paths: list[Path], height: int = 288, width: int = 640) -> np.ndarray:
    """Read images as the network is given them."""
    from drive.detection.dataset import read_image
    from drive.detection.preprocess import letterbox

    return np.stack([letterbox(read_image(path), height, width)[0] for path in paths])


def main() -> None:
    """Write the light network's first weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=600)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(2)
    load_keras()
    from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive
    from drive.detection.transfer import start_from_onnx

    old = build_tiny_yolo_drive(len(CLASSES))
    start_from_onnx(old, args.old, CLASSES)
    new = start_slim(old, images_for(args.images), args.steps)
    new.save_weights(args.out)
    from drive.conversion.onnx_writer import write_onnx
    from drive.detection.tiny_yolo_drive import INPUT_SIZES, onnx_metadata

    write_onnx(
        new, args.out.with_suffix("").with_suffix(".onnx"),
        onnx_metadata(dict.fromkeys(CLASSES, 0.4), INPUT_SIZES),
    )  # fmt: skip


if __name__ == "__main__":
    main()
