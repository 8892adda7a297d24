"""Dropout, batch normalisation and L2: what they build, and that model files carry them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from drive.cli import main
from drive.cli.parser import build, make_parser, parse
from drive.core.errors import InputError
from drive.core.options import fields_of
from drive.recordings import labels
from drive.steering.augment import LOOKS
from drive.steering.backbone import BACKBONES
from drive.steering.curvature import TARGETS
from drive.steering.model_file import describe, load_network, save_trained
from drive.steering.network import PUBLISHED_PARAMETERS, VARIANTS, build_network, fold_batch_norm
from drive.steering.predict import build_from_metadata, load_steering
from drive.steering.preprocess import ROAD
from drive.steering.search_space import names_to_search
from drive.steering.train import rebuild_network
from drive.steering.training_data import WIDEST_SMOOTHING_S
from drive.steering.training_settings import SOLVED, TrainingSettings
from drive.tasks.train_steering import TrainSteeringConfig
from drive.tasks.tune_steering import TuneSteeringConfig

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3), np.uint8)


def names(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers]


def test_batch_normalisation_stands_between_convolution_and_activation() -> None:
    model = build_network(batch_norm=True)
    behind = names(model)[names(model).index("conv1") :][:4]
    assert behind == ["conv1", "conv1_norm", "conv1_relu", "conv2"]
    assert model.get_layer("conv1").activation.__name__ == "linear"
    normalised = 24 + 36 + 48 + 64 + 64
    assert model.count_params() == PUBLISHED_PARAMETERS + 3 * normalised  # 4 instead of 1 each


@pytest.mark.parametrize(
    ("variant", "dropped"),
    [("published", ["flatten", "dense100"]), ("elu", ["flatten", "dense1164", "dense100"])],
)
def test_dropout_stands_behind_the_convolutions_and_the_larger_dense_layers(
    variant: str, dropped: list[str]
) -> None:
    model = build_network(variant, dropout=0.3)
    found = [name for name in names(model) if name.endswith("_dropout")]
    assert found == [f"{name}_dropout" for name in dropped]
    assert model.get_layer("flatten_dropout").rate == 0.3
    assert names(build_network(variant)) == [n for n in names(model) if n not in found]


def test_l2_is_the_weighted_sum_of_squared_kernels() -> None:
    model = build_network(l2=0.01)
    kernels = [layer.kernel for layer in model.layers if hasattr(layer, "kernel")]
    expected = 0.01 * sum(float(np.sum(np.square(kernel))) for kernel in kernels)
    assert sum(map(float, model.losses)) == pytest.approx(expected, rel=1e-5)
    assert not build_network().losses


@pytest.mark.parametrize("variant", ["published", "elu"])
def test_files_of_a_network_with_all_of_it_answer_and_rebuild_alike(
    variant: str, tmp_path: Path
) -> None:
    model = build_network(variant, 3.0, dropout=0.2, batch_norm=True, l2=1e-3)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.name.endswith("_norm"):  # as after training
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    metadata = describe(model, variant, ROAD, np.array([1.0]), ["a"])
    onnx = save_trained(model, tmp_path / "model.keras", metadata)
    expected = model.predict_on_batch(PICTURES).reshape(-1)
    for engine in ("openvino", "onnx", "keras"):
        answers = load_steering(onnx, engine).predict_prepared(PICTURES)
        np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-3)
    folded = fold_batch_norm(model)
    assert not any(name.endswith("_norm") for name in names(folded))
    np.testing.assert_allclose(folded.predict_on_batch(PICTURES).reshape(-1), expected, atol=1e-3)
    rebuilt, notes = load_network(onnx)
    assert names(rebuilt) == names(model)
    assert (notes["dropout"], notes["batch_norm"]) == ("0.2", "yes")
    np.testing.assert_allclose(rebuilt.predict_on_batch(PICTURES).reshape(-1), expected, atol=1e-3)


def test_metadata_of_before_means_neither() -> None:
    model = build_from_metadata({"variant": "published", "scale_deg": "2.0"})
    assert model.count_params() == PUBLISHED_PARAMETERS


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"dropout": -0.1}, {"l2": float("nan")}])
def test_values_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        build_network(**wrong)
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainingSettings(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": "steps"},
        {"restart_epochs": 0},
        {"restart_factor": 0.5},
        {"restart_factor": float("inf")},
        {"warm_up": -1},
    ],
)
def test_wrong_schedules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainingSettings(**wrong)


def test_a_network_goes_on_with_its_weights_and_other_dropout() -> None:
    model = build_network(scale_deg=3.0, batch_norm=True)
    settings = TrainingSettings(dropout=0.4, batch_norm=True, l2=1e-3)
    rebuilt = rebuild_network(model, settings)
    assert rebuilt.get_layer("flatten_dropout").rate == 0.4
    assert rebuilt.losses
    expected = model.predict_on_batch(PICTURES)
    np.testing.assert_allclose(rebuilt.predict_on_batch(PICTURES), expected, rtol=1e-5)


@pytest.mark.slow
def test_going_on_without_the_batch_normalisation_of_before_is_refused(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recording = make_recording("town", np.sin(np.arange(160) / 9) * 5, fps=20)
    model = build_network(batch_norm=True)
    metadata = describe(model, "published", ROAD, np.array([1.0]), ["a"])
    onnx = save_trained(model, tmp_path / "model.keras", metadata)
    command = ["train-steering", str(recording), "--weights", str(onnx), "--quiet"]
    command += ["--validation", "0.25", "--epochs", "1"]
    assert main([*command, "--no-batch-norm", "--out", str(tmp_path / "without")]) == 2
    assert "it requires --batch-norm" in capsys.readouterr().err
    assert not (tmp_path / "without" / "augmented_views.png").exists()
    assert main([*command, "--out", str(tmp_path / "unasked")]) == 0
    trained, _ = load_network(tmp_path / "unasked" / "model.keras")
    assert trained.count_params() == PUBLISHED_PARAMETERS  # folded


def test_the_choices_of_the_options_are_those_of_the_code() -> None:
    choices = {each.name: each.option.choices for each in fields_of(TrainSteeringConfig)}
    assert choices["looks"] == tuple(LOOKS)
    assert choices["backbone"] == (SOLVED, *BACKBONES)
    assert choices["variant"] == VARIANTS
    assert choices["target"] == TARGETS
    assert labels.WIDEST_SMOOTHING_S == WIDEST_SMOOTHING_S
    with pytest.raises(InputError, match="smooth_labels_s must be from 0 to 5"):
        TrainSteeringConfig(smooth_labels_s=WIDEST_SMOOTHING_S + 1)


def test_defaults_are_those_of_the_command_line() -> None:
    asked = TrainingSettings.from_options(TrainSteeringConfig())
    assert asked == TrainingSettings()
    assert (asked.batch_norm, asked.warm_up, asked.rate) == (True, 50, 1e-3)
    assert TrainingSettings(backbone="vgg16").batch_norm is False
    assert TrainingSettings(backbone="vgg16", backbone_weights="none").frozen_epochs == 0


def test_a_share_may_be_a_number(tmp_path: Path) -> None:
    assert TrainSteeringConfig(validation=0.25, test=0.1).validation == "0.25"
    config = tmp_path / "settings.toml"
    config.write_text("validation = 0.25\nexclude = ['a', 'b']\nno-balance = true\n")
    given = parse(
        make_parser("t", TrainSteeringConfig), TrainSteeringConfig, ["--config", str(config)]
    )
    built = build(TrainSteeringConfig, given)
    assert (built.validation, built.exclude, built.balance) == ("0.25", "a,b", False)


def test_options_are_given_even_with_their_default_value() -> None:
    assert TuneSteeringConfig(batch=32).given == {"batch"}
    assert replace(TuneSteeringConfig(batch=64), trials=3).given == {"batch", "trials"}
    searched = names_to_search(None, TuneSteeringConfig(batch=32).given, None)
    assert "batch" not in searched and "dropout" in searched


def test_batch_normalisation_of_a_backbone_is_not_to_be_chosen() -> None:
    with pytest.raises(InputError, match="--batch-norm"):
        TrainingSettings(backbone="vgg16", batch_norm=True)


@pytest.mark.parametrize(
    "wrong", [["--dropout", "1"], ["--l2", "-1"], ["--restart-factor", "0.5"], ["--warm-up", "-1"]]
)
def test_wrong_options_are_exit_status_2_and_one_line(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["train-steering", *wrong, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{wrong[0]} must be " in error
    assert len(error.splitlines()) == 1
