"""What MODEL of `export` names, what its files will say, and which frames are taken."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from drive import load_detector, load_steering, read_frames
from drive.conversion.export import INT8_FORMATS, Original, export, load_written
from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import InputError, MissingFileError, WeightsError
from drive.core.files import sha256
from drive.detection.detector import DEFAULT_WEIGHTS, shipped_weights
from drive.detection.tiny_yolo_v1_detector import METADATA as V1_METADATA
from drive.runtime.onnx_file import read_model
from drive.steering.ensemble import describe_ensemble, merge
from drive.steering.model_file import describe, save_trained
from drive.steering.network import build_network
from drive.steering.predict import DEFAULT_MODEL
from drive.steering.preprocess import RoadCrop, preprocess
from drive.tasks.originals import find_model, open_original, parse_size, prepared_frames
from tests.conftest import VideoMaker, read_mark


def opened(model: str | Path, work: Path, size: str | None = None, fixed: bool = False) -> Original:
    return open_original(find_model(str(model)), work, parse_size(size), fixed)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`model.keras` and `model.onnx` of two steering networks with random weights."""
    keras.utils.set_random_seed(1)
    members = [build_network(scale_deg=3.0) for _ in range(2)]
    notes = describe(members[0], "published", RoadCrop(0.3, 0.8, 0.1), np.array([1.0]), ["a"])
    path = tmp_path_factory.mktemp("ensemble") / "model.keras"
    save_trained(merge(members), path, describe_ensemble(notes, 2))
    return path


