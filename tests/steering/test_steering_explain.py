"""Where the network looks, and whether that is true: against plain loops and made-up drivers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from drive import cli
from drive.core.errors import InputError, MissingFileError
from drive.runtime.feature_maps import Window, load_with_maps
from drive.steering.explain import load_explainer, scale_up, visual_back_prop
from drive.steering.predict import DEFAULT_MODEL
from drive.steering.shift_check import (
    NAMED_SHIFT_PX,
    EvenSample,
    in_words,
    salient_pixels,
    shift_check,
    shifted,
)
from tests.conftest import VideoMaker


def by_hand(values: np.ndarray, window: Window, size: tuple[int, int], before: int) -> np.ndarray:
    """The transposed convolution with ones, a window at a time."""
    total = np.zeros((size[0] + 2 * before, size[1] + 2 * before))
    for row, column in np.ndindex(values.shape):
        top, left = row * window.stride[0], column * window.stride[1]
        total[top : top + window.kernel[0], left : left + window.kernel[1]] += values[row, column]
    return total[before : before + size[0], before : before + size[1]]


@pytest.mark.parametrize(
    ("window", "small", "size", "before"),
    [
        (Window("conv", (5, 5), (2, 2)), (3, 4), (9, 11), 0),
        (Window("a row and a column that no window reached", (5, 5), (2, 2)), (3, 4), (10, 12), 0),
        (Window("padded", (3, 3), (1, 1)), (6, 7), (6, 7), 1),
        (Window("not square", (3, 5), (1, 2)), (4, 3), (6, 9), 0),
    ],
)
def test_scaling_up_is_the_transposed_convolution_with_ones(
    window: Window, small: tuple[int, int], size: tuple[int, int], before: int
) -> None:
    values = np.random.default_rng(0).random((2, *small)).astype(np.float32)
    result = scale_up(values, window, size)
    assert result.shape == (2, *size)
    for number in range(2):
        np.testing.assert_allclose(
            result[number], by_hand(values[number], window, size, before), rtol=1e-5
        )


def test_only_what_every_layer_answers_to_is_left() -> None:
    windows = [Window("conv1", (3, 3), (1, 1)), Window("conv2", (3, 3), (1, 1))]
    shallow, deep = np.zeros((1, 8, 18), np.float32), np.zeros((1, 6, 16), np.float32)
    shallow[0, 2, 3] = shallow[0, 5, 14] = 1  # two spots; the deeper layer sees one of them
    deep[0, 4, 13] = 7
    mask = visual_back_prop([shallow, deep], windows, (10, 20))[0]
    assert mask.min() == 0 and mask.max() == 1
    assert mask[6, 15] == 1
    assert mask[:, :10].max() == 0
    nothing = visual_back_prop([shallow, 0 * deep], windows, (10, 20))
    assert not nothing.any()


def make_onnx(path: Path, between: list[onnx.NodeProto], joined: str = "behind") -> Path:
    """A network of two convolutions of one pixel each, with `between` them, over (N, 6, 8, 3)."""
    half = numpy_helper.from_array(np.full((2, 3, 1, 1), 0.5, np.float32), "w1")
    second = numpy_helper.from_array(np.ones((1, 2, 1, 1), np.float32), "w2")
    channels = {"scale": [1, 1], "offset": [-2, -2], "mean": [0, 0], "variance": [1, 1]}
    constants = [
        numpy_helper.from_array(np.array(values, np.float32), name)
        for name, values in channels.items()
    ]
    ones = {"kernel_shape": [1, 1], "strides": [1, 1]}
    nodes = [
        helper.make_node("Transpose", ["picture"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "w1"], ["conv1"], **ones),
        *between,
        helper.make_node("Conv", [joined, "w2"], ["conv2"], **ones),
        helper.make_node("Relu", ["conv2"], ["conv2/relu"]),
        helper.make_node("Flatten", ["conv2/relu"], ["answer"]),
    ]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 6, 8, 3])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", "values"])
    graph = helper.make_graph(nodes, "g", [picture], [answer], [half, second, *constants])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


NORMALISED = [
    helper.make_node(
        "BatchNormalization",
        ["conv1", "scale", "offset", "mean", "variance"],
        ["calm"],
        epsilon=0.0,
    ),
    helper.make_node("Elu", ["calm"], ["behind"]),
]
POOLED = [helper.make_node("MaxPool", ["conv1"], ["behind"], kernel_shape=[2, 2], name="pool1")]
RESIDUAL = [
    helper.make_node("Relu", ["conv1"], ["relu1"]),
    helper.make_node("Add", ["relu1", "conv1"], ["behind"], name="shortcut"),
]


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_batch_normalisation_may_come_between_and_nothing_counts_below_zero(
    tmp_path: Path, engine: str
) -> None:
    path = make_onnx(tmp_path / "bn.onnx", NORMALISED)
    runtime, (windows,) = load_with_maps(path, engine)
    assert [window.kernel for window in windows] == [(1, 1), (1, 1)]
    picture = np.zeros((2, 6, 8, 3), np.float32)
    picture[:, 3, 4] = 2.0  # 0.5 * 6 - 2 = 1; all others -2, behind the ELU about -0.86
    answer, first, second = runtime.predict(picture)
    assert answer.shape == (2, 48)
    assert first.shape == second.shape == (2, 6, 8)
    assert first[0, 3, 4] == pytest.approx(1, abs=1e-5)
    assert first.sum() == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize(
    ("between", "reason"), [(POOLED, "MaxPool 'pool1'"), (RESIDUAL, "one path through 'conv1'")]
)
def test_other_networks_are_refused_in_one_line(
    tmp_path: Path, between: list[onnx.NodeProto], reason: str
) -> None:
    path = make_onnx(tmp_path / "other.onnx", between)
    with pytest.raises(InputError, match="convolutions that follow one another") as refusal:
        load_with_maps(path)
    assert reason in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_an_ensemble_looks_where_its_members_look_on_average(tmp_path: Path) -> None:
    """Two networks in a file: one sees only red, one only blue; its two outputs come first."""
    ones = {"kernel_shape": [1, 1], "strides": [1, 1]}
    weights, nodes = (
        [],
        [helper.make_node("Transpose", ["picture"], ["first"], perm=[0, 3, 1, 2])],
    )
    for name, channel in (("red", 0), ("blue", 2)):
        kernel = np.zeros((1, 3, 1, 1), np.float32)
        kernel[0, channel] = 1
        weights.append(numpy_helper.from_array(kernel, f"{name}/kernel"))
        nodes.append(helper.make_node("Conv", ["first", f"{name}/kernel"], [name], **ones))
        nodes.append(helper.make_node("Relu", [name], [f"{name}/relu"]))
        nodes.append(helper.make_node("Flatten", [f"{name}/relu"], [f"{name}/flat"]))
    flat = ["red/flat", "blue/flat"]
    nodes.append(helper.make_node("Mean", flat, ["mean"]))
    nodes.append(helper.make_node("Concat", flat, ["members"], axis=1))
    picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, ["batch", 66, 200, 3])
    nodes.insert(0, helper.make_node("Cast", ["picture"], ["light"], to=TensorProto.FLOAT))
    nodes[1].input[0] = "light"
    answers = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", f"{name}_values"])
        for name in ("mean", "members")
    ]
    graph = helper.make_graph(nodes, "g", [picture], answers, weights)
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "ensemble.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    explainer = load_explainer(path, "onnx")
    assert len(explainer.members) == 2
    image = np.zeros((1, 66, 200, 3), np.uint8)
    image[0, 20, 30] = (200, 0, 50)
    image[0, 40, 150] = (0, 0, 100)
    mask = explainer.masks(image)[0]
    assert mask[20, 30] == pytest.approx(1)  # red 1 and blue 0.5, over their best together
    assert mask[40, 150] == pytest.approx(1 / 1.5)
    assert np.count_nonzero(mask) == 2


def test_a_missing_model_and_another_kind_of_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"absent\.onnx"):
        load_explainer(tmp_path / "absent.onnx")
    (tmp_path / "model.xml").touch()
    with pytest.raises(InputError, match=r"\.xml"):
        load_explainer(tmp_path / "model.xml")


def road(shift: int = 0) -> np.ndarray:
    """A grey frame whose road has a bright line at the right, `shift` pixels further right."""
    image = np.full((180, 320, 3), 90, np.uint8)
    cv2.line(image, (170 + shift, 80), (260 + shift, 150), (250, 250, 250), 5)
    return image


def test_every_runtime_sees_the_line_in_the_same_place() -> None:
    masks = {
        (suffix, engine): load_explainer(DEFAULT_MODEL.with_suffix(suffix), engine).mask(road())
        for suffix, engine in ((".onnx", "openvino"), (".onnx", "onnx"), (".keras", "auto"))
    }
    first, *others = masks.values()
    assert first.shape == (66, 200) and first.dtype == np.float32
    assert first.min() == 0 and first.max() == 1
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-4)
    assert first[:, 100:170].mean() > 1.5 * first[:, :70].mean()


def test_an_onnx_file_is_explained_without_tensorflow() -> None:
    code = (
        "import sys, numpy as np; from drive.steering.explain import load_explainer; "
        "load_explainer().mask(np.zeros((90, 160, 3), np.uint8)); "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_shifting_the_salient_part_leaves_the_rest_and_fills_the_gap() -> None:
    picture = np.zeros((1, 2, 10, 3), np.uint8)
    picture[0, :] = np.arange(10)[:, None] * 10
    moves = np.zeros((1, 2, 10), bool)
    moves[0, 0, 3:5] = True
    right = shifted(picture, moves, 3, on_top=True)[0, :, :, 0]
    assert right[0].tolist() == [0, 10, 20, 30, 40, 50, 30, 40, 80, 90]  # 3, 4 from 2 and 5
    assert right[1].tolist() == picture[0, 1, :, 0].tolist()
    off = shifted(picture, moves, -5, on_top=True)[0, 0, :, 0]
    assert off.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]  # gone; blended over


def test_shifting_the_rest_leaves_the_salient_part() -> None:
    picture = np.zeros((1, 1, 8, 3), np.uint8)
    picture[0, 0] = np.array([0, 10, 20, 99, 40, 50, 60, 70])[:, None]
    stays = np.zeros((1, 1, 8), bool)
    stays[0, 0, 3] = True
    left = shifted(picture, ~stays, -1, on_top=False)[0, 0, :, 0]
    assert left[3] == 99
    assert left[[0, 1, 4, 5, 6]].tolist() == [10, 20, 50, 60, 70]
    assert left[7] == 70  # the picture's edge is repeated
    assert 20 <= left[2] <= 99  # uncovered: between its neighbours
    whole = shifted(picture, np.ones_like(stays), 2, on_top=True)[0, 0, :, 0]
    assert whole.tolist() == [0, 0, 0, 10, 20, 99, 40, 50]


def bright_column(pictures: np.ndarray) -> np.ndarray:
    """A driver that steers to where the bright pixels are, 1 degree for 10 columns."""
    bright = (pictures[..., 0] > 200).sum(axis=1) + 1e-9
    return (bright * np.arange(pictures.shape[2])).sum(axis=1) / bright.sum(axis=1) / 10


def spots(count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with a bright spot each, and masks that mark it."""
    pictures = np.full((count, 66, 200, 3), 60, np.uint8)
    masks = np.zeros((count, 66, 200), np.float32)
    for number in range(count):
        left = 60 + 15 * number
        pictures[number, 30:38, left : left + 8] = 250
        masks[number, 30:38, left : left + 8] = 1
    return pictures, masks


