"""Transfer learning: what a backbone is given, what learns when and how fast, files, resuming."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from drive.cli import main
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.runtime.keras_file import load_model
from drive.steering import backbone as module
from drive.steering.backbone import (
    BACKBONES,
    IMAGENET_MEAN_BGR,
    backbone_layers,
    block_of,
    build_transfer,
    find_weights,
    freeze,
    load_backbone,
    rate_factors,
    thaw,
)
from drive.steering.cache import CachedRecording
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.predict import load_steering
from drive.steering.preprocess import ROAD
from drive.steering.split import Split, split_recordings
from drive.steering.train import train_steering
from drive.steering.training_settings import TrainingSettings
from drive.training.state import STATE

SIZE = (66, 200, 3)
Weights = dict[str, list[np.ndarray]]


def tiny(
    include_top: bool = True, weights: None = None, input_tensor: object = None, **shape: object
) -> keras.Model:
    """A stand-in with the signature of keras.applications: five blocks, batch normalisation."""
    image = keras.Input(SIZE) if input_tensor is None else input_tensor
    x = image
    for number in range(1, 6):
        x = layers.ZeroPadding2D(1, name=f"block{number}_pad")(x)
        x = layers.Conv2D(4, 3, 2, name=f"block{number}_conv")(x)
        x = layers.BatchNormalization(name=f"block{number}_bn")(x)
        x = layers.Activation("relu", name=f"block{number}_relu")(x)
    source = image if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    return keras.Model(source, x)


@pytest.fixture
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let vgg16 be a network of a few hundred parameters."""
    monkeypatch.setattr(keras.applications, "VGG16", tiny)
    return "vgg16"


@pytest.fixture
def tiny_weights(tiny_backbone: str, tmp_path: Path) -> Path:
    """Weights of it that are not those of a fresh one: moving averages as after a training."""
    model = tiny()
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([rng.uniform(0.5, 1.5, 4) for _ in range(4)])
    path = tmp_path / "tiny.weights.h5"
    model.save_weights(path)
    return path


@pytest.fixture
def split(make_drive: Callable[..., CachedRecording]) -> Split:
    rng = np.random.default_rng(0)
    return split_recordings(
        [make_drive(f"t{n}/epoch01", rng.uniform(-5, 5, 32)) for n in (0, 1)], "0.5"
    )


def quick(weights: Path, **changes: object) -> TrainingSettings:
    settings = {
        "epochs": 2,
        "batch": 16,
        "balance": False,
        "augment": False,
        "warm_up": 0,
        "schedule": "constant",
        "learning_rate": 1e-3,
        "backbone": "vgg16",
        "backbone_weights": str(weights),
        "freeze_epochs": 1,
    }
    return TrainingSettings(**{**settings, **changes})


def weights_of(model: keras.Model) -> Weights:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def moved(before: Weights, after: Weights) -> dict[str, float]:
    """The largest change of a kernel, or of a normalisation's weights, by layer."""
    return {
        name: max(
            float(np.abs(a - b).max()) for a, b in zip(before[name], after[name], strict=True)
        )
        for name in before
    }


def test_pictures_reach_the_backbone_as_opencv_and_keras_would_give_them(
    tiny_backbone: str,
) -> None:
    yuv = np.random.default_rng(0).integers(0, 256, (3, *SIZE), np.uint8)  # far out of range too
    model = build_transfer(tiny_backbone)
    given = keras.Model(model.inputs, model.get_layer("minus_mean").output)([yuv])
    rgb = np.stack([cv2.cvtColor(picture, cv2.COLOR_YUV2RGB) for picture in yuv])
    expected = keras.applications.vgg16.preprocess_input(rgb.astype(np.float32))
    rounding = 0.51  # OpenCV's own, to whole levels
    np.testing.assert_allclose(np.asarray(given), expected, atol=rounding)
    same = keras.applications.resnet50.preprocess_input(rgb.astype(np.float32))
    np.testing.assert_array_equal(same, expected)
    assert IMAGENET_MEAN_BGR == (103.939, 116.779, 123.68)


def test_a_weights_file_reaches_every_layer_of_the_backbone(tiny_weights: Path) -> None:
    model, trained = build_transfer("vgg16"), tiny()
    trained.load_weights(tiny_weights)
    load_backbone(model, "vgg16", tiny_weights)
    wanted = weights_of(trained)
    assert len(wanted) == 10
    for layer in backbone_layers(model, "vgg16"):
        for stored, loaded in zip(wanted[layer.name], layer.get_weights(), strict=True):
            np.testing.assert_array_equal(stored, loaded)


