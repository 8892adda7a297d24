"""Choosing a runtime, and what each says about files and batches that do not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import openvino
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.runtime import load_engine
from drive.runtime.openvino_engine import OpenVinoEngine

METADATA = {"network": "tiny"}


def network() -> keras.Model:
    image = keras.Input((6, 6, 3), name="image")
    x = keras.layers.Conv2D(2, 3, name="conv")(image)
    return keras.Model(image, keras.layers.Flatten(name="flat")(x))


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    write_onnx(network(), path, METADATA, half=False)
    return path


@pytest.fixture
def batch() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), dtype=np.uint8)


def test_auto_takes_openvino(model_file: Path) -> None:
    engine = load_engine(model_file)
    assert (engine.name, engine.fallback_reason) == ("openvino", None)
    assert (engine.input_name, engine.input_dtype) == ("image", np.uint8)
    assert engine.input_shape == (None, 6, 6, 3)


def test_auto_falls_back_and_says_why(
    model_file: Path, batch: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_engine(model_file).predict(batch)[0]
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "drive.runtime.openvino_engine", raising=False)
    engine = load_engine(model_file)
    assert engine.name == "onnx"
    assert engine.fallback_reason is not None
    assert engine.fallback_reason.startswith("openvino: ")
    np.testing.assert_allclose(engine.predict(batch)[0], expected, atol=1e-3)
    with pytest.raises(InputError, match=r"openvino.*not installed"):
        load_engine(model_file, "openvino")


def test_openvino_does_not_pin_its_threads(model_file: Path, batch: np.ndarray) -> None:
    """With pinning, two processes with a thread each would both work on the first core."""
    engine = OpenVinoEngine(model_file, threads=1)
    compiled = engine._compile(batch.shape)
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_openvino_ir_and_its_metadata(model_file: Path, batch: np.ndarray) -> None:
    ir_file = model_file.with_suffix(".xml")
    openvino.save_model(openvino.Core().read_model(str(model_file)), str(ir_file))
    engine = load_engine(ir_file)
    assert engine.name == "openvino"
    assert engine.metadata == METADATA
    expected = load_engine(model_file, "onnx").predict(batch)[0]
    np.testing.assert_allclose(engine.predict(batch)[0], expected, rtol=1e-2, atol=0.5)
    with pytest.raises(InputError, match=r"onnx reads \.onnx"):
        load_engine(ir_file, "onnx")


def test_keras_file(tmp_path: Path, batch: np.ndarray) -> None:
    model = network()
    model.save(tmp_path / "tiny.keras")
    engine = load_engine(tmp_path / "tiny.keras")
    assert engine.name == "keras"
    expected = np.asarray(model(batch.astype(np.float32)))
    np.testing.assert_allclose(engine.predict(batch)[0], expected, atol=1e-3)


def test_keras_needs_a_builder_for_onnx(model_file: Path) -> None:
    with pytest.raises(InputError, match="keras engine"):
        load_engine(model_file, "keras")


@pytest.mark.parametrize("engine", ["openvino", "onnx", "keras"])
def test_a_batch_that_does_not_fit(engine: str, model_file: Path, batch: np.ndarray) -> None:
    running = load_engine(model_file, engine, build=lambda _: network())
    with pytest.raises(InputError, match=r"\(2, 6, 5, 3\)"):
        running.predict(batch[:, :, :5])
    with pytest.raises(InputError, match="float64"):
        running.predict(batch.astype(np.float64))


def test_wrong_names_and_files(tmp_path: Path, model_file: Path) -> None:
    with pytest.raises(InputError, match="got 'tensorrt'"):
        load_engine(model_file, "tensorrt")
    with pytest.raises(MissingFileError, match="absent"):
        load_engine(tmp_path / "absent.onnx")
    with pytest.raises(InputError, match=r"is a folder.*\.onnx, \.keras\), such as .*tiny\.onnx"):
        load_engine(model_file.parent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty is a folder.*\.keras\)$"):
        load_engine(tmp_path / "empty")
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"\.onnx.*model\.pt"):
        load_engine(tmp_path / "model.pt")


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnx", "keras"])
def test_a_file_of_another_form_is_refused_in_one_short_line(
    engine: str, model_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before a runtime sees it: they take seconds, and write to standard error by themselves."""
    noise = np.random.default_rng(0).bytes(100_000)
    cut = model_file.read_bytes()[:-9]
    for content in (b"this is no network" * 20, b"", b"\x08", noise, cut):
        damaged = tmp_path / "damaged.onnx"
        damaged.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            load_engine(damaged, engine)
        assert str(caught.value) == f"{damaged} is not an ONNX model, or is incomplete"
    assert capfd.readouterr().err == ""


def test_a_keras_file_that_is_no_archive_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "noise.keras").write_bytes(np.random.default_rng(0).bytes(10_000))
    with pytest.raises(WeightsError, match=r"noise\.keras is not a Keras model \(a zip archive\)"):
        load_engine(tmp_path / "noise.keras")


def test_running_imports_no_tensorflow(model_file: Path) -> None:
    code = (
        "import sys, numpy; from drive.runtime import load_engine;"
        f"[load_engine({str(model_file)!r}, e).predict(numpy.zeros((1, 6, 6, 3), numpy.uint8))"
        " for e in ('openvino', 'onnx')];"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'jax', 'torch')))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def examples() -> list[np.ndarray]:
    numbers = np.random.default_rng(1)
    return [numbers.integers(0, 256, (1, 6, 6, 3), dtype=np.uint8) for _ in range(4)]


class Examples(CalibrationDataReader):
    """The examples as ONNX Runtime's quantiser reads them."""

    def __init__(self) -> None:
        self._batches = iter(examples())

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
@pytest.mark.parametrize("engine", ["auto", "onnx"])
def test_a_file_that_onnx_runtime_quantised_runs_as_it_is(
    form: QuantFormat, engine: str, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((6, 6, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv", bias_initializer="ones")(image)
    x = keras.layers.Conv2D(4, 3, name="second")(keras.layers.LeakyReLU(0.1, name="leaky")(x))
    path, int8 = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    write_onnx(keras.Model(image, x), path, METADATA, half=False)
    quantize_static(path, int8, Examples(), quant_format=form)
    assert b"QuantizeLinear" in int8.read_bytes()
    loaded = load_engine(int8, engine)
    for batch in examples():
        expected = load_engine(path).predict(batch)[0]
        gaps = np.abs(loaded.predict(batch)[0] - expected)
        assert 0 < gaps.max() < 0.05 * np.abs(expected).max()
    if form is QuantFormat.QOperator:
        assert loaded.name == "onnx"
        with pytest.raises(WeightsError, match="wrong results for QLinear"):
            load_engine(int8, "openvino")
