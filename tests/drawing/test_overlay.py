"""The overlay: stays inside the frame, touches little, keeps tracks and sides apart."""

from __future__ import annotations

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.drawing.gauge import STEERING_RATIO, Gauge, angle_text, wheel_turn_deg
from drive.drawing.overlay import Overlay
from drive.drawing.palette import CYCLE, class_colour, ink_on, track_colour
from drive.drawing.text import fit, text_width

SIZES = [(16, 12), (64, 48), (320, 180), (641, 361), (1280, 720), (1920, 1080), (720, 1280)]


def grey(width: int, height: int, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def car(box: tuple[float, ...], track_id: int | None = None, label: str = "car") -> Detection:
    return Detection(label, 0.87, Box(*box), track_id)


def changed(image: np.ndarray, value: int = 100) -> np.ndarray:
    return np.any(image != value, axis=2)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_draws_at_every_size(width: int, height: int) -> None:
    found = [
        car((-50, -50, width + 50, height + 50), 1),
        car((width * 0.4, height * 0.4, width * 0.6, height * 0.6), 2),
        car((0, 0, 3, 3), 3),
        car((width - 2, height - 2, width, height), 4),
        car((width + 5, 0, width + 9, 9)),
        car((float("nan"), 0, 9, 9)),
    ]
    image = Overlay(width, height).draw(
        grey(width, height),
        detections=found,
        angle_deg=3.4,
        truth_deg=-40.0,
        header="00:12.3  24 fps " * 9,
        region=Region.road(width, height),
    )
    assert image.shape == (height, width, 3)
    assert changed(image).any()


def test_pixels_far_away_are_left_alone() -> None:
    image = Overlay(640, 360).draw(grey(640, 360), detections=[car((300, 150, 400, 220), 5)])
    rows, columns = np.nonzero(changed(image))
    assert 120 <= rows.min() <= 150 and 219 <= rows.max() <= 225
    assert columns.min() >= 295 and columns.max() <= 410


def test_nothing_to_draw_changes_nothing() -> None:
    image = Overlay(320, 180).draw(
        grey(320, 180), angle_deg=float("nan"), header="", region=Region.full(320, 180)
    )
    assert not changed(image).any()


def test_the_outline_has_the_colour_of_the_track() -> None:
    image = Overlay(640, 360).draw(
        grey(640, 360), detections=[car((100, 150, 200, 220), 1), car((300, 150, 400, 220), 2)]
    )
    assert tuple(image[219, 150]) == track_colour(1)
    assert tuple(image[219, 350]) == track_colour(2)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 720), (1920, 1080)])
