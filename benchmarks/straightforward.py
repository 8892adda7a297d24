"""The straightforward way, for `bench` to measure drive against: what published code does.

    python -m benchmarks.straightforward train RECORDING --epochs 1

Training: in every epoch one process reads the videos again, cuts the road out of each frame,
resizes it to 200x66, converts it to YUV and trains on it. Nothing outlives the epoch. Three ways:

- `opencv`: every frame of every video from front to back, then `model.fit`.
- `moviepy`: the same, read as vehicle detection ports read their videos.
- `batches`: what the published port that decodes in every epoch does (DeepPicar-v2,
  `data_ordered.py`): for each batch it opens the video, seeks to the batch's first frame, which
  decodes again from the key frame before, and reads on to its last. (It also counts
  the frames with ffmpeg and reads the CSV again each time; that is left out here.)

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
    model: keras.Model,
    drives: Sequence[tuple[Path, Mapping[int, float], int | None]],
    batch: int,
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
    train = parser.add_subparsers(dest="what", required=True).add_parser("train")
    train.add_argument("recording", type=Path, help="folder of NAME_front.mp4, NAME_steering.csv")
    train.add_argument("--epochs", type=int, default=1)
    train.add_argument("--batch", type=int, default=BATCH)
    train.add_argument("--reader", choices=READERS, default=READERS[0])
    args = parser.parse_args(arguments)
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
            f"loss {loss:.4f}, {seconds:.1f} s, {trained / seconds:.0f} frames a second"
        )


if __name__ == "__main__":
    main()
