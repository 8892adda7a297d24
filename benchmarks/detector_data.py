"""What the shipped detector is trained on, what selects the epoch, and what measures it.

    python benchmarks/detector_data.py ../shared FRAMES

prints how many images each part has.

Images of `../shared` with boxes that people drew, and images and video frames with boxes of
the teachers (`benchmarks/labels/*.csv`, written by `label_with_teacher.py`). Held out by clip,
recording and near-duplicate; nothing that is held out trains.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.detection.dataset import (
    CLASSES,
    LabelledImage,
    LabelledImages,
    concatenate,
    read_dataset,
)
from drive.detection.nms import intersection_over_union
from drive.detection.split import group_images, part_of, split_dataset
from drive.video.reader import read_frames

LABELS = Path(__file__).resolve().parent / "labels"
SAME_IOU = 0.5  # the teachers' box on a person's box is the same object
ROADSIDE_STEP = 60
TORCS_EVERY = 150  # frames of the simulator: in small part
FRONT_TRAINED = 90  # of 122 images in the order of the drive; the rest measure

WHOLE_GROUPS = (
    "krnight", "bddhnight", "bddynight", "bddtnight", "bddcrain",
    "tusimple", "ukmway", "twhwy", "camvd", "usfl",
)  # fmt: skip
"""Groups of `footage` of which nothing trains: night, rain, motorway, UK street, a queue."""

RESEARCH = (
    "bdd", "came5", "camr0", "camtp", "camvd", "cnday", "cnnight", "nusc", "tusimple",
)  # fmt: skip
"""Groups whose terms are non-commercial or research; `--free-only` leaves them out."""


def held_out(name: str) -> bool:
    """Tell whether an image of `footage` is kept out of training."""
    group, number = name.rsplit("_", 1)
    if group in WHOLE_GROUPS:
        return True
    # one image of each clip: any split is one by clip
    return (group == "bddcday" and int(number) % 4 == 0) or (
        group == "bddcsnow" and int(number) % 4 == 0
    )


def read_labels(
    path: Path, folders: Sequence[Path], classes: Sequence[str] = CLASSES
) -> LabelledImages:
    """Read a file of labels whose images lie in one of `folders`."""
    rows: dict[str, list[dict[str, str]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["image"], []).append(row)
    images = []
    for name, found in rows.items():
        file_path = next((f / name for f in folders if (f / name).is_file()), None)
        if file_path is None:
            continue
        boxes = [row for row in found if row["class"]]
        images.append(
            LabelledImage(
                file_path,
                np.array(
                    [[float(row[k]) for k in ("x1", "y1", "x2", "y2")] for row in boxes], np.float32
                ).reshape(-1, 4),
                np.array([classes.index(row["class"]) for row in boxes], np.int64),
                np.array([row["difficult"] in ("1", "True") for row in boxes], bool),
                found[0]["origin"],
                np.ones(len(classes), bool),
            )
        )
    return LabelledImages(tuple(classes), tuple(images), {"images": len(images)})


def training_set(shared: Path, frames: Path, free_only: bool = False) -> LabelledImages:
    """Return all that trains; images near to held-out ones are left out."""
    people = read_dataset(shared / "cars")
    parts = split_dataset(people)
    human = people.select(
        part == "train" and ("roadside" not in i.origin or _frame(i) % ROADSIDE_STEP == 0)
        for i, part in zip(people.images, parts, strict=True)
    )
    sets = [completed(human, LABELS / "cars.csv", shared / "cars" / "images")]
    extra = read_dataset(shared / "cars_extra")
    parts = split_dataset(extra)
    mine = extra.select(part == "train" for part in parts)
    sets.append(completed(mine, LABELS / "extra.csv", shared / "cars_extra" / "images"))
    footage = read_labels(LABELS / "footage.csv", [shared / "footage" / "images"])
    wanted = [not held_out(i.path.stem) for i in footage.images]
    if free_only:
        wanted = [
            w and not i.path.stem.startswith(RESEARCH)
            for w, i in zip(wanted, footage.images, strict=True)
        ]
    out = [i.path for i in footage.images if held_out(i.path.stem)]
    near = near_to(out, [i.path for i in footage.images])
    sets.append(
        footage.select(
            w and i.path not in near for w, i in zip(wanted, footage.images, strict=True)
        )
    )
    sets.append(sets[-1].select(_has_lorry(i) for i in sets[-1].images))  # these count twice
    for name in ("clips", "udacity", "tesla"):
        if (LABELS / f"{name}.csv").is_file():
            part = read_labels(LABELS / f"{name}.csv", [frames])
            sets.append(part.select(_video_trains(i) for i in part.images))
    if (LABELS / "front.csv").is_file():
        front = read_labels(LABELS / "front.csv", [shared / "cars" / "images"])
        sets.append(front.select(_number(i) < FRONT_TRAINED for i in front.images))
    sets.append(torcs(shared / "recordings" / "torcs", frames / "torcs"))
    return concatenate([part for part in sets if part.images])


def validation_set(shared: Path, frames: Path) -> LabelledImages:
    """Return what chooses the epoch and the thresholds; it does not measure."""
    people = read_dataset(shared / "cars")
    sets = [people.select(part == "validation" for part in split_dataset(people))]
    extra = read_dataset(shared / "cars_extra")
    sets.append(extra.select(part == "validation" for part in split_dataset(extra)))
    sets.append(choosing_frames(shared))
    return concatenate(sets)


def choosing_frames(shared: Path) -> LabelledImages:
    """Return held-out dashcam frames with the teachers' labels, none of those checked by hand."""
    footage = read_labels(LABELS / "footage.csv", [shared / "footage" / "images"])
    checked = checked_names()
    every = {"camvd": 6, "tusimple": 2, "twhwy": 3}
    return footage.select(
        held_out(i.path.stem)
        and i.path.name not in checked
        and _number(i) % every.get(i.path.stem.rsplit("_", 1)[0], 1) == 0
        for i in footage.images
    )


