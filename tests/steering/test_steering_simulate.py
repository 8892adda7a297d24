from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import InputError
from drive.core.region import Region
from drive.drawing.simulation_overlay import SimulationOverlay
from drive.drawing.simulation_plot import MOST_PANELS, DriveLine, plot_simulation
from drive.recordings.camera import Camera, View
from drive.recordings.excluded import ExcludedRange
from drive.recordings.recording import Recording, open_recordings
from drive.recordings.recording_config import RecordingConfig
from drive.recordings.vehicle import Car
from drive.steering.car_beside import LOCK_DEG, Place, moved
from drive.steering.preprocess import preprocess
from drive.steering.recorded_path import (
    PathReport,
    camera_of,
    read_path,
    shrink_of,
    shrunk,
    shrunk_size,
)
from drive.steering.simulate import (
    SimulationResult,
    Step,
    autonomy_percent,
    follow,
    follow_baselines,
    simulate_recording,
)
from drive.steering.simulation_report import implausible_share, measure
from drive.video.reader import read_frames

CAR = Car(wheelbase_m=2.6, speed_mps=10.0)
CAMERA = Camera(height_m=1.2, fov_deg=70.0, horizon=0.5)
WIDTH, HEIGHT = 160, 96


def drive_of(
    truth_deg: Sequence[float], speed_mps: float = 10.0, step_s: float = 0.1
) -> SimulationResult:
    """A recorded drive without pictures, for `follow`."""
    truth = np.array(truth_deg, float)
    count = len(truth)
    blank, nothing = np.zeros(count), np.zeros(count, bool)
    return SimulationResult(
        "road",
        np.arange(count),
        np.arange(count) * step_s,
        blank,
        blank,
        truth,
        truth,
        np.full(count, speed_mps),
        nothing,
        nothing,
    )


def road_picture(view: View) -> np.ndarray:
    """A straight road from its middle: a white line on the ground, right below the camera."""
    image = np.full((view.height, view.width, 3), 60, np.uint8)
    ahead = np.linspace(1.0, 60.0, 400)
    for side in (-0.06, 0.06):
        x, y = view.ground(ahead, np.full_like(ahead, side))
        points = np.stack([x, y], axis=1).round().astype(np.int32)
        cv2.polylines(image, [points], False, (255, 255, 255), 1)
    return image


def sees_the_line(view: View) -> Callable[[np.ndarray], float]:
    """A pilot that steers at the white line some metres ahead: pure pursuit by eye."""
    ahead_m = 6.0
    row = round(float(view.ground(np.array([ahead_m]), np.array([0.0]))[1][0]))

    def steer(image: np.ndarray) -> float:
        light = image[row, :, 0].astype(float) - 60
        light[light < 40] = 0
        if not light.any():
            return 0.0
        x = float((light * np.arange(view.width)).sum() / light.sum())
        right_m = (x + 0.5 - view.centre_x) / view.focal_x * ahead_m
        return float(CAR.angle_deg(2 * right_m / ahead_m**2))

    return steer


@pytest.fixture
def recording(make_recording: Callable[..., Path]) -> Callable[..., Recording]:
    """A recording whose camera and car are known; 20 frames a second."""

    def make(angles: Sequence[float], name: str = "road", **video: object) -> Recording:
        folder = make_recording(name, angles, size=(WIDTH, HEIGHT), **video)
        (one,) = open_recordings([folder])
        return replace(one, config=RecordingConfig(camera=CAMERA, car=CAR))

    return make


def test_the_humans_own_angles_stay_on_the_path(recording: Callable[..., Recording]) -> None:
    angles = [5 * math.sin(index / 7) for index in range(60)]
    answers = iter(angles)
    result = simulate_recording(recording(angles), lambda image: next(answers))
    assert result.interventions == 0
    assert result.autonomy_percent == 100
    assert np.abs(result.offset_m).max() < 1e-4
    assert result.seconds == pytest.approx(59 / 20)
    assert result.metres == pytest.approx(59 / 20 * 10)


