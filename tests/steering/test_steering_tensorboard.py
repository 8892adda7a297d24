"""The event files, read back as TensorBoard does: records of TensorFlow's Event message."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.results.history import read_history
from drive.results.names import HISTORY
from drive.steering.split import Split, split_recordings
from drive.steering.train import SteeringCourse, train_steering
from drive.steering.training_settings import TrainingSettings


@pytest.fixture(scope="module")
def split(make_drive: Callable[..., Any]) -> Split:
    rng = np.random.default_rng(0)
    drives = [make_drive(f"t{n}/epoch01", rng.uniform(-5, 5, 32)) for n in range(2)]
    return split_recordings(drives, "0.5")


def settings(epochs: int, tensorboard: bool = True) -> TrainingSettings:
    return TrainingSettings(
        epochs=epochs,
        batch=32,
        balance=False,
        augment=False,
        warm_up=0,
        dropout=0.2,
        batch_norm=True,
        tensorboard=tensorboard,
    )


def events(path: Path) -> list[Any]:
    import tensorflow as tf

    records = tf.compat.v1.io.tf_record_iterator(str(path))
    return [tf.compat.v1.Event.FromString(record) for record in records]


@pytest.mark.slow
def test_a_training_and_its_resumption_write_what_tensorboard_reads(
    split: Split, tmp_path: Path
) -> None:
    train_steering(split, tmp_path, settings(1))
    train_steering(split, tmp_path, settings(2), resume=True)
    first, second = (events(path) for path in sorted((tmp_path / "tensorboard").iterdir()))
    assert first[0].file_version == second[0].file_version == "brain.Event:2"
    start = second[1]
    assert (start.step, start.session_log.status) == (2, start.session_log.START)
    assert [event.step for event in (first[2], second[2])] == [1, 2]
    values = {value.tag: value for value in second[2].summary.value}
    row = read_history(tmp_path / HISTORY)[1]
    for name in ("loss", "val_loss", "learning_rate", "seconds"):
        assert values[name].simple_value == pytest.approx(getattr(row, name), rel=1e-6)
    for kind in ("weights", "gradients"):
        histogram = values[f"{kind}/conv1/kernel"].histo
        assert histogram.num == sum(histogram.bucket) == 5 * 5 * 3 * 24
        assert f"{kind}/dense100/bias" in values
    assert values["gradient_norm"].simple_value > 0


def test_the_probe_has_frames_from_everywhere(split: Split) -> None:
    course = SteeringCourse(split, settings(1))
    batch = course.probe()
    assert len(batch.images) == len(course.samples)  # fewer than a batch: all
    np.testing.assert_array_equal(batch.angle_deg, course.samples.angle_deg)


def test_without_tensorflow_it_is_refused_before_anything_is_written(
    split: Split, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(InputError, match="requires TensorFlow, which is not installed"):
        train_steering(split, out, settings(1))
    assert not list(out.iterdir())
