"""Label images and video frames with two teachers, as a data set that `train-detector` reads.

    python benchmarks/label_with_teacher.py look ../shared/teacher RAW.jsonl \
        --images ../shared/footage/images/*.jpg --videos clip.mp4 --every 10 --frames FOLDER
    python benchmarks/label_with_teacher.py write OUT.csv RAW.jsonl
    python benchmarks/label_with_teacher.py frames FOLDER --videos clip.mp4 --every 10

`look` takes the time: it writes all that the teachers saw, one line per image, and goes on where it
was interrupted. `write` makes boxes of it in seconds, so that thresholds can be tried.
`frames` writes only the video frames, for a training on labels that exist.

person-vehicle-bike-detection-2003 finds (whole frame and overlapping tiles), DEIMv2 says which
kind of vehicle it is (an enlarged crop around each box). Where they disagree, the box becomes
`difficult`, so that training neither learns nor punishes it.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.detection.dataset import read_image
from drive.detection.nms import intersection_over_union, suppress
from drive.video.reader import read_frames

LEAST_SEEN = 0.08  # of the teachers' scores; below, nothing is written down
MERGE_IOU = 0.55
EDGE_PX = 4.0  # a box nearer to a tile's inner edge than this was cut by it
FINDER_KINDS = ("vehicle", "person", "bike")
NAMER_IDS = {"car": 2, "bus": 5, "truck": 7, "motorcycle": 3, "bicycle": 1, "person": 0}
NAMER_SIDE = 416
VEHICLES = ("car", "bus", "truck")
SURE = 0.48  # of the finder alone
BACKED, BACKING = 0.28, 0.30  # of the finder where the namer agrees, and of the namer
DOUBTFUL = 0.18
LARGE, LARGE_DOUBTFUL = 0.06, 0.33  # share of the frame; a large box that is doubtful is no box
ALONE_DOUBTFUL = 0.40  # of the namer where the finder saw nothing
PERSON_SURE, PERSON_BACKED, PERSON_DOUBTFUL = 0.55, 0.30, 0.20
ABSORBED = 0.85  # share of a doubtful box inside a sure one: the same object, or a part of it
FIXED_SHARE = 0.5  # of a recording's frames
Row = list[Any]
"""A box as a teacher saw it: kind, score, x1, y1, x2, y2, level."""

COLUMNS = ("image", "origin", "class", "x1", "y1", "x2", "y2", "difficult", "score")


class Finder:
    """person-vehicle-bike-detection-2003 over the frame and tiles."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        hints = {"INFERENCE_NUM_THREADS": threads}  # bfloat16 where the processor has it: 3 times
        self.model = core.compile_model(core.read_model(path), "CPU", hints)
        self.height, self.width = (int(n) for n in self.model.input(0).shape[2:])

    def look(self, image: np.ndarray, levels: Sequence[tuple[float, float]]) -> list[Row]:
        """Return [kind, score, x1, y1, x2, y2, level]; level 0 is the whole frame."""
        height, width = image.shape[:2]
        rows = self._run(image, (0, 0, width, height), 0)
        for level, (share, top) in enumerate(levels, start=1):
            for tile in _tiles(width, height, share, top):
                rows += self._run(image, tile, level)
        return rows

    def _run(self, image: np.ndarray, tile: tuple[int, int, int, int], level: int) -> list[Row]:
        x1, y1, x2, y2 = tile
        part = cv2.resize(image[y1:y2, x1:x2, ::-1], (self.width, self.height))
        answer = self.model(part.transpose(2, 0, 1)[None].astype(np.float32))
        values, kinds = answer["boxes"], answer["labels"]
        scale = np.array([(x2 - x1) / self.width, (y2 - y1) / self.height] * 2)
        boxes = values[:, :4] * scale + np.array([x1, y1, x1, y1])
        keep = values[:, 4] >= LEAST_SEEN
        keep &= ~_cut(boxes, tile, image.shape)
        return [
            [FINDER_KINDS[int(k)], round(float(v[4]), 3), *np.round(b, 1).tolist(), level]
            for k, v, b in zip(kinds[keep], values[keep], boxes[keep], strict=True)
        ]