def test_a_constant_bias_leaves_the_road_as_a_circle_does() -> None:
    bias_deg, speed = 1.0, 10.0
    drive = drive_of(np.zeros(12), speed)
    result = follow(drive, np.full(12, bias_deg), CAR)
    radius = 1 / CAR.curvature(bias_deg)
    ahead = speed * drive.time_s  # abreast of the recorded car: along the path, not the circle
    circle = radius - np.sqrt(radius**2 - ahead**2)
    assert result.interventions == 0
    np.testing.assert_allclose(result.offset_m, circle, atol=1e-4)
    np.testing.assert_allclose(result.heading_deg, np.degrees(np.arcsin(ahead / radius)), atol=1e-3)
    left = follow(drive, np.full(12, -bias_deg), CAR)
    np.testing.assert_allclose(left.offset_m, -circle, atol=1e-4)


def test_inside_of_a_bend_the_same_circle_is_tighter() -> None:
    radius, inside = 40.0, 0.8
    human = float(CAR.angle_deg(1 / radius))
    concentric = float(CAR.angle_deg(1 / (radius - inside)))
    place = moved(Place(inside, 0.0), concentric, human, 10.0, 8.0, CAR)
    assert place.offset_m == pytest.approx(inside, abs=1e-6)
    assert place.heading_deg == pytest.approx(0, abs=1e-6)
    assert moved(Place(inside, 0.0), human, human, 10.0, 3.0, CAR).offset_m < inside - 0.2


def test_the_steering_ratio_and_the_lock_count() -> None:
    geared = replace(CAR, steering_ratio=15.0)
    assert moved(Place(), 15.0, 0.0, 10.0, 1.0, geared).offset_m == pytest.approx(
        moved(Place(), 1.0, 0.0, 10.0, 1.0, CAR).offset_m
    )
    wild = moved(Place(), 900.0, 0.0, 3.0, 0.2, CAR)
    assert wild == moved(Place(), LOCK_DEG, 0.0, 3.0, 0.2, CAR)


def test_an_intervention_is_counted_and_the_car_put_back() -> None:
    result = follow(drive_of(np.zeros(120)), np.full(120, 1.0), CAR)
    at = np.flatnonzero(result.intervention)
    assert len(at) > 3
    assert (np.abs(result.offset_m[at]) > 1).all()
    assert np.abs(result.offset_m[~result.intervention]).max() <= 1
    assert (np.abs(result.offset_m[at + 1]) < 0.05).all()
    assert len(set(np.diff(at))) == 1, "each time the same way off the road"
    expected = max(0, 1 - len(at) * 6 / 11.9) * 100
    assert result.autonomy_percent == pytest.approx(expected)
    wider = follow(drive_of(np.zeros(120)), np.full(120, 1.0), CAR, limit_m=3.0)
    assert 0 < wider.interventions < len(at)


def test_distance_begins_anew_with_an_intervention_and_behind_a_gap() -> None:
    road = drive_of(np.zeros(7))
    stopped, gap = road.intervention.copy(), road.cut.copy()
    stopped[3], gap[5] = True, True
    distance_m = replace(road, intervention=stopped, cut=gap).distance_m
    np.testing.assert_allclose(distance_m, [0, 1, 2, 0, 1, 0, 1], atol=1e-9)


def test_autonomy_is_that_of_the_paper() -> None:
    assert autonomy_percent(10, 600) == pytest.approx(90)  # the paper's own example
    assert autonomy_percent(0, 10) == 100
    assert autonomy_percent(5, 10) == 0
    assert autonomy_percent(0, 0) == 0


