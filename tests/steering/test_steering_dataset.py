from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.recordings.camera import Camera
from drive.recordings.vehicle import Car
from drive.steering.cache import CachedRecording
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.sampling import balanced_epoch, bin_of_angle
from drive.steering.split import Part
from drive.steering.training_settings import TrainingSettings

Maker = Callable[..., CachedRecording]
VIEW = Camera().view(200, 66)


def samples_of(*drives: CachedRecording) -> Samples:
    return Samples([Part(drive, np.arange(len(drive))) for drive in drives])


def mostly_straight() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 0.05, 2000), rng.uniform(-5, 5, 300)])


def test_balancing_thins_straight_driving_and_keeps_curves() -> None:
    angles = mostly_straight()
    chosen = angles[balanced_epoch(angles, np.random.default_rng(0))]
    assert (np.abs(angles) < 0.2).mean() > 0.85
    assert (np.abs(chosen) < 0.2).mean() < 0.4
    assert (np.abs(chosen) > 1).sum() == (np.abs(angles) > 1).sum()


def test_a_balanced_epoch_uses_a_frame_at_most_once_and_differs_from_the_next() -> None:
    angles = mostly_straight()
    first = balanced_epoch(angles, np.random.default_rng(0))
    second = balanced_epoch(angles, np.random.default_rng(1))
    assert len(set(first.tolist())) == len(first) == len(second)
    assert set(first.tolist()) != set(second.tolist())


def test_angles_all_alike_are_all_used() -> None:
    assert len(balanced_epoch(np.zeros(10), np.random.default_rng(0))) == 10


def test_bins_have_equal_width_and_hold_outliers() -> None:
    bins = bin_of_angle(np.array([*np.linspace(-10, 10, 1001), 500.0]))
    assert bins.min() == 0
    assert bins[-1] == bins.max()
    assert bins[0] == bins[1000]


def test_without_balancing_every_frame_comes_exactly_once(make_drive: Maker) -> None:
    drives = [make_drive("a/1", np.arange(1, 38)), make_drive("b/1", np.arange(101, 126))]
    batches = TrainingBatches(
        samples_of(*drives), TrainingSettings(batch=16, seed=7, balance=False, augment=False)
    )
    made = list(batches.epoch(0))
    assert len(made) == len(batches) == 4
    assert sorted(np.concatenate([batch.angle_deg for batch in made]).tolist()) == [
        *range(1, 38),
        *range(101, 126),
    ]


def test_pictures_come_with_their_own_angles(make_drive: Maker) -> None:
    drives = [make_drive("a/1", np.linspace(-5, 5, 20)), make_drive("b/1", np.linspace(1, 3, 9))]
    batches = TrainingBatches(
        samples_of(*drives), TrainingSettings(batch=8, seed=7, balance=False, augment=False)
    )
    known = {float(a): d.images[i] for d in drives for i, a in enumerate(d.angle_deg)}
    for batch in batches.epoch(3):
        for image, angle in zip(batch.images, batch.angle_deg, strict=True):
            assert np.array_equal(image, known[float(angle)])


@pytest.mark.parametrize("move", [True, False])
def test_a_lane_beside_the_middle_gets_no_mirror_images(make_drive: Maker, move: bool) -> None:
    lane = replace(make_drive("lane/1", np.full(40, 9.0)), car=Car(lane_m=2.5), view=VIEW)
    middle = replace(make_drive("middle/1", np.full(40, 3.0)), view=VIEW)
    batches = TrainingBatches(
        samples_of(lane, middle),
        TrainingSettings(batch=16, seed=7, balance=False, viewpoints=move, mirror=True),
    )
    angles = np.concatenate([batch.angle_deg for batch in batches.epoch(0)])
    assert not (angles < -6).any()
    assert (angles < 0).sum() > 10


def test_seed_and_epoch_decide_every_batch(make_drive: Maker) -> None:
    samples = samples_of(make_drive())

    def epoch(seed: int, number: int) -> np.ndarray:
        batches = TrainingBatches(samples, TrainingSettings(batch=16, seed=seed))
        return np.concatenate([batch.images for batch in batches.epoch(number)])

    assert np.array_equal(epoch(1, 4), epoch(1, 4))
    assert not np.array_equal(epoch(1, 4), epoch(1, 5))
    assert not np.array_equal(epoch(1, 4), epoch(2, 4))


def test_plain_batches_are_the_frames_themselves_in_order(make_drive: Maker) -> None:
    drive = make_drive()
    images = np.concatenate([batch.images for batch in samples_of(drive).plain_batches(25)])
    assert np.array_equal(images, drive.images)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(InputError, match="none"):
        TrainingBatches(Samples([]), TrainingSettings(batch=8, seed=0))


def test_an_epoch_uses_about_the_asked_frames_of_a_second(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drive = make_drive(angles=np.linspace(-5, 5, 400), fps=20)
    samples = Samples([Part(drive, np.arange(400))])
    for balance in (True, False):
        whole, tenth, more = (
            TrainingBatches(samples, TrainingSettings(batch=8, balance=balance, fps=fps))
            for fps in (0, 10, 50)
        )
        assert len(tenth.chosen(0)) == pytest.approx(len(whole.chosen(0)) / 2, rel=0.15)
        assert set(tenth.chosen(0)) != set(tenth.chosen(1))
        assert len(more.chosen(0)) == len(whole.chosen(0))


def test_curves_come_all_over_an_epoch() -> None:
    rng = np.random.default_rng(0)
    angle_deg = rng.laplace(0, 1, 5000)
    size = np.abs(angle_deg[balanced_epoch(angle_deg, rng)])
    first, last = np.array_split(size, 2)
    assert first.mean() == pytest.approx(last.mean(), rel=0.1)
