"""Steering angles from images, on any runtime; TensorFlow is not required."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import MissingFileError, WeightsError, as_path, check_images
from drive.core.shipped import STEERING as DEFAULT_MODEL
from drive.results.verdict import Verdict
from drive.runtime import Engine, load_engine
from drive.runtime.int8_form import usual_form
from drive.steering.curvature import read_target
from drive.steering.ensemble import ENTRY, count_members, merge, spread_deg
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH, ROAD, RoadCrop, preprocess

if TYPE_CHECKING:
    import keras

    from drive.recordings.recording import Recording

NETWORK = "steering"
"""The entry `network` in the metadata of a steering model."""


class SteeringModel:
    """A trained steering network; see `load_steering`.

    The network is PilotNet (Bojarski et al., arXiv 1604.07316): five convolutions and dense layers
    on a 200x66 YUV crop of the road.

    Args:
        engine: runs the network: (N, 66, 200, 3) uint8 YUV to (N, 1) degrees, or curvatures; the
            second output of an ensemble is (N, M), those of each member.
        metadata: of the model file; see `drive.steering.model_file.describe`.

    Attributes:
        engine: the runtime; `engine.name` is its name.
        crop: the part of a frame that the network sees.
        training_mean_deg: mean angle of the training data; None if the file does not state it.
        curvature: turns outputs into degrees if the network was trained on curvatures, else None.
        members: number of networks whose mean is predicted; 1 if it is not an ensemble.
        verdict: how good it was at the end of its training, and why not better; None if the file
            does not state it.

    Raises:
        WeightsError: the network is for something else.

    Example:
        >>> steering = load_steering()
        >>> steering.predict(image)  # degrees, positive right
        -3.2
    """

    def __init__(self, engine: Engine, metadata: Mapping[str, str] | None = None) -> None:
        self.engine = engine
        self.metadata = dict(engine.metadata if metadata is None else metadata)
        shape = (INPUT_HEIGHT, INPUT_WIDTH, 3)
        if engine.input_shape[1:] != shape or self.metadata.get("network", NETWORK) != NETWORK:
            held = self.metadata.get("network", f"one for images of {engine.input_shape[1:]}")
            raise WeightsError(
                "expected a steering network of train-steering (model.onnx, model.keras); got "
                f"{held}. Name one with --weights (annotate: --steering-weights), or omit it"
            )
        self.crop = RoadCrop.parse(self.metadata.get("crop", str(ROAD)))
        self.curvature = read_target(self.metadata)
        mean = self.metadata.get("training_mean_deg")
        self.training_mean_deg = (
            None if mean is None else float(self._degrees(np.array(float(mean))))
        )
        self.members = count_members(self.metadata)
        self.verdict = Verdict.from_metadata(self.metadata)

    def predict(self, image: np.ndarray) -> float:
        """Predict the angle, degrees positive right, for a (H, W, 3) uint8 RGB image."""
        return float(self.predict_batch([image])[0])

    def predict_batch(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Predict the angles, (N,) float32 degrees positive right, for N images.

        Each image is (H, W, 3) uint8 RGB; sizes may differ.
        """
        check_images(images)
        if not len(images):
            return np.zeros(0, np.float32)
        return self.predict_prepared(np.stack([preprocess(image, self.crop) for image in images]))

    def predict_prepared(self, images: np.ndarray) -> np.ndarray:
        """Return (N,) degrees for (N, 66, 200, 3) uint8 YUV images from `preprocess`."""
        angles, *_ = self.engine.predict(images.astype(self.engine.input_dtype, copy=False))
        return self._degrees(angles.reshape(-1).astype(np.float32))

    def predict_members(self, images: np.ndarray) -> np.ndarray:
        """Return (N, M) degrees of each member for images from `preprocess`."""
        outputs = self.engine.predict(images.astype(self.engine.input_dtype, copy=False))
        return self._degrees(outputs[-1].reshape(len(images), -1).astype(np.float32))

    def restated(
        self, angle_deg: np.ndarray, recording: Recording, speed_mps: float | np.ndarray
    ) -> np.ndarray:
        """Return predicted angles as the car of a recording would record them at these speeds.

        They change only if the network was trained on curvatures and the recording states its car.
        """
        if self.curvature is None or not recording.config.states_car:
            return angle_deg
        return self.curvature.restated(angle_deg, recording.config.car, speed_mps)

    def _degrees(self, outputs: np.ndarray) -> np.ndarray:
        return outputs if self.curvature is None else self.curvature.degrees(outputs)

    def predict_with_spread(
        self, images: Sequence[np.ndarray] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict the angles of N images, and their spread in an ensemble.

        Each image is (H, W, 3) uint8 RGB. Both results are (N,) float32 degrees; the spread of a
        single network is NaN.
        """
        check_images(images)
        if not len(images):
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        members = self.predict_members(np.stack([preprocess(one, self.crop) for one in images]))
        mean = members.mean(axis=1, dtype=np.float64).astype(np.float32)
        return mean, spread_deg(members)


def load_steering(
    model: str | Path | None = None, engine: str = "auto", threads: int = 0
) -> SteeringModel:
    """Load a steering model that `train-steering` wrote; threads may share it.

    Args:
        model: `.onnx` or `.keras` file; None for the shipped one (int8 if the runtime supports it).
        engine: "openvino", "onnx", "keras" or "auto".
        threads: number of processor threads; 0: the runtime decides.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: the file is damaged or holds another network.
        InputError: the engine is unknown or does not support this kind of file.

    Example:
        >>> steering = load_steering()
        >>> for frame in read_frames("video.mp4"):
        ...     print(frame.time_s, steering.predict(frame.image))  # degrees, positive right
    """
    if model is None and not DEFAULT_MODEL.is_file():
        raise MissingFileError(
            f"the shipped steering weights are missing: {DEFAULT_MODEL}. Train your own with "
            "train-steering and name them with --weights"
        )
    path = as_path(model) if model else usual_form(DEFAULT_MODEL, engine)
    runtime = load_engine(path, engine, threads, build_from_metadata)
    try:
        return SteeringModel(runtime, metadata_of(path, runtime))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def metadata_of(path: Path, engine: Engine) -> Mapping[str, str]:
    """Return the metadata of a model file in a runtime; of `.keras` files it knows none."""
    if path.suffix.lower() != ".keras":
        return engine.metadata
    from drive.runtime.keras_file import read_notes

    return read_notes(path)


def build_from_metadata(metadata: dict[str, str]) -> keras.Model:
    """Return the untrained Keras network that the metadata of a model file describes."""
    from drive.steering.backbone import build_transfer
    from drive.steering.network import build_network, read_network_options

    members = count_members(metadata)
    if members > 1:
        member = {name: text for name, text in metadata.items() if name != ENTRY}
        return merge([build_from_metadata(member) for _ in range(members)])
    scale_deg, options = float(metadata.get("scale_deg", "1.0")), read_network_options(metadata)
    if "backbone" in metadata:
        return build_transfer(metadata["backbone"], scale_deg, dropout=options["dropout"])
    return build_network(metadata.get("variant", "published"), scale_deg, **options)
