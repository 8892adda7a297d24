"""The stages of `bench`: decoding, encoding, and one frame through each network in each runtime.

`measure` times them, `report` shows the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from drive.benchmark.measure import Stage
from drive.core.errors import DriveError, InputError
from drive.core.types import Array, Image

DECODE, ENCODE, INFERENCE = "decode", "encode", "inference"
V1, DRIVE, STEERING = "tiny-yolo-v1", "tiny-yolo-drive", "steering"
FLOAT, INT8 = "float", "int8"

DECODED_FRAMES = 100  # per call; 4 s of video
ENCODED_BYTES = 100_000_000  # of images to encode per call; 36 frames of 1280x720
ROAD_FRAME = (1280, 720)  # width, height of the frame whose road region is detected in

STEADY_RATE = 25.0  # frames per second of the encoded video; speed hardly depends on it

RUNTIMES = ("openvino", "onnx")
KERAS = "keras"
REPEAT, KERAS_REPEAT = 5, 2  # timed calls per turn; Keras takes about ten times as long
REFERENCE_FILE = "tiny-yolo-v1.onnx"


@dataclass(frozen=True, slots=True)
class Row:
    """What one row of the table is about; `precision` is empty if no network runs."""

    stage: str
    subject: str
    precision: str | None
    engine: str
    size: str

    @property
    def key(self) -> str:
        """A unique name."""
        return "/".join(value for value in asdict(self).values() if value)


def decode_stage(video: str | Path) -> tuple[Row, Stage, Image]:
    """Return the decoding of the first frames of a video, and its first frame."""
    from drive.video.reader import read_frames

    with read_frames(video) as frames:
        first = None if frames.info is None else next(iter(frames), None)
    if first is None:
        raise InputError(f"{video}: bench requires a video with at least one frame")

    def decode() -> int:
        with read_frames(video) as frames:
            return sum(1 for _ in islice(frames, DECODED_FRAMES))

    height, width = first.image.shape[:2]
    row = Row(DECODE, Path(video).name, "", "pyav", f"{width}x{height}")
    return row, Stage(row.key, decode, units=decode(), repeat=1, warm_up=0), first.image


@contextmanager
def encode_stage(video: str | Path) -> Iterator[tuple[Row, Stage]]:
    """Yield the encoding of the first frames of a video, with the settings of annotated videos."""
    from drive.video.reader import read_frames
    from drive.video.writer import VideoWriter

    with read_frames(video) as frames, TemporaryDirectory() as folder:
        first = next(iter(frames))
        count = max(2, min(DECODED_FRAMES, ENCODED_BYTES // first.image.nbytes))
        kept = [first, *islice(frames, count - 1)]
        height, width = first.image.shape[:2]

        def encode() -> None:
            path = Path(folder) / "encoded.mp4"
            with VideoWriter(path, width=width, height=height, rate_hint=STEADY_RATE) as writer:
                for frame in kept:
                    writer.write(frame.image, frame.time_s)

        row = Row(ENCODE, Path(video).name, "", "x264", f"{width}x{height}")
        yield row, Stage(row.key, encode, units=len(kept), repeat=1, warm_up=1)


@contextmanager
def reference_network() -> Iterator[Path]:
    """Yield a file of tiny YOLO v1 with random weights, on which speed does not depend."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / REFERENCE_FILE
        write_reference(path)
        yield path


def write_reference(path: Path) -> None:
    """Write tiny YOLO v1 with random weights as ONNX."""
    from drive.conversion.onnx_writer import write_onnx
    from drive.detection.tiny_yolo_v1 import build_tiny_yolo_v1

    write_onnx(build_tiny_yolo_v1(), path, {})


def reference_stages(path: Path, frame: Image) -> list[tuple[Row, Stage]]:
    """Return tiny YOLO v1 in float in each runtime, on the whole frame."""
    from drive.detection.preprocess import resize
    from drive.runtime import load_engine

    found = []
    for name in RUNTIMES:
        engine = load_engine(path, name)
        side = engine.input_shape[1]
        if side is None:
            raise DriveError(f"{path}: the input must have a fixed size")
        batch = resize(frame, side, side)[None].astype(engine.input_dtype)
        row = Row(INFERENCE, V1, FLOAT, name, f"{side}x{side}")
        found.append(_inference(row, engine.predict, batch))
    return found


def detector_stages(
    weights: Path, precision: str, frame: Image, engines: Sequence[str]
) -> list[tuple[Row, Stage]]:
    """Return the network of a detector in each runtime, on the road region of a 16:9 frame."""
    from drive.detection.detector import load_detector
    from drive.detection.preprocess import resize

    width, height = ROAD_FRAME
    road = resize(frame, height, width)
    found = []
    for name in engines:
        detector = load_detector(weights, name)
        image, _ = detector.prepare(detector.default_region(width, height).crop(road))
        batch = image[None].astype(detector.engine.input_dtype)
        size = f"{image.shape[1]}x{image.shape[0]}"
        row = Row(INFERENCE, detector.name, precision, name, size)
        found.append(_inference(row, detector.engine.predict, batch))
    return found


def steering_stages(
    weights: Path, precision: str, frame: Image, engines: Sequence[str]
) -> list[tuple[Row, Stage]]:
    """Return the steering network in each runtime, on the prepared frame."""
    from drive.steering.predict import load_steering
    from drive.steering.preprocess import preprocess

    found = []
    for name in engines:
        model = load_steering(weights, name)
        batch = preprocess(frame, model.crop)[None].astype(model.engine.input_dtype)
        row = Row(INFERENCE, STEERING, precision, name, f"{batch.shape[2]}x{batch.shape[1]}")
        found.append(_inference(row, model.engine.predict, batch))
    return found


def _inference(row: Row, predict: Callable[[Array], object], batch: Array) -> tuple[Row, Stage]:
    repeat = KERAS_REPEAT if row.engine == KERAS else REPEAT
    return row, Stage(row.key, lambda: predict(batch), repeat=repeat)


def long_stage(row: Row, call: Callable[[], object], units: int) -> tuple[Row, Stage]:
    """Return a stage that is called once per turn; it runs here once, to trace its graphs."""
    call()
    return row, Stage(row.key, call, units=units, repeat=1, warm_up=0)