class Namer:
    """DEIMv2: kinds of vehicles, on the frame, on tiles, and on an enlarged crop of each box."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self.model = core.compile_model(core.read_model(path), "CPU", hints)

    def look(self, image: np.ndarray, shares: Sequence[float]) -> list[Row]:
        """Return [class, score, x1, y1, x2, y2, level] over the frame and square tiles."""
        height, width = image.shape[:2]
        rows = self._rows(image, (0, 0, width, height), 0)
        for level, share in enumerate(shares, start=1):
            side = round(share * height)
            for y in _starts(height, side):
                for x in _starts(width, side):
                    tile = (x, y, min(x + side, width), min(y + side, height))
                    rows += self._rows(image, tile, level)
        return rows

    def name(self, image: np.ndarray, box: Sequence[float]) -> dict[str, float]:
        """Return the best score of each class for one box, seen in a crop around it."""
        height, width = image.shape[:2]
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        half = max(24.0, 0.5 * 2.2 * max(box[2] - box[0], box[3] - box[1]))
        tile = (
            max(0, int(x - half)),
            max(0, int(y - half)),
            min(width, int(x + half)),
            min(height, int(y + half)),
        )
        boxes, scores, ids = self._run(image, tile)
        best: dict[str, float] = {}
        if not len(boxes):
            return best
        overlap = intersection_over_union(np.array([box], float), boxes.astype(float))[0]
        for index in np.flatnonzero(overlap > 0.5):
            name = list(NAMER_IDS)[ids[index]]
            best[name] = max(best.get(name, 0.0), round(float(scores[index]), 3))
        return best

    def _rows(self, image: np.ndarray, tile: tuple[int, int, int, int], level: int) -> list[Row]:
        boxes, scores, ids = self._run(image, tile)
        keep = (scores >= LEAST_SEEN) & ~_cut(boxes, tile, image.shape)
        return [
            [list(NAMER_IDS)[i], round(float(s), 3), *np.round(b, 1).tolist(), level]
            for i, s, b in zip(ids[keep], scores[keep], boxes[keep].astype(float), strict=True)
        ]

    def _run(
        self, image: np.ndarray, tile: tuple[int, int, int, int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x1, y1, x2, y2 = tile
        part = cv2.resize(image[y1:y2, x1:x2], (NAMER_SIDE, NAMER_SIDE))
        feed = {
            "images": np.ascontiguousarray(part.transpose(2, 0, 1)[None], np.float32) / 255,
            "orig_target_sizes": np.array([[x2 - x1, y2 - y1]], np.int64),
        }
        answer = self.model(feed)
        labels, boxes, scores = (answer[key][0] for key in ("labels", "boxes", "scores"))
        ids = np.full(len(labels), -1)
        for index, coco in enumerate(NAMER_IDS.values()):
            ids[labels == coco] = index
        known = (ids >= 0) & (scores >= 0.03)
        return boxes[known] + np.array([x1, y1] * 2, np.float32), scores[known], ids[known]


def _cut(boxes: np.ndarray, tile: tuple[int, int, int, int], shape: Sequence[int]) -> np.ndarray:
    """Tell which boxes touch an edge of the tile that is not an edge of the frame."""
    inner = np.array([tile[0] > 0, tile[1] > 0, tile[2] < shape[1], tile[3] < shape[0]])
    cut: np.ndarray = np.any(inner & (np.abs(boxes - np.array(tile)) < EDGE_PX), axis=1)
    return cut


def _tiles(width: int, height: int, share: float, top: float) -> list[tuple[int, int, int, int]]:
    """Return overlapping tiles of `share` of the frame's sides, from `top` of the height down."""
    w, h, first = round(width * share), round(height * share), round(height * top)
    return [
        (x, first + y, x + w, min(height, first + y + h))
        for y in _starts(height - first, h)
        for x in _starts(width, w)
    ]


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles of `side` begin so that they overlap by at least 30 %."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * 0.7))) + 1
    return [round(value) for value in np.linspace(0, length - side, count)]


def levels_for(width: int) -> list[tuple[float, float]]:
    """Return the tiles' shares of the frame and where they begin, by the frame's own pixels."""
    return [(0.6, 0.0)] if width < 900 else [(0.6, 0.0), (0.36, 0.15)]


