"""The ridge regression: what it learns, when it says that there is nothing to learn, mirroring."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from drive.recordings.vehicle import Car
from drive.steering import ridge
from drive.steering.cache import CachedRecording
from drive.steering.detector_features import DetectorFeatures
from drive.steering.ridge import fit_ridge
from drive.steering.split import Part

BENDS = np.sin(np.arange(150) / 6) * 5
RNG = np.random.default_rng(0)


def whole(recording: CachedRecording, start: int = 0) -> Part:
    return Part(recording, np.arange(start, len(recording)))


@pytest.fixture
def counted_images(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images the detector is shown, call by call."""
    counts: list[int] = []
    plain = DetectorFeatures.__call__

    def count(self: DetectorFeatures, images: np.ndarray) -> np.ndarray:
        counts.append(len(images))
        return plain(self, images)

    monkeypatch.setattr(DetectorFeatures, "__call__", count)
    return counts


def test_a_road_is_learnt_and_predicted(make_drive: Callable[..., CachedRecording]) -> None:
    fit = fit_ridge([whole(make_drive(angles=BENDS))])
    assert fit
    assert fit.explained > 0.9
    assert fit.rmse_deg < 1
    assert fit.frames == len(BENDS)
    asked = np.array([-4.0, -1.0, 0.5, 3.0])
    predicted = fit.predict(make_drive("other/epoch01", asked).images)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, asked, atol=0.7)
    assert fit.predict(np.zeros((0, 66, 200, 3), np.uint8)).shape == (0,)


def test_angles_that_the_images_do_not_show_are_not_explained(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drive = make_drive(angles=BENDS)
    shuffled = replace(drive, angle_deg=RNG.permutation(drive.angle_deg))
    fit = fit_ridge([whole(shuffled)])
    assert fit
    assert fit.explained < 0.1
    assert fit.rmse_deg > 0.9 * np.std(BENDS)


def test_there_is_nothing_to_fit_without_frames_changes_or_images(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drive = make_drive(angles=BENDS)
    black = replace(drive, images=np.zeros_like(drive.images))
    constant = replace(drive, angle_deg=np.full_like(drive.angle_deg, 2.0))
    short = whole(drive, start=len(BENDS) - ridge.FEWEST_FRAMES + 1)
    assert fit_ridge([whole(constant)]) is None
    assert fit_ridge([whole(black)]) is None
    assert fit_ridge([short]) is None
    assert fit_ridge([]) is None


def one_way(make_drive: Callable[..., CachedRecording], turns: int) -> CachedRecording:
    """A drive whose long bends turn right in the first half only: mirror images show the others."""
    angles = np.concatenate([np.linspace(0.5, 6, 75), turns * np.linspace(0.5, 6, 75)])
    return make_drive(angles=angles)


def test_mirror_images_are_used_where_they_help(make_drive: Callable[..., CachedRecording]) -> None:
    fit = fit_ridge([whole(one_way(make_drive, turns=-1))])
    assert fit
    assert fit.mirror
    drive = make_drive(angles=BENDS)
    beside = drive.images.copy()
    for image, angle in zip(beside, drive.angle_deg, strict=True):  # only one side tells it
        cv2.rectangle(image, (0, 0), (199, 65), (40, 128, 128), -1)
        cv2.line(image, (150, 65), (int(150 + 6 * angle), 0), (220, 128, 128), 5)
    one_side = fit_ridge([whole(replace(drive, images=beside, angle_deg=drive.angle_deg + 4))])
    assert one_side
    assert not one_side.mirror


def test_a_road_whose_lane_is_known_is_never_mirrored(
    make_drive: Callable[..., CachedRecording], counted_images: list[int]
) -> None:
    drive = one_way(make_drive, turns=-1)
    fit = fit_ridge([whole(replace(drive, car=Car(lane_m=2.5)))])
    assert fit
    assert not fit.mirror
    assert sum(counted_images) == len(drive)
    counted_images.clear()
    free = replace(drive, name="free/epoch01")
    fit_ridge([whole(free), whole(replace(drive, car=Car(lane_m=2.5)))])
    assert sum(counted_images) == 3 * len(drive)


def test_of_many_frames_every_nth_is_used(
    make_drive: Callable[..., CachedRecording], counted_images: list[int]
) -> None:
    shown: list[int | None] = []

    def progress(
        iterable: Iterable[object], total: int | None = None, description: str = ""
    ) -> Iterable[object]:
        shown.append(total)
        return iterable

    fit = fit_ridge([whole(make_drive(angles=BENDS))], progress, most_frames=70)
    assert fit
    assert fit.frames == 50
    assert sum(counted_images) == 100
    assert shown == [2]


def test_blocks_do_not_cross_recordings_and_keep_a_gap(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drives = [make_drive(f"d{n}/epoch01", np.arange(size)) for n, size in enumerate((300, 200))]
    frames = ridge._Frames([whole(drive) for drive in drives])
    folds = ridge._folds(frames)
    assert len(folds) == 5
    tested = np.sort(np.concatenate([fold.tested for fold in folds]))
    np.testing.assert_array_equal(tested, np.arange(500))
    for fold in folds:
        assert len(set(frames.recording[fold.tested])) == 1
        assert fold.near[fold.tested].all()
        own = frames.recording == frames.recording[fold.tested[0]]
        assert not fold.near[~own].any()
        apart_s = np.abs(frames.time_s[:, None] - frames.time_s[fold.tested]).min(axis=1)
        assert fold.near[own & (apart_s < 3.9)].all()
        assert not fold.near[own & (apart_s > 4.1)].any()


def test_seven_short_recordings_are_tested_whole(
    make_drive: Callable[..., CachedRecording],
) -> None:
    drives = [make_drive(f"d{n}/epoch01", np.arange(60)) for n in range(7)]
    frames = ridge._Frames([whole(drive) for drive in drives])
    folds = ridge._folds(frames)
    assert len(folds) == 5
    for fold in folds:
        for number in set(frames.recording[fold.tested]):
            assert np.isin(np.flatnonzero(frames.recording == number), fold.tested).all()


def test_both_forms_of_the_equations_agree() -> None:
    x = RNG.normal(size=(80, 30)).astype(np.float32) / np.sqrt(30)
    y = (x @ RNG.normal(size=30) + RNG.normal(size=80)).astype(np.float32)
    near, tested = np.arange(80) < 25, np.arange(20)
    features, rows = ridge._Weights(x, y), ridge._Kernel(x, y)
    np.testing.assert_allclose(features.weights(0.1), rows.weights(0.1), rtol=1e-2, atol=1e-3)
    rest, kept = x[~near].astype(np.float64), y[~near].astype(np.float64)
    for index, strength in enumerate(ridge.STRENGTHS):
        penalised = rest.T @ rest + strength * len(rest) * np.eye(30)
        expected = x[tested] @ np.linalg.solve(penalised, rest.T @ kept)
        for form in (features, rows):
            found = form.held_out(near, tested)[index]
            np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)
