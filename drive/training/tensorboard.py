"""Event files for TensorBoard: scalars, and histograms of weights and gradients, per epoch.

Requires TensorFlow, not the package `tensorboard`. No other module uses TensorFlow beneath Keras.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from drive.core.extras import load_extra
from drive.results.history import EpochResult
from drive.results.names import TENSORBOARD
from drive.training.batches import Batch

BUCKETS = 30  # per histogram, as in TensorBoard's own writer
FILE_VERSION = "brain.Event:2"  # the first event of a file
SCALARS = ("loss", "val_loss", "learning_rate", "seconds")


def load_tensorflow() -> Any:
    """Return the module `tensorflow`; `MissingPackageError` if Keras runs on another backend."""
    return load_extra("tensorflow", "--tensorboard")


class EventLog:
    """Writes one event file, with the gradients of always the same batch.

    TensorBoard ignores what older files say from `first_epoch` (counted from 1) on, so that a
    resumed training shows no epoch twice.
    """

    def __init__(self, folder: Path, first_epoch: int, batch: Batch) -> None:
        tf = load_tensorflow()
        self._types = tf.compat.v1
        self._gradients = GradientProbe(batch)
        path = folder / TENSORBOARD / f"events.out.tfevents.{_stamp()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = tf.io.TFRecordWriter(str(path))
        self._write(file_version=FILE_VERSION)
        start = self._types.SessionLog(status=self._types.SessionLog.START)
        self._write(step=first_epoch, session_log=start)

    def write_epoch(self, model: keras.Model, row: EpochResult) -> None:
        """Write the scalars of an epoch and the histograms after it."""
        gradients = self._gradients.of(model)
        squares = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values())
        weights = {v.path: keras.ops.convert_to_numpy(v) for v in model.trainable_variables}
        values = [
            *(self._scalar(name, getattr(row, name)) for name in SCALARS),
            self._scalar("gradient_norm", squares**0.5),
            *(self._histogram(f"weights/{path}", array) for path, array in weights.items()),
            *(self._histogram(f"gradients/{path}", array) for path, array in gradients.items()),
        ]
        self._write(step=row.epoch, summary=self._types.Summary(value=values))
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _write(self, **content: Any) -> None:
        event = self._types.Event(wall_time=time.time(), **content)
        self._file.write(event.SerializeToString())

    def _scalar(self, tag: str, value: float) -> Any:
        return self._types.Summary.Value(tag=tag, simple_value=value)

    def _histogram(self, tag: str, array: np.ndarray) -> Any:
        histogram = self._types.HistogramProto(**histogram_of(array))
        return self._types.Summary.Value(tag=tag, histo=histogram)


class GradientProbe:
    """Gradients of a model's loss on one batch, on any backend of Keras.

    A copy of the model, without dropout, takes a step with an optimiser that keeps the gradients.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._copy: keras.Model | None = None
        self._made_for: list[str] = []

    def of(self, model: keras.Model) -> Mapping[str, np.ndarray]:
        """Return the gradient of each variable of a compiled model by its path (`conv1/kernel`)."""
        paths = [variable.path for variable in model.trainable_variables]
        if self._copy is None or paths != self._made_for:
            self._copy, self._made_for = _gradient_copy(model), paths
        self._copy.set_weights(model.get_weights())
        self._copy.train_on_batch(self._batch.images, self._batch.targets)
        kept = [keras.ops.convert_to_numpy(v) for v in self._copy.trainable_variables]
        return dict(zip(paths, kept, strict=True))


def histogram_of(array: np.ndarray) -> dict[str, Any]:
    """Return the fields of TensorBoard's histogram message; counts the finite values of `array`."""
    values = np.asarray(array, np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        values = np.zeros(1)
    counts, edges = np.histogram(values, BUCKETS)
    return {
        "min": values.min(),
        "max": values.max(),
        "num": values.size,
        "sum": values.sum(),
        "sum_squares": np.square(values).sum(),
        "bucket_limit": edges[1:].tolist(),
        "bucket": counts.astype(np.float64).tolist(),
    }


class KeepGradients(keras.optimizers.Optimizer):
    """Replaces each variable by its gradient."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Replace a variable; called by Keras."""
        self.assign(variable, gradient)


def _gradient_copy(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    for layer in _layers(copy):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    copy.compile(KeepGradients(learning_rate=1.0), loss=model.loss, jit_compile=False)
    return copy


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _stamp() -> str:
    """Return the unique part of a file name: time, machine, process."""
    return f"{time.time_ns() // 1000}.{platform.node() or 'host'}.{os.getpid()}"
