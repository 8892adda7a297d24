"""The weights that a training starts from: of `--weights` (with checks), or those that ship."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import InputError, WeightsError
from drive.core.shipped import STEERING_START
from drive.runtime.int8_form import is_int8
from drive.runtime.keras_file import load_model
from drive.steering.ensemble import count_members
from drive.steering.model_file import load_network, read_network_metadata
from drive.steering.network import NORM, read_network_options
from drive.steering.target import check_start

if TYPE_CHECKING:
    import keras

    from drive.steering.split import Split
    from drive.steering.training_settings import TrainingSettings

CONVOLUTION = "conv"
"""How the names of the convolutions begin, and those of their normalisations."""

CONVOLUTION_RATE = 0.3
"""Share of the learning rate at which pretrained convolutions learn: better than a tenth and than
all of it (docs/decisions/steering.md)."""


def can_train(path: Path) -> bool:
    """Return whether a file holds one float steering network."""
    try:
        metadata = read_network_metadata(path)
    except WeightsError:
        return False
    return not is_int8(metadata) and count_members(metadata) == 1


def check_weights(weights: str, settings: TrainingSettings) -> None:
    """Refuse a file whose network a training with these settings cannot start from."""
    metadata = read_network_metadata(weights)
    if is_int8(metadata):
        raise InputError(
            f"{weights} is int8, which cannot be trained. Name the float file it was made from"
        )
    if count_members(metadata) > 1:
        raise InputError(
            f"{weights} holds an ensemble, which cannot be trained as a whole. Name one of its "
            "members, such as member1/model.onnx beside it"
        )
    if metadata.get("backbone") != settings.backbone:
        raise InputError(
            f"{weights} has the backbone {metadata.get('backbone', 'none')}; "
            f"got --backbone {settings.backbone or 'none'}"
        )
    if metadata.get("variant") != settings.variant:
        raise InputError(
            f"{weights} has the variant {metadata.get('variant')}; got --variant {settings.variant}"
        )
    batch_norm = read_network_options(metadata)["batch_norm"]
    if batch_norm != settings.batch_norm:
        raise InputError(
            f"{weights} holds a network {'with' if batch_norm else 'without'} batch normalisation; "
            f"it requires {'--batch-norm' if batch_norm else '--no-batch-norm'}"
        )


def load_start(weights: str | None, settings: TrainingSettings, split: Split) -> keras.Model | None:
    """Load the network to start from; None for a new one, as the settings describe it."""
    if weights is None:
        return None
    from drive.steering.train import rebuild_network

    model, metadata = load_network(weights)
    model.get_layer("degrees").scale *= check_start(metadata, split.training, weights)
    return rebuild_network(model, settings)


def load_convolutions(model: keras.Model) -> None:
    """Give a network with batch normalisation the convolutions that come with drive.

    Their normalisation keeps the averages it learnt on many roads: those of one are too few.
    """
    trained = load_model(STEERING_START)
    for layer in model.layers:
        if layer.name.startswith(CONVOLUTION) and layer.weights:
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    freeze_normalisation(model)


def freeze_normalisation(model: keras.Model) -> None:
    """Keep averages, scales and offsets of batch normalisation as they are."""
    for layer in model.layers:
        if layer.name.endswith(NORM):
            layer.trainable = False


def convolution_rates(model: keras.Model) -> dict[str, float]:
    """Return the factor of the learning rate for each convolution that comes with drive."""
    names = [layer.name for layer in model.layers]
    return {name: CONVOLUTION_RATE for name in names if name.startswith(CONVOLUTION)}
