"""Transfer learning: VGG16 or ResNet50, trained on ImageNet, under a small steering head.

The detector's convolutions are in `drive.steering.detector_network`.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.reporter import LOGGER
from drive.runtime.quiet import load_keras
from drive.steering.network import DROPOUT, INITIAL
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH
from drive.steering.training_settings import IMAGENET, RANDOM, SOLVED

if TYPE_CHECKING:
    import keras

KERAS_MODELS = Path.home() / ".keras" / "models"
WEIGHTS_SUFFIXES = (".h5", ".keras")
BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"

YUV_TO_BGR = ((1.0, 2.032, 0.0), (1.0, -0.395, -0.581), (1.0, 0.0, 1.140))
"""Blue, green and red from Y, U - 128 and V - 128: OpenCV's full-range BT.601 (the constants
U2BF, U2GF, V2GF and V2RF of its color_yuv)."""

BLACK_YUV = (0.0, 128.0, 128.0)

IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean that the "caffe" preprocessing subtracts, without scaling, for VGG16 and ResNet50 (not V2);
see `preprocess_input` of each in keras.applications."""

LARGEST_PIXEL = 255.0
DENSE_UNITS = (100, 50, 10)
"""Dense layers of the head, as in the published network. The features are flattened, not averaged
over the image, since the position of the road in the image matters."""

PREFIX = "steering_"
"""Prefix of a network's name, before that of its backbone."""

BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network of keras.applications: `folder` of its weights there, prefix of a `block`."""

    application: str
    folder: str
    md5: str
    block: str

    @property
    def file(self) -> str:
        """Name of the weights without the classifier, under which Keras caches them."""
        return f"{self.application.lower()}_weights_tf_dim_ordering_tf_kernels_notop.h5"

    @property
    def url(self) -> str:
        """Address of the weights."""
        return f"{BASE_URL}/{self.folder}/{self.file}"


BACKBONES = {
    "vgg16": Backbone("VGG16", "vgg16", "6d6bbae143d832006294945121d1f1fc", "block{}_"),
    "resnet50": Backbone("ResNet50", "resnet", "4d473c1dd8becc155b73f8504c6f6626", "conv{}_"),
}


def build_transfer(
    backbone: str, scale_deg: float = 1.0, *, dropout: float = 0.0, l2: float = 0.0
) -> keras.Model:
    """Build a steering network on a backbone, with random weights; see `build_network`.

    Its layers are not nested, for ONNX and several rates. `l2` is that of the head only. On the
    detector, neither applies.
    """
    if backbone == SOLVED:
        from drive.steering.detector_network import build_on_detector

        return build_on_detector(scale_deg)
    kind = find_backbone(backbone)
    if not scale_deg > 0:
        raise InputError(f"scale_deg must be above 0; got {scale_deg!r}")
    load_keras()
    import keras
    import numpy as np
    from keras import layers

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), dtype="uint8", name="image_yuv")
    x = layers.Rescaling(1.0, offset=[-v for v in BLACK_YUV], name="centre")(image)
    colours = layers.Conv2D(3, 1, use_bias=False, trainable=False, name="bgr")
    x = colours(x)
    colours.set_weights([np.array(YUV_TO_BGR, np.float32).T[None, None]])
    x = layers.ReLU(max_value=LARGEST_PIXEL, name="in_range")(x)
    x = layers.Rescaling(1.0, offset=[-v for v in IMAGENET_MEAN_BGR], name="minus_mean")(x)
    application = getattr(keras.applications, kind.application)
    x = application(include_top=False, weights=None, input_tensor=x).output
    x = layers.Flatten(name="flatten")(x)
    kernels: dict[str, Any] = {
        "kernel_initializer": INITIAL,
        "kernel_regularizer": keras.regularizers.L2(l2) if l2 else None,
    }
    behind = "flatten"
    for units in DENSE_UNITS:
        if dropout:
            x = layers.Dropout(dropout, name=f"{behind}{DROPOUT}")(x)
        behind = f"dense{units}"
        x = layers.Dense(units, activation="relu", name=behind, **kernels)(x)
    x = layers.Dense(1, name="steering", **kernels)(x)
    angle_deg = layers.Rescaling(scale_deg, name="degrees")(x)
    return keras.Model(image, angle_deg, name=f"{PREFIX}{backbone}")


def find_backbone(name: str) -> Backbone:
    """Return the backbone of this name."""
    if name not in BACKBONES:
        raise InputError(f"--backbone must be one of {', '.join(BACKBONES)}; got {name!r}")
    return BACKBONES[name]


def find_weights(backbone: str, given: str) -> Path | None:
    """Return the file of a backbone's weights, downloaded if missing; None for random ones."""
    kind = find_backbone(backbone)
    if given == RANDOM:
        return None
    if given == IMAGENET:
        return _fetch(kind, backbone)
    path = Path(given)
    if not path.is_file():
        raise MissingFileError(
            f"--backbone-weights: there is no file {given}; expected the path of {kind.file} or of "
            f"weights saved without the classifier, {IMAGENET} or {RANDOM}"
        )
    if path.suffix.lower() not in WEIGHTS_SUFFIXES:
        raise InputError(
            f"--backbone-weights must be a weights file of Keras ({', '.join(WEIGHTS_SUFFIXES)}); "
            f"got {given}"
        )
    return path


