"""Batches for training the detector, made ahead in a thread.

Batch `i` of epoch `e` depends only on the seed, `e` and `i`: a resumed training has the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from drive.core.errors import InputError
from drive.detection.assign import assign
from drive.detection.augment import MOSAICS, Sample, augment, plain
from drive.detection.dataset import LabelledImage, LabelledImages
from drive.detection.preprocess import closest_aspect
from drive.training.batches import prefetched

KEPT_BYTES = 1_500_000_000  # of decoded images in memory; others are read each time

Anchors = Mapping[int, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step takes; `targets` are (N, H/stride, W/stride, A, 5 + 2C) per stride."""

    images: np.ndarray
    targets: list[np.ndarray]


class TrainingBatches:
    """Augmented batches of one dataset; each has one of `sizes` (height, width) at random."""

    def __init__(
        self,
        dataset: LabelledImages,
        anchors: Anchors,
        sizes: Sequence[tuple[int, int]],
        batch: int,
        seed: int,
    ) -> None:
        if not dataset.images:
            raise InputError("training requires at least one labelled image; got none")
        self.dataset, self.anchors, self.sizes = dataset, anchors, sizes
        self.batch, self.seed = min(batch, len(dataset.images)), seed
        self._kept: dict[Path, np.ndarray] = {}
        self._free_bytes = KEPT_BYTES

    def __len__(self) -> int:
        """Return the number of batches per epoch; images that fill no batch are left out."""
        return len(self.dataset.images) // self.batch

    def epoch(self, number: int) -> Iterator[Batch]:
        """Return the batches of one epoch; each image is the first of at most one sample."""
        order = np.random.default_rng([self.seed, number]).permutation(len(self.dataset.images))
        chosen = [order[i * self.batch : (i + 1) * self.batch] for i in range(len(self))]
        return prefetched(
            partial(self._make, number, index, indices) for index, indices in enumerate(chosen)
        )

    def _make(self, epoch: int, index: int, indices: np.ndarray) -> Batch:
        rng = np.random.default_rng([self.seed, epoch, index])
        height, width = self.sizes[int(rng.integers(len(self.sizes)))]
        samples = []
        for first in indices:
            parts_wanted = int(rng.choice(list(MOSAICS), p=list(MOSAICS.values())))
            others = rng.integers(len(self.dataset.images), size=parts_wanted - 1)
            parts = [self._sample(self.dataset.images[i]) for i in (first, *others)]
            samples.append(augment(parts, height, width, rng))
        return collate(samples, self.anchors)

    def _sample(self, image: LabelledImage) -> Sample:
        pixels = self._kept.get(image.path)
        if pixels is None:
            pixels = image.read()
            if pixels.nbytes <= self._free_bytes:
                self._kept[image.path] = pixels
                self._free_bytes -= pixels.nbytes
        return to_sample(image, pixels)


def plain_batches(
    dataset: LabelledImages, anchors: Anchors, sizes: Sequence[tuple[int, int]], batch: int
) -> Iterator[Batch]:
    """Yield a dataset as detection sees it: letterboxed, nothing random, one size per batch."""
    waiting: dict[tuple[int, int], list[Sample]] = {}
    for image in dataset.images:
        sample = to_sample(image, image.read())
        size = closest_aspect(sizes, *sample.image.shape[:2])
        group = waiting.setdefault(size, [])
        group.append(plain(sample, *size))
        if len(group) == batch:
            yield collate(waiting.pop(size), anchors)
    for group in waiting.values():
        yield collate(group, anchors)


def to_sample(image: LabelledImage, pixels: np.ndarray) -> Sample:
    """Join the labels of an image with its (H, W, 3) pixels."""
    return Sample(pixels, image.boxes, image.class_ids, image.ignored, image.labelled)


def collate(samples: Sequence[Sample], anchors: Anchors) -> Batch:
    """Stack samples of one size, with their targets."""
    targets = [assign(s.boxes, s.class_ids, s.ignored, s.labelled, anchors) for s in samples]
    heads = [np.stack(of_head) for of_head in zip(*targets, strict=True)]
    return Batch(np.stack([sample.image for sample in samples]), heads)