def measuring_sets(shared: Path, frames: Path) -> dict[str, LabelledImages]:
    """Return what measures, by name; boxes drawn by people, or as the name says."""
    people = read_dataset(shared / "cars")
    parts = split_dataset(people)
    test = people.select(part == "test" for part in parts)
    sets = {origin: test.select(i.origin == origin for i in test.images) for origin in test.origins}
    extra = read_dataset(shared / "cars_extra")
    test = extra.select(part == "test" for part in split_dataset(extra))
    sets |= {o: test.select(i.origin == o for i in test.images) for o in test.origins}
    if (LABELS / "checked.csv").is_file():
        checked = read_labels(LABELS / "checked.csv", [shared / "footage" / "images"])
        sets |= {o: checked.select(i.origin == o for i in checked.images) for o in checked.origins}
        sets["dashcam, all checked"] = checked
    if (LABELS / "front.csv").is_file():
        front = read_labels(LABELS / "front.csv", [shared / "cars" / "images"])
        sets["front, teachers"] = front.select(_number(i) >= FRONT_TRAINED for i in front.images)
    if (LABELS / "clips.csv").is_file():
        clips = read_labels(LABELS / "clips.csv", [frames])
        sets["dashcam_360p_a, teachers"] = clips.select(
            i.path.stem.startswith("dashcam_360p_a") for i in clips.images
        )
    return sets