def test_a_pilot_that_sees_finds_back_to_the_line(
    recording: Callable[..., Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = recording([0.0] * 80)
    view = CAMERA.view(WIDTH, HEIGHT)
    road = road_picture(view)
    monkeypatch.setattr(
        "drive.steering.simulate.read_path",
        lambda *args, **options: (
            replace(moment, frame=replace(moment.frame, image=road))
            for moment in read_path(*args, **options)
        ),
    )

    def after_a_push(then: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], float]:
        pushes = iter([4.0] * 10)
        return lambda image: next(pushes, None) or then(image)

    result = simulate_recording(straight, after_a_push(sees_the_line(view)))
    assert result.interventions == 0
    assert np.abs(result.offset_m).max() > 0.3
    assert np.abs(result.offset_m[-10:]).max() < 0.12
    assert simulate_recording(straight, after_a_push(lambda image: 0.0)).interventions > 0


def test_the_pilot_sees_the_frame_from_where_the_car_is(
    recording: Callable[..., Recording],
) -> None:
    seen: list[Step] = []
    simulate_recording(recording([0.0] * 12), lambda image: 3.0, watch=seen.append)
    assert seen[0].place == Place()
    np.testing.assert_array_equal(seen[0].image, seen[0].moment.frame.image)
    assert seen[-1].place.offset_m > 0
    assert (seen[-1].image != seen[-1].moment.frame.image).mean() > 0.05
    assert seen[-1].image.shape == (HEIGHT, WIDTH, 3)


def test_a_network_that_answers_curvatures_is_restated_for_the_recordings_car(
    recording: Callable[..., Recording],
) -> None:
    class Curvatures:
        def predict(self, image: np.ndarray) -> float:
            return 1.0

        def restated(self, angle_deg: np.ndarray, one: Recording, speed_mps: float) -> np.ndarray:
            return angle_deg * one.config.car.steering_ratio * speed_mps

    road = recording([0.0] * 5)
    geared = replace(road, config=replace(road.config, car=replace(CAR, steering_ratio=15.0)))
    assert simulate_recording(geared, Curvatures()).angle_deg.tolist() == [150.0] * 5


def test_true_timestamps_count(recording: Callable[..., Recording]) -> None:
    times_ms = [0, 50, 90, 250, 300, 700, 750]
    bent = recording([0.0] * 7, times_ms=times_ms)
    result = simulate_recording(bent, lambda image: 0.8)
    np.testing.assert_allclose(result.time_s, np.array(times_ms) / 1000, atol=1e-6)
    radius = 1 / CAR.curvature(0.8)
    ahead = 10 * result.time_s
    np.testing.assert_allclose(result.offset_m, radius - np.sqrt(radius**2 - ahead**2), atol=1e-4)


def test_a_gap_is_a_cut(recording: Callable[..., Recording]) -> None:
    gap = recording([0.0] * 6, times_ms=[0, 50, 100, 5100, 5150, 5200])
    result = simulate_recording(gap, lambda image: 2.0)
    assert result.cut.tolist() == [False] * 3 + [True] + [False] * 2
    assert result.seconds == pytest.approx(0.2)
    assert result.interventions == 0
    assert result.offset_m[3] == 0


@pytest.mark.parametrize("end_s", [0.5, 2.0])
def test_a_marked_stretch_is_a_cut_however_short(
    recording: Callable[..., Recording], end_s: float
) -> None:
    road = recording([0.0] * 60)
    bad = replace(road, bad=(ExcludedRange(0.3, end_s),))
    result = simulate_recording(bad, lambda image: 2.0, limit_m=99.0)
    behind = round(end_s * 20) + 1
    assert result.frame_index.tolist() == [*range(6), *range(behind, 60)]
    assert np.flatnonzero(result.cut).tolist() == [6]
    assert result.offset_m[5] > 0.03 and result.offset_m[6] == 0
    assert result.seconds == pytest.approx((5 + 59 - behind) / 20)
    assert (result.path.frames_marked_bad, result.path.marks_passed) == (behind - 6, 1)
    zero = follow_baselines(result, CAR)["zero"]
    assert zero.cut.tolist() == result.cut.tolist() and zero.seconds == result.seconds


def test_nobody_drives_into_a_marked_stretch(recording: Callable[..., Recording]) -> None:
    road = recording([0.0] * 60)
    wild = simulate_recording(road, lambda image: 9.0)
    ends = replace(road, bad=(ExcludedRange(0.0, 0.2), ExcludedRange(0.4, 9.0)))
    result = simulate_recording(ends, lambda image: 9.0)
    assert wild.interventions > result.interventions == 0
    assert not result.cut.any() and result.path.marks_passed == 0
    with pytest.raises(InputError, match="and 60 in excluded ranges"):
        simulate_recording(replace(road, bad=(ExcludedRange(0, 9),)), lambda image: 0.0)


def test_delay_lets_a_bend_go_by() -> None:
    bend = drive_of([0.0] * 5 + [3.0] * 10, step_s=0.1)
    late = follow(bend, bend.truth_deg, CAR, delay_s=0.25)
    assert late.offset_m[-1] < -0.1, "still straight on while the road turns right"
    assert np.abs(late.offset_m[:6]).max() < 1e-9
    assert follow(bend, bend.truth_deg, CAR, delay_s=0.1).offset_m[-1] > late.offset_m[-1]
    same = follow(bend, bend.truth_deg, CAR, delay_s=0.0)
    assert np.abs(same.offset_m).max() < 1e-9


def test_after_an_intervention_the_human_steers_until_a_new_answer_acts() -> None:
    late = follow(drive_of(np.zeros(40).tolist()), np.full(40, 2.0), CAR, delay_s=0.25)
    first = int(np.flatnonzero(late.intervention)[0])
    assert np.abs(late.offset_m[first + 1 : first + 3]).max() == 0
    assert late.offset_m[first + 4] > 0.01


def test_smoothed_angles_act_and_the_filter_begins_anew(
    recording: Callable[..., Recording],
) -> None:
    calls = 0

    def trembles(image: np.ndarray) -> float:
        nonlocal calls
        calls += 1
        return 3.0 if calls % 2 else 1.0

    road = recording([0.0] * 60)
    result = simulate_recording(road, trembles, smooth_s=0.2)
    plain = simulate_recording(road, trembles)
    assert result.interventions > 0
    assert result.changes_deg().mean() < plain.changes_deg().mean() / 3
    assert result.angle_deg[0] == 3.0
    behind = np.flatnonzero(result.intervention)
    assert set(result.angle_deg[behind].tolist()) <= {1.0, 3.0}, "nothing of before is left"


def test_baselines_stand_beside() -> None:
    bend = drive_of([2.0] * 60)
    beside = follow_baselines(bend, CAR)
    assert beside["recorded"].interventions == 0
    assert beside["zero"].interventions > 0
    together = measure([beside["zero"], beside["recorded"]])
    assert together.interventions == beside["zero"].interventions
    assert together.seconds == pytest.approx(11.8)
    assert together.max_abs_offset_m > 1


def test_jitter_leaves_out_the_hand_of_the_human() -> None:
    drive = follow(drive_of(np.zeros(4)), np.array([0.0, 1.0, 1.5, 9.0]), CAR)
    disturbed = replace(drive, intervention=np.array([False, False, False, True]))
    assert measure([disturbed]).jitter_deg == pytest.approx(0.75)


def test_speed_comes_from_the_recording(recording: Callable[..., Recording]) -> None:
    one = recording([0.0] * 10)
    speed = np.array([36.0, np.nan, 72.0, *[72.0] * 7])
    km = replace(one, speed=speed, config=replace(one.config, car=replace(CAR, speed_unit="km/h")))
    report = PathReport()
    speeds = [moment.speed_mps for moment in read_path(km, report)]
    assert speeds[:3] == pytest.approx([10, 15, 20])
    assert (report.frames_without_speed, report.speed) == (1, "recorded")
    report = PathReport()
    assert {moment.speed_mps for moment in read_path(one, report)} == {10.0}
    assert report.speed == "assumed"


def test_frames_without_an_angle_are_left_out_and_counted(
    recording: Callable[..., Recording],
) -> None:
    one = recording([0.0] * 12)
    angles = one.angle_deg.copy()
    angles[[3, 4]] = np.nan
    result = simulate_recording(replace(one, angle_deg=angles), lambda image: 0.0)
    assert result.path.frames_without_angle == 2
    assert result.frame_index.tolist() == [0, 1, 2, *range(5, 12)]
    assert result.seconds == pytest.approx(11 / 20)


def test_part_of_a_drive(recording: Callable[..., Recording]) -> None:
    result = simulate_recording(recording([0.0] * 40), lambda image: 0.0, start_s=0.5, end_s=1.0)
    assert result.frame_index.tolist() == list(range(10, 20))
    with pytest.raises(InputError, match="two frames"):
        simulate_recording(recording([0.0] * 4, "short"), lambda image: 0.0, start_s=50)


def test_wide_frames_are_shrunk_and_the_network_sees_the_same() -> None:
    assert [shrink_of(width) for width in (320, 640, 960, 1280, 1920, 3840)] == [1, 1, 1, 2, 3, 6]
    assert shrunk_size((1920, 817), 3) == (640, 272)
    noise = np.random.default_rng(0).integers(0, 256, (72, 128, 3), np.uint8)
    frame = cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_LINEAR)
    small = shrunk(frame, 2)
    assert small.shape == (360, 640, 3)
    difference = preprocess(frame).astype(int) - preprocess(small)
    assert np.abs(difference).max() <= 6
    assert np.abs(difference).mean() < 0.6


