"""Files for other runtimes: each format written, read back, checked; and what is not kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from drive.conversion import compare
from drive.conversion import export as module
from drive.conversion.export import (
    ENDINGS,
    FORMATS,
    INT8_FORMATS,
    Exported,
    Original,
    check_request,
    export,
    load_written,
)
from drive.conversion.litert import LiteRtEngine, read_litert_metadata
from drive.conversion.onnx_writer import write_onnx
from drive.conversion.saved_model import SavedModelEngine
from drive.core.errors import InputError, MismatchError, WeightsError
from drive.runtime import load_engine
from drive.tasks import export as command

SIZE = (16, 32)
METADATA = {
    "network": "tiny",
    "classes": '["car", "Straßenbahn"]',
    "outputs": '["output_coarse", "output_angle"]',
}


def network() -> keras.Model:
    """Two outputs whose names do not sort in the order of the network, and a free input size."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.LeakyReLU(0.1, name="leaky")(layers.Conv2D(8, 3, padding="same", name="conv")(x))
    x = layers.MaxPooling2D(2, name="pool")(x)
    heads = [layers.Conv2D(5, 1, name="coarse")(x), layers.Conv2D(1, 1, name="angle")(x)]
    return keras.Model(image, heads, name="tiny")


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 1, SIZE[0] // 4, SIZE[1] // 4, 3))
    return list(np.kron(coarse, np.ones((1, 1, 4, 4, 1))).astype("uint8"))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    model = network()
    path = tmp_path_factory.mktemp("original") / "tiny.onnx"
    write_onnx(model, path, {"network": "tiny"}, half=False)
    return Original(
        name="tiny",
        onnx_path=path,
        metadata=METADATA,
        size=SIZE,
        prepare=lambda frame: frame,
        load=lambda engine: load_engine(path, engine),
        build=lambda: model,
    )


@pytest.fixture(scope="module")
def written(
    original: Original, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Exported]:
    """The network in every format and precision."""
    folder = tmp_path_factory.mktemp("written")
    made = [export(original, target, folder.joinpath, pictures(3, 1)) for target in FORMATS]
    made += [
        export(original, target, folder.joinpath, pictures(3, 1), pictures(12))
        for target in INT8_FORMATS
    ]
    assert not list(folder.glob(".*"))  # nothing of the work is left
    return {(each.format, each.precision): each for each in made}


@pytest.mark.parametrize("target", FORMATS)
def test_float_files_answer_as_the_original_does(
    target: str, written: dict[tuple[str, str], Exported], original: Original
) -> None:
    made = written[target, "float"]
    assert made.path.name == "tiny" + ENDINGS[target][0]
    assert made.difference.largest < 1e-5
    batch = pictures(1, seed=5)[0]
    found = load_written(target, made.path).predict(batch)
    for answer, expected in zip(found, original.load("onnx").predict(batch), strict=True):
        np.testing.assert_allclose(answer, expected, atol=1e-5)


@pytest.mark.parametrize("target", INT8_FORMATS)
def test_int8_files_are_rounded_and_close(
    target: str, written: dict[tuple[str, str], Exported]
) -> None:
    made = written[target, "int8"]
    assert made.path.name == "tiny-int8" + ENDINGS[target][0]
    assert 1e-4 < made.difference.share < 0.08
    said = load_written(target, made.path).metadata
    assert said == METADATA | {"precision": "int8", "calibrated_on": "12"}


@pytest.mark.parametrize("target", FORMATS)
def test_metadata_lies_in_the_file_itself(
    target: str, written: dict[tuple[str, str], Exported]
) -> None:
    path = written[target, "float"].path
    assert load_written(target, path).metadata == METADATA
    if target == "openvino":
        assert "Straßenbahn" in path.read_text(encoding="utf-8")
    elif target == "onnx":
        assert {e.key: e.value for e in onnx.load(str(path)).metadata_props} == METADATA
    elif target == "litert":
        assert read_litert_metadata(path.read_bytes()) == METADATA
    else:
        assert json.loads((path / "assets.extra" / "drive.json").read_text("utf-8")) == METADATA


def test_litert_int8_takes_pixels_and_computes_in_whole_numbers(
    written: dict[tuple[str, str], Exported],
) -> None:
    engine = LiteRtEngine(written["litert", "int8"].path)
    details = engine._interpreter.get_input_details()[0]
    assert details["dtype"] is np.uint8
    assert details["quantization"] == (1.0, 0)  # pixels go in as they are
    tensors = engine._interpreter.get_tensor_details()
    kernels = [t for t in tensors if len(t["shape"]) == 4 and tuple(t["shape"][1:3]) == (3, 3)]
    assert [t["dtype"] for t in kernels] == [np.int8]


def test_litert_takes_several_pictures_one_after_the_other(
    written: dict[tuple[str, str], Exported], original: Original
) -> None:
    batch = np.concatenate(pictures(3, seed=7))
    found = LiteRtEngine(written["litert", "float"].path).predict(batch)
    for answer, expected in zip(found, original.load("onnx").predict(batch), strict=True):
        np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_a_saved_model_holds_its_weights_once(written: dict[tuple[str, str], Exported]) -> None:
    data = list((written["saved-model", "float"].path / "variables").glob("*.data*"))
    weights = 3 * 3 * 3 * 8 + 8 + 8 * 5 + 5 + 8 * 1 + 1
    assert data[0].stat().st_size < 1.5 * 4 * weights + 2000  # 2 kB of names