@pytest.fixture(scope="module")
def like_v1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the input, the output and the metadata of tiny YOLO v1, and few weights."""
    image = keras.Input((448, 448, 3), name="image")
    x = keras.layers.MaxPooling2D(64, name="pool")(image)
    x = keras.layers.Dense(1470, name="detections")(keras.layers.Flatten(name="flat")(x))
    path = tmp_path_factory.mktemp("v1") / "v1.onnx"
    write_onnx(keras.Model(image, x), path, V1_METADATA)
    return path


def test_names_stand_for_the_float_weights_that_ship() -> None:
    assert find_model("tiny-yolo-drive") == DEFAULT_WEIGHTS
    assert find_model("steering") == DEFAULT_MODEL


def test_a_model_has_to_be_there_and_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"there is no file nowhere\.onnx; MODEL must be"):
        find_model("nowhere.onnx")
    other = tmp_path / "model.pt"
    other.write_bytes(b"")
    with pytest.raises(InputError, match=r"end in one of \.onnx, \.keras, \.weights; got"):
        find_model(str(other))


def test_a_foreign_network_is_refused(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3), name="image")
    path = tmp_path / "foreign.onnx"
    write_onnx(keras.Model(image, keras.layers.Flatten(name="flat")(image)), path, {})
    with pytest.raises(WeightsError, match="entry network must be one of tiny-yolo-drive"):
        opened(path, tmp_path)


@pytest.mark.parametrize("text", ["640", "640x", "640x288x3", "-640x288", "axb"])
def test_a_size_is_width_x_height(text: str) -> None:
    with pytest.raises(InputError, match=r"WIDTHxHEIGHT in pixels, such as 640x288; got"):
        parse_size(text)


def test_the_detector_s_size_is_free_fixed_or_chosen(tmp_path: Path) -> None:
    frame = np.zeros((480, 640, 3), np.uint8)  # not as wide as the first size
    for arguments, size, prepared in (
        ({}, None, (256, 768)),
        ({"fixed": True}, (288, 640), (288, 640)),
        ({"size": "320x192"}, (192, 320), (192, 320)),
    ):
        original = opened("tiny-yolo-drive", tmp_path, **arguments)  # type: ignore[arg-type]
        assert original.size == size
        if size:
            assert original.prepare(frame).shape == (*prepared, 3)
            assert json.loads(original.metadata["input_sizes"]) == [list(size)]
        else:
            assert len(json.loads(original.metadata["input_sizes"])) > 1


@pytest.mark.parametrize("size", ["640x300", "0x32"])
def test_the_detector_s_size_is_in_multiples_of_32(size: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"multiples of 32 pixels.*got {size}"):
        opened("tiny-yolo-drive", tmp_path, size)


def test_other_networks_have_one_size(like_v1: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not be given for a steering network; got 320x192"):
        opened("steering", tmp_path, "320x192")
    with pytest.raises(InputError, match="one input size; got 320x192"):
        opened(like_v1, tmp_path, "320x192")
    assert opened("steering", tmp_path).size == (66, 200)
    assert opened(like_v1, tmp_path).size == (448, 448)


def test_frames_are_prepared_as_the_detector_prepares_them(tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    detector = load_detector(DEFAULT_WEIGHTS, "onnx")
    expected, _ = detector.prepare(detector.default_region(640, 360).crop(frame))
    np.testing.assert_array_equal(opened("tiny-yolo-drive", tmp_path).prepare(frame), expected)


def test_what_the_detector_s_file_says_is_enough_to_use_it(tmp_path: Path) -> None:
    said = opened("tiny-yolo-drive", tmp_path, "640x288").metadata
    entries = {"classes", "thresholds", "anchors", "strides", "centre_gain", "nms_iou"}
    assert entries <= set(said)
    how = json.loads(said["preprocessing"])
    assert (how["input"], how["colours"], how["pixel_range"]) == ("NHWC, uint8", "RGB", [0, 255])
    assert how["sizes_height_width"] == [[288, 640]]
    assert how["crop"]["shares_of_frame"] == {"left": 0, "top": 0.12, "right": 1, "bottom": 0.94}
    assert "letterbox" in how["resize"]
    assert json.loads(said["outputs"]) == ["output_head32", "output_head16", "output_head8"]
    assert said["exported_from_sha256"] == sha256(DEFAULT_WEIGHTS)


def test_what_tiny_yolo_v1_s_file_says(like_v1: Path, tmp_path: Path) -> None:
    original = opened(like_v1, tmp_path)
    assert json.loads(original.metadata["classes"])[6] == "car"
    assert json.loads(original.metadata["thresholds"])["car"] == 0.17
    shares = json.loads(original.metadata["preprocessing"])["crop"]["shares_of_frame"]
    frame = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    crop = frame[
        round(shares["top"] * 720) : round(shares["bottom"] * 720),
        round(shares["left"] * 1280) : round(shares["right"] * 1280),
    ]
    expected = cv2.resize(crop, (448, 448), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(original.prepare(frame), expected)


def test_what_the_steering_file_says_is_enough_to_use_it(ensemble: Path, tmp_path: Path) -> None:
    original = opened(ensemble, tmp_path)
    how = json.loads(original.metadata["preprocessing"])
    shares = how["crop"]["shares_of_frame"]
    assert shares == {"top": 0.3, "bottom": 0.8, "side": 0.1}
    assert (original.metadata["unit"], original.metadata["positive"]) == ("degrees", "right")
    frame = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    by_hand = cv2.resize(frame[30:80, 20:180], (200, 66), interpolation=cv2.INTER_AREA)
    by_hand = cv2.cvtColor(by_hand, cv2.COLOR_RGB2YUV)
    np.testing.assert_array_equal(original.prepare(frame), by_hand)
    assert how["interpolation"] == "INTER_AREA"
    assert "COLOR_RGB2YUV" in how["colours"]


@pytest.mark.parametrize("suffix", [".keras", ".onnx"])
def test_an_ensemble_is_written_with_both_outputs(
    suffix: str, ensemble: Path, tmp_path: Path
) -> None:
    original = opened(ensemble.with_suffix(suffix), tmp_path)
    assert json.loads(original.metadata["postprocessing"])["members"] == 2
    frames = np.random.default_rng(1).integers(0, 256, (2, 1, 66, 200, 3), np.uint8)
    out = tmp_path / "out"
    out.mkdir()
    made = export(original, "onnx", out.joinpath, list(frames))
    pilot = load_steering(made.path)
    assert pilot.members == 2
    expected = load_steering(ensemble, "keras").predict_members(frames[:, 0])
    np.testing.assert_allclose(pilot.predict_members(frames[:, 0]), expected, atol=1e-4)


def test_int8_steering_sees_the_picture_in_float(ensemble: Path, tmp_path: Path) -> None:
    original = opened(ensemble, tmp_path)
    frames = list(np.random.default_rng(1).integers(0, 256, (3, 1, 66, 200, 3), np.uint8))
    made = {
        name: export(original, name, tmp_path.joinpath, frames, frames).path
        for name in INT8_FORMATS
    }
    graph = read_model(made["onnx"]).graph
    kernels = {tensor.name for tensor in graph.initializer if tensor.name.endswith("/kernel")}
    convolutions = {name for name in kernels if "conv" in name}
    assert convolutions == {"member1_conv1/kernel", "member2_conv1/kernel"}
    engine = load_written("litert", made["litert"])
    assert (engine.input_dtype, engine.input_shape) == (np.uint8, (None, 66, 200, 3))
    tensors = engine._interpreter.get_tensor_details()  # type: ignore[attr-defined]
    weights = [t for t in tensors if len(t["shape"]) == 4 and t["shape"][0] in (24, 36, 48, 64)]
    of_float = sum(t["dtype"] is np.float32 and t["shape"][0] == 24 for t in weights)
    of_int8 = [int(t["shape"][0]) for t in weights if t["dtype"] is np.int8]
    assert of_float == 2
    assert sorted(of_int8) == sorted([36, 48, 64, 64] * 2)


def test_a_keras_file_is_compared_with_keras(ensemble: Path, tmp_path: Path) -> None:
    assert opened(ensemble, tmp_path).load("openvino").name == "keras"
    assert opened(ensemble.with_suffix(".onnx"), tmp_path).load("openvino").name == "openvino"


def test_an_openvino_file_is_read_back_as_a_detector(tmp_path: Path) -> None:
    checks = [np.random.default_rng(0).integers(0, 256, (1, 192, 320, 3), np.uint8)]
    original = opened(shipped_weights(), tmp_path, "320x192")
    path = export(original, "openvino", tmp_path.joinpath, checks).path
    detector = load_detector(path)
    assert detector.engine.name == "openvino"
    assert detector.classes == load_detector().classes
    frame = np.zeros((360, 640, 3), np.uint8)
    assert detector.prepare(frame)[0].shape == (192, 320, 3)
    assert detector.detect(frame) == []
    large = np.zeros((1080, 1920, 3), np.uint8)  # pictures ask for fine, of a file of one size too
    assert load_detector(path, detail="fine").detect(large) == []


def test_frames_are_taken_evenly_and_over_all_sources(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    videos = [make_video(f"{n}.mp4", frames=30) for n in range(2)]
    original = opened("steering", tmp_path)
    kept = prepared_frames(original, videos, most=20)
    frames = [frame.image for video in videos for frame in read_frames(video)]
    assert [read_mark(frame) for frame in frames[:3]] == [0, 1, 2]
    crop = load_steering().crop
    expected = [preprocess(frame, crop)[None] for frame in frames[::4]]  # 60 frames, every fourth
    assert len(kept) == 15
    for found, wanted in zip(kept, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert len(prepared_frames(original, videos, most=60)) == 60


def test_frames_come_from_what_ends(tmp_path: Path) -> None:
    original = opened("steering", tmp_path)
    with pytest.raises(InputError, match=r"video files and images; got rtsp://camera"):
        prepared_frames(original, ["rtsp://camera"], 5)
    with pytest.raises(MissingFileError):
        prepared_frames(original, [tmp_path / "nothing.mp4"], 5)