def _fetch(kind: Backbone, backbone: str) -> Path:
    load_keras()
    import keras

    LOGGER.info("getting the ImageNet weights of %s: %s", backbone, kind.url)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where Keras draws its progress
            found = keras.utils.get_file(
                kind.file, kind.url, cache_subdir="models", file_hash=kind.md5
            )
    except Exception as error:  # Keras raises a bare Exception, and sockets their own kinds
        damaged = isinstance(error, ValueError)
        reason = "the download is damaged" if damaged else "no connection"
        raise InputError(
            f"the ImageNet weights of {backbone} cannot be downloaded: {reason}. Name the file "
            f"{kind.file} with --backbone-weights FILE, or put it into {KERAS_MODELS}; it is at "
            f"{kind.url}"
        ) from None
    return Path(found)


def load_backbone(model: keras.Model, backbone: str, path: Path) -> None:
    """Load pretrained weights, without the classifier, into a network of `build_transfer`."""
    kind = find_backbone(backbone)
    import keras

    application = getattr(keras.applications, kind.application)
    shape = (INPUT_HEIGHT, INPUT_WIDTH, 3)
    trained = application(include_top=False, weights=None, input_shape=shape)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # how Keras tells of layers left as drawn
            trained.load_weights(str(path))
    except Exception as error:  # h5py, Keras and zipfile each raise their own kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path}: expected weights of {kind.application} without its classifier, such as "
            f"{kind.file} ({reason})"
        ) from error
    for layer in trained.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def freeze(model: keras.Model, backbone: str) -> None:
    """Train only the head. Compile the model afterwards."""
    for layer in backbone_layers(model, backbone):
        layer.trainable = False


def thaw(model: keras.Model, backbone: str, pretrained: bool = True) -> None:
    """Train the backbone too, except batch normalisations of a pretrained one; then compile."""
    for layer in backbone_layers(model, backbone):
        layer.trainable = not (pretrained and type(layer).__name__ == "BatchNormalization")


def backbone_layers(model: keras.Model, backbone: str) -> Sequence[keras.layers.Layer]:
    """Return the layers of the backbone that have weights, from the image on."""
    return [layer for layer in model.layers if layer.weights and block_of(layer.name, backbone)]


def block_of(layer_name: str, backbone: str) -> int:
    """Return the number of the block of a layer, from 1; 0 outside the backbone."""
    pattern = find_backbone(backbone).block
    blocks = range(1, BLOCKS + 1)
    return next((n for n in blocks if layer_name.startswith(pattern.format(n))), 0)


def rate_factors(model: keras.Model, backbone: str, depth_rate: float) -> dict[str, float]:
    """Return the factor of the learning rate for each layer of the backbone, by name.

    The last block learns at `depth_rate` times the head's rate, and each earlier block at
    `depth_rate` times the next one's (arXiv 1801.06146, section 3.2, by block).
    """
    return {
        layer.name: depth_rate ** (BLOCKS + 1 - block_of(layer.name, backbone))
        for layer in backbone_layers(model, backbone)
    }


def backbone_option(model: keras.Model) -> dict[str, str]:
    """Return the entry of a model file about the backbone; empty if there is none."""
    names = [name for name in (*BACKBONES, SOLVED) if model.name == f"{PREFIX}{name}"]
    return {"backbone": names[0]} if names else {}
