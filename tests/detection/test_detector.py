"""Detectors from picture to boxes in source pixels, and what they say about wrong arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.region import Region
from drive.detection import detector as detector_module
from drive.detection.decode import VOC_CLASSES
from drive.detection.detector import DEFAULT_WEIGHTS, load_detector, shipped_weights
from drive.detection.int8 import prepared, quantise_detector
from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive, onnx_metadata
from drive.detection.tiny_yolo_drive_detector import TinyYoloDriveDetector
from drive.detection.tiny_yolo_v1_detector import TinyYoloV1Detector, converted
from drive.runtime.int8_form import int8_beside

CLASSES = ["car", "bus"]
METADATA = {
    "network": "tiny-yolo-drive",
    "classes": json.dumps(CLASSES),
    "thresholds": json.dumps({"car": 0.3, "bus": 0.6}),
    "input_sizes": json.dumps([[64, 64], [48, 96]]),
    "strides": "[16]",
    "anchors": json.dumps({"16": [[16, 16]]}),
    "nms_iou": "0.45",
}


class FakeEngine:
    """Returns the outputs it was given, whatever it is shown, and keeps what it was shown."""

    name = "fake"
    input_name = "image"
    input_dtype = np.dtype(np.uint8)
    input_shape = (None, None, None, 3)
    fallback_reason = None

    def __init__(self, outputs: Sequence[np.ndarray], metadata: dict[str, str]) -> None:
        self.outputs = outputs
        self.metadata = metadata
        self.seen: list[np.ndarray] = []

    def predict(self, batch: np.ndarray) -> list[np.ndarray]:
        self.seen.append(batch)
        return [np.repeat(output[None], len(batch), axis=0) for output in self.outputs]


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def head_with(
    boxes: dict[tuple[int, int], tuple[float, float, float]], rows: int, columns: int
) -> np.ndarray:
    """Return a head whose cells (row, column) hold a box of one anchor: objectness, car, bus."""
    head = np.full((rows, columns, 7), -20.0, np.float32)
    for (row, column), (objectness, car, bus) in boxes.items():
        head[row, column] = [0, 0, 0, 0, *(logit(s) for s in (objectness, car, bus))]
    return head


def v1_output(score: float = 0.5) -> np.ndarray:
    """Return 1470 values with one car and one person in the middle of the crop, half its sides."""
    values = np.zeros(1470, np.float32)
    cell = 3 * 7 + 3
    values[[cell * 20 + VOC_CLASSES.index(name) for name in ("car", "person")]] = 1.0
    values[980 + cell * 2] = score
    start = 1078 + cell * 2 * 4
    values[start : start + 4] = [0.5, 0.5, 0.5**0.5, 0.5**0.5]
    return values


def test_v1_looks_at_the_published_crop_and_reports_source_pixels() -> None:
    engine = FakeEngine([v1_output()], {})
    detector = TinyYoloV1Detector(engine)
    image = np.zeros((720, 1280, 3), np.uint8)
    image[300:650, 500:1280] = (255, 128, 0)
    (car,) = detector.detect(image)
    assert (car.label, car.track_id) == ("car", None)
    assert car.score == pytest.approx(0.5)
    assert car.box == pytest.approx((500 + 195, 300 + 87.5, 500 + 585, 300 + 262.5), abs=0.01)
    assert engine.seen[0].shape == (1, 448, 448, 3)
    assert (engine.seen[0] == (255, 128, 0)).all()  # the whole crop, nothing else, RGB kept


def test_v1_region_classes_and_confidence() -> None:
    detector = TinyYoloV1Detector(FakeEngine([v1_output(0.2)], {}))
    image = np.zeros((100, 200, 3), np.uint8)
    (car,) = detector.detect(image, region=Region(100, 0, 200, 100))
    assert car.box == pytest.approx((125, 25, 175, 75), abs=0.01)
    assert detector.detect(image, conf=0.21) == []
    found = detector.detect(image, classes=["car", "person"])
    assert sorted(detection.label for detection in found) == ["car", "person"]
    assert detector.detect(image, classes=["bus"]) == []


def test_drive_letterboxes_and_maps_back() -> None:
    engine = FakeEngine([head_with({(1, 2): (0.9, 0.9, 0.1)}, 3, 6)], METADATA)
    detector = TinyYoloDriveDetector(engine)
    image = np.full((100, 300, 3), 255, np.uint8)  # 3:1 in 96x48: 96x32 pixels, 8 grey rows above
    (car,) = detector.detect(image, region=Region.full(300, 100))
    shown = engine.seen[0][0]
    assert shown.shape == (48, 96, 3)
    assert (shown[8:40] == 255).all()
    assert (shown[:8] == 114).all()
    assert (shown[40:] == 114).all()
    scale = 300 / 96
    expected = np.array([40 - 8, 24 - 8 - 8, 40 + 8, 24 - 8 + 8]) * scale
    assert car.box == pytest.approx(expected.tolist(), abs=0.01)
    assert car.score == pytest.approx(0.81, abs=1e-3)


def test_drive_thresholds_of_the_file_and_best_first() -> None:
    cells = {(0, 0): (0.9, 0.5, 0.1), (1, 3): (0.9, 0.9, 0.1), (2, 5): (0.9, 0.1, 0.6)}
    detector = TinyYoloDriveDetector(FakeEngine([head_with(cells, 3, 6)], METADATA))
    image = np.zeros((48, 96, 3), np.uint8)
    full = Region.full(96, 48)
    scores = [(found.label, round(found.score, 2)) for found in detector.detect(image, full)]
    assert scores == [("car", 0.81), ("car", 0.45)]  # a bus needs 0.6
    labels = [found.label for found in detector.detect(image, full, conf=0.4)]
    assert labels == ["car", "bus", "car"]
    assert [found.label for found in detector.detect(image, full, 0.4, ["bus"])] == ["bus"]


def test_fine_detail_shows_the_network_more_of_a_large_picture() -> None:
    image = np.zeros((480, 960, 3), np.uint8)
    shapes = {}
    for detail in ("fast", "fine"):
        detector = TinyYoloDriveDetector(FakeEngine([], METADATA), detail=detail)
        shapes[detail] = detector.prepare(image)[0].shape
    assert shapes == {"fast": (48, 96, 3), "fine": (96, 160, 3)}
    with pytest.raises(InputError, match="fast, fine; got sharp"):
        TinyYoloDriveDetector(FakeEngine([], METADATA), detail="sharp")  # type: ignore[arg-type]


def test_drive_looks_at_the_road_of_wide_frames_only() -> None:
    detector = TinyYoloDriveDetector(FakeEngine([], METADATA))
    assert detector.default_region(1280, 720) == Region.road(1280, 720)
    assert detector.default_region(720, 720) == Region.full(720, 720)


def test_batch_of_different_sizes_keeps_the_order(tmp_path: Path) -> None:
    path = drive_file(tmp_path)
    detector = load_detector(path, conf=0.01)
    rng = np.random.default_rng(2)
    sizes = [(60, 60), (60, 120), (90, 90), (50, 110)]
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    together = detector.detect_batch(images)
    assert sum(map(len, together)) > 0
    for image, found in zip(images, together, strict=True):
        alone = detector.detect(image)
        assert [d.label for d in alone] == [d.label for d in found]
        assert [d.box for d in alone] == [pytest.approx(d.box, abs=0.01) for d in found]


def drive_file(folder: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write a small network with the metadata of tiny-yolo-drive."""
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 64, name="scale")(image)
    x = keras.layers.Conv2D(7, 16, strides=16, padding="same", name="head16")(x)
    path = folder / "tiny-yolo-drive.onnx"
    write_onnx(keras.Model(image, x), path, METADATA if metadata is None else metadata)
    return path


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_load_our_own_file(engine: str, tmp_path: Path) -> None:
    detector = load_detector(drive_file(tmp_path), engine, classes=["bus"], nms_iou=0.3)
    assert (detector.name, detector.engine.name) == ("tiny-yolo-drive", engine)
    assert detector.classes == ("car", "bus")
    assert detector.thresholds == {"car": 0.3, "bus": 0.6}
    image = np.random.default_rng(0).integers(0, 256, (70, 120, 3), dtype=np.uint8)
    assert {found.label for found in detector.detect(image, conf=0.01)} == {"bus"}


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    path = drive_file(tmp_path)
    with pytest.raises(InputError, match=r"car, bus; got tank"):
        load_detector(path, classes=["tank"])
    with pytest.raises(InputError, match=r"conf must be from 0 to 1; got 17"):
        load_detector(path, conf=17)
    with pytest.raises(InputError, match="exponent"):
        load_detector(path, exponent=1.8)
    detector = load_detector(path)
    image = np.zeros((50, 90, 3), np.uint8)
    with pytest.raises(InputError, match="tank"):
        detector.detect(image, classes=["car", "tank"])
    with pytest.raises(InputError, match=r"got -0\.1"):
        detector.detect(image, conf=-0.1)
    with pytest.raises(InputError, match=r"90x50.*0,0,91,50"):
        detector.detect(image, region=Region(0, 0, 91, 50))
    with pytest.raises(InputError, match="float64"):
        detector.detect(image.astype(float))


