"""Teach NVIDIA's convolutions what the shipped detector sees on unlabelled images of roads.

    python benchmarks/teach_steering_start.py crops ../shared CROPS [--free-only]
    python benchmarks/teach_steering_start.py teach CROPS OUT.keras [--steps N] [--resume]

`crops` cuts views out of images and videos of `../shared` and writes them with the detector's
features of each view. `teach` trains the steering network to answer these features through one
linear layer, which is dropped at the end, and beside it the angles of simulated recordings. Its
result is where a training on somebody's recording starts (`weights/steering-start.keras`).

Nothing comes from the recordings that judge steering: udacity_ch2, donkeycar_tub, udacity_sim,
DeepTesla, TORCS eroad, the sample's epoch03. A tenth of the sources is kept out of the training,
and the error on it is printed. `--free-only` leaves out images whose terms are non-commercial
or research. How well it works: `docs/decisions/steering.md`.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.core.files import atomic
from drive.steering.exposure import even_exposure
from drive.steering.network import build_network
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH

if TYPE_CHECKING:
    import keras

SIZE = INPUT_WIDTH, INPUT_HEIGHT
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
DETECTOR = WEIGHTS / "tiny-yolo-drive.onnx"
SEED = 1

RESTRICTED = re.compile(r"BY-NC|non-commercial|non-profit|research", re.IGNORECASE)
"""Terms in `footage/sources.csv` that `--free-only` leaves out."""

FOOTAGE_VIEWS = 20
OTHER_VIEWS = {"voc": 1, "roadside": 1, "street": 4, "front": 6, "roadphoto": 4, "fog": 4}
"""Views of each image of `cars` and `cars_extra`, by the first word of its name."""

ROADSIDE_STEP = 4
CLIP_STEP, CLIP_VIEWS = 3, 3
SIMULATED = (
    ("recordings/torcs/alpine-1", 1),
    ("recordings/torcs/e-track-3", 6),
    ("recordings/torcs/ole-road-1", 4),
    ("recordings/torcs/spring", 5),
    ("recordings/torcs/street-1", 3),
)
SIMULATED_STEP = 3
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
SAMPLE_EPOCHS = 1, 2

ASPECT = 1.3, 3.4
"""Width over height of a view: a car's road, and nearly all of a 4:3 frame, as of an RC car."""

LAYERS = {"pool4": (128, 16), "pool5": (256, 64)}
"""What the detector answers to a view of the network's size: channels, principal components."""

COMPONENTS_STEP = 14
"""The components are those of every n-th view of `footage`."""

KEPT_OUT = 10
"""One source of so many is kept out."""

SIMULATED_OUT = "street-1 3"
"""The simulated recording that is kept out."""

BATCH = 64
RATE, WARM_UP = 7e-4, 100
ANGLE_SHARE = 0.2
AVERAGE = 0.998
FIRST_VIEWS = 8000
"""Views that the linear layer is first solved on."""

REPORT_EVERY, SAVE_EVERY = 200, 400


@dataclass(frozen=True)
class Picture:
    """One image, how many views are cut out of it, and the angle of a simulated recording."""

    source: str
    image: np.ndarray
    views: int
    angle_deg: float = float("nan")


def footage(shared: Path, free_only: bool) -> Iterator[Picture]:
    """Frames of dashcams; a source is one clip or data set."""
    with (shared / "footage" / "sources.csv").open(newline="") as file:
        terms = {row["short"]: row["licence"] for row in csv.DictReader(file)}
    for path in sorted((shared / "footage" / "images").iterdir()):
        source = path.stem.rsplit("_", 1)[0]
        if free_only and RESTRICTED.search(terms[source]):
            continue
        yield Picture(source, read_rgb(path), FOOTAGE_VIEWS)


def photos(shared: Path) -> Iterator[Picture]:
    """Images of `cars` and `cars_extra`; each is a source, but for those of one video."""
    seen = 0
    for folder in ("cars", "cars_extra"):
        for path in sorted((shared / folder / "images").iterdir()):
            kind = path.stem.split("_")[0]
            seen += kind == "roadside"
            if kind == "roadside" and seen % ROADSIDE_STEP:
                continue
            source = kind if kind in ("roadside", "front") else path.stem
            yield Picture(source, read_rgb(path), OTHER_VIEWS[kind])


