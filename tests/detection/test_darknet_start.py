"""Beginning from yolov3-tiny: folding, our rows of the heads, and half of the widest layer."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from drive.core.errors import WeightsError
from drive.detection.darknet_start import DARKNET_LAYERS, FULL_WIDTH, load_darknet_weights, narrow
from drive.detection.dataset import CLASSES
from drive.detection.tiny_yolo_drive import WIDEST, build_tiny_yolo_drive


def test_folding_and_rows_of_our_classes(tmp_path: Path) -> None:
    network = build_tiny_yolo_drive(widest=FULL_WIDTH)
    coco = build_tiny_yolo_drive(80, widest=FULL_WIDTH)
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for number, name in enumerate(DARKNET_LAYERS, start=1):
        layer, key = coco.get_layer(name), f"conv{number:02d}"
        arrays[f"{key}_kernel"] = rng.normal(0, 0.05, layer.kernel.shape).astype(np.float16)
        filters = layer.kernel.shape[-1]
        if name.startswith("head"):
            arrays[f"{key}_bias"] = np.arange(filters, dtype=np.float32)
        else:
            for part, low in (("beta", -1), ("gamma", 0.5), ("mean", -1), ("variance", 0.5)):
                arrays[f"{key}_{part}"] = rng.uniform(low, 2, filters).astype(np.float32)
    np.savez(tmp_path / "w.npz", **arrays)
    load_darknet_weights(network, tmp_path / "w.npz")

    x = rng.normal(0, 1, 27).astype(np.float32)  # one 3x3x3 window through convolution 1
    raw = x @ arrays["conv01_kernel"].reshape(27, 16).astype(np.float32)
    normal = (raw - arrays["conv01_mean"]) / (np.sqrt(arrays["conv01_variance"]) + 1e-6)
    expected = normal * arrays["conv01_gamma"] + arrays["conv01_beta"]
    kernel, bias = network.get_layer("conv1").get_weights()
    np.testing.assert_allclose(x @ kernel.reshape(27, 16) + bias, expected, atol=1e-4)

    bias = network.get_layer("head16").get_weights()[1]
    assert bias[:11].tolist() == [0, 0.5, 2, 3, 4, 7, 10, 12, 8, 6, 5]  # car, bus, truck, ...
    assert bias[11:14].tolist() == [42.5, 43, 87]  # the second anchor

    del arrays["conv05_mean"]
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(WeightsError, match="conv05_mean"):
        load_darknet_weights(network, tmp_path / "w.npz")
    with pytest.raises(WeightsError, match="got tram"):
        load_darknet_weights(network, tmp_path / "w.npz", (*CLASSES[:5], "tram"))


def test_narrowing_keeps_what_carries_something() -> None:
    wide = build_tiny_yolo_drive(1, FULL_WIDTH)
    rng = np.random.default_rng(0)
    needed = np.sort(rng.permutation(FULL_WIDTH)[:WIDEST])
    kernel, bias = wide.get_layer("neck32").get_weights()
    idle = np.setdiff1d(np.arange(FULL_WIDTH), needed)
    kernel[:, :, idle] = 0
    bias += rng.normal(size=bias.shape)
    wide.get_layer("neck32").set_weights([kernel, bias])
    pictures = rng.integers(0, 256, (6, 64, 96, 3)).astype(np.uint8)
    kept, (narrowed, offset) = narrow(wide, pictures)
    seen = keras.Model(wide.input, wide.get_layer("conv7_leaky").output)
    values = np.asarray(seen(pictures))
    before = values @ kernel[0, 0] + bias
    after = values[..., kept] @ narrowed[0, 0] + offset
    assert len(kept) == WIDEST
    assert np.abs(after - before).max() < 0.02 * np.abs(before).max()
