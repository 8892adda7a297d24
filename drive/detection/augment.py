"""Augmentation of training images: placed, mirrored, joined into mosaics, recoloured, degraded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from drive.detection.preprocess import GREY, letterbox

CELL = 8  # pixels per cell of `labelled`: the finest stride

MOSAICS = {1: 0.6, 4: 0.35, 9: 0.05}  # share of samples made of so many images
FLIP_SHARE = 0.5
SHRINK, GROW = 0.55, 1.6  # range of scale around the size that fills the place
HALVED_BELOW = 0.6  # scale; far below full size, linear interpolation skips pixels
SQUEEZE = 0.15  # maximum change of the aspect
SEAM_SHIFT = 0.4  # maximum shift of a mosaic's seams, as a share of a part's side
KEPT_AREA = 0.4  # a box of which less remains visible is ignored
GONE_AREA = 0.05  # below this it is dropped
LEAST_SIDE = 4.0  # pixels; smaller objects are ignored

HUE, SATURATION, BRIGHTNESS = 0.015, 0.6, 0.4  # ranges of gain, as in YOLOv3
NIGHT_SHARE, NIGHT_GAIN = 0.06, (0.25, 0.55)
BLUR_SHARE, NOISE_SHARE, RAIN_SHARE, JPEG_SHARE, GREY_SHARE = 0.10, 0.08, 0.05, 0.25, 0.03
NOISE_LEVELS = (3.0, 12.0)  # standard deviation, of 255
RAIN_DENSITY = (0.0005, 0.003)  # share of pixels that start a streak
RAIN_LENGTH, RAIN_LIGHT = (5, 17), (60.0, 140.0)  # pixels; levels at the brightest place
JPEG_QUALITY = (12, 80)  # the low end has the blocks of strongly compressed video


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image for training, with its boxes as in `LabelledImage`.

    `labelled` is (C,) bool for the whole image, or (H/8, W/8, C) per cell.
    """

    image: np.ndarray
    boxes: np.ndarray
    class_ids: np.ndarray
    ignored: np.ndarray
    labelled: np.ndarray


def plain(sample: Sample, height: int, width: int) -> Sample:
    """Return the image letterboxed as in detection; nothing is random."""
    image, placement = letterbox(sample.image, height, width)
    boxes = placement.apply(sample.boxes, sample.image.shape[1], sample.image.shape[0])
    return replace(
        sample,
        image=image,
        boxes=boxes.astype(np.float32),
        labelled=_places(sample.labelled, height, width),
    )


def augment(samples: Sequence[Sample], height: int, width: int, rng: np.random.Generator) -> Sample:
    """Return a new image of height x width made of one sample, or a mosaic of 4 or 9."""
    parts = [_mirror(s) if rng.random() < FLIP_SHARE else s for s in samples]
    if len(parts) > 1:
        joined = mosaic(parts, height, width, rng)
    else:
        joined = place(parts[0], height, width, rng)
    return replace(joined, image=degrade(recolour(joined.image, rng), rng))


def mosaic(samples: Sequence[Sample], height: int, width: int, rng: np.random.Generator) -> Sample:
    """Join 4 or 9 images to a square grid with random seams, row by row ("YOLOv4", section 3.3)."""
    side = math.isqrt(len(samples))
    rows, columns = _seams(height, side, rng), _seams(width, side, rng)
    corners = [
        (top, left, bottom, right)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    image = np.empty((height, width, 3), np.uint8)
    labelled = np.empty((height // CELL, width // CELL, samples[0].labelled.size), bool)
    placed = []
    for sample, (top, left, bottom, right) in zip(samples, corners, strict=True):
        part = place(sample, bottom - top, right - left, rng)
        image[top:bottom, left:right] = part.image
        labelled[top // CELL : bottom // CELL, left // CELL : right // CELL] = part.labelled
        offset = np.array([left, top, left, top], np.float32)
        placed.append(replace(part, boxes=part.boxes + offset))
    return Sample(
        image,
        np.concatenate([part.boxes for part in placed]),
        np.concatenate([part.class_ids for part in placed]),
        np.concatenate([part.ignored for part in placed]),
        labelled,
    )


def recolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vary hue, saturation and brightness; sometimes make it night, or grey."""
    hue, saturation, brightness = 1 + rng.uniform(-1, 1, 3) * (HUE, SATURATION, BRIGHTNESS)
    if rng.random() < NIGHT_SHARE:
        brightness *= rng.uniform(*NIGHT_GAIN)
    if rng.random() < GREY_SHARE:
        saturation = 0.0
    levels = np.arange(256)
    tables = (
        (levels * hue) % 180,  # OpenCV's hue runs to 180
        np.clip(levels * saturation, 0, 255),
        np.clip(levels * brightness, 0, 255),
    )
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    table = np.stack(tables, axis=-1).astype(np.uint8)[None]
    return cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sometimes blur, add noise or rain, or compress, as cameras and recorders do."""
    if rng.random() < BLUR_SHARE:
        image = cv2.blur(image, (int(rng.integers(2, 6)), int(rng.integers(1, 4))))
    if rng.random() < NOISE_SHARE:
        noise = rng.normal(0, rng.uniform(*NOISE_LEVELS), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < RAIN_SHARE:
        image = _rain(image, rng)
    if rng.random() < JPEG_SHARE:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))]
        coded = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))  # channels as they went in
    return image


