"""What a training puts into its report besides its tables: distributions, frames, layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from drive.detection.dataset import LabelledImages
from drive.detection.preprocess import letterbox
from drive.drawing.gauge import angle_text
from drive.drawing.layer_sheet import kernel_sheet, map_sheet
from drive.drawing.steering_card import steering_card
from drive.pages.moments import peaks
from drive.results.names import NOTES_FOLDER
from drive.results.training_notes import NotedImage, Notes
from drive.runtime.layer_views import feature_maps, first_kernels
from drive.steering.evaluate import Predictions
from drive.steering.split import Part
from drive.steering.training_settings import TrainingSettings
from drive.tasks._run import Run
from drive.training.fit import OnEpoch
from drive.video.writer import save_image

if TYPE_CHECKING:
    import keras

WORST = 12
WORST_NAME, KERNELS_NAME, INPUT_NAME = "worst{:02d}.jpg", "kernels.png", "input.png"
MAPS_NAME = "maps_{}.jpg"
LOSS_UNIT = "degrees²"
LOSS_NOTE = (
    "The network is trained on {made} images and validated on images as recorded, so the "
    "training loss may be far above the validation loss"
)


def begin_report(
    run: Run,
    epochs: int,
    loss_unit: str = "",
    loss_note: str = "",
    angles: Mapping[str, np.ndarray] | None = None,
) -> OnEpoch | None:
    """Begin the live report of a training; return a function to call after each epoch.

    `loss_note` says why training and validation loss differ; `angles` are degrees by what they are
    of, to show their distributions.
    """
    if not run.reports:
        return None
    notes = Notes(epochs=epochs, loss_unit=loss_unit, loss_note=loss_note)
    if angles:
        notes.count(angles)
    notes.write(run.folder.path)
    report = run.live_report()
    return lambda _: report.update() if report else None


def note_steering(
    run: Run,
    folder: Path,
    settings: TrainingSettings,
    network: keras.Model,
    parts: Sequence[Part],
    predictions: Sequence[Predictions],
    angles: Mapping[str, np.ndarray],
) -> None:
    """Write what the report of a steering network (or of a member of an ensemble) shows.

    `parts` are those that it was evaluated on, `predictions` its own there.
    """
    if not run.reports:
        return
    notes = Notes(settings.planned_epochs, LOSS_UNIT, steering_loss_note(settings))
    notes.count(angles)
    home = _images_folder(folder)
    notes.worst = tuple(_worst(home, parts, predictions))
    image = parts[0].recording.images[int(parts[0].rows[len(parts[0]) // 2])]
    notes.layers = tuple(_layers(home, network, image, yuv=True))
    notes.write(folder)


def steering_loss_note(settings: TrainingSettings) -> str:
    """Return why training and validation loss differ; empty if they are comparable."""
    done = {"augmented": settings.augment, "balanced": settings.balance}
    made = " and ".join(name for name, asked in done.items() if asked)
    return LOSS_NOTE.format(made=made) if made else ""


def note_detector(run: Run, epochs: int, network: keras.Model, shown: LabelledImages) -> None:
    """Write what the report of a detector shows: its first layers."""
    if not run.reports:
        return
    from drive.detection.train import TRAINING_SIZES

    notes = Notes(epochs=epochs, loss_note=LOSS_NOTE.format(made="augmented"))
    if shown.images:
        image, _ = letterbox(shown.images[0].read(), *TRAINING_SIZES[0])
        home = _images_folder(run.folder.path)
        notes.layers = tuple(_layers(home, network, image, yuv=False))
    notes.write(run.folder.path)


def _images_folder(folder: Path) -> Path:
    home = folder / NOTES_FOLDER
    home.mkdir(exist_ok=True)
    return home


def _worst(
    home: Path, parts: Sequence[Part], predictions: Sequence[Predictions]
) -> list[NotedImage]:
    """Return the frames with the largest errors, no two of the same moment."""
    found = [
        (abs(float(recording.angle_deg[row] - recording.truth_deg[row])), number, row)
        for number, recording in enumerate(predictions)
        for row in peaks(recording.time_s, np.abs(recording.angle_deg - recording.truth_deg), WORST)
    ]
    worst = sorted(found, reverse=True)[:WORST]
    largest = (float(np.abs([each.angle_deg, each.truth_deg]).max()) for each in predictions)
    full_deg = max(largest, default=1.0) or 1.0
    images = []
    for place, (error, number, row) in enumerate(worst, start=1):
        recording, part = predictions[number], parts[number]
        seen = np.asarray(part.recording.images[part.rows[row]])
        image = np.asarray(cv2.cvtColor(seen, cv2.COLOR_YUV2RGB), np.uint8)
        angle, truth = float(recording.angle_deg[row]), float(recording.truth_deg[row])
        name = WORST_NAME.format(place)
        save_image(home / name, steering_card(image, angle, truth, full_deg))
        note = f"model {angle_text(angle)}, recorded {angle_text(truth)}"
        moment = f"frame {recording.frame_index[row]}, {recording.time_s[row]:.1f} s"
        said = f"{note}; {recording.name}, {moment}"
        images.append(NotedImage(name, f"{error:.1f}° off", said))
    return images


def _layers(home: Path, network: keras.Model, image: np.ndarray, yuv: bool) -> list[NotedImage]:
    """Return the first layer's kernels, and the feature maps of the first layers."""
    images = []
    kernels = first_kernels(network)
    if kernels is not None:
        save_image(home / KERNELS_NAME, kernel_sheet(kernels, yuv))
        note = f"{len(kernels)} kernels of {kernels.shape[1]} by {kernels.shape[2]} pixels"
        images.append(NotedImage(KERNELS_NAME, "First layer: kernels", note))
    shown = cv2.cvtColor(image, cv2.COLOR_YUV2RGB) if yuv else image
    save_image(home / INPUT_NAME, shown)
    images.append(NotedImage(INPUT_NAME, "An image", "as the network gets it"))
    for maps in feature_maps(network, image):
        name = MAPS_NAME.format(maps.layer)
        save_image(home / name, map_sheet(maps.values))
        note = f"{len(maps.values)} feature maps of that image; bright: a strong response"
        images.append(NotedImage(name, f"Layer {maps.layer}", note))
    return images
