"""Which classes train: the user's, the data set's own list, or those of the weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.detection.class_list import choose_classes, describe_classes, parse_classes
from drive.detection.dataset import CLASSES, UnsortedImages
from drive.detection.dataset_formats import RawImage


def data(boxes: str, listed: str = "") -> UnsortedImages:
    """A data set with a box of each word of `boxes`, in one picture."""
    image = RawImage(Path("a.png"))
    for name in boxes.split():
        image.add(name, (0.0, 0.0, 9.0, 9.0), False)
    return UnsortedImages(Path("data"), (image,), tuple(listed.split()), Counter())


@pytest.mark.parametrize(
    ("boxes", "listed", "expected"),
    [
        ("car truck", "car truck", CLASSES),  # all known: the others stay, they cost nothing
        ("car van", "", CLASSES),
        ("cone barrier", "barrier cone", ("barrier", "cone")),
        ("cone car", "car dog cone", ("car", "cone")),  # a list is meant; nothing to learn of dogs
        ("chair car", "", CLASSES),  # no list: a set of many things, and cars among them
        ("chair Cone", "", ("chair", "cone")),
    ],
)
def test_classes_of_one_data_set(boxes: str, listed: str, expected: tuple[str, ...]) -> None:
    assert choose_classes([data(boxes, listed)], CLASSES) == expected


def test_classes_of_several_data_sets_are_joined() -> None:
    both = [data("car chair"), data("cone", "cone")]
    assert choose_classes(both, CLASSES) == ("car", "cone")


def test_weights_of_other_classes_keep_theirs() -> None:
    assert choose_classes([data("cone", "cone")], ("cone", "barrier")) == ("cone", "barrier")


def test_without_a_box_there_is_nothing_to_choose() -> None:
    with pytest.raises(InputError, match=r"at least one labelled box; got none in 1 images"):
        choose_classes([data("", "cone")], CLASSES)


def test_the_list_of_the_command_line() -> None:
    assert parse_classes("Cone, stop sign") == ("cone", "stop sign")
    for wrong in ("", "car,,bus", "car,Car"):
        with pytest.raises(InputError, match="each class once"):
            parse_classes(wrong)


def test_what_is_new_and_what_is_left_out_is_said() -> None:
    text = describe_classes(("car", "cone"), CLASSES, [data("car cone chair")])
    assert text == ("classes: car, cone (new: cone); left out: chair (--classes includes them)")
    assert "all new" in describe_classes(("cone",), CLASSES, [data("cone")])


def test_a_van_is_a_car_unless_vans_are_wanted() -> None:
    unsorted = data("van car motorbike")
    assert [unsorted.with_classes(("car",)).counts["boxes"]] == [2]
    found = unsorted.with_classes(("van", "motorcycle")).images[0].class_ids
    np.testing.assert_array_equal(found, [0, 1])
    assert unsorted.with_classes(("motorbike",)).counts["boxes"] == 1