def test_corners_are_twice_as_bold_and_a_far_car_can_be_seen(width: int, height: int) -> None:
    x, y, side = width // 2, height // 2, height // 5
    near = changed(
        Overlay(width, height).draw(
            grey(width, height), detections=[car((x, y, x + side, y + side), 1)]
        )
    )
    stroke = int(near[y + side // 2, x : x + side // 2].sum())
    assert int(near[y + side - 6 * stroke, x : x + side // 2].sum()) == 2 * stroke
    far = Overlay(width, height).draw(
        grey(width, height), detections=[car((x, y, x + 12, y + 9), 1)]
    )
    assert not changed(far)[y + 1 : y + 8, x + 1 : x + 11].any()


def test_neighbouring_tracks_differ_and_a_track_keeps_its_colour() -> None:
    assert len(set(CYCLE)) == len(CYCLE)
    for track_id in range(30):
        assert track_colour(track_id) == track_colour(track_id)
        assert track_colour(track_id) != track_colour(track_id + 1)
    assert class_colour("car") != class_colour("truck")
    assert class_colour("sofa") == class_colour("sofa")


def test_tags_of_neighbours_do_not_cover_each_other() -> None:
    overlay = Overlay(640, 360)
    boxes = [car((300 + 12 * n, 150, 390 + 12 * n, 200), n) for n in range(3)]
    image = overlay.draw(grey(640, 360), detections=boxes)
    tag = Overlay(640, 360).draw(grey(640, 360), detections=boxes[:1])
    for number in range(3):
        plate = np.all(image == track_colour(number), axis=2).sum()
        alone = np.all(tag == track_colour(0), axis=2).sum()
        assert plate > 0.6 * alone


def test_a_tag_goes_inside_when_there_is_no_room_above() -> None:
    image = Overlay(640, 360).draw(grey(640, 360), detections=[car((200, 0, 500, 360), 1)])
    plate = np.all(image[:30, 200:320] == track_colour(1), axis=2)
    assert plate.mean() > 0.2


def test_the_header_reads_on_white_and_on_black() -> None:
    for ground in (0, 255):
        image = Overlay(640, 360).draw(grey(640, 360, ground), header="00:12.3  24 fps")
        patch = image[:30, :110].astype(int)
        assert patch.max() >= 240
        assert np.median(patch[10:20, 10:100]) < 110


def test_a_box_under_the_header_does_not_hide_it() -> None:
    with_box = Overlay(640, 360).draw(
        grey(640, 360), detections=[car((10, 10, 60, 24), 1)], header="00:12.3  24 fps"
    )
    without = Overlay(640, 360).draw(grey(640, 360), header="00:12.3  24 fps")
    letters = without.max(axis=2) > 235
    assert np.array_equal(with_box[letters] > 200, without[letters] > 200)


def test_left_and_right_mirror_each_other() -> None:
    gauge = Gauge(18)
    width, height = gauge.size(("model",))
    dial = height
    right, left = grey(width, height), grey(width, height)
    gauge.draw(right, (0, 0), {"model": 4.0})
    gauge.draw(left, (0, 0), {"model": -4.0})
    difference = np.abs(right[:, :dial].astype(int) - left[:, :dial][:, ::-1])
    assert difference.mean() < 3
    assert np.abs(right[:, :dial].astype(int) - left[:, :dial]).mean() > 5


def test_the_wheel_turns_by_the_steering_ratio_until_it_stops() -> None:
    assert wheel_turn_deg(2.0) == pytest.approx(2.0 * STEERING_RATIO)
    assert wheel_turn_deg(40.0) == -wheel_turn_deg(-40.0) < 40.0 * STEERING_RATIO


@pytest.mark.parametrize(
    ("angle_deg", "text"), [(3.44, "R 3.4°"), (-12.0, "L 12.0°"), (0.0, "0.0°"), (-0.04, "0.0°")]
)
def test_numbers_name_their_side(angle_deg: float, text: str) -> None:
    assert angle_text(angle_deg) == text


def test_the_human_has_another_colour_than_the_model() -> None:
    overlay = Overlay(1280, 720)
    model = overlay.draw(grey(1280, 720), angle_deg=5.0)
    both = overlay.draw(grey(1280, 720), angle_deg=5.0, truth_deg=-5.0)
    orange = np.array((230, 159, 0))
    assert not np.any(np.all(model == orange, axis=2))
    assert np.all(both == orange, axis=2).sum() > 20


def test_drawing_is_in_place_but_a_read_only_image_is_copied() -> None:
    overlay = Overlay(320, 180)
    image = grey(320, 180)
    assert overlay.draw(image, header="x") is image
    locked = grey(320, 180)
    locked.flags.writeable = False
    assert changed(overlay.draw(locked, header="x")).any()
    assert not changed(locked).any()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="got"):
        Overlay(320, 180).draw(grey(180, 320))
    with pytest.raises(InputError, match="got"):
        Overlay(0, 180)


def test_text_is_cut_to_the_width() -> None:
    long = "a long line that does not fit"
    assert fit(long, 1000, 12) == long
    assert text_width(fit(long, 80, 12), 12) <= 80
    assert ink_on((255, 255, 255)) != ink_on((0, 0, 60))


def test_without_a_size_it_follows_the_images() -> None:
    overlay = Overlay()
    for width, height in ((640, 360), (1280, 720), (640, 360)):
        box = [car((100, 100, 200, 200), 1)]
        image = overlay.draw(grey(width, height), detections=box)
        expected = Overlay(width, height).draw(grey(width, height), detections=box)
        np.testing.assert_array_equal(image, expected)
    with pytest.raises(InputError, match="uint8"):
        overlay.draw(np.zeros((9, 9), np.uint8))
