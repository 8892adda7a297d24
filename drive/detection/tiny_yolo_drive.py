"""Tiny-yolo-drive: yolov3-tiny with a narrower widest convolution and a third head for far cars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from drive.detection.dataset import CLASSES
from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

NAME = "tiny-yolo-drive"
STRIDES = (32, 16, 8)
ANCHORS: dict[int, tuple[tuple[int, int], ...]] = {
    32: ((81, 82), (135, 169), (344, 319)),
    16: ((23, 27), (37, 58), (81, 82)),
    8: ((7, 7), (13, 12), (22, 18)),
}
"""Width and height in pixels of the input, by stride: masks 3,4,5 and 1,2,3 of yolov3-tiny, and
smaller ones for far cars, which are a little wider than high."""

CENTRE_GAIN = 2.0  # a box's centre may be half a cell outside its cell, as in YOLOv5
INPUT_SIZES = ((288, 640), (256, 768), (352, 608), (384, 512), (448, 448), (512, 384))
"""(height, width) by aspect; the first is for the road region of a 16:9 frame."""
NMS_IOU = 0.45  # Darknet's default for its detectors (examples/detector.c)
LEAKY_SLOPE = 0.1  # paper (Redmon et al., CVPR 2016), equation 2

BOX_VALUES = 5  # x, y, width, height, objectness
WIDEST = 512  # filters of conv7; the 1024 of yolov3-tiny took a fifth of the time


def build_tiny_yolo_drive(classes: int = len(CLASSES), widest: int = WIDEST) -> keras.Model:
    """Build the network with random weights; `widest` is the number of filters of conv7.

    Input (N, H, W, 3) uint8 RGB, H and W multiples of 32. Outputs in the order of `STRIDES`, each
    (N, H/stride, W/stride, A * (5 + C)), raw, as `decode.decode_heads` reads them.

    Source: Redmon, Farhadi, "YOLOv3", 2018; cfg/yolov3-tiny.cfg of Darknet.
    """
    load_keras()
    import keras
    from keras import layers

    def convolve(x: keras.KerasTensor, filters: int, size: int, name: str) -> keras.KerasTensor:
        x = layers.Conv2D(filters, size, padding="same", name=name)(x)
        return layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_leaky")(x)

    def halve(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.MaxPooling2D(2, name=name)(x)

    outputs = len(ANCHORS[32]) * (BOX_VALUES + classes)

    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = halve(convolve(x, 16, 3, "conv1"), "pool1")
    x = halve(convolve(x, 32, 3, "conv2"), "pool2")
    x = halve(convolve(x, 64, 3, "conv3"), "pool3")
    stride8 = convolve(x, 128, 3, "conv4")
    stride16 = convolve(halve(stride8, "pool4"), 256, 3, "conv5")
    x = convolve(halve(stride16, "pool5"), 512, 3, "conv6")
    x = layers.MaxPooling2D(2, strides=1, padding="same", name="pool6")(x)
    x = convolve(x, widest, 3, "conv7")
    neck = convolve(x, 256, 1, "neck32")

    x = convolve(neck, 512, 3, "features32")
    head32 = layers.Conv2D(outputs, 1, name="head32")(x)

    x = convolve(neck, 128, 1, "neck16")
    x = layers.UpSampling2D(2, name="upsample16")(x)
    x = layers.Concatenate(name="join16")([x, stride16])
    features16 = convolve(x, 256, 3, "features16")
    head16 = layers.Conv2D(outputs, 1, name="head16")(features16)

    x = convolve(features16, 64, 1, "neck8")
    x = layers.UpSampling2D(2, name="upsample8")(x)
    x = layers.Concatenate(name="join8")([x, convolve(stride8, 64, 1, "side8")])
    x = convolve(x, 96, 3, "features8")
    head8 = layers.Conv2D(outputs, 1, name="head8")(x)
    return keras.Model(image, [head32, head16, head8], name=NAME)


def onnx_metadata(
    thresholds: Mapping[str, float], input_sizes: Sequence[tuple[int, int]]
) -> dict[str, str]:
    """Return the metadata of a model file; the sizes are (height, width) in pixels."""
    return {
        "network": NAME,
        "classes": json.dumps(list(thresholds)),
        "thresholds": json.dumps(dict(thresholds)),
        "input_sizes": json.dumps([list(size) for size in input_sizes]),
        "strides": json.dumps(list(STRIDES)),
        "anchors": json.dumps({str(stride): ANCHORS[stride] for stride in STRIDES}),
        "centre_gain": json.dumps(CENTRE_GAIN),
        "letterbox": "true",
        "colour_order": "RGB",
        "nms_iou": json.dumps(NMS_IOU),
    }
