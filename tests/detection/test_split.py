"""The split: the same everywhere, and nothing alike on two sides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.detection.dataset import CLASSES, LabelledImages, read_dataset
from drive.detection.split import (
    BLOCK_FRAMES,
    difference_hash,
    group_images,
    near_pairs,
    part_of,
    split_dataset,
    split_few,
)

PINNED = {"voc_000003": "validation", "street_0000": "test", "front_000": "train"}


def scene(path: Path, seed: int, shift: int = 0) -> Path:
    """Write a picture of smooth random hills; `shift` moves brightness, not the scene."""
    hills = np.random.default_rng(seed).integers(0, 200, (8, 8)).astype(np.uint8)
    picture = cv2.resize(hills, (320, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), np.minimum(picture.astype(int) + shift, 255).astype(np.uint8))
    return path


def test_parts_follow_from_the_name_alone() -> None:
    # written down once: another machine or version must not move a picture into training
    assert {name: part_of(name) for name in PINNED} == PINNED


def test_shares_are_as_named() -> None:
    counts = Counter(part_of(f"picture {number}") for number in range(4000))
    assert abs(counts["test"] / 4000 - 0.25) < 0.03
    assert abs(counts["validation"] / 4000 - 0.08) < 0.02


def test_frames_of_one_block_of_a_video_stay_together(tmp_path: Path) -> None:
    names = [f"road_vid_4_{frame}.png" for frame in (0, BLOCK_FRAMES - 20, BLOCK_FRAMES)]
    paths = [scene(tmp_path / name, seed) for seed, name in enumerate(names)]
    groups = group_images(paths)
    assert groups[0] == groups[1] != groups[2]


def test_near_duplicates_stay_together_whatever_their_order(tmp_path: Path) -> None:
    paths = [
        scene(tmp_path / "b.png", seed=1),
        scene(tmp_path / "z.png", seed=2),
        scene(tmp_path / "a.png", seed=1, shift=12),
    ]
    assert group_images(paths) == ["a", "z", "a"]
    assert group_images(paths[::-1]) == ["a", "z", "a"]


@pytest.mark.slow
def test_no_shared_picture_has_a_double_or_a_neighbour_on_another_side(shared: Path) -> None:
    images = read_dataset(shared / "cars").images
    parts = split_dataset(LabelledImages(CLASSES, images))
    hashes = np.stack([difference_hash(image.path) for image in images])
    doubles = near_pairs(hashes)
    assert len(doubles) > 5
    assert all(parts[a] == parts[b] for a, b in doubles)

    tested = Counter(i.origin for i, p in zip(images, parts, strict=True) if p == "test")
    for origin, count in Counter(image.origin for image in images).items():
        assert 0.2 < tested[origin] / count < 0.3


def few(tmp_path: Path, labels: list[str]) -> LabelledImages:
    """A picture for each of `labels`, words that are its boxes' classes."""
    (tmp_path / "images").mkdir()
    rows = ["image,class,x1,y1,x2,y2"]
    for number, names in enumerate(labels):
        scene(tmp_path / f"images/{number}.png", number)
        rows += [f"{number}.png,{name},0,0,50,50" for name in names.split()]
        rows += [f"{number}.png,,,,,"] * (not names)
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return read_dataset(tmp_path, ("cone", "dog", "cat"))


def test_of_few_pictures_most_train_and_every_class_is_on_both_sides(tmp_path: Path) -> None:
    data = few(tmp_path, ["cone"] * 14 + ["dog"] * 3 + ["cat"] + [""] * 2)
    parts = split_few(data)
    assert Counter(parts) == {"train": 17, "validation": 3}
    shown = [
        {data.classes[i] for image, p in zip(data.images, parts, strict=True) if p == part
         for i in image.class_ids}
        for part in ("train", "validation")
    ]  # fmt: skip
    assert shown == [{"cone", "dog", "cat"}, {"cone", "dog"}]  # the one cat has to train
    assert split_few(data.select([True] * 20)) == parts


def test_a_picture_alone_trains(tmp_path: Path) -> None:
    assert split_few(few(tmp_path, ["cone", "", ""])) == ["train"] * 3