def look(args: argparse.Namespace) -> None:
    """Write what the teachers see, one line per image."""
    done = set()
    if args.raw.is_file():
        done = {json.loads(line)["image"] for line in args.raw.read_text().splitlines()}
    finder = Finder(args.teachers / "person-vehicle-bike-detection-2003.xml", args.threads)
    namer = Namer(args.teachers / "deimv2_hgnetv2_femto_coco.onnx", args.threads)
    with args.raw.open("a") as file:
        for number, (path, origin) in enumerate(listed_images(args)):
            if path.name in done:
                continue
            image = read_image(path)
            height, width = image.shape[:2]
            found = finder.look(image, levels_for(width))
            named = namer.look(image, (1.0,))
            boxes = [row for row in merge(found) if row[0] == "vehicle" and row[1] >= 0.15]
            kinds = [[row[2:6], namer.name(image, row[2:6])] for row in boxes]
            entry = {
                "image": path.name, "path": str(path), "origin": origin, "size": [width, height],
                "found": found, "named": named, "kinds": kinds,
            }  # fmt: skip
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            if number % 50 == 0:
                file.flush()
                print(number, path.name, len(boxes), "vehicles", flush=True)


def listed_images(args: argparse.Namespace) -> Iterator[tuple[Path, str]]:
    """Yield path and origin of every image, video frames written as images first."""
    for name in args.images:
        yield Path(name), args.origin or Path(name).stem.rsplit("_", 1)[0]
    for video in args.videos:
        args.frames.mkdir(parents=True, exist_ok=True)
        stem = args.prefix + Path(video).stem
        with read_frames(video, stride=args.every) as frames:
            for frame in frames:
                path = args.frames / f"{stem}_vid_0_{frame.index:05d}.jpg"
                if not path.is_file():
                    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
                    cv2.imwrite(str(path), frame.image[:, :, ::-1], quality)
                yield path, stem


def write_frames(args: argparse.Namespace) -> None:
    """Write the frames of videos, and say how many there are."""
    print(sum(1 for _ in listed_images(args)), "frames in", args.frames)


def merge(rows: Sequence[Row], overlap: float = MERGE_IOU) -> list[Row]:
    """Keep the best of the boxes of a kind that share an object, over frame and tiles."""
    if not rows:
        return []
    boxes = np.array([row[2:6] for row in rows], float)
    scores = np.array([row[1] for row in rows], float)
    kinds = sorted({row[0] for row in rows})
    ids = np.array([kinds.index(row[0]) for row in rows])
    return [list(rows[k]) for k in suppress(boxes, scores, ids, overlap)]