@pytest.mark.slow
def test_the_head_learns_first_and_deep_layers_learn_slower(
    split: Split, tiny_weights: Path, tmp_path: Path
) -> None:
    start = build_transfer("vgg16")
    load_backbone(start, "vgg16", tiny_weights)
    before = weights_of(start)
    settings = quick(tiny_weights, epochs=1)
    train_steering(split, tmp_path, settings, start=start)
    frozen = moved(before, weights_of(start))
    assert {name for name, step in frozen.items() if step} == {
        "dense100",
        "dense50",
        "dense10",
        "steering",
    }
    middle = weights_of(start)
    train_steering(split, tmp_path, quick(tiny_weights, epochs=3), resume=True)
    thawed = moved(middle, weights_of(load_model(tmp_path / STATE)))
    steps = [thawed[f"block{n}_conv"] for n in range(1, 6)]
    ratios = np.array(steps[1:]) / steps[:-1]  # Adam's first steps are as long as the rate
    np.testing.assert_allclose(ratios, 1 / settings.depth_rate, rtol=0.4)
    assert all(thawed[f"block{n}_bn"] == 0 for n in range(1, 6))
    assert thawed["bgr"] == 0


def test_a_random_start_lets_batch_normalisation_learn(
    split: Split, tiny_backbone: str, tmp_path: Path
) -> None:
    settings = quick(Path("none"), epochs=1, freeze_epochs=0, backbone_weights="none")
    start = build_transfer(tiny_backbone)
    before = weights_of(start)
    train_steering(split, tmp_path, settings, start=start)
    after = moved(before, weights_of(start))
    assert all(after[f"block{n}_bn"] > 0 for n in range(1, 6))
    assert after["bgr"] == 0