def torcs(recordings: Path, out: Path) -> LabelledImages:
    """Write every n-th frame of the simulator's recordings as a data set, and read it."""
    if not (out / "labels.csv").is_file():
        (out / "images").mkdir(parents=True, exist_ok=True)
        rows = [["image", "origin", "class", "x1", "y1", "x2", "y2"]]
        for video in sorted(recordings.glob("*/*_front.mp4")):
            rows += _torcs_rows(video, out / "images")
        with (out / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return read_dataset(out)


def _torcs_rows(video: Path, images: Path) -> list[list[Any]]:
    boxes: dict[int, list[list[str]]] = {}
    table = video.with_name(video.name.replace("_front.mp4", "_boxes.csv"))
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            box = [row[key] for key in ("x1", "y1", "x2", "y2")]
            boxes.setdefault(int(row["frame_index"]), []).append(box)
    rows = []
    with read_frames(video, stride=TORCS_EVERY) as frames:
        for frame in frames:
            name = f"torcs_{video.parent.name}_{frame.index:05d}.jpg"
            cv2.imwrite(str(images / name), frame.image[:, :, ::-1])
            found = boxes.get(frame.index, [])
            rows += [[name, "torcs", "car", *box] for box in found] or [[name, "torcs", *[""] * 5]]
    return rows


def checked_names() -> set[str]:
    """Return the names of the images whose boxes were corrected by looking at them."""
    path = LABELS / "checked.csv"
    if not path.is_file():
        return set()
    with path.open(newline="") as file:
        return {row["image"] for row in csv.DictReader(file)}


def completed(dataset: LabelledImages, labels: Path, folder: Path) -> LabelledImages:
    """Add the teachers' boxes of the classes that an origin does not label."""
    if not labels.is_file():
        return dataset
    known = {image.path.name: image for image in read_labels(labels, [folder]).images}
    images = [
        _completed(image, known[image.path.name]) if image.path.name in known else image
        for image in dataset.images
    ]
    return replace(dataset, images=tuple(images))


def _completed(image: LabelledImage, seen: LabelledImage) -> LabelledImage:
    missing = ~image.labelled[seen.class_ids]
    free = intersection_over_union(seen.boxes, image.boxes).max(axis=1, initial=0) < SAME_IOU
    added = missing & free
    return replace(
        image,
        boxes=np.concatenate([image.boxes, seen.boxes[added]]),
        class_ids=np.concatenate([image.class_ids, seen.class_ids[added]]),
        ignored=np.concatenate([image.ignored, seen.ignored[added]]),
        labelled=np.ones(len(image.labelled), bool),
    )


def near_to(kept: Iterable[Path], others: Sequence[Path]) -> set[Path]:
    """Return those of `others` that are near-duplicates of one of `kept`."""
    groups = dict(zip(others, group_images(list(others)), strict=True))
    taken = {groups[path] for path in kept}
    return {path for path, group in groups.items() if group in taken} - set(kept)


def _has_lorry(image: LabelledImage) -> bool:
    """Tell whether a dashcam image has a lorry or a bus to learn; not the UK queue behind one."""
    lorries = np.isin(image.class_ids, [CLASSES.index("truck"), CLASSES.index("bus")])
    return bool((lorries & ~image.ignored).any()) and not image.path.stem.startswith("camtp")


def _video_trains(image: LabelledImage) -> bool:
    """Tell whether a video frame trains: never dashcam_360p_a, nor udacity's last third."""
    name, frame = image.path.stem, _frame(image)
    return not name.startswith("dashcam_360p_a") and not (
        name.startswith("udacity") and frame >= 2300
    )


def _frame(image: LabelledImage) -> int:
    return int(image.path.stem.rsplit("_", 1)[1])


_number = _frame
__all__ = [
    "choosing_frames", "completed", "held_out", "measuring_sets", "part_of", "read_labels",
    "training_set", "validation_set",
]  # fmt: skip


def main() -> None:
    """Print the number of images of each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("frames", type=Path)
    args = parser.parse_args()
    sets = {
        "training": training_set(args.shared, args.frames),
        "validation": validation_set(args.shared, args.frames),
    }
    for name, part in (sets | measuring_sets(args.shared, args.frames)).items():
        print(name, len(part.images))


if __name__ == "__main__":
    main()
