"""Steering angles from frames, on any engine; TensorFlow is not needed for it.

The model file says which crop it was trained with. Knows nothing of training and of videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import MissingFileError, WeightsError
from drive.core.shipped import STEERING as DEFAULT_MODEL
from drive.runtime import Engine, load_engine
from drive.runtime.int8_form import usual_form
from drive.steering.curvature import read_target
from drive.steering.ensemble import ENTRY, count_members, merge, spread_deg
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH, ROAD, RoadCrop, preprocess

if TYPE_CHECKING:
    import keras

    from drive.recordings.recording import Recording

"""The float weights that ship; their int8 form lies beside them and is what runs."""

NETWORK = "steering"
"""What the entry `network` of a steering model's metadata says."""


class SteeringModel:
    """A trained steering network.

    Args:
        engine: runs the network, (N, 66, 200, 3) uint8 YUV to (N, 1) degrees, or curvatures; an
            ensemble's second output is (N, M), those of each member.
        metadata: what the model file says; see `drive.steering.model_file.describe`.

    Attributes:
        engine: what runs it; `engine.name` says which runtime.
        crop: the part of a frame that it looks at.
        training_mean_deg: mean angle of its training data, None where the file does not say.
        curvature: how answers become degrees where the network learnt curvatures; None where it
            learnt the angle.
        members: how many networks answer, and the mean of them is taken; 1 if no ensemble.

    Raises:
        WeightsError: the network is for something else.
    """

    def __init__(self, engine: Engine, metadata: Mapping[str, str] | None = None) -> None:
        self.engine = engine
        self.metadata = dict(engine.metadata if metadata is None else metadata)
        shape = (INPUT_HEIGHT, INPUT_WIDTH, 3)
        if engine.input_shape[1:] != shape or self.metadata.get("network", NETWORK) != NETWORK:
            held = self.metadata.get("network", f"one for pictures of {engine.input_shape[1:]}")
            raise WeightsError(
                f"a steering network expected, as train-steering writes it (model.onnx, "
                f"model.keras); received: {held}. Name one with --weights (annotate: "
                "--steering-weights), or leave the option out for the one that ships"
            )
        self.crop = RoadCrop.parse(self.metadata.get("crop", str(ROAD)))
        self.curvature = read_target(self.metadata)
        mean = self.metadata.get("training_mean_deg")
        self.training_mean_deg = (
            None if mean is None else float(self._degrees(np.array(float(mean))))
        )
        self.members = count_members(self.metadata)

    def predict(self, image: np.ndarray) -> float:
        """The steering angle for one frame.

        Args:
            image: (H, W, 3) uint8 RGB, any size.

        Returns:
            Degrees, positive right.
        """
        return float(self.predict_batch([image])[0])

    def predict_batch(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """The steering angles for several frames, which may differ in size.

        Args:
            images: each (H, W, 3) uint8 RGB.

        Returns:
            (N,) float32 degrees, positive right.
        """
        if not len(images):
            return np.zeros(0, np.float32)
        return self.predict_prepared(np.stack([preprocess(image, self.crop) for image in images]))

    def predict_prepared(self, images: np.ndarray) -> np.ndarray:
        """The steering angles for (N, 66, 200, 3) uint8 YUV pictures from `preprocess`."""
        angles, *_ = self.engine.predict(images.astype(self.engine.input_dtype, copy=False))
        return self._degrees(angles.reshape(-1).astype(np.float32))

    def predict_members(self, images: np.ndarray) -> np.ndarray:
        """(N, M) degrees of each member for pictures from `preprocess`; M is 1 if no ensemble."""
        outputs = self.engine.predict(images.astype(self.engine.input_dtype, copy=False))
        return self._degrees(outputs[-1].reshape(len(images), -1).astype(np.float32))

    def restated(
        self, angle_deg: np.ndarray, recording: Recording, speed_mps: float | np.ndarray
    ) -> np.ndarray:
        """Predicted angles as the car of a recording would record them.

        They change only where the network learnt curvatures and the recording states its car.

        Args:
            angle_deg: of this model, in any shape.
            recording: the drive.
            speed_mps: of the recorded car; one for all, or as `angle_deg` can be multiplied with.
        """
        if self.curvature is None or not recording.config.states_car:
            return angle_deg
        return self.curvature.restated(angle_deg, recording.config.car, speed_mps)

    def _degrees(self, answers: np.ndarray) -> np.ndarray:
        """What the network answers, as degrees of the car that it was trained with."""
        return answers if self.curvature is None else self.curvature.degrees(answers)

    def predict_with_spread(
        self, images: Sequence[np.ndarray] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The steering angles for several frames, and how far an ensemble's members lie apart.

        Args:
            images: each (H, W, 3) uint8 RGB.

        Returns:
            (N,) float32 degrees, positive right, and (N,) float32, the standard deviation over
            the members in degrees; NaN from a single network, which cannot say.
        """
        if not len(images):
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        prepared = np.stack([preprocess(image, self.crop) for image in images])
        members = self.predict_members(prepared)
        mean = members.mean(axis=1, dtype=np.float64).astype(np.float32)
        return mean, spread_deg(members)


def load_steering(
    model: str | Path | None = None, engine: str = "auto", threads: int = 0
) -> SteeringModel:
    """Load a steering model.

    Args:
        model: `.onnx` or `.keras` file; None for the one that ships, int8 where that can run.
        engine: "openvino", "onnx", "keras" or "auto".
        threads: processor threads; 0 leaves the number to the runtime.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: the file is damaged or holds another network.
        InputError: the engine is unknown or does not run this kind of file.

    Example:
        >>> steering = load_steering()
        >>> for frame in read_frames("video.mp4"):
        ...     print(frame.time_s, steering.predict(frame.image))  # degrees, positive right
    """
    if model is None and not DEFAULT_MODEL.is_file():
        raise MissingFileError(
            f"The steering weights that ship are missing: {DEFAULT_MODEL}. "
            "Train some with train-steering and name them with --weights"
        )
    path = Path(model) if model else usual_form(DEFAULT_MODEL, engine)
    runtime = load_engine(path, engine, threads, build_from_metadata)
    metadata: Mapping[str, str] | None = None
    if path.suffix.lower() == ".keras":
        from drive.runtime.keras_file import read_notes

        metadata = read_notes(path)
    try:
        return SteeringModel(runtime, metadata)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def build_from_metadata(metadata: dict[str, str]) -> keras.Model:
    """Make the Keras network that the metadata of a model file describes, without its weights."""
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