def test_files_that_are_no_detector(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"absent\.onnx"):
        load_detector(tmp_path / "absent.onnx")
    with pytest.raises(InputError, match=r"is a folder; expected a model file \(\.onnx, \.weights"):
        load_detector(tmp_path)
    drive_file(tmp_path, {**METADATA, "network": "steering"}).rename(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"no ONNX at all")
    with pytest.raises(InputError, match=r"\(\.onnx, \.weights\)$"):  # none of these would do
        load_detector(tmp_path)
    drive_file(tmp_path, METADATA).rename(tmp_path / "c.onnx")
    with pytest.raises(InputError, match=r", such as .*c\.onnx"):
        load_detector(tmp_path)
    with pytest.raises(WeightsError, match="got steering"):
        load_detector(drive_file(tmp_path, {**METADATA, "network": "steering"}))
    for key in ("classes", "anchors", "nms_iou"):
        metadata = {name: text for name, text in METADATA.items() if name != key}
        with pytest.raises(WeightsError, match=f"'{key}'"):
            load_detector(drive_file(tmp_path, metadata))
    (tmp_path / "short.weights").write_bytes(bytes(1000))
    with pytest.raises(WeightsError, match=r"180,357,512 bytes; got 1,000"):
        load_detector(tmp_path / "short.weights")