@dataclass(frozen=True, slots=True)
class Label:
    """A box as `write` writes it."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    score: float


def write(args: argparse.Namespace) -> None:
    """Turn what the teachers saw into labels, and say how many boxes of each class."""
    entries = [json.loads(line) for raw in args.raws for line in raw.read_text().splitlines()]
    fixed = fixed_places(entries)
    corrected = corrections(args.corrections) if args.corrections else {}
    seen: dict[str, list[Label]] = {}
    if args.sorted:
        with args.sorted.open(newline="") as file:
            for row in csv.DictReader(file):
                x1, y1, x2, y2 = (float(row[key]) for key in ("x1", "y1", "x2", "y2"))
                seen.setdefault(row["image"], []).append(
                    Label(row["class"], (x1, y1, x2, y2), False, 1.0)
                )
    counts: dict[tuple[str, bool], int] = {}
    with args.out.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for entry in entries:
            labels = [
                replace(label, name=corrected.get((entry["image"], label.name), label.name))
                for label in labels_of(entry, fixed.get(entry["origin"], []))
            ]
            labels = _sorted_out(labels, seen.get(entry["image"], []))
            for label in labels:
                key = (label.name, label.difficult)
                counts[key] = counts.get(key, 0) + 1
            rows.writerows(
                [entry["image"], entry["origin"], x.name, *np.round(x.box, 1), int(x.difficult),
                 round(x.score, 3)]
                for x in labels
            )  # fmt: skip
            if not labels:
                rows.writerow([entry["image"], entry["origin"], *[""] * 7])
    print(len(entries), "images", {f"{n}{' ?' * d}": c for (n, d), c in sorted(counts.items())})


def _sorted_out(labels: Sequence[Label], seen: Sequence[Label]) -> list[Label]:
    """Put what somebody saw in the place of the doubtful boxes there."""
    kept = [
        label
        for label in labels
        if not (
            label.name in VEHICLES
            and any(
                _iou(label.box, other.box) > (0.4 if label.difficult else 0.7) for other in seen
            )
        )
    ]
    return [*kept, *seen]


def corrections(path: Path) -> dict[tuple[str, str], str]:
    """Return for image and class the class that somebody saw: vans that were called trucks."""
    with path.open(newline="") as file:
        return {(row["image"], row["from"]): row["to"] for row in csv.DictReader(file)}


def labels_of(entry: dict[str, Any], fixed: Sequence[Sequence[float]] = ()) -> list[Label]:
    """Return the boxes of one image: learnt ones, and doubtful ones as difficult."""
    width, height = entry["size"]
    named = merge([row for row in entry["named"] if row[0] in VEHICLES])
    named_boxes = np.array([row[2:6] for row in named], float).reshape(-1, 4)
    kinds = [(np.array(box, float), names) for box, names in entry["kinds"]]
    labels: list[Label] = []
    for _, score, *box, _ in merge([r for r in entry["found"] if r[0] == "vehicle"]):
        if _own_car(box, width, height) or any(_iou(box, place) > 0.6 for place in fixed):
            continue
        names = _names_of(box, named, kinds)
        second = max(names.values(), default=0.0)
        sure = score >= SURE or (score >= BACKED and second >= BACKING)
        if not sure and score < DOUBTFUL and second < 0.3:
            continue
        share = (box[2] - box[0]) * (box[3] - box[1]) / (width * height)
        if not sure and share > LARGE and score < LARGE_DOUBTFUL:
            continue
        name, clear = _kind(names, box, height)
        if name != "car":
            clear &= (second >= 0.5 and score >= 0.4) or (second >= 0.7 and score >= 0.3)
            sure |= clear
        labels.append(Label(name, _corners(box), not (sure and clear), score))
    found = np.array([x.box for x in labels], float).reshape(-1, 4)
    for row, place in zip(named, named_boxes, strict=True):
        if row[1] < ALONE_DOUBTFUL or _own_car(place, width, height):
            continue
        if len(found) and intersection_over_union(place[None], found).max() > 0.45:
            continue
        labels.append(Label(row[0], _corners(place), True, 0.5 * row[1]))
    labels += _people(entry)
    return _tidy(labels)


def _corners(box: Sequence[float] | np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2


def _names_of(box: Sequence[float], named: Sequence[Row], kinds: Sequence[Any]) -> dict[str, float]:
    """Return the namer's best score for each kind of vehicle at a box."""
    names: dict[str, float] = {}
    for place, scores in kinds:
        if _iou(box, place) > 0.9:
            for name in VEHICLES:
                names[name] = max(names.get(name, 0.0), scores.get(name, 0.0))
    for row in named:
        if _iou(box, row[2:6]) > 0.55:
            names[row[0]] = max(names.get(row[0], 0.0), row[1])
    return names


def _kind(names: dict[str, float], box: Sequence[float], height: float) -> tuple[str, bool]:
    """Return the kind of vehicle, and whether it is clear.

    COCO calls pick-ups and vans trucks. Here they are cars; so a truck has to be certain.
    """
    car, bus, truck = (names.get(name, 0.0) for name in VEHICLES)
    small = box[3] - box[1] < 0.07 * height
    best = max(car, bus, truck)
    if best < 0.2:
        return "car", small or not names
    if car >= 0.85 * best:
        return "car", True
    name, other = ("bus", truck) if bus >= truck else ("truck", bus)
    return name, best >= 0.35 and other < 0.9 * best and car < max(0.3, 0.42 * best)


