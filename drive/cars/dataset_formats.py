"""The three forms of a labelled-image data set, read row by row.

Knows files, columns and tags; not which classes are wanted, and nothing of training.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import cv2

from drive.errors import InputError, MissingFileError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
CSV_COLUMNS = ("image", "class", "x1", "y1", "x2", "y2")
YOLO_COLUMNS = 5  # class, centre x, centre y, width, height, the last four as shares of the picture
TRUE_WORDS = ("1", "1.0", "true", "yes")


@dataclass(slots=True)
class RawImage:
    """A picture as its data set describes it; `boxes` are x1, y1, x2, y2 in pixels."""

    path: Path
    origin: str = ""
    names: list[str] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)

    def add(self, name: str, box: tuple[float, float, float, float], ignored: bool) -> None:
        """Add one box."""
        self.names.append(name)
        self.boxes.append(box)
        self.ignored.append(ignored)


def label_file(path: Path) -> Path:
    """Return the one file that describes a data set, or the folder where there are many."""
    folder = path if path.is_dir() else path.parent
    files = (folder / name for name in ("labels.csv", "data.yaml"))
    return next((file for file in files if file.is_file()), folder)


def read_raw(path: Path, counts: Counter[str]) -> Iterator[RawImage]:
    """Yield the pictures of a data set in any of the three forms.

    Args:
        path: the folder, or a file in it.
        counts: pictures that cannot be read are counted here.

    Raises:
        MissingFileError: there is no such folder.
        InputError: none of the three forms; or a row cannot be read.
    """
    if not path.exists():
        raise MissingFileError(f"no such data set; received: {path}")
    folder = path if path.is_dir() else path.parent
    if (folder / "labels.csv").is_file():
        return iter(_read_csv(folder / "labels.csv"))
    if (folder / "data.yaml").is_file():
        return _read_yolo(folder, counts)
    if (folder / "Annotations").is_dir():
        return _read_voc(folder)
    raise InputError(
        f"{folder}: a data set expected: labels.csv with images/, data.yaml with images/ and "
        f"labels/, or Annotations/ with JPEGImages/; received: a folder with none of them"
    )


def _read_csv(path: Path) -> list[RawImage]:
    """Read `labels.csv`; an image without objects has one row with the other columns empty."""
    images: dict[str, RawImage] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in CSV_COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise InputError(
                f"{path}: the columns {','.join(CSV_COLUMNS)} expected; missing: "
                f"{','.join(missing)}; received: {','.join(rows.fieldnames or ())}"
            )
        for number, row in enumerate(rows, start=2):
            name = row["image"]
            if not name:
                raise InputError(f"{path}, row {number}: an image name expected; received: {row}")
            image = images.setdefault(
                name, RawImage(path.parent / "images" / name, row.get("origin") or "")
            )
            if row["class"]:
                box = [_number(row[key], f"{path}, row {number}, {key}") for key in CSV_COLUMNS[2:]]
                ignored = (row.get("difficult") or "").strip().lower() in TRUE_WORDS
                image.add(row["class"], (box[0], box[1], box[2], box[3]), ignored)
    return list(images.values())


def _read_yolo(folder: Path, counts: Counter[str]) -> Iterator[RawImage]:
    """Read YOLO text files: `images/` and `labels/` of the same layout below, `data.yaml`."""
    names = _yolo_names(folder / "data.yaml")
    images = folder / "images"
    for path in sorted(p for p in images.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            counts["images_unreadable"] += 1
            continue
        image = RawImage(path)
        labels = (folder / "labels" / path.relative_to(images)).with_suffix(".txt")
        if labels.is_file():
            for number, line in enumerate(labels.read_text(encoding="utf-8").splitlines(), start=1):
                if line.strip():
                    name, box = _yolo_row(line, names, f"{labels}, row {number}", picture.shape)
                    image.add(name, box, ignored=False)
        yield image


def _yolo_row(
    line: str, names: dict[int, str], where: str, shape: tuple[int, ...]
) -> tuple[str, tuple[float, float, float, float]]:
    """Return name and box of one line: class, centre and size as shares of the picture."""
    values = line.split()
    if len(values) != YOLO_COLUMNS:
        raise InputError(
            f"{where}: 'class x y width height' expected, the last four as shares of the picture; "
            f"received: {line!r}"
        )
    class_id, x, y, w, h = (_number(value, where) for value in values)
    if class_id not in names:
        raise InputError(f"{where}: a class of data.yaml {names} expected; received: {values[0]}")
    height, width = shape[:2]
    box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
    return names[int(class_id)], box


def _yolo_names(path: Path) -> dict[int, str]:
    """Read `names:` of data.yaml: a list in brackets, a list of dashes, or `0: car` lines.

    This subset is all that the data sets' files use; it spares a YAML library.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        raise InputError(f"{path}: 'names:' with the classes expected; received: no such line")
    inline = _unquoted(lines[start].removeprefix("names:").split(" #")[0])
    if inline:
        parts = inline.strip("[]{}").split(",")
    else:
        block = (line.split(" #")[0] for line in lines[start + 1 :])
        parts = []
        for line in block:
            if line.strip() and line[0] not in " -\t":
                break
            if line.strip():
                parts.append(line.strip().removeprefix("- "))
    names: dict[int, str] = {}
    for index, part in enumerate(parts):
        key, colon, value = part.partition(":")
        names[int(_number(key.strip(), str(path))) if colon else index] = _unquoted(
            value if colon else part
        )
    return names


def _unquoted(text: str) -> str:
    return text.strip().strip("'\"")


def _read_voc(folder: Path) -> Iterator[RawImage]:
    """Read Pascal VOC XML: `Annotations/NAME.xml` beside `JPEGImages/`."""
    for path in sorted((folder / "Annotations").glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise InputError(f"{path}: Pascal VOC XML expected; received: {error}") from error
        name = root.findtext("filename") or path.with_suffix(".jpg").name
        image = RawImage(folder / "JPEGImages" / name)
        for number, item in enumerate(root.iter("object"), start=1):
            where = f"{path}, object {number}"
            x1, y1, x2, y2 = (
                _number(item.findtext(f"bndbox/{key}"), f"{where}, {key}")
                for key in ("xmin", "ymin", "xmax", "ymax")
            )
            ignored = (item.findtext("difficult") or "").strip().lower() in TRUE_WORDS
            image.add(item.findtext("name") or "", (x1, y1, x2, y2), ignored)
        yield image


def _number(text: str | None, where: str) -> float:
    """Return a finite number; raise `InputError` with the place otherwise."""
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: a number expected; received: {text!r}")
    return value