def videos(shared: Path) -> Iterator[Picture]:
    """Frames of the clips."""
    for path in sorted((shared / "clips").glob("*.mp4")):
        for i, frame in enumerate(read_video(path)):
            if i % CLIP_STEP == 0:
                yield Picture(path.stem, frame, CLIP_VIEWS)


def simulated(shared: Path) -> Iterator[Picture]:
    """Frames of simulated recordings, with their angles."""
    recordings = [(shared / folder, number) for folder, number in SIMULATED]
    recordings += [(SAMPLE, number) for number in SAMPLE_EPOCHS]
    for folder, number in recordings:
        with (folder / f"epoch{number:02}_steering.csv").open(newline="") as file:
            angles = [float(row["wheel"]) for row in csv.DictReader(file)]
        frames = read_video(folder / f"epoch{number:02}_front.mp4")
        for i, (frame, angle) in enumerate(zip(frames, angles, strict=False)):
            if i % SIMULATED_STEP == 0:
                yield Picture(f"{folder.name} {number}", frame, 1, angle)


def pictures(shared: Path, free_only: bool) -> Iterator[Picture]:
    """All images that teach or are kept out."""
    yield from footage(shared, free_only)
    yield from photos(shared)
    yield from videos(shared)
    yield from simulated(shared)


def read_rgb(path: Path) -> np.ndarray:
    """Read an image."""
    stored = cv2.imread(str(path))
    if stored is None:
        raise SystemExit(f"{path} is not an image")
    return np.ascontiguousarray(stored[:, :, ::-1])


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video, RGB."""
    with av.open(str(path)) as video:
        for frame in video.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def bowed(image: np.ndarray, strength: float) -> np.ndarray:
    """Bend an image as a wide lens does; its left and right edges stay."""
    height, width = image.shape[:2]
    half = np.float32(width / 2)
    x = np.arange(width, dtype=np.float32)[None] - half + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(height / 2) + 0.5
    closer = (1 + strength * (x**2 + y**2) / half**2) / (1 + strength)
    map_x, map_y = x * closer + half - 0.5, y * closer + np.float32(height / 2) - 0.5
    return cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def views(picture: Picture, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, float]]:
    """Cut views out of an image, half of them mirrored, some bent or of few pixels."""
    steered = not np.isnan(picture.angle_deg)
    image = shrunk(picture.image, 720)
    bends = rng.random(picture.views) < 0.3
    bent = bowed(image, rng.uniform(0.15, 0.8)) if bends.any() else image
    for bend in bends:
        view = cut(bent if bend else image, rng, centred=steered)
        if rng.random() < 0.2:
            view = shrunk(view, int(rng.uniform(90, 180)))
        if rng.random() < 0.5:
            yield view[:, ::-1], -picture.angle_deg
        else:
            yield view, picture.angle_deg


def shrunk(image: np.ndarray, width: int) -> np.ndarray:
    """Return an image at most `width` wide."""
    if image.shape[1] <= width:
        return image
    height = max(8, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def cut(image: np.ndarray, rng: np.random.Generator, centred: bool) -> np.ndarray:
    """Cut out a random part, more often a lower one; `centred` keeps the middle of the road."""
    height, width = image.shape[:2]
    aspect = np.exp(rng.uniform(*np.log(ASPECT)))
    wide = width * rng.uniform(0.75 if centred else 0.5, 1.0)
    high = min(wide / aspect, height)
    wide = min(wide, high * aspect)
    x = (width - wide) * (0.5 if centred else rng.random())
    y = (height - high) * rng.random() ** 0.7
    return image[round(y) : round(y + high), round(x) : round(x + wide)]


class Detector:
    """Layers of the detector, as targets."""

    def __init__(self) -> None:
        import openvino as ov

        core = ov.Core()
        whole = core.read_model(DETECTOR)
        named = {op.get_friendly_name(): op for op in whole.get_ordered_ops()}
        part = ov.Model([named[n].output(0) for n in LAYERS], whole.get_parameters())
        part.reshape([-1, INPUT_HEIGHT, INPUT_WIDTH, 3])
        exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        self._run = core.compile_model(part, "CPU", exact)

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return (N, rows, columns, channels) for each of `LAYERS`; the exposure is evened."""
        answer = self._run(np.stack([even_exposure(image) for image in images]))
        maps = {name: np.asarray(answer[i]) for i, name in enumerate(LAYERS)}
        first = {name: m.shape[1] == LAYERS[name][0] for name, m in maps.items()}
        return {n: m.transpose(0, 2, 3, 1) if first[n] else m for n, m in maps.items()}


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image of a size, without needless blur."""
    smaller = image.shape[1] > size[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=method)


def principal(maps: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the channels and their first principal components."""
    rows = maps.reshape(-1, maps.shape[-1]).astype(np.float64)
    mean = rows.mean(0)
    _, vectors = np.linalg.eigh(np.cov((rows - mean).T))
    return mean.astype(np.float32), vectors[:, ::-1][:, :count].astype(np.float32)


