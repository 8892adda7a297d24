"""How well steering is learnt from the recordings people have, without a step of gradient descent.

For each recording: the baselines (zero, mean, the angle one second before) and a ridge
regression on frozen convolutions of the detector that ships, as `docs/decisions/steering.md`
("Learning from real recordings") recommends it: exposure evened, 200x66 (a 4:3 fisheye 160x96),
strength and mirror images chosen by five contiguous blocks of the training part. Stands alone,
without `drive`, so that it is a second opinion on what `train-steering` does.

    python benchmarks/learn_steering.py ../shared [RECORDING ...] [--layer pool5] [--csv FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

STRENGTHS = (3e-4, 1e-3, 3e-3)
BLOCKS, GAP_S = 5, 4.0
MIDDLE, GAMMA = 0.4, (0.3, 2.0)
"""Level that the crop's median is brought to, and the exponents allowed for that."""

BATCH = 32
DEGREES = float(np.degrees(1))


@dataclass(frozen=True)
class Recording:
    """One recording of the benchmark: where it is, what trains and what is held out."""

    name: str
    folder: str
    train: tuple[int, int]
    test: tuple[int, int]
    crop: tuple[float, float] = (0.4, 0.875)
    scale: float = 1.0
    size: tuple[int, int] = (200, 66)
    number: int = 1
    smooth_s: float = 0.0
    """Keyboard taps: spread of the Gaussian that smooths the labels that teach."""


RECORDINGS = (
    Recording("udacity_ch2", "drives/udacity_ch2", (0, 2700), (2800, 3400), scale=-DEGREES),
    Recording(
        "donkeycar_tub",
        "drives/donkeycar_tub",
        (0, 1500),
        (1600, 2000),
        (0.15, 1.0),
        25.0,
        (160, 96),
    ),
    Recording("udacity_sim", "recordings/udacity_sim", (0, 2593), (2593, 3242), smooth_s=0.35),
    Recording("deeptesla", "recordings/deeptesla", (0, 580), (604, 755)),
    Recording("torcs_eroad", "recordings/torcs/eroad", (0, 1100), (1200, 1500), number=2),
)


def tub_rows(folder: Path) -> list[dict[str, Any]]:
    """The records of a donkeycar tub, in order."""
    last = (folder / "manifest.json").read_text().splitlines()[-1]
    files = json.loads(last)["paths"]
    return [json.loads(line) for f in files for line in (folder / f).read_text().splitlines()]


def frames(folder: Path, number: int) -> Iterator[np.ndarray]:
    """The RGB frames of the front camera."""
    if (folder / "manifest.json").exists():
        for row in tub_rows(folder):
            stored = cv2.imread(str(folder / "images" / row["cam/image_array"]))
            yield np.asarray(stored)[:, :, ::-1]
        return
    with av.open(str(folder / f"epoch{number:02}_front.mp4")) as video:
        for frame in video.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def labels(folder: Path, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and degrees, positive right."""
    if (folder / "manifest.json").exists():
        rows = tub_rows(folder)
        time_s = np.array([row["_timestamp_ms"] for row in rows]) / 1e3
        angle = np.array([row["user/angle"] for row in rows])
    else:
        with (folder / f"epoch{recording.number:02}_steering.csv").open() as file:
            table = list(csv.DictReader(file))
        time_s = np.array([float(row["ts_micro"]) for row in table]) / 1e6
        angle = np.array([float(row["wheel"]) for row in table])
    return time_s - time_s[0], angle * recording.scale


def even_exposure(image: np.ndarray) -> np.ndarray:
    """Bring the median brightness to `MIDDLE` by an exponent; what the shade hides comes out."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[::4, ::4]
    median = np.clip(np.median(grey) / 255, 0.004, 0.96)
    exponent = np.clip(np.log(MIDDLE) / np.log(median), *GAMMA)
    return cv2.LUT(image, np.rint((np.arange(256) / 255) ** exponent * 255).astype(np.uint8))


def small_images(folder: Path, recording: Recording) -> np.ndarray:
    """(N, H, W, 3) uint8 RGB of all frames."""
    small = []
    for frame in frames(folder, recording.number):
        top, bottom = (round(share * frame.shape[0]) for share in recording.crop)
        part = cv2.resize(frame[top:bottom], recording.size, interpolation=cv2.INTER_AREA)
        small.append(even_exposure(part))
    return np.stack(small)


class Features:
    """Frozen layers of the detector, flattened."""

    def __init__(self, weights: Path, layer: str, size: tuple[int, int]) -> None:
        import openvino as ov

        core = ov.Core()
        whole = core.read_model(weights)
        named = {op.get_friendly_name(): op for op in whole.get_ordered_ops()}
        part = ov.Model([named[layer].output(0)], whole.get_parameters())
        part.reshape([-1, size[1], size[0], 3])
        exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
        self._run = core.compile_model(part, "CPU", exact)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, D) float32."""
        parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        rows = [self._run(np.ascontiguousarray(p))[0].reshape(len(p), -1) for p in parts]
        return np.concatenate(rows)


def sums(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a least-squares solution needs of some rows."""
    return x.T @ x, x.T @ y