@pytest.mark.slow
def test_resuming_across_the_thaw_gives_the_unbroken_history(
    split: Split, tiny_weights: Path, tmp_path: Path
) -> None:
    settings = quick(tiny_weights, epochs=3)
    unbroken = train_steering(split, tmp_path / "unbroken", settings)
    for epochs in (1, 2, 3):  # stopped just before the thaw, and just after
        again = quick(tiny_weights, epochs=epochs)
        broken = train_steering(split, tmp_path / "broken", again, resume=epochs > 1)
    losses = [[(r.loss, r.val_loss) for r in run.history] for run in (unbroken, broken)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.slow
def test_patience_waits_for_the_thaw(split: Split, tiny_weights: Path, tmp_path: Path) -> None:
    settings = quick(tiny_weights, epochs=9, freeze_epochs=3, patience=1, learning_rate=1e-12)
    result = train_steering(split, tmp_path, settings)
    assert result.stopped_early
    assert len(result.history) == 5


@pytest.mark.parametrize("suffix", [".keras", ".onnx"])
def test_both_files_predict_and_are_trained_on(
    tiny_backbone: str, tmp_path: Path, suffix: str
) -> None:
    model = build_transfer(tiny_backbone, scale_deg=3.0, dropout=0.2)
    metadata = describe(model, "published", ROAD, np.array([1.0]), ["a"])
    assert metadata["backbone"] == tiny_backbone
    path = save_trained(model, tmp_path / "model.keras", metadata).with_suffix(suffix)
    pictures = np.random.default_rng(0).integers(0, 256, (2, *SIZE), np.uint8)
    expected = model.predict_on_batch(pictures).reshape(-1)
    pilot = load_steering(path)
    np.testing.assert_allclose(pilot.predict_prepared(pictures), expected, rtol=1e-3, atol=1e-4)
    loaded, notes = load_network(path)
    assert notes == metadata
    np.testing.assert_allclose(loaded.predict_on_batch(pictures).reshape(-1), expected, rtol=1e-5)


def test_a_file_that_is_not_the_backbones_is_refused(tiny_backbone: str, tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "text.h5").write_text("no weights")
    for name in ("other.weights.h5", "text.h5"):
        with pytest.raises(WeightsError, match=f"{name}: expected weights of VGG16"):
            load_backbone(build_transfer(tiny_backbone), tiny_backbone, tmp_path / name)


def test_where_weights_are_sought(tmp_path: Path) -> None:
    assert find_weights("vgg16", "none") is None
    with pytest.raises(MissingFileError, match="vgg16_weights_tf_dim_ordering_tf_kernels_notop"):
        find_weights("vgg16", str(tmp_path / "absent.h5"))
    (tmp_path / "weights.pt").write_text("torch")
    with pytest.raises(InputError, match=r"must be a weights file.*weights\.pt"):
        find_weights("vgg16", str(tmp_path / "weights.pt"))
    with pytest.raises(InputError, match="--backbone must be one of vgg16, resnet50"):
        find_weights("alexnet", "none")


def test_without_internet_the_error_says_where_to_put_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: object, **__: object) -> str:
        raise Exception("URL fetch failure on https://...: Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(InputError) as error:
        find_weights("resnet50", "imagenet")
    message = str(error.value)
    assert BACKBONES["resnet50"].file in message
    assert str(module.KERAS_MODELS) in message
    assert "--backbone-weights FILE" in message
    assert "\n" not in message
    assert "URL fetch failure" not in message


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--freeze-epochs", "2"], "--freeze-epochs requires --backbone"),
        (["--backbone", "vgg16", "--variant", "elu"], "--variant and --batch-norm"),
        (["--backbone", "vgg16", "--backbone-weights", "absent.h5"], "absent.h5"),
        (
            ["--backbone", "vgg16", "--backbone-weights", "none", "--depth-rate", "2"],
            "--depth-rate",
        ),
        (["--backbone", "resnet50"], "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        (["--ensemble", "1"], "--ensemble must be from 2 to 100; got 1"),
    ],
)
def test_wrong_options_are_one_line_before_anything_is_read(
    options: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def offline(*_: object, **__: object) -> str:
        sys.stdout.write("Downloading data from https://...\n")  # as Keras does
        raise Exception("URL fetch failure on https://...: Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    out = tmp_path / "out"
    assert main(["train-steering", "nowhere", *options, "--out", str(out), "--quiet"]) == 2
    output = capsys.readouterr()
    assert reason in output.err
    assert len(output.err.splitlines()) == 1
    assert output.out == ""
    assert not out.exists()


@pytest.mark.slow
def test_train_on_a_backbone_then_go_on_from_its_file(
    make_recording: Callable[..., Path],
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recording = make_recording("town", np.sin(np.arange(80) / 9) * 5, fps=10)
    train = ["train-steering", str(recording), "--epochs", "2", "--batch", "16", "--quiet"]
    train += ["--validation", "0.2", "--no-viewpoints", "--backbone", "vgg16"]
    first, second = tmp_path / "first", tmp_path / "second"
    weights = ["--backbone-weights", str(tiny_weights), "--freeze-epochs", "1"]
    assert main([*train, *weights, "--out", str(first)]) == 0
    record = json.loads((first / "run.json").read_text())
    assert record["training"]["backbone_weights"] == str(tiny_weights)
    pilot = load_steering(first / "model.onnx")
    assert pilot.metadata["backbone"] == "vgg16"
    again = ["--weights", str(first / "model.onnx"), "--out", str(second)]
    assert main([*train, *again]) == 0
    other = [*train[:-2], *again[:2], "--out", str(tmp_path / "third")]
    assert main(other) == 2
    assert "has the backbone vgg16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "backbone", "block"),
    [
        ("block1_conv2", "vgg16", 1),
        ("block5_conv3", "vgg16", 5),
        ("conv1_bn", "resnet50", 1),
        ("conv4_block6_3_conv", "resnet50", 4),
        ("dense100", "vgg16", 0),
        ("bgr", "resnet50", 0),
    ],
)
def test_blocks_are_known_by_name(name: str, backbone: str, block: int) -> None:
    assert block_of(name, backbone) == block


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "learning"), [("vgg16", 13), ("resnet50", 106)])
def test_the_real_backbone_takes_its_weights_and_is_written_as_onnx(
    backbone: str, learning: int, tmp_path: Path
) -> None:
    application = getattr(keras.applications, BACKBONES[backbone].application)
    trained = application(include_top=False, weights=None, input_shape=SIZE)
    path = tmp_path / "notop.h5"  # the older format, which Keras' own files have
    trained.save_weights(tmp_path / "notop.weights.h5")
    save_as_older_h5(trained, path)
    model = build_transfer(backbone, scale_deg=2.0)
    load_backbone(model, backbone, path)
    pictures = np.random.default_rng(0).integers(0, 256, (1, *SIZE), np.uint8)
    inside = keras.Model(model.inputs, model.get_layer("minus_mean").output)([pictures])
    features = keras.Model(model.inputs, model.get_layer("flatten").input)([pictures])
    np.testing.assert_array_equal(np.asarray(trained(inside)), np.asarray(features))
    assert len(backbone_layers(model, backbone)) == learning
    freeze(model, backbone)
    assert len(model.trainable_variables) == 8
    thaw(model, backbone)
    factors = rate_factors(model, backbone, 0.5)
    assert sorted(set(factors.values())) == [0.5**n for n in (5, 4, 3, 2, 1)]
    metadata = describe(model, "published", ROAD, np.array([1.0]), ["a"])
    onnx = save_trained(model, tmp_path / "model.keras", metadata)
    expected = model.predict_on_batch(pictures).reshape(-1)
    answer = load_steering(onnx).predict_prepared(pictures)
    np.testing.assert_allclose(answer, expected, rtol=1e-3)


def save_as_older_h5(model: keras.Model, path: Path) -> None:
    """Write weights layer by layer, as Keras 2 did and as its server's files are."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.0"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{n}:0" for n in range(len(layer.weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=array)
