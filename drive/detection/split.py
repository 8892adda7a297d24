"""Which images are for training, validation and test: by name, so that all splits are alike.

One scene stays in one part: blocks of a video, and near-duplicates by a perceptual hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from drive.core.progress import Progress, no_progress
from drive.detection.dataset import LabelledImages

Part = Literal["train", "validation", "test"]

TEST_SHARE = 0.25
VALIDATION_SHARE = 0.08  # enough to choose thresholds

FEW_IMAGES = 100  # with fewer, a quarter is too much to hold out and too little to measure on
FEW_VALIDATION_SHARE = 0.15  # of fewer images: three of twenty
VIDEO_FRAME = re.compile(r"(?P<video>.*vid_\d+)_(?P<frame>\d+)")  # frame 7 of vid_4: `vid_4_7`
BLOCK_FRAMES = 600  # 20 s at 30 frames per second: at town speed another stretch of road
HASH_SIDE = 16  # of the grey image that is hashed; 256 bits
NEAR_BITS = 26  # of 256; closer images show the same scene (docs/decisions/detector.md)


def split_dataset(dataset: LabelledImages, progress: Progress = no_progress) -> list[Part]:
    """Return the part of each image, by a hash of its group's name: the same in any order."""
    groups = group_images([image.path for image in dataset.images], progress)
    return [part_of(group) for group in groups]


def split_few(dataset: LabelledImages, progress: Progress = no_progress) -> list[Part]:
    """Split a dataset of few images into `train` and `validation` only.

    About `FEW_VALIDATION_SHARE` of the images are for validation: groups with the lowest hashes,
    first those with a class that no other shows yet. Every class keeps boxes for training.
    """
    groups = group_images([image.path for image in dataset.images], progress)
    boxes: dict[str, np.ndarray] = {}
    for image, group in zip(dataset.images, groups, strict=True):
        own = np.bincount(image.class_ids[~image.ignored], minlength=len(dataset.classes))
        boxes[group] = boxes.get(group, 0) + own
    left = sum(boxes.values(), np.zeros(len(dataset.classes), int))
    every = left > 0
    wanted = max(1, round(FEW_VALIDATION_SHARE * len(groups)))
    shown = np.zeros(len(dataset.classes), bool)
    chosen: set[str] = set()
    waiting = sorted((group for group in boxes if boxes[group].any()), key=_share_of)
    while waiting:
        usable = [
            group
            for group in waiting
            if groups.count(group) <= wanted and (left - boxes[group])[every].all()
        ]
        if not usable:
            break
        group = max(usable, key=lambda name: np.sum((boxes[name] > 0) & ~shown))
        chosen.add(group)
        waiting.remove(group)
        left, wanted = left - boxes[group], wanted - groups.count(group)
        shown |= boxes[group] > 0
    return ["validation" if group in chosen else "train" for group in groups]


def part_of(group: str) -> Part:
    """Return the part of a group of images, by a hash of its name."""
    share = _share_of(group)
    if share < TEST_SHARE:
        return "test"
    return "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"


def group_images(paths: Sequence[Path], progress: Progress = no_progress) -> list[str]:
    """Return the name of each image's group: the first name among its near-duplicates.

    A group is a block of a video, with all images whose hashes are near, directly or not.
    """
    keys = [_name_key(path) for path in paths]
    parents = list(range(len(paths)))
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        parents[index] = first.setdefault(key, index)
    hashes = [difference_hash(path) for path in progress(paths, len(paths), "comparing images")]
    for a, b in near_pairs(np.reshape(hashes, (-1, HASH_SIDE**2))):
        root_a, root_b = _root(parents, a), _root(parents, b)
        parents[max(root_a, root_b)] = min(root_a, root_b)
    names: dict[int, str] = {}
    for index, key in enumerate(keys):
        root = _root(parents, index)
        names[root] = min(names.get(root, key), key)
    return [names[_root(parents, index)] for index in range(len(paths))]


def difference_hash(path: Path) -> np.ndarray:
    """Return (256,) bool: whether brightness rises to the right, on a grid of 16 x 16.

    All False for an image that cannot be read. Source: Krawetz, "Kind of like that", 2013.
    """
    image = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    if image is None:
        return np.zeros(HASH_SIDE**2, bool)
    small = cv2.resize(image, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return (small[:, 1:] > small[:, :-1]).ravel()


def near_pairs(hashes: np.ndarray, bits: int = NEAR_BITS) -> list[tuple[int, int]]:
    """Return the pairs (a < b) of (N, 256) hashes that differ by at most `bits`."""
    signs = np.where(hashes, 1.0, -1.0).astype(np.float32)
    pairs = []
    for a in range(len(signs)):
        distance = (HASH_SIDE**2 - signs[a + 1 :] @ signs[a]) / 2
        pairs += [(a, a + 1 + int(b)) for b in np.flatnonzero(distance <= bits)]
    return pairs


def _share_of(group: str) -> float:
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _name_key(path: Path) -> str:
    """Return the block of the video that an image is from, or else its own name."""
    match = VIDEO_FRAME.fullmatch(path.stem)
    if match is None:
        return path.stem
    return f"{match['video']}/{int(match['frame']) // BLOCK_FRAMES}"


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        index = parents[index]
    return index