def _rain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the image with bright slanted streaks."""
    drops = (rng.random(image.shape[:2], np.float32) < rng.uniform(*RAIN_DENSITY)).astype(
        np.float32
    )
    length, slant = int(rng.integers(*RAIN_LENGTH)), rng.uniform(-0.4, 0.4)
    kernel = np.zeros((length, length), np.float32)
    middle = length / 2
    foot, head = round(middle + slant * middle), round(middle - slant * middle)
    cv2.line(kernel, (foot, 0), (head, length - 1), 1.0)
    streaks = cv2.filter2D(drops, -1, kernel) * np.float32(rng.uniform(*RAIN_LIGHT))
    result: np.ndarray = np.clip(image + streaks[..., None], 0, 255).astype(np.uint8)
    return result


def _mirror(sample: Sample) -> Sample:
    width = sample.image.shape[1]
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = width - sample.boxes[:, [2, 0]]
    return replace(sample, image=sample.image[:, ::-1], boxes=boxes)


def place(sample: Sample, height: int, width: int, rng: np.random.Generator) -> Sample:
    """Scale and shift an image in a place of height x width; cut off what is outside."""
    source_height, source_width = sample.image.shape[:2]
    fills = max(height / source_height, width / source_width)
    scale = fills * np.exp(rng.uniform(np.log(SHRINK), np.log(GROW)))
    squeeze = np.exp(rng.uniform(-SQUEEZE, SQUEEZE) / 2)
    scales = np.array([scale * squeeze, scale / squeeze])
    free = np.array([width, height]) - scales * (source_width, source_height)
    shift = rng.uniform(np.minimum(free, 0), np.maximum(free, 0))
    matrix = np.array([[scales[0], 0, shift[0]], [0, scales[1], shift[1]]])
    source = sample.image
    while scale < HALVED_BELOW and min(source.shape[:2]) > 1:
        source = cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scale *= 2
    matrix[0, 0] = scales[0] * source_width / source.shape[1]
    matrix[1, 1] = scales[1] * source_height / source.shape[0]
    image = cv2.warpAffine(source, matrix, (width, height), borderValue=(GREY,) * 3)
    boxes = sample.boxes * np.tile(scales, 2) + np.tile(shift, 2)
    return _cut(replace(sample, image=image, boxes=boxes.astype(np.float32)))


def _cut(sample: Sample) -> Sample:
    """Cut the boxes at the edges; ignore those of which too little remains."""
    height, width = sample.image.shape[:2]
    cut = np.clip(sample.boxes, 0, [width, height, width, height]).astype(np.float32)
    sides = cut[:, 2:] - cut[:, :2]
    share = sides.prod(axis=1) / np.maximum((sample.boxes[:, 2:] - sample.boxes[:, :2]).prod(1), 1)
    ignored = (
        sample.ignored | (share < KEPT_AREA) | (sides.min(axis=1, initial=np.inf) < LEAST_SIDE)
    )
    seen = (share > GONE_AREA) & (sides > 0).all(axis=1)
    return Sample(
        sample.image,
        cut[seen],
        sample.class_ids[seen],
        ignored[seen],
        _places(sample.labelled, height, width),
    )


def _places(labelled: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.broadcast_to(labelled, (height // CELL, width // CELL, labelled.size))


def _seams(length: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Return where the parts of a mosaic begin and end along one side, at edges of cells."""
    shifts = rng.uniform(-SEAM_SHIFT, SEAM_SHIFT, parts - 1) / 2
    inner = (np.arange(1, parts) + shifts) * length / parts
    return [0, *(int(seam / CELL) * CELL for seam in inner), length]
