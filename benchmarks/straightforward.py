"""The straightforward way, for `bench` to measure drive against: what published code does.

    python -m benchmarks.straightforward train RECORDING --epochs 1
    python -m benchmarks.straightforward detect VIDEO OUT.mp4

Training: in every epoch one process reads the videos again, cuts the road out of each frame,
resizes it to 200x66, converts it to YUV and trains on it. Nothing outlives the epoch. Three ways:

- `opencv`: every frame of every video from front to back, then `model.fit`.
- `moviepy`: the same, read as vehicle detection ports read their videos.
- `batches`: what the published port that decodes in every epoch does (DeepPicar-v2,
  `data_ordered.py`): for each batch it opens the video, seeks to the batch's first frame, which
  decodes again from the key frame before, and reads on to its last. (It also counts
  the frames with ffmpeg and reads the CSV again each time; that is left out here.)

Detection: moviepy reads a frame, the published crop of it goes through tiny YOLO v1 by
`model.predict`, boxes are drawn with OpenCV, moviepy writes; one frame after the other, as the
vehicle detection ports do. The network has random weights unless it is given some: its speed does
not depend on them.

Nothing of drive is used: that is the point.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

READERS = ("opencv", "moviepy", "batches")
HEIGHT, WIDTH = 66, 200
TOP, BOTTOM = 0.4, 0.875  # shares of the frame's height; the same road as drive's default
LEARNING_RATE = 5e-4
BATCH = 32
YOLO_SIDE = 448
YOLO_CROP = (500 / 1280, 300 / 720, 1.0, 650 / 720)
"""x1, y1, x2, y2 of the published crop, as shares of the frame's size."""

CAR, YOLO_THRESHOLD = 6, 0.17
ANGLE_COLUMNS = ("wheel", "angle", "steering")
FRAME_COLUMNS = ("frame", "frame_index")


def read_video(path: Path, reader: str, limit: int | None = None) -> Iterator[np.ndarray]:
    """Yield the frames of a video as the network sees them, (66, 200, 3) uint8 YUV.

    Args:
        path: of the video.
        reader: `opencv` or `moviepy`.
        limit: frames to read at most.
    """
    import cv2

    if reader == "moviepy":
        from moviepy import VideoFileClip

        with VideoFileClip(str(path), audio=False) as clip:
            for index, frame in enumerate(clip.iter_frames()):
                if index == limit:
                    break
                yield prepare(frame, cv2.COLOR_RGB2YUV)
        return
    capture = cv2.VideoCapture(str(path))
    index = 0
    while index != limit:
        ok, frame = capture.read()
        if not ok:
            break
        index += 1
        yield prepare(frame, cv2.COLOR_BGR2YUV)
    capture.release()


def read_batch(path: Path, frames: Sequence[int]) -> tuple[int, list[np.ndarray]]:
    """Open a video, seek, and read some of its frames.

    Args:
        path: of the video.
        frames: which, ascending.

    Returns:
        How many frames were read from the first to the last of them, and those asked for.
    """
    import cv2

    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, frames[0])
    wanted, images, read = set(frames), [], 0
    for index in range(frames[0], frames[-1] + 1):
        ok, frame = capture.read()
        if not ok:
            break
        read += 1
        if index in wanted:
            images.append(prepare(frame, cv2.COLOR_BGR2YUV))
    capture.release()
    return read, images


def prepare(frame: np.ndarray, conversion: int) -> np.ndarray:
    """Cut the road out of a frame, (H, W, 3) uint8, and give it the network's size and colours."""
    import cv2

    height = len(frame)
    road = frame[round(TOP * height) : round(BOTTOM * height)]
    small = cv2.resize(road, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, conversion)


