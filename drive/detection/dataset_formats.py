"""The formats of a labelled-image dataset; `read_raw` picks one."""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from drive.core.errors import InputError, MissingFileError

FORMATS = (
    "labels.csv with images/, data.yaml with images/ and labels/, or Annotations/ with JPEGImages/"
)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
CSV_COLUMNS = ("image", "class", "x1", "y1", "x2", "y2")
YOLO_COLUMNS = 5  # class, then centre x and y, width, height as shares of the image
OUTLINE_COLUMNS = 7  # class, then x and y of at least three corners of an outline
MOST_SHARE = 2.0  # a box may extend beyond the image; above this, the values are pixels
CUT_TOLERANCE = 0.5  # pixels; less is rounding
TRUE_WORDS = ("1", "1.0", "true", "yes")


Corners = tuple[float, float, float, float]


@dataclass(slots=True)
class RawImage:
    """An image as its dataset describes it; `boxes` are x1, y1, x2, y2 in pixels."""

    path: Path
    origin: str = ""
    names: list[str] = field(default_factory=list)
    boxes: list[Corners] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)

    def add(self, name: str, box: Corners, ignored: bool) -> None:
        """Add one box."""
        self.names.append(name)
        self.boxes.append(box)
        self.ignored.append(ignored)


def label_file(path: Path) -> Path:
    """Return the file that describes a dataset, or the folder if there are many."""
    folder = path if path.is_dir() else path.parent
    files = (folder / name for name in ("labels.csv", "data.yaml"))
    return next((file for file in files if file.is_file()), folder)


def listed_classes(path: Path) -> tuple[str, ...]:
    """Return the classes that `data.yaml` lists, in its order; empty without a list."""
    file = label_file(path)
    return tuple(_yolo_names(file).values()) if file.name == "data.yaml" else ()


def read_raw(path: Path, counts: Counter[str]) -> Iterator[RawImage]:
    """Yield the images of a dataset in any of the formats; count those not readable."""
    if not path.exists():
        raise MissingFileError(f"there is no dataset {path}")
    folder = path if path.is_dir() else path.parent
    if (folder / "labels.csv").is_file():
        return iter(_read_csv(folder / "labels.csv"))
    if (folder / "data.yaml").is_file():
        return _read_yolo(folder, counts)
    if (folder / "Annotations").is_dir():
        return _read_voc(folder)
    raise InputError(f"{folder}: not a dataset; expected {FORMATS}")


def _read_csv(path: Path) -> list[RawImage]:
    """Read `labels.csv`; an image without objects has one row with the other columns empty."""
    images: dict[str, RawImage] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in CSV_COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise InputError(
                f"{path}: columns {','.join(missing)} are missing; expected "
                f"{','.join(CSV_COLUMNS)}, got {','.join(rows.fieldnames or ())}"
            )
        for number, row in enumerate(rows, start=2):
            name = row["image"]
            if not name:
                raise InputError(f"{path}, row {number}: image is empty; expected a file name")
            image = images.setdefault(
                name, RawImage(path.parent / "images" / name, row.get("origin") or "")
            )
            if row["class"]:
                box = [_number(row[key], f"{path}, row {number}, {key}") for key in CSV_COLUMNS[2:]]
                ignored = (row.get("difficult") or "").strip().lower() in TRUE_WORDS
                image.add(row["class"], (box[0], box[1], box[2], box[3]), ignored)
    return list(images.values())