def test_unknown_classes_are_refused_before_the_network_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drive.detection.detector._load_network", None)
    (tmp_path / "yolo-tiny.weights").write_bytes(bytes(1000))
    for path, known in (
        (DEFAULT_WEIGHTS, "classes of tiny-yolo-drive must be among car, bus"),
        (tmp_path / "yolo-tiny.weights", "classes of tiny-yolo-v1 must be among aeroplane"),
    ):
        with pytest.raises(InputError, match=f"{known}.*got spaceship"):
            load_detector(path, classes=["car", "spaceship"])


def test_scores_above_one_are_cut() -> None:
    detector = TinyYoloV1Detector(FakeEngine([v1_output(1.2)], {}))
    assert detector.detect(np.zeros((100, 200, 3), np.uint8))[0].score == 1.0


@pytest.mark.slow
def test_drive_network_runs_alike_in_every_engine(tmp_path: Path) -> None:
    path = tmp_path / "tiny-yolo-drive.onnx"
    metadata = onnx_metadata(dict.fromkeys(CLASSES, 0.2), [(64, 96)])
    write_onnx(build_tiny_yolo_drive(len(CLASSES)), path, metadata)
    image = np.random.default_rng(0).integers(0, 256, (70, 120, 3), dtype=np.uint8)
    first, *others = (load_detector(path, engine) for engine in ("openvino", "onnx", "keras"))
    expected = first.detect(image)
    assert len(expected) > 3
    for detector in others:
        found = detector.detect(image)
        assert [d.label for d in found] == [d.label for d in expected]
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.box == pytest.approx(theirs.box, abs=0.05)


@pytest.mark.slow
def test_v1_file_is_converted_once_and_every_engine_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    values = 0.02 * rng.standard_normal(45_089_374, np.float32)
    path = tmp_path / "yolo-tiny.weights"
    path.write_bytes(bytes(16) + values.tobytes())
    image = cv2.resize(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8), (1280, 720))
    picture = np.ascontiguousarray(cv2.resize(image, (448, 448))[None])
    results = {
        engine: load_detector(path, engine).engine.predict(picture.astype(kind))[0]
        for engine, kind in {"openvino": "uint8", "onnx": "uint8", "keras": "float32"}.items()
    }
    spread = np.abs(results["keras"]).max()
    for engine in ("openvino", "onnx"):
        np.testing.assert_allclose(results[engine], results["keras"], atol=1e-4 * spread)
    (file,) = (tmp_path / "cache" / "drive").iterdir()
    written = file.stat().st_mtime_ns
    assert converted(path, file.parent) == file
    assert file.stat().st_mtime_ns == written


def test_the_int8_file_beside_the_float_one_is_what_runs_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    float_file = drive_file(tmp_path)
    monkeypatch.setattr(detector_module, "DEFAULT_WEIGHTS", float_file)
    assert load_detector().engine.metadata.get("precision") is None  # no int8 file yet
    int8_file = int8_beside(float_file)
    assert int8_file.name == "tiny-yolo-drive-int8.onnx"
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, 70, 120, 3), dtype=np.uint8)
    assert quantise_detector(float_file, int8_file, pictures) == 4
    for engine in ("auto", "openvino", "onnx"):
        assert shipped_weights(engine) == int8_file
        loaded = load_detector(None, engine)
        assert loaded.engine.metadata["precision"] == "int8"
        assert loaded.thresholds == {"car": 0.3, "bus": 0.6}
    assert shipped_weights("keras") == float_file
    found = [d.label for d in load_detector(int8_file).detect(pictures[0], conf=0.3)]
    assert found == [d.label for d in load_detector(float_file).detect(pictures[0], conf=0.3)]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert shipped_weights("auto") == float_file


def test_calibration_shows_the_network_what_the_detector_shows_it() -> None:
    detector = TinyYoloDriveDetector(FakeEngine([], METADATA))
    pictures = [np.full((100, 300, 3), 255, np.uint8), np.zeros((50, 50, 3), np.uint8)]
    batches = list(prepared(detector, pictures))
    assert [batch.shape for batch in batches] == [(1, 48, 96, 3), (1, 64, 64, 3)]
    assert (batches[0][0, :8] == 114).all()  # letterboxed
    assert (batches[0][0, 8:40] == 255).all()