def build_pilotnet(learning_rate: float = LEARNING_RATE) -> keras.Model:
    """Build NVIDIA's network (arXiv 1604.07316, figure 4) as ports do, compiled for training."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((HEIGHT, WIDTH, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(24, 5, strides=2, activation="relu"),
            layers.Conv2D(36, 5, strides=2, activation="relu"),
            layers.Conv2D(48, 5, strides=2, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dense(50, activation="relu"),
            layers.Dense(10, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(learning_rate), loss="mse")
    return model


def train_epoch(
    model: keras.Model,
    drives: Sequence[tuple[Path, Mapping[int, float], int | None]],
    batch: int = BATCH,
    reader: str = READERS[0],
) -> tuple[int, int, float]:
    """Train one epoch.

    Args:
        model: from `build_pilotnet`.
        drives: of each its video, the angles by frame number of the frames to train on, and how
            many frames to read (None: all).
        batch: frames in a step.
        reader: one of `READERS`.

    Returns:
        Frames read, frames trained on, and the mean loss.
    """
    if reader == "batches":
        return _train_in_order(model, drives, batch)
    images, angles, read = [], [], 0
    for video, chosen, limit in drives:
        for index, image in enumerate(read_video(video, reader, limit)):
            read += 1
            if index in chosen:
                images.append(image)
                angles.append(chosen[index])
    x, y = np.array(images), np.array(angles, np.float32)[:, None]
    history = model.fit(x, y, batch_size=batch, epochs=1, shuffle=True, verbose=0)
    return read, len(x), float(history.history["loss"][0])


def _train_in_order(
    model: keras.Model, drives: Sequence[tuple[Path, Mapping[int, float], int | None]], batch: int
) -> tuple[int, int, float]:
    """Train one epoch batch by batch, in the order of the videos."""
    read, losses = 0, []
    for video, chosen, _ in drives:
        order = sorted(chosen)
        for frames in (order[i : i + batch] for i in range(0, len(order), batch)):
            count, images = read_batch(video, frames)
            read += count
            y = np.array([chosen[index] for index in frames[: len(images)]], np.float32)
            losses += [float(model.train_on_batch(np.array(images), y[:, None]))] * len(images)
    return read, len(losses), float(np.mean(losses))


def build_tiny_yolo_v1() -> keras.Model:
    """Build tiny YOLO v1 (arXiv 1506.02640) as ports do, with random weights.

    Returns:
        A model from (N, 448, 448, 3) in -1..1 to (N, 1470).
    """
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((YOLO_SIDE, YOLO_SIDE, 3))])
    for number, filters in enumerate((16, 32, 64, 128, 256, 512, 1024, 1024, 1024)):
        model.add(layers.Conv2D(filters, 3, padding="same"))
        model.add(layers.LeakyReLU(negative_slope=0.1))
        if number < 6:
            model.add(layers.MaxPooling2D(2))
    model.add(layers.Permute((3, 1, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(256))
    model.add(layers.Dense(4096))
    model.add(layers.LeakyReLU(negative_slope=0.1))
    model.add(layers.Dense(1470))
    return model


def detect_cars(model: keras.Model, frame: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The boxes of cars in the published crop of a frame.

    Args:
        model: from `build_tiny_yolo_v1`.
        frame: (H, W, 3) uint8 RGB.

    Returns:
        x1, y1, x2, y2 of each, in pixels of the frame.
    """
    import cv2

    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (
        round(share * side)
        for share, side in zip(YOLO_CROP, (width, height, width, height), strict=True)
    )
    crop = frame[y1:y2, x1:x2]
    batch = 2 * (cv2.resize(crop, (YOLO_SIDE, YOLO_SIDE))[None] / 255.0) - 1
    answer = model.predict(batch, verbose=0)[0]
    classes = answer[:980].reshape(49, 20)
    confidences = answer[980:1078].reshape(49, 2)
    shapes = answer[1078:].reshape(49, 2, 4)
    boxes = []
    for cell in range(49):
        for number in range(2):
            if confidences[cell, number] * classes[cell, CAR] < YOLO_THRESHOLD:
                continue
            x, y, w, h = shapes[cell, number]
            x, y = (x + cell % 7) / 7, (y + cell // 7) / 7
            left, right = (x - w * w / 2) * (x2 - x1) + x1, (x + w * w / 2) * (x2 - x1) + x1
            top, bottom = (y - h * h / 2) * (y2 - y1) + y1, (y + h * h / 2) * (y2 - y1) + y1
            boxes.append((int(left), int(top), int(right), int(bottom)))
    return boxes


def detect_video(model: keras.Model, video: Path, target: Path) -> None:
    """Write a video with the cars drawn in."""
    import cv2
    from moviepy import VideoFileClip

    def process(frame: np.ndarray) -> np.ndarray:
        drawn = frame.copy()
        for x1, y1, x2, y2 in detect_cars(model, frame):
            cv2.rectangle(drawn, (x1, y1), (x2, y2), (0, 0, 255), 6)
        return drawn

    with VideoFileClip(str(video)) as clip:
        clip.image_transform(process).write_videofile(str(target), audio=False, logger=None)


def find_drives(recording: Path) -> list[tuple[Path, Mapping[int, float], int | None]]:
    """Every frame that has an angle, of every NAME_front video below a folder (or of one)."""
    import pandas as pd

    videos = [recording] if recording.is_file() else sorted(recording.rglob("*_front.*"))
    found: list[tuple[Path, Mapping[int, float], int | None]] = []
    for video in videos:
        rows = pd.read_csv(video.with_name(video.stem.replace("_front", "_steering") + ".csv"))
        angle = next(rows[name] for name in ANGLE_COLUMNS if name in rows)
        frame = next((rows[name] for name in FRAME_COLUMNS if name in rows), rows.index)
        pairs = zip(map(int, frame), map(float, angle), strict=True)
        found.append((video, {index: value for index, value in pairs if value == value}, None))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and print what each epoch took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    ways = parser.add_subparsers(dest="what", required=True)
    train, detect = ways.add_parser("train"), ways.add_parser("detect")
    train.add_argument("recording", type=Path, help="folder of NAME_front.mp4, NAME_steering.csv")
    train.add_argument("--epochs", type=int, default=1)
    train.add_argument("--batch", type=int, default=BATCH)
    train.add_argument("--reader", choices=READERS, default=READERS[0])
    detect.add_argument("video", type=Path)
    detect.add_argument("target", type=Path, help="MP4 to write")
    args = parser.parse_args(arguments)
    if args.what == "detect":
        model, began = build_tiny_yolo_v1(), time.perf_counter()
        detect_video(model, args.video, args.target)
        print(f"{time.perf_counter() - began:.1f} s")
        return
    drives = find_drives(args.recording) if args.recording.exists() else []
    if not drives:
        parser.error(f"{args.recording} holds no NAME_front video")
    model = build_pilotnet()
    for epoch in range(args.epochs):
        began = time.perf_counter()
        read, trained, loss = train_epoch(model, drives, args.batch, args.reader)
        seconds = time.perf_counter() - began
        print(
            f"epoch {epoch + 1}/{args.epochs}: {read} frames read, {trained} trained on, "
            f"loss {loss:.4f}, {seconds:.1f} s, {trained / seconds:.0f} frames per second"
        )


if __name__ == "__main__":
    main()