def _read_yolo(folder: Path, counts: Counter[str]) -> Iterator[RawImage]:
    """Read YOLO text files, described by `data.yaml`; `images/` and `labels/` have the same layout.

    Both folders may be deeper (`train/images`, `train/labels`), as some tools export them.
    """
    import cv2

    names = _yolo_names(folder / "data.yaml")
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES):
        inside = path.relative_to(folder).parts[:-1]
        if "images" not in inside:
            continue
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            counts["images_unreadable"] += 1
            continue
        image = RawImage(path)
        place = len(inside) - 1 - inside[::-1].index("images")
        labels = folder.joinpath(*inside[:place], "labels", *inside[place + 1 :], path.name)
        labels = labels.with_suffix(".txt")
        if labels.is_file():
            text = labels.read_text(encoding="utf-8-sig", errors="replace")
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    where = f"{labels}, row {number}"
                    name, box = _yolo_row(line, names, where, pixels.shape)
                    image.add(name, _cut(box, pixels.shape, counts), ignored=False)
        else:
            counts["images_without_label_file"] += 1
        yield image


def _yolo_row(
    line: str, names: dict[int, str], where: str, shape: tuple[int, ...]
) -> tuple[str, Corners]:
    """Return name and box of one line: class, centre and size as shares, or an outline."""
    columns = line.split()
    outline = len(columns) >= OUTLINE_COLUMNS and len(columns) % 2
    if len(columns) != YOLO_COLUMNS and not outline:
        raise InputError(
            f"{where}: expected 'class x y width height', the last four as shares of the image; "
            f"got {line!r}"
        )
    class_id, *shares = (_number(column, where) for column in columns)
    if class_id not in names:
        raise InputError(f"{where}: class must be one of data.yaml {names}; got {columns[0]}")
    if max(map(abs, shares)) > MOST_SHARE:
        raise InputError(
            f"{where}: expected shares of the image, 0 to 1; got {line!r}. Are these pixels?"
        )
    if outline:
        x1, y1, x2, y2 = min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])
    else:
        x, y, w, h = shares
        x1, y1, x2, y2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    height, width = shape[:2]
    return names[int(class_id)], (x1 * width, y1 * height, x2 * width, y2 * height)


def _cut(box: Corners, shape: tuple[int, ...], counts: Counter[str]) -> Corners:
    """Return the part of a box inside the image; count those cut by more than rounding."""
    height, width = shape[:2]
    limits = (width, height, width, height)
    x1, y1, x2, y2 = (min(max(value, 0.0), limit) for value, limit in zip(box, limits, strict=True))
    away = max(abs(a - b) for a, b in zip(box, (x1, y1, x2, y2), strict=True))
    counts["boxes_cut"] += away > CUT_TOLERANCE
    return x1, y1, x2, y2


def _yolo_names(path: Path) -> dict[int, str]:
    """Read `names:` of data.yaml: a list in brackets, a list of dashes, or `0: car` lines."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        raise InputError(f"{path}: there is no line 'names:' with the classes")
    first, *rest = (line.split(" #")[0].strip("\r") for line in lines[start:])
    inline = first.removeprefix("names:").strip()
    if inline.startswith(("[", "{")):
        whole = " ".join([inline, *rest])
        parts = whole[1:].split("]" if inline[0] == "[" else "}")[0].split(",")
    elif inline:
        parts = inline.split(",")
    else:
        block = itertools.takewhile(lambda line: not line.strip() or line[0] in " -\t", rest)
        parts = [line.strip().removeprefix("- ") for line in block]
    names: dict[int, str] = {}
    for index, part in enumerate(part for part in parts if part.strip()):
        key, colon, value = part.partition(":")
        names[int(_number(_unquoted(key), str(path))) if colon else index] = _unquoted(
            value if colon else part
        )
    if not any(names.values()):
        raise InputError(f"{path}: 'names:' must have at least one class; got none")
    return names


def _unquoted(text: str) -> str:
    return text.strip().strip("'\"")


def _read_voc(folder: Path) -> Iterator[RawImage]:
    """Read Pascal VOC XML: `Annotations/NAME.xml` beside `JPEGImages/`."""
    for path in sorted((folder / "Annotations").glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise InputError(f"{path}: not valid Pascal VOC XML ({error})") from error
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
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where} must be a number; got {text!r}")
    return value
