"""The network of drive: its shape, and what its files say about it."""

from __future__ import annotations

import json

import numpy as np

from drive.detection.tiny_yolo_drive import ANCHORS, INPUT_SIZES, STRIDES, build_tiny_yolo_drive
from drive.detection.tiny_yolo_drive import onnx_metadata as metadata


def test_the_backbone_and_two_heads_are_those_of_yolov3_tiny() -> None:
    network = build_tiny_yolo_drive(80, widest=1024)
    ours = [layer for layer in network.layers if layer.name.endswith("8") and layer.weights]
    assert [layer.name for layer in ours] == ["neck8", "side8", "features8", "head8"]
    shared = network.count_params() - sum(layer.count_params() for layer in ours)
    assert shared == 8_858_734 - sum(
        3 * n for n in (16, 32, 64, 128, 256, 512, 1024, 256, 512, 128, 256)
    )  # Darknet's count, less gamma, mean and variance of each folded normalisation


def test_each_head_has_the_cells_of_its_stride() -> None:
    outputs = build_tiny_yolo_drive(4)(np.zeros((1, 64, 96, 3), np.uint8))
    assert [tuple(o.shape) for o in outputs] == [(1, 64 // s, 96 // s, 27) for s in STRIDES]


def test_input_sizes_are_whole_cells_and_cost_alike() -> None:
    for height, width in INPUT_SIZES:
        assert height % max(STRIDES) == width % max(STRIDES) == 0
        assert 180_000 < height * width < 215_000


def test_the_metadata_says_what_decoding_needs() -> None:
    said = metadata({"car": 0.4, "cone": 0.3}, [(320, 640)])
    assert json.loads(said["classes"]) == ["car", "cone"]
    assert json.loads(said["strides"]) == [32, 16, 8]
    assert json.loads(said["anchors"])["8"] == [list(shape) for shape in ANCHORS[8]]
    assert json.loads(said["centre_gain"]) == 2.0