def test_a_true_explanation_passes_the_check() -> None:
    pictures, masks = spots()
    report = shift_check(bright_column, pictures, masks)
    deg = report.at_named_shift_deg
    assert deg["salient"] == pytest.approx(NAMED_SHIFT_PX / 10, abs=0.01)
    assert deg["all"] == pytest.approx(deg["salient"], abs=0.01)
    assert deg["rest"] == pytest.approx(0, abs=0.01)
    assert deg["random"] < 0.3 * deg["salient"]
    assert report.salient_moves_more_share == 1
    share = report.area_share
    assert share["salient"] == share["random"] == salient_pixels(masks).mean()
    assert share["salient"] + share["rest"] == 1
    assert report.frames == 4
    assert [len(values) for values in report.change_deg.values()] == [5] * 5
    words = "\n".join(in_words(report))
    assert f"{deg['salient']:.3f}" in words and f"{share['rest']:.0%}" in words


def test_a_false_explanation_fails_the_check() -> None:
    pictures, masks = spots()
    report = shift_check(bright_column, pictures, np.roll(masks, 90, axis=2))
    assert report.at_named_shift_deg["salient"] < report.at_named_shift_deg["rest"]
    assert report.salient_over_rest < 0.2
    assert report.salient_moves_more_share == 0


