"""Label images and video frames with the teacher, as a data set that `train-detector` reads.

    python benchmarks/label_with_teacher.py TEACHER.onnx OUT --images FOLDER/front_*.jpg \
        --videos clip.mp4 --every 15

Boxes of which the teacher is sure become labels; doubtful ones become `difficult`, so that
training neither learns nor punishes them.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.teacher import Teacher
from drive.core.types import Detection
from drive.detection.dataset import read_image
from drive.detection.nms import suppress
from drive.video.reader import read_frames

SURE = 0.40
DOUBTFUL = 0.25
SAME_IOU = (
    0.6  # boxes of two classes that overlap so much are one object; the better score names it
)
OWN_HOOD = 0.8  # a box wider than this share of the frame, at its lower edge, is the car's own hood
TILE_SHARES = (0.7, 0.45)  # of the height: tiles of about 500 and 320 pixels of a 720p frame
EDGE = 0.03  # share of the height that counts as the lower edge
ABSORBED = 0.8  # share of a doubtful box inside a sure one of any class: the same object
COLUMNS = ("image", "origin", "class", "x1", "y1", "x2", "y2", "difficult")


def main() -> None:
    """Write OUT/labels.csv and OUT/images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("teacher")
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", nargs="*", default=[])
    parser.add_argument("--videos", nargs="*", default=[])
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    teacher = Teacher(args.teacher, TILE_SHARES, args.threads)
    (args.out / "images").mkdir(parents=True, exist_ok=True)
    with (args.out / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for name, image in images(args):
            path = args.out / "images" / f"{name}.jpg"
            cv2.imwrite(str(path), image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
            found = label(teacher, image)
            rows.writerows([path.name, "teacher", *row] for row in found or [[""] * 6])


def images(args: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and image of every image and of every n-th frame of every video."""
    for path in sorted(args.images):
        yield Path(path).stem, read_image(Path(path))
    for video in args.videos:
        with read_frames(video, stride=args.every) as frames:
            for frame in frames:
                yield f"{Path(video).stem}_vid_0_{frame.index:05d}", frame.image


def label(teacher: Teacher, image: np.ndarray) -> list[list[object]]:
    """Return class, box and `difficult` of everything the teacher sees in one image."""
    found = _one_each(
        [d for d in teacher.detect(image, conf=DOUBTFUL) if not _own_hood(d, *image.shape[:2])]
    )
    sure = [d for d in found if d.score >= SURE]
    rows = []
    for d in found:
        doubtful = d.score < SURE
        if doubtful and any(_inside(d.box, other.box) > ABSORBED for other in sure):
            continue
        rows.append([d.label, *(round(value, 1) for value in d.box), int(doubtful)])
    return rows


def _one_each(found: list[Detection]) -> list[Detection]:
    """Keep the best of the boxes that share an object, whatever their classes."""
    boxes = np.array([d.box for d in found]).reshape(-1, 4)
    scores = np.array([d.score for d in found])
    return [found[i] for i in suppress(boxes, scores, np.zeros(len(found), int), SAME_IOU)]


def _own_hood(d: Detection, height: int, width: int) -> bool:
    return d.box.width > OWN_HOOD * width and d.box.y2 > (1 - EDGE) * height


def _inside(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the share of box `a` that lies inside box `b`."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    area = (a[2] - a[0]) * (a[3] - a[1])
    return max(width, 0) * max(height, 0) / area if area > 0 else 0.0


if __name__ == "__main__":
    main()