def test_a_size_is_fixed_and_none_is_left_free(
    original: Original, written: dict[tuple[str, str], Exported], tmp_path: Path
) -> None:
    free = replace(original, size=None, name="free")
    for target in ("openvino", "onnx", "saved-model"):
        fixed = load_written(target, written[target, "float"].path)
        assert fixed.input_shape == (None, *SIZE, 3)
        made = export(free, target, tmp_path.joinpath, pictures(1))
        assert load_written(target, made.path).input_shape == (None, None, None, 3)
    with pytest.raises(InputError, match="requires one input size"):
        export(free, "litert", tmp_path.joinpath, pictures(1))


def test_openvino_s_size_is_that_of_both_files(written: dict[tuple[str, str], Exported]) -> None:
    made = written["openvino", "float"]
    files = [made.path, made.path.with_suffix(".bin")]
    assert made.size_bytes == sum(file.stat().st_size for file in files)
    folder = written["saved-model", "float"]
    assert folder.size_bytes == sum(f.stat().st_size for f in folder.path.rglob("*") if f.is_file())


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_a_file_that_computes_something_else_is_not_kept(
    target: str, original: Original, tmp_path: Path
) -> None:
    other = keras.models.clone_model(network())
    other.set_weights([weight + 0.1 for weight in network().get_weights()])
    path = tmp_path / "other.onnx"
    write_onnx(other, path, {})
    wrong = replace(original, load=lambda engine: load_engine(path, engine))
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(MismatchError, match=r"must be at most 0.001 on 2 frames; got") as it:
        export(wrong, target, folder.joinpath, pictures(2))
    assert not isinstance(it.value, InputError)  # exit status 1, not 2
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("target", "usual_spread", "advice"),
    [
        ("onnx", 0.0, r"\. Use --calibrate with more varied frames, or leave --int8 out"),
        ("litert", 0.0, "varied frames, try --format onnx, or leave --int8 out"),
        ("onnx", 1e6, "outputs hardly vary on these frames .*: give --frames with varied"),
    ],
)
def test_what_helps_where_int8_lies_too_far_off(
    target: str,
    usual_spread: float,
    advice: str,
    original: Original,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "INT8_TOLERANCE", 1e-12)
    known = replace(original, usual_spread=usual_spread)
    with pytest.raises(MismatchError, match=advice):
        export(known, target, tmp_path.joinpath, pictures(2), pictures(4))


def test_a_file_that_lost_its_metadata_is_not_kept(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(target: str, original: Original, path: Path, *rest: object) -> None:
        path.write_bytes(original.onnx_path.read_bytes())

    monkeypatch.setattr(module, "write_as", forgetful)
    with pytest.raises(MismatchError, match="metadata must read back as"):
        export(original, "onnx", tmp_path.joinpath, pictures(1))
    assert not list(tmp_path.iterdir())


def test_writing_again_replaces_a_folder(original: Original, tmp_path: Path) -> None:
    stale = tmp_path / "tiny_saved_model" / "stale.txt"
    stale.parent.mkdir()
    stale.write_text("of an earlier run")
    export(original, "saved-model", tmp_path.joinpath, pictures(1))
    assert not stale.exists()


def test_the_original_runs_in_another_runtime_than_the_file(
    original: Original, tmp_path: Path
) -> None:
    asked: list[str] = []

    def load(engine: str) -> object:
        asked.append(engine)
        return original.load(engine)

    watched = replace(original, load=load)
    for target in ("onnx", "openvino"):
        export(watched, target, tmp_path.joinpath, pictures(1))
    assert asked == ["openvino", "onnx"]


@pytest.mark.parametrize(
    ("formats", "int8", "metadata", "message"),
    [
        (["onnx", "saved-model"], True, {}, "openvino, onnx, litert; got --format saved-model"),
        (
            ["onnx"],
            True,
            {"precision": "int8", "calibrated_on": "9"},
            "--int8 requires float weights; got an int8 file",
        ),
        (
            ["litert"],
            False,
            {"precision": "int8", "calibrated_on": "9"},
            "litert requires float weights",
        ),
        (
            ["saved-model"],
            False,
            {"precision": "int8", "calibrated_on": "9"},
            "saved-model requires float weights",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(
    formats: list[str], int8: bool, metadata: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_request(formats, int8, metadata)


def test_int8_weights_may_be_written_as_they_are(original: Original, tmp_path: Path) -> None:
    calibrated = export(original, "onnx", tmp_path.joinpath, pictures(2), pictures(4))
    metadata = load_written("onnx", calibrated.path).metadata
    check_request(["openvino", "onnx"], False, metadata)
    int8 = replace(
        original,
        name="again",
        onnx_path=calibrated.path,
        metadata=metadata,
        load=lambda engine: load_engine(calibrated.path, engine),
    )
    made = export(int8, "openvino", tmp_path.joinpath, pictures(2))
    assert made.precision == "int8"
    assert load_written("openvino", made.path).metadata == metadata


def test_files_of_others_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "noise.tflite"
    path.write_bytes(b"no flatbuffer at all")
    with pytest.raises(WeightsError, match=r"not a \.tflite file of drive"):
        LiteRtEngine(path)
    with pytest.raises(WeightsError, match="not a SavedModel of drive"):
        SavedModelEngine(tmp_path)


def test_the_command_knows_every_format() -> None:
    assert command.FORMATS == FORMATS