def project(maps: np.ndarray, mean: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return (N, rows x columns x components)."""
    shorter: np.ndarray = ((maps - mean) @ vectors).reshape(len(maps), -1)
    return shorter


@dataclass
class Views:
    """Views of the network's size, with their sources and angles."""

    images: list[np.ndarray] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    angles: list[float] = field(default_factory=list)

    def add(self, picture: Picture, rng: np.random.Generator) -> None:
        """Cut views out of an image."""
        for view, angle in views(picture, rng):
            self.images.append(resized(view, SIZE))
            self.sources.append(picture.source)
            self.angles.append(angle)


def features(images: np.ndarray, detector: Detector) -> Iterator[dict[str, np.ndarray]]:
    """Yield the detector's features, by 32 views."""
    for i in range(0, len(images), 32):
        yield detector(images[i : i + 32])


def write_crops(shared: Path, out: Path, free_only: bool) -> None:
    """Write the views (uint8 RGB), the detector's features (float16), sources and angles."""
    out.mkdir(parents=True, exist_ok=True)
    detector, rng, found = Detector(), np.random.default_rng(SEED), Views()
    for picture in pictures(shared, free_only):
        found.add(picture, rng)
    images = np.stack(found.images)
    print(f"{len(images)} views", flush=True)
    known = list(features(images[: FOOTAGE_VIEWS * 800 : COMPONENTS_STEP], detector))
    bases = {
        name: principal(np.concatenate([maps[name] for maps in known]), count)
        for name, (_, count) in LAYERS.items()
    }
    rows: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
    for maps in features(images, detector):
        for name in LAYERS:
            rows[name].append(project(maps[name], *bases[name]).astype(np.float16))
    widths = [parts[0].shape[1] for parts in rows.values()]
    np.save(out / "views.npy", images)
    np.save(out / "targets.npy", np.hstack([np.concatenate(p) for p in rows.values()]))
    np.savez(
        out / "about.npz",
        sources=found.sources,
        angles=found.angles,
        widths=widths,
        names=list(LAYERS),
    )


def kept_out(source: str) -> bool:
    """Tell whether a source is kept out of the teaching."""
    return source == SIMULATED_OUT or zlib.crc32(source.encode()) % KEPT_OUT == 0


@dataclass(frozen=True)
class Material:
    """What `write_crops` wrote, with scaled targets."""

    views: np.ndarray
    targets: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    angles: np.ndarray
    teach: np.ndarray
    out: np.ndarray
    parts: dict[str, slice]

    @classmethod
    def read(cls, folder: Path) -> Material:
        """Read the folder; targets are scaled by their deviation over what teaches."""
        about = np.load(folder / "about.npz")
        targets = np.load(folder / "targets.npy")
        out = np.array([kept_out(str(source)) for source in about["sources"]])
        teach = np.flatnonzero(~out)
        known = targets[teach[::4]].astype(np.float32)
        ends = np.cumsum(about["widths"])
        parts = {
            str(name): slice(end - width, end)
            for name, end, width in zip(about["names"], ends, about["widths"], strict=True)
        }
        angles = about["angles"].astype(np.float32)
        return cls(
            np.load(folder / "views.npy"),
            targets,
            known.mean(0),
            known.std(0) + 1e-3,
            angles / np.nanstd(angles[teach]),
            teach,
            np.flatnonzero(out),
            parts,
        )

    def batch(
        self, rows: np.ndarray, look: Looks | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return YUV images, targets and angles (NaN where none is known)."""
        rows = np.sort(rows)
        yuv = [look(i) if look else cv2.cvtColor(i, cv2.COLOR_RGB2YUV) for i in self.views[rows]]
        targets = self.targets[rows].astype(np.float32)
        return np.stack(yuv), (targets - self.mean) / self.scale, self.angles[rows]


TO_YUV = np.array([[0.299, 0.587, 0.114], [-0.147, -0.289, 0.436], [0.615, -0.515, -0.1]])
MIDDLE_YUV = 0, 128, 128
GREY = np.full((3, 3), 1 / 3)


class Looks:
    """Random light, shade, gamma, colours and noise, which the detector did not see."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._noise = [
            rng.standard_normal((INPUT_HEIGHT, INPUT_WIDTH, 3)).astype(np.float32)
            for _ in range(64)
        ]
        self._ramp = np.arange(256) / 255

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return another look of a (66, 200, 3) uint8 RGB image, in YUV."""
        rng = self._rng
        light, gamma = np.exp(rng.uniform(np.log(0.45), np.log(2.2))), rng.uniform(0.6, 1.6)
        table = np.clip(self._ramp**gamma * light * 255, 0, 255).astype(np.float32)
        changed = cv2.LUT(image, table)
        if rng.random() < 0.3:
            changed *= self._shade()
        strength = rng.uniform(0, 1.5)
        colours = TO_YUV @ np.diag(rng.uniform(0.9, 1.1, 3))
        colours = colours @ (GREY * (1 - strength) + np.eye(3) * strength)
        yuv = cv2.transform(changed, np.c_[colours, MIDDLE_YUV])
        noise = self._noise[rng.integers(64)] * np.float32(rng.uniform(0, 8))
        return np.clip(yuv + noise, 0, 255).astype(np.uint8)

    def _shade(self) -> np.ndarray:
        """Return the factors of a shadow with a straight edge."""
        rng = self._rng
        x, y = np.arange(INPUT_WIDTH) / INPUT_WIDTH, np.arange(INPUT_HEIGHT) / INPUT_HEIGHT
        angle = rng.uniform(0, 2 * np.pi)
        side = (x - rng.random()) * np.cos(angle) + (y[:, None] - rng.random()) * np.sin(angle)
        dark = 1 / (1 + np.exp(-side * rng.uniform(10, 80)))
        left: np.ndarray = 1 - dark * rng.uniform(0.2, 0.75)
        return left[..., None].astype(np.float32)


Norms = dict[str, list[np.ndarray]]
"""Scale, offset, average and variance of each normalisation of the file that is written."""


def read_start(path: Path, network: keras.Model) -> Norms:
    """Set the weights of a network without normalisation; return the normalisations folded in."""
    import keras

    stored = keras.models.load_model(path)
    named = {layer.name: layer for layer in stored.layers}
    norms = {}
    for layer in network.layers:
        if not layer.weights:
            continue
        weights = named[layer.name].get_weights()
        if layer.name.startswith("conv"):
            norm = named.get(f"{layer.name}_norm")
            values = norm.get_weights() if norm else identity(weights[0].shape[-1])
            norms[layer.name] = values
            _, beta, mean, _ = values
            if norm:
                weights = [weights[0] * factor(values), beta - mean * factor(values)]
        layer.set_weights(weights)
    return norms


EPSILON = 1e-3


def identity(channels: int) -> list[np.ndarray]:
    """Return a normalisation that changes nothing."""
    zero, one = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    return [one, zero, zero, one - np.float32(EPSILON)]


def factor(norm: list[np.ndarray]) -> np.ndarray:
    """Return what a normalisation multiplies its channels by."""
    scaled: np.ndarray = norm[0] / np.sqrt(norm[3] + EPSILON)
    return scaled


def build_start() -> keras.Model:
    """Build the network as the file holds it: NVIDIA's, with batch normalisation."""
    import keras
    from keras import layers

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    sizes = ((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1))
    for i, (filters, size, stride) in enumerate(sizes, 1):
        x = layers.Conv2D(filters, size, stride, use_bias=False, name=f"conv{i}")(x)
        x = layers.BatchNormalization(epsilon=EPSILON, name=f"conv{i}_norm")(x)
        x = layers.ReLU(name=f"conv{i}_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    for units in (100, 50, 10):
        x = layers.Dense(units, "relu", name=f"dense{units}")(x)
    return keras.Model(image, layers.Dense(1, name="steering")(x))


class Teaching:
    """The network, the linear layer that answers the detector's features, and their optimiser."""

    def __init__(self, material: Material, steps: int, weights: Path) -> None:
        import keras

        self.material, self.steps, self.step = material, steps, 0
        keras.utils.set_random_seed(SEED)
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        self.network = build_network()
        self.norms = read_start(weights, self.network)
        flat = self.network.get_layer("flatten").output
        answer = keras.layers.Dense(len(material.mean), name="detector")(flat)
        self.model = keras.Model(self.network.input, [answer, self.network.output])
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - WARM_UP, warmup_target=RATE, warmup_steps=WARM_UP
        )
        self.optimizer = keras.optimizers.Adam(rate, clipnorm=2.0)
        self.optimizer.build(self.model.trainable_variables)
        self._compiled = self._make_step()
        self.averages = [np.array(v) for v in self.model.get_weights()]

    def begin(self) -> None:
        """Solve the linear layer for the convolutions as they are."""
        import keras

        features = keras.Model(self.network.input, self.network.get_layer("flatten").output)
        rows = self.material.teach[:: max(1, len(self.material.teach) // FIRST_VIEWS)]
        width = 1 + features.output.shape[-1]
        xx, xy = np.zeros((width, width)), np.zeros((width, len(self.material.mean)))
        for i in range(0, len(rows), BATCH):
            images, targets, _ = self.material.batch(rows[i : i + BATCH], None)
            seen = np.asarray(features(images, training=False), np.float32)
            seen = np.c_[seen, np.ones(len(seen), np.float32)]
            xx += seen.T @ seen
            xy += seen.T @ targets
        kernel = np.linalg.solve(xx + 0.01 * np.trace(xx) / width * np.eye(width), xy)
        self.model.get_layer("detector").set_weights([kernel[:-1], kernel[-1]])
        self.averages = [np.array(v) for v in self.model.get_weights()]

    def _make_step(self) -> Any:
        import tensorflow as tf

        def step(images: Any, targets: Any, angles: Any) -> Any:
            with tf.GradientTape() as tape:
                answer, steered = self.model(images, training=True)
                imitation = tf.reduce_mean((tf.cast(answer, tf.float32) - targets) ** 2)
                known = tf.math.is_finite(angles)
                error = tf.where(known, angles, 0.0) - tf.cast(steered[:, 0], tf.float32)
                known = tf.cast(known, tf.float32)
                angle = tf.reduce_sum(known * error**2) / (tf.reduce_sum(known) + 1.0)
                loss = imitation + ANGLE_SHARE * angle
            variables = self.model.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return imitation, angle

        return tf.function(step)

    def run(self, state: Path, out: Path) -> None:
        """Train to the end; state and network are written on the way."""
        rng = np.random.default_rng(SEED + self.step)
        look = Looks(rng)
        recent: list[tuple[float, float]] = []
        while self.step < self.steps:
            for rows in self._epoch(rng):
                images, targets, angles = self.material.batch(rows, look)
                imitation, angle = self._compiled(images, targets, angles)
                self.step += 1
                recent.append((float(imitation), float(angle)))
                self._average()
                if self.step % REPORT_EVERY == 0 or self.step == self.steps:
                    self._report(np.mean(recent, 0))
                    recent = []
                if self.step % SAVE_EVERY == 0 or self.step == self.steps:
                    self.save(state, out)
                if self.step == self.steps:
                    return

    def _epoch(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        order = rng.permutation(self.material.teach)
        for i in range(0, len(order) - BATCH + 1, BATCH):
            yield order[i : i + BATCH]

    def _average(self) -> None:
        """Follow the weights every eighth step; early on faster."""
        if self.step % 8:
            return
        keep = min(AVERAGE**8, self.step / (self.step + 80))
        for mine, now in zip(self.averages, self.model.get_weights(), strict=True):
            mine *= keep
            mine += (1 - keep) * now

    def _report(self, recent: np.ndarray) -> None:
        """Print the errors since the last report, and those of kept-out sources."""
        now = self.model.get_weights()
        self.model.set_weights(self.averages)
        errors = self.kept_out_errors()
        self.model.set_weights(now)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in errors.items())
        print(
            f"{self.step}: imitation {recent[0]:.4f}, angle {recent[1]:.4f}; kept out: {shown}",
            flush=True,
        )

    def kept_out_errors(self) -> dict[str, float]:
        """Squared errors on sources that do not teach, in squared deviations."""
        rows = self.material.out[:: max(1, len(self.material.out) // 960)]
        squares, angles = [], []
        for i in range(0, len(rows), BATCH):
            images, targets, angle = self.material.batch(rows[i : i + BATCH], None)
            answer, steered = self.model(images, training=False)
            squares.append((np.asarray(answer, np.float32) - targets) ** 2)
            angles.append((np.asarray(steered, np.float32)[:, 0] - angle) ** 2)
        mean = np.concatenate(squares).mean(0)
        errors = {"all": float(mean.mean())}
        errors |= {name: float(mean[part].mean()) for name, part in self.material.parts.items()}
        return errors | {"angle": float(np.nanmean(np.concatenate(angles)))}

    def save(self, state: Path, out: Path) -> None:
        """Write what `resume` reads, and the network with averaged weights."""
        weights = {f"w{i}": w for i, w in enumerate(self.model.get_weights())}
        weights |= {f"a{i}": w for i, w in enumerate(self.averages)}
        weights |= {f"o{i}": np.array(v) for i, v in enumerate(self.optimizer.variables)}
        with atomic(state) as path, path.open("wb") as file:
            np.savez(file, step=self.step, **weights)
        self.write_network(out)

    def resume(self, state: Path) -> None:
        """Go on where `save` was."""
        stored = np.load(state)
        self.step = int(stored["step"])
        self.model.set_weights([stored[f"w{i}"] for i in range(len(self.averages))])
        self.averages = [stored[f"a{i}"] for i in range(len(self.averages))]
        for i, variable in enumerate(self.optimizer.variables):
            variable.assign(stored[f"o{i}"])

    def write_network(self, out: Path) -> None:
        """Write the network in float32 with its normalisations, without the linear layer."""
        import keras

        keras.mixed_precision.set_global_policy("float32")
        network = build_start()
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        named = {v.path: a for v, a in zip(self.model.weights, self.averages, strict=True)}
        for name, norm in self.norms.items():
            kernel, bias = named[f"{name}/kernel"], named[f"{name}/bias"]
            gamma, _, mean, variance = norm
            network.get_layer(name).set_weights([kernel / factor(norm)])
            offset = bias + mean * factor(norm)
            network.get_layer(f"{name}_norm").set_weights([gamma, offset, mean, variance])
        for name in ("dense100", "dense50", "dense10", "steering"):
            network.get_layer(name).set_weights([named[f"{name}/kernel"], named[f"{name}/bias"]])
        with atomic(out) as path:
            network.save(path)


def teach(folder: Path, out: Path, steps: int, weights: Path, resume: bool) -> None:
    """Teach and write the network."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cv2.setNumThreads(1)
    material = Material.read(folder)
    print(f"{len(material.teach)} views teach, {len(material.out)} are kept out", flush=True)
    teaching = Teaching(material, steps, weights)
    state = folder / "state.npz"
    if resume and state.exists():
        teaching.resume(state)
    else:
        teaching.begin()
    teaching.run(state, out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    crops = commands.add_parser("crops")
    crops.add_argument("shared", type=Path)
    crops.add_argument("crops", type=Path)
    crops.add_argument("--free-only", action="store_true")
    train = commands.add_parser("teach")
    train.add_argument("crops", type=Path)
    train.add_argument("out", type=Path)
    train.add_argument("--steps", type=int, default=16000)
    train.add_argument("--weights", type=Path, default=WEIGHTS / "steering.keras")
    train.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    if options.command == "crops":
        write_crops(options.shared, options.crops, options.free_only)
    else:
        teach(options.crops, options.out, options.steps, options.weights, options.resume)


if __name__ == "__main__":
    main()