def _people(entry: dict[str, Any]) -> list[Label]:
    """Return persons, bicycles and motorcycles."""
    height = entry["size"][1]
    named = merge([row for row in entry["named"] if row[0] not in VEHICLES])
    labels = []
    taken = []
    for kind, score, *box, _ in merge([r for r in entry["found"] if r[0] != "vehicle"]):
        if box[3] > 0.97 * height and box[3] - box[1] < 0.25 * height:
            continue  # on the dashboard
        same = [row for row in named if _iou(box, row[2:6]) > 0.45]
        if kind == "person":
            second = max((row[1] for row in same if row[0] == "person"), default=0.0)
            sure = score >= PERSON_SURE or (score >= PERSON_BACKED and second >= 0.3)
            name = "person"
        else:
            best = max(
                (row for row in same if row[0] != "person"), key=lambda r: r[1], default=None
            )
            second = best[1] if best else 0.0
            name = best[0] if best else "motorcycle"
            sure = score >= PERSON_BACKED and second >= 0.35
        if not sure and score < PERSON_DOUBTFUL and second < 0.3:
            continue
        labels.append(Label(name, _corners(box), not sure, score))
        taken.append(box)
    alone = [
        Label(row[0], _corners(row[2:6]), True, 0.5 * row[1])
        for row in named
        if row[1] >= ALONE_DOUBTFUL and all(_iou(row[2:6], box) < 0.45 for box in taken)
    ]
    return labels + alone


def _tidy(labels: Sequence[Label]) -> list[Label]:
    """Drop doubtful boxes that are parts of a sure one, or are it under another name."""
    sure = [x for x in labels if not x.difficult]
    kept = list(sure)
    for label in labels:
        group = VEHICLES if label.name in VEHICLES else (label.name,)
        rivals = [x for x in sure if x.name in group]
        if label.difficult and not any(_inside(label.box, x.box) > ABSORBED for x in rivals):
            kept.append(label)
    return kept


def fixed_places(entries: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return places low in the frame where most frames of a recording have a box: own parts."""
    places: dict[str, list[Any]] = {}
    by_origin: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_origin.setdefault(entry["origin"], []).append(entry)
    for origin, group in by_origin.items():
        if len(group) < 8 or "human" in origin:
            continue
        low = [
            [r[2:6] for r in merge([f for f in e["found"] if f[0] == "vehicle"])
             if r[5] > 0.93 * e["size"][1] and r[1] >= DOUBTFUL]
            for e in group
        ]  # fmt: skip
        for boxes in low[:: max(1, len(low) // 12)]:
            for box in boxes:
                hits = sum(any(_iou(box, other) > 0.75 for other in others) for others in low)
                known = places.get(origin, [])
                if hits >= FIXED_SHARE * len(group) and all(_iou(box, p) < 0.75 for p in known):
                    places.setdefault(origin, []).append(box)
    print("own parts:", {name: len(found) for name, found in places.items()})
    return places


def _own_car(box: Sequence[float] | np.ndarray, width: float, height: float) -> bool:
    """Tell whether a box is the own hood or dashboard."""
    wide, low = box[2] - box[0], box[3] > 0.95 * height
    return low and (wide > 0.8 * width or (wide > 0.45 * width and box[1] > 0.62 * height))


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / max(both - shared, 1e-9)


def _inside(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the share of box `a` that lies inside box `b`."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0) / max((a[2] - a[0]) * (a[3] - a[1]), 1e-9)


def main() -> None:
    """Run `look`, `frames` or `write`."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    looking = commands.add_parser("look")
    looking.add_argument("teachers", type=Path)
    looking.add_argument("raw", type=Path)
    looking.add_argument("--images", nargs="*", default=[])
    looking.add_argument("--frames", type=Path, default=Path("frames"))
    looking.add_argument("--origin", default="")
    looking.add_argument("--threads", type=int, default=2)
    looking.set_defaults(run=look)
    framing = commands.add_parser("frames")
    framing.add_argument("frames", type=Path)
    framing.set_defaults(run=write_frames, images=[], origin="")
    for command in (looking, framing):
        command.add_argument("--videos", nargs="*", default=[])
        command.add_argument("--every", type=int, default=10)
        command.add_argument("--prefix", default="")
    writing = commands.add_parser("write")
    writing.add_argument("out", type=Path)
    writing.add_argument("raws", type=Path, nargs="+")
    writing.add_argument("--corrections", type=Path, help="image, from, to: classes seen wrong")
    writing.add_argument("--sorted", type=Path, help="doubtful boxes that somebody named")
    writing.set_defaults(run=write)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