def solve(xx: np.ndarray, xy: np.ndarray, strength: float, rows: int) -> np.ndarray:
    """The ridge's weights."""
    return np.linalg.solve(xx + strength * rows * np.eye(len(xx), dtype=np.float32), xy)


def fit(
    plain: np.ndarray, mirrored: np.ndarray, y: np.ndarray, time_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, dict[str, Any]]:
    """Choose strength and mirror images by blocks in time, then solve on everything.

    Args:
        plain, mirrored: (N, D) features of the training images and of their mirror images.
        y: (N,) degrees.
        time_s: (N,) seconds.

    Returns:
        Mean and scale of the features' normalisation, weights, offset, and what was chosen.
        The prediction for features f is `((f - mean) / scale) @ weights + offset`.
    """
    best: dict[str, Any] = {"rmse": np.inf}
    edges = np.linspace(0, len(y), BLOCKS + 1).astype(int)
    for mirror in (False, True):
        stack = np.concatenate([plain, mirrored]) if mirror else plain
        mean, spread = stack.mean(0), stack.std(0)
        scale = np.sqrt(len(mean)) * (spread + 0.05 * spread.mean())
        offset = 0.0 if mirror else float(y.mean())
        target = (y - offset).astype(np.float32)
        a, b = (plain - mean) / scale, (mirrored - mean) / scale
        xx, xy = sums(a, target)
        if mirror:
            other = sums(b, -target)
            xx, xy = xx + other[0], xy + other[1]
        answers = np.zeros((len(STRENGTHS), len(y)))
        for low, high in pairwise(edges):
            near = (time_s > time_s[low] - GAP_S) & (time_s < time_s[high - 1] + GAP_S)
            off, off_y = sums(a[near], target[near])
            if mirror:
                more = sums(b[near], -target[near])
                off, off_y = off + more[0], off_y + more[1]
            rows = (len(y) - near.sum()) * (1 + mirror)
            for i, strength in enumerate(STRENGTHS):
                answers[i, low:high] = a[low:high] @ solve(xx - off, xy - off_y, strength, rows)
        errors = np.sqrt(((answers - target) ** 2).mean(1))
        i = int(errors.argmin())
        if errors[i] < best["rmse"]:
            weights = solve(xx, xy, STRENGTHS[i], len(y) * (1 + mirror))
            best = {"rmse": float(errors[i]), "mirror": mirror, "strength": STRENGTHS[i]}
            best["explained"] = float(1 - np.var(answers[i] - target) / np.var(target))
            kept = mean, scale, weights, offset
    return *kept, best


def smooth(time_s: np.ndarray, y: np.ndarray, spread_s: float) -> np.ndarray:
    """Labels under a Gaussian in time; only what teaches is smoothed."""
    weight = np.exp(-0.5 * ((time_s[:, None] - time_s[None]) / spread_s) ** 2)
    smoothed: np.ndarray = (weight / weight.sum(1, keepdims=True)) @ y
    return smoothed


def rmse(answers: np.ndarray, truth: np.ndarray) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((answers - truth) ** 2)))


def measure(recording: Recording, shared: Path, weights: Path, layer: str) -> dict[str, Any]:
    """One row of the table."""
    began = time.perf_counter()
    features = Features(weights, layer, recording.size)
    folder = shared / recording.folder
    time_s, y = labels(folder, recording)
    train, test = slice(*recording.train), slice(*recording.test)
    images = small_images(folder, recording)
    teach = y[train]
    if recording.smooth_s:
        teach = smooth(time_s[train], teach, recording.smooth_s)
    flipped = images[train][:, :, ::-1]
    mean, scale, kernel, offset, chosen = fit(
        features(images[train]), features(flipped), teach, time_s[train]
    )
    answers = ((features(images[test]) - mean) / scale) @ kernel + offset
    before = np.clip(np.searchsorted(time_s, time_s[test] - 1.0), 0, len(y) - 1)
    return {
        "recording": recording.name,
        "zero": rmse(np.zeros(1), y[test]),
        "mean": rmse(y[train].mean(), y[test]),
        "one_second_ago": rmse(y[before], y[test]),
        "ridge": rmse(answers, y[test]),
        "explained": float(1 - np.var(y[test] - answers) / np.var(y[test])),
        "blocks_rmse": chosen["rmse"],
        "blocks_explained": chosen["explained"],
        "mirror": chosen["mirror"],
        "strength": chosen["strength"],
        "minutes": (time.perf_counter() - began) / 60,
    }


def shown(value: object) -> str:
    """As it is printed."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("recordings", nargs="*")
    parser.add_argument("--layer", default="pool5", help="of the detector: pool4, conv5_leaky ...")
    parser.add_argument("--weights", type=Path, default=Path("weights/tiny-yolo-drive.onnx"))
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    for recording in RECORDINGS:
        if options.recordings and recording.name not in options.recordings:
            continue
        rows.append(measure(recording, options.shared, options.weights, options.layer))
        print("  ".join(f"{name} {shown(value)}" for name, value in rows[-1].items()), flush=True)
    if options.csv and rows:
        with options.csv.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