def test_every_picture_needs_its_mask() -> None:
    pictures, masks = spots(2)
    with pytest.raises(InputError, match="got"):
        shift_check(bright_column, pictures, masks[:1])


@pytest.mark.parametrize(("seen", "kept"), [(1, 1), (5, 5), (8, 8), (9, 8), (1000, 8)])
def test_a_sample_is_spread_evenly_whatever_the_length(seen: int, kept: int) -> None:
    sample = EvenSample(8)
    for number in range(seen):
        sample.add(np.array([number]))
    numbers = sample.images()[:, 0]
    assert len(numbers) == kept
    assert numbers[0] == 0
    steps = np.diff(numbers)
    assert not len(steps) or (steps.min() > 0 and steps.max() <= 2 * steps.min())
    assert numbers[-1] >= 0.8 * (seen - 1)
    with pytest.raises(InputError, match="0"):
        EvenSample(0)


def test_predict_steering_explains_and_checks(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = make_video(frames=6, size=(320, 192)), tmp_path / "out"
    command = ["predict-steering", str(video), "--explain", "--explain-frames", "3"]
    assert cli.main([*command, "--out", str(out), "--json"]) == 0
    done = capsys.readouterr()
    results = json.loads(done.out.splitlines()[-1])
    report = json.loads((out / "explain.json").read_text())
    assert (report["frames"], report["frames_seen"]) == (3, 6)
    assert "mean of 3 of 6 frames, evenly spread" in done.err
    assert results["explained"]["area_share"] == report["area_share"]
    assert cv2.imread(results["explanation_chart"]).std() > 5
    assert "the salient pixels" in done.err and "the rest" in done.err
    assert json.loads((out / "run.json").read_text())["explanation"]["frames"] == 3
    plain = tmp_path / "plain"
    assert cli.main(["predict-steering", str(video), "--out", str(plain), "--quiet"]) == 0
    assert not (plain / "explain.json").exists()
    assert not capsys.readouterr().err


def test_frames_to_check_without_an_explanation_are_told(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict-steering", str(make_video(frames=2)), "--explain-frames", "3", "--quiet"]
    assert cli.main([*command, "--no-video", "--out", str(tmp_path / "out")]) == 0
    said = "warning: --explain-frames has no effect without --explain"
    assert capsys.readouterr().err.splitlines() == [said]


def test_wrong_wishes_are_exit_status_2_and_one_line(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    network = make_onnx(tmp_path / "other.onnx", POOLED)
    video = str(make_video(frames=2))
    for options in (["--explain-frames", "0"], ["--weights", str(network)]):
        command = ["predict-steering", video, "--explain", "--out", str(tmp_path / "out")]
        assert cli.main([*command, *options, "--quiet"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
