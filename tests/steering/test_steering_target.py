"""Networks that learn curvatures: one for cars of any wheelbase and steering ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError, WeightsError
from drive.recordings.recording import Recording, open_recordings
from drive.recordings.vehicle import Car, corrected_angle
from drive.steering.cache import CachedRecording
from drive.steering.curvature import CurvatureCar, read_target
from drive.steering.evaluate import predict_recording
from drive.steering.predict import SteeringModel
from drive.steering.simulate import simulate_recording
from drive.steering.split import Part, Split
from drive.steering.target import as_curvature, check_start, describe_target, unit_text
from drive.tasks.train_steering import TrainSteeringConfig

MakeRecording = Callable[..., Path]
MakeDrive = Callable[..., CachedRecording]

HATCHBACK = Car(wheelbase_m=2.5)
LORRY = Car(wheelbase_m=5.8, steering_ratio=18.0, speed_mps=12.0, understeer=0.002)
CURVATURES = np.linspace(-0.03, 0.03, 61)


def driven_by(car: Car, make_drive: MakeDrive, name: str) -> CachedRecording:
    """The same road and pictures for every car, with the angles that this one records."""
    drive = make_drive(name, angles=150 * CURVATURES)
    angle_deg = np.asarray(car.angle_deg(CURVATURES, car.speed_mps), np.float32)
    speed_mps = np.full(len(angle_deg), car.speed_mps)
    return replace(drive, angle_deg=angle_deg, car=car, speed_mps=speed_mps)


def whole(drive: CachedRecording) -> Part:
    return Part(drive, np.arange(len(drive)))


@pytest.fixture
def split(make_drive: MakeDrive) -> Split:
    cars = {"town/epoch01": HATCHBACK, "haul/epoch01": LORRY}
    parts = [whole(driven_by(car, make_drive, name)) for name, car in cars.items()]
    few = Part(driven_by(LORRY, make_drive, "haul/epoch02"), np.arange(20, 30))
    return Split([parts[0], few], [parts[1]])


class EngineOfOneAnswer:
    """Answers the same whatever it sees."""

    name = "one answer"
    input_name = "image"
    input_shape: tuple[int | None, ...] = (None, 66, 200, 3)
    input_dtype = np.dtype(np.uint8)
    fallback_reason: str | None = None

    def __init__(self, metadata: dict[str, str], answer: float, members: int = 1) -> None:
        self.metadata = {**metadata, "ensemble": str(members)}
        self.answer, self.members = answer, members

    def predict(self, images: np.ndarray) -> list[np.ndarray]:
        shape = len(images), self.members
        return [np.full(shape, self.answer, np.float32)] * min(2, self.members)


def pilot_for(parts: list[Part], curvature: float, members: int = 1) -> SteeringModel:
    """A pilot trained on these parts that always drives the same circle."""
    metadata = {**describe_target(parts), "training_mean_deg": "0.0"}
    per_curvature = float(metadata["output_per_curvature"])
    return SteeringModel(EngineOfOneAnswer(metadata, curvature * per_curvature, members))


def test_every_car_learns_the_same_target_on_the_same_road(split: Split) -> None:
    restated = as_curvature(split)
    (town, few), (haul,) = restated.training, restated.validation
    assert np.ptp(split.validation[0].angle_deg) > 20 * np.ptp(split.training[0].angle_deg)
    np.testing.assert_allclose(town.angle_deg, haul.angle_deg, rtol=1e-5)
    np.testing.assert_allclose(few.angle_deg, haul.angle_deg[20:30], rtol=1e-5)


def test_the_target_is_in_proportion_to_1_over_r_and_about_as_large_as_degrees(
    split: Split,
) -> None:
    (town, _) = as_curvature(split).training
    unit = town.recording.car
    assert isinstance(unit, CurvatureCar)
    np.testing.assert_allclose(town.angle_deg / unit.per_curvature, CURVATURES, rtol=1e-6)
    np.testing.assert_allclose(town.angle_deg, split.training[0].angle_deg, rtol=2e-2)


def test_a_moved_car_is_led_back_on_the_same_circle_in_both_units(split: Split) -> None:
    unit = as_curvature(split).training[0].recording.car
    angle = float(HATCHBACK.angle_deg(0.01))
    as_angle = corrected_angle(angle, 0.6, -2.0, 15.0, HATCHBACK, 2.0)
    as_unit = corrected_angle(unit.angle_deg(0.01), 0.6, -2.0, 15.0, unit, 2.0)
    assert unit.curvature(as_unit) == pytest.approx(HATCHBACK.curvature(as_angle))


def test_what_else_is_known_of_a_car_stays(split: Split) -> None:
    car = replace(LORRY, speed_unit="mph")
    drive = replace(split.validation[0].recording, car=car)
    (haul,) = as_curvature(replace(split, validation=[whole(drive)])).validation
    assert haul.recording.car.speed_unit == "mph"
    assert haul.recording.car.wheelbase_m == HATCHBACK.wheelbase_m


def test_pictures_and_rows_stay(split: Split) -> None:
    before, after = split.training[1], as_curvature(split).training[1]
    assert after.recording.images is before.recording.images
    assert after.rows is before.rows
    assert after.recording.digest == before.recording.digest


@pytest.mark.parametrize("members", [1, 3])
def test_predictions_are_degrees_of_the_training_s_car(split: Split, members: int) -> None:
    pilot = pilot_for(as_curvature(split).training, 0.02, members=members)
    (angle,) = pilot.predict_batch(np.zeros((1, 90, 160, 3), np.uint8))[:1]
    assert angle == pytest.approx(HATCHBACK.angle_deg(0.02))
    prepared = np.zeros((2, 66, 200, 3), np.uint8)
    assert pilot.predict_members(prepared)[:, 0].tolist() == pytest.approx([angle, angle])


def test_the_training_s_mean_is_in_degrees_too(split: Split) -> None:
    metadata = describe_target(as_curvature(split).training)
    mean = float(metadata["output_per_curvature"]) * 0.03
    engine = EngineOfOneAnswer({**metadata, "training_mean_deg": repr(mean)}, 0)
    assert SteeringModel(engine).training_mean_deg == pytest.approx(HATCHBACK.angle_deg(0.03))


def recording_of(car: str, make_recording: MakeRecording) -> Recording:
    folder = make_recording(angles=[0.0] * 4)
    rows = "frame,time_s,wheel,speed\n" + "".join(f"{i},{i / 20},0,{10 + i}\n" for i in range(4))
    (folder / "epoch01_steering.csv").write_text(rows)
    (folder / "recording.toml").write_text(f"[car]\n{car}\n")
    (recording,) = open_recordings([folder])
    return recording


def test_a_recording_s_own_car_and_speed_make_its_degrees(
    split: Split, make_recording: MakeRecording
) -> None:
    recording = recording_of(
        "wheelbase_m = 5.8\nsteering_ratio = 18\nundersteer = 0.002", make_recording
    )
    pilot = pilot_for(as_curvature(split).training, 0.01)
    answers = predict_recording(recording, pilot)
    expected = [LORRY.angle_deg(0.01, 10.0 + frame) for frame in range(4)]
    assert answers.angle_deg.tolist() == pytest.approx(expected)
    together = predict_recording(
        recording, pilot_for(as_curvature(split).training, 0.01, members=2)
    )
    assert together.angle_deg.tolist() == pytest.approx(expected)


def test_a_recording_that_states_no_car_is_taken_for_the_training_s(
    split: Split, make_recording: MakeRecording
) -> None:
    recording = recording_of("speed_mps = 5", make_recording)
    answers = predict_recording(recording, pilot_for(as_curvature(split).training, 0.01))
    assert answers.angle_deg.tolist() == pytest.approx([HATCHBACK.angle_deg(0.01)] * 4)


def test_the_same_network_drives_any_car_on_the_same_circle(
    split: Split, make_recording: MakeRecording
) -> None:
    pilot = pilot_for(as_curvature(split).training, 0.02)
    places = []
    for car in ("wheelbase_m = 2.5", "wheelbase_m = 5.8\nsteering_ratio = 18\nundersteer = 0.002"):
        drive = simulate_recording(recording_of(car, make_recording), pilot)
        places.append(drive.offset_m)
    assert places[0][-1] > 0.01
    assert places[1] == pytest.approx(places[0], rel=1e-4)


def test_a_network_that_learnt_the_angle_is_left_alone(make_recording: MakeRecording) -> None:
    recording = recording_of("wheelbase_m = 5.8\nsteering_ratio = 18", make_recording)
    pilot = SteeringModel(EngineOfOneAnswer({}, 3.5))
    assert predict_recording(recording, pilot).angle_deg.tolist() == [3.5] * 4


def test_a_file_says_the_target_and_the_car(split: Split) -> None:
    assert describe_target(split.training) == {}
    said = describe_target(as_curvature(split).training)
    assert (said["target"], said["wheelbase_m"], said["steering_ratio"]) == (
        "curvature",
        "2.5",
        "1.0",
    )
    found = read_target(said)
    assert found is not None
    assert found.car == HATCHBACK
    assert "2.5 m" in unit_text(as_curvature(split).training)


@pytest.mark.parametrize("wrong", [{"target": "torque"}, {"target": "curvature"}])
def test_a_file_that_does_not_say_it_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(WeightsError, match="output_per_curvature"):
        read_target(wrong)


def test_a_network_goes_on_with_its_own_target_in_the_new_unit(split: Split) -> None:
    town = as_curvature(split).training
    haul = as_curvature(Split(split.validation, split.training)).training
    assert check_start(describe_target(haul), town, "x") == pytest.approx(2.5 / (5.8 * 18))
    assert check_start({}, split.training, "x") == 1.0
    with pytest.raises(InputError, match="--target curvature"):
        check_start({}, town, "x.keras")
    with pytest.raises(InputError, match="was trained on the curvature"):
        check_start(describe_target(town), split.training, "x.keras")


def test_the_option_is_there_and_the_angle_the_default() -> None:
    assert TrainSteeringConfig().target == "angle"
    assert TrainSteeringConfig(target="curvature").target == "curvature"
    with pytest.raises(InputError, match="target must be one of angle, curvature; got 'radius'"):
        TrainSteeringConfig(target="radius")


def test_both_files_of_a_network_say_the_target(split: Split, tmp_path: Path) -> None:
    from drive.steering.model_file import describe, save_trained
    from drive.steering.network import build_network
    from drive.steering.predict import load_steering

    parts = as_curvature(split).training
    model = build_network(scale_deg=3.0)
    metadata = describe(model, "published", "0.4,0.875", parts[0].angle_deg, ["town/epoch01"])
    path = tmp_path / "model.keras"
    onnx = save_trained(model, path, {**metadata, **describe_target(parts)})
    prepared = parts[0].recording.images[:3]
    unit = parts[0].recording.car
    expected = HATCHBACK.angle_deg(unit.curvature(model.predict_on_batch(prepared)[:, 0]))
    for file in (path, onnx):
        answers = load_steering(file).predict_prepared(prepared)
        np.testing.assert_allclose(answers, expected, atol=1e-3)