def test_understeer_widens_both_circles() -> None:
    slips = replace(CAR, understeer=0.01)
    grips, drifts = (moved(Place(), 1.0, 0.0, 10.0, 1.0, car) for car in (CAR, slips))
    assert drifts.offset_m == pytest.approx(grips.offset_m / 2, rel=0.01)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"limit_m": 0}, "limit"), ({"delay_s": -1}, "delay"), ({"delay_s": math.nan}, "delay")],
)
def test_wrong_settings_are_refused(
    recording: Callable[..., Recording], options: dict[str, float], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        simulate_recording(recording([0.0] * 4), lambda image: 0.0, **options)


def test_a_pilot_without_an_answer_is_no_perfect_driver(
    recording: Callable[..., Recording],
) -> None:
    with pytest.raises(InputError, match=r"frame 0.*nan"):
        simulate_recording(recording([0.0] * 4), lambda image: math.nan)


def test_the_horizon_says_where_it_comes_from(recording: Callable[..., Recording]) -> None:
    one = recording([0.0] * 4)
    assert camera_of(one) == (CAMERA, "given")
    unknown = replace(one, config=replace(one.config, camera=replace(CAMERA, horizon=None)))
    camera, how = camera_of(unknown)
    assert camera.horizon is not None
    assert how in ("estimated", "assumed")


def test_a_steering_wheels_angles_do_not_pass_for_the_front_wheels() -> None:
    assert implausible_share(drive_of([60.0] * 10, 20.0), CAR) == 1
    assert implausible_share(drive_of([60.0] * 10, 5.0), replace(CAR, steering_ratio=15.0)) == 0


def test_overlay_shows_the_side_and_the_intervention() -> None:
    overlay = SimulationOverlay(640, 360, 1.0)
    frame = np.full((360, 640, 3), 120, np.uint8)
    told = {"heading_deg": 1.0, "angle_deg": 2.0, "truth_deg": 1.0, "header": "3 s"}
    road = Region(0, 144, 640, 315)
    right = overlay.draw(frame, offset_m=0.6, region=road, **told)
    left = overlay.draw(frame, offset_m=-0.6, region=road, **told)
    assert (frame == 120).all(), "the pilot's picture is not drawn on"
    assert (right != left).any()
    assert (right[100, 300] < 100).all() and (right[200, 300] == 120).all()
    flash = overlay.draw(frame, offset_m=0.0, region=road, since_intervention_s=0.1, **told)
    over = overlay.draw(frame, offset_m=0.0, region=road, since_intervention_s=5.0, **told)
    assert (flash[1, 1] != over[1, 1]).any()
    SimulationOverlay(64, 40, 1.0).draw(
        frame[:40, :64], offset_m=0.0, region=Region(0, 16, 64, 35), **told
    )


def test_plot_of_many_drives(tmp_path: Path) -> None:
    off = follow(drive_of(np.zeros(60)), np.full(60, 1.0), CAR)
    line = DriveLine("road", "3 interventions", off.time_s, off.offset_m, off.intervention, off.cut)
    for count in (1, 3, MOST_PANELS + 1):
        plot_simulation(tmp_path / f"{count}.png", [line] * count, 1.0)
    sizes = [cv2.imread(str(path)).shape[0] for path in sorted(tmp_path.glob("*.png"))]
    assert len(set(sizes)) == 3
    with pytest.raises(InputError, match="none"):
        plot_simulation(tmp_path / "none.png", [], 1.0)


def test_command_writes_everything(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folders = [make_recording(name, [0.5] * 30, size=(WIDTH, HEIGHT)) for name in ("a", "b")]
    out = tmp_path / "out"
    command = ["simulate", *map(str, folders), "--horizon", "0.5", "--speed-mps", "15"]
    assert main([*command, "--out", str(out), "--json", "--quiet"]) == 0
    output = capsys.readouterr()
    names = {path.name for path in out.iterdir()}
    assert names == {
        "metrics.json",
        "simulation.csv",
        "simulation.png",
        "a_epoch01.mp4",
        "b_epoch01.mp4",
        "report.html",
        "run.json",
    }
    metrics = json.loads((out / "metrics.json").read_text())
    assert list(metrics)[:4] == [
        "seconds",
        "interventions",
        "autonomy_percent",
        "mean_abs_offset_m",
    ]
    assert metrics["seconds"] == pytest.approx(2 * 29 / 20)
    assert metrics["baselines"]["recorded"]["interventions"] == 0
    assert metrics["recordings"]["a/epoch01"]["horizon_is"] == "given"
    assert metrics["recordings"]["a/epoch01"]["speed"] == "assumed"
    assert "15 m/s assumed" in output.err
    assert "autonomy says little" in output.err
    assert "total" in output.out and "zero" in output.out
    assert json.loads(output.out.splitlines()[-1])["interventions"] == metrics["interventions"]
    with (out / "simulation.csv").open() as file:
        rows = list(csv.reader(file))
    assert ",".join(rows[0]) == (
        "recording,frame,time_s,offset_m,heading_deg,angle_deg,truth_deg,intervention,distance_m"
    )
    assert len(rows) == 61
    with read_frames(out / "a_epoch01.mp4") as frames:
        times_s = [frame.time_s for frame in frames]
    assert times_s == pytest.approx([index / 20 for index in range(30)], abs=1e-3)
    assert main(["simulate", str(folders[0]), "--out", str(out), "--quiet"]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_command_says_what_is_marked(
    make_recording: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder, out = make_recording("a", [0.5] * 30, size=(WIDTH, HEIGHT)), tmp_path / "out"
    toml = "[camera]\nhorizon = 0.5\n[[bad]]\nstart_s = 0.5\nend_s = 0.7\n"
    (folder / "recording.toml").write_text(toml)
    assert main(["simulate", str(folder), "--out", str(out), "--no-video"]) == 0
    said = capsys.readouterr().err
    assert "5 frames in excluded ranges are left out: the car starts again on the path" in said
    assert "gaps longer" not in said
    assert f"metrics, table, plot -> {out}" in said
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["seconds"] == pytest.approx((9 + 14) / 20)
    about = metrics["recordings"]["a/epoch01"]
    assert (about["frames"], about["frames_marked_bad"], about["gaps"]) == (25, 5, 0)
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["frames_marked_bad"] == {"a/epoch01": 5}


def test_command_reads_udacity_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "sim"
    (folder / "IMG").mkdir(parents=True)
    rows = []
    for index in range(12):
        name = f"center_2016_12_01_13_30_48_{index * 70:03d}.jpg"
        image = np.full((80, 160, 3), 90 + index, np.uint8)
        if index != 4:
            cv2.imwrite(str(folder / "IMG" / name), image)
        rows.append(f"IMG/{name},l.jpg,r.jpg,0.02,1,0,{20 + index}")
    (folder / "driving_log.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "out"
    options = ["--horizon", "0.45", "--speed-unit", "mph", "--start", "0.1"]
    assert main(["simulate", str(folder), *options, "--out", str(out), "--quiet"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    about = metrics["recordings"]["sim"]
    assert (about["frames"], about["frames_lost"], about["speed"]) == (9, 1, "recorded")
    assert (out / "sim.mp4").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--limit", "0"], "limit"),
        (["--delay", "5"], "delay"),
        (["--start", "3", "--end", "2"], "--end"),
        (["--start", "-1"], "--start"),
        (["--weights", "absent.onnx"], "absent.onnx"),
    ],
)
def test_wrong_arguments_are_exit_status_2_and_one_line(
    make_recording: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    options: list[str],
    reason: str,
) -> None:
    folder = make_recording("a", [0.5] * 5)
    out = tmp_path / "out"
    common = ["--out", str(out), "--quiet", "--horizon", "0.5"]
    assert main(["simulate", str(folder), *options, *common]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1
    assert not out.exists() or not any(out.iterdir())
