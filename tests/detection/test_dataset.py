"""The three formats of labelled images: read alike, and clear about what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.core.errors import InputError, MissingFileError
from drive.detection.dataset import LabelledImages, concatenate, open_dataset, read_dataset

HEADER = "image,class,x1,y1,x2,y2"
WIDTH, HEIGHT = 80, 60


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), (10, 20, 200), np.uint8))
        return path

    return write


def write_csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def the_box(data: LabelledImages) -> tuple[list[float], str]:
    (entry,) = data.images
    return entry.boxes[0].tolist(), data.classes[entry.class_ids[0]]


def test_the_three_formats_give_the_same_box(tmp_path: Path, picture: Callable) -> None:
    expected = ([8.0, 6.0, 40.0, 36.0], "car")
    picture("csv/images/a.png")
    write_csv(tmp_path / "csv", "a.png,car,8,6,40,36")
    assert the_box(read_dataset(tmp_path / "csv")) == expected

    picture("yolo/images/train/a.png")
    labels = tmp_path / "yolo/labels/train"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("1 0.3 0.35 0.4 0.5\n")
    (tmp_path / "yolo/data.yaml").write_text("nc: 2\nnames: [dog, 'car']\n")
    assert the_box(read_dataset(tmp_path / "yolo")) == expected

    picture("voc/JPEGImages/a.png")
    annotations = tmp_path / "voc/Annotations"
    annotations.mkdir()
    (annotations / "a.xml").write_text(
        "<annotation><filename>a.png</filename><object><name>car</name><bndbox><xmin>8</xmin>"
        "<ymin>6</ymin><xmax>40</xmax><ymax>36</ymax></bndbox></object></annotation>"
    )
    assert the_box(read_dataset(tmp_path / "voc")) == expected


@pytest.mark.parametrize(
    "text",
    ["names: [dog, car]", "names:\n  - dog\n  - car  # ours\nnc: 2", "names:\n 0: dog\n 1: car"],
)
def test_yolo_names_in_every_usual_form(tmp_path: Path, picture: Callable, text: str) -> None:
    picture("images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text(text + "\n")
    assert the_box(read_dataset(tmp_path))[1] == "car"


def test_pictures_are_rgb(tmp_path: Path, picture: Callable) -> None:
    picture("images/a.png")
    data = read_dataset(write_csv(tmp_path, "a.png,car,8,6,40,36"))
    assert data.images[0].read()[0, 0].tolist() == [200, 20, 10]


def test_names_are_translated_and_other_classes_counted(tmp_path: Path, picture: Callable) -> None:
    picture("images/a.png")
    rows = ("a.png,Van,0,0,9,9", "a.png,motorbike,0,0,9,9", "a.png,chair,0,0,9,9")
    data = read_dataset(write_csv(tmp_path, *rows))
    assert [data.classes[i] for i in data.images[0].class_ids] == ["car", "motorcycle"]
    assert data.counts["boxes_of_other_classes"] == 1


def test_only_classes_that_an_origin_has_are_taken_as_labelled(
    tmp_path: Path, picture: Callable
) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png"):
        picture(f"images/{name}")
    data = read_dataset(
        write_csv(
            tmp_path,
            "a.png,road,car,0,0,9,9,1",
            "b.png,road,,,,,,",
            "c.png,town,person,0,0,9,9,0",
            "d.png,nobody,,,,,,",
            header="image,origin,class,x1,y1,x2,y2,difficult",
        )
    )
    labelled = {
        image.path.name: [n for n, yes in zip(data.classes, image.labelled, strict=True) if yes]
        for image in data.images
    }
    assert labelled == {"a.png": ["car"], "b.png": ["car"], "c.png": ["person"]}
    assert data.counts["images_unlabelled"] == 1
    assert [image.ignored.tolist() for image in data.images] == [[True], [], [False]]
    assert data.origins == ("road", "town")


def test_empty_boxes_and_missing_pictures_are_counted(tmp_path: Path, picture: Callable) -> None:
    picture("images/a.png")
    (tmp_path / "images/text.png").write_text("no picture")
    rows = (
        "a.png,car,5,5,5,9",
        "a.png,car,0,0,9,9",
        "gone.png,car,0,0,9,9",
        "text.png,car,0,0,9,9",
    )
    data = read_dataset(write_csv(tmp_path, *rows))
    assert (data.counts["boxes_empty"], data.counts["images_missing"]) == (1, 1)
    assert data.counts["boxes"] == 1
    assert data.summary() == (
        "1 image with 1 box; left out: 1 image missing, 1 image unreadable, 1 box empty"
    )


@pytest.mark.parametrize("value", ["wide", "", "nan"])
def test_a_number_that_is_none_names_file_row_and_value(
    tmp_path: Path, picture: Callable, value: str
) -> None:
    picture("images/a.png")
    folder = write_csv(tmp_path, "a.png,car,0,0,9,9", f"a.png,car,0,{value},9,9")
    with pytest.raises(InputError, match=rf"labels.csv, row 3, y1 must be a number; got '{value}'"):
        read_dataset(folder)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x2,y2 are missing; .* got image,class,x1,y1"):
        read_dataset(write_csv(tmp_path, header="image,class,x1,y1"))


@pytest.mark.parametrize("row", ["1 0.5 0.5 0.5", "7 0.5 0.5 0.5 0.5"])
def test_a_wrong_yolo_row_names_its_place(tmp_path: Path, picture: Callable, row: str) -> None:
    picture("images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text(row + "\n")
    (tmp_path / "data.yaml").write_text("names: [dog, car]\n")
    with pytest.raises(InputError, match=r"a.txt, row 1: .*got "):
        read_dataset(tmp_path)


def test_broken_xml_is_named(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.xml").write_text("<annotation>")
    with pytest.raises(InputError, match=r"a.xml: not valid Pascal VOC XML"):
        read_dataset(tmp_path)


def test_no_data_set_no_known_format_and_no_known_class(tmp_path: Path, picture: Callable) -> None:
    with pytest.raises(MissingFileError, match="there is no dataset"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not a dataset; expected labels"):
        read_dataset(tmp_path)
    picture("images/a.png")
    with pytest.raises(InputError, match="boxes of chair"):
        read_dataset(write_csv(tmp_path, "a.png,chair,0,0,9,9"))


def test_concatenated_counts_add_up(tmp_path: Path, picture: Callable) -> None:
    picture("images/a.png")
    data = read_dataset(write_csv(tmp_path, "a.png,car,0,0,9,9"))
    both = concatenate([data, data])
    assert (len(both.images), both.counts["boxes"]) == (2, 2)
    with pytest.raises(InputError, match="same classes"):
        concatenate([data, LabelledImages(("car",), ())])


@pytest.fixture
def yolo(tmp_path: Path, picture: Callable) -> Callable[..., Path]:
    """A YOLO set of one picture with these label rows."""

    def write(*rows: str, names: str = "names: [cone, car]", image: str = "images/a.png") -> Path:
        picture(image)
        labels = (tmp_path / image.replace("images", "labels")).with_suffix(".txt")
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("\n".join(rows) + "\n")
        (tmp_path / "data.yaml").write_text(names + "\n")
        return tmp_path

    return write


def test_yolo_folders_as_other_tools_export_them(yolo: Callable) -> None:
    folder = yolo("1 0.3 0.35 0.4 0.5", image="train/images/a.png")
    assert the_box(read_dataset(folder)) == ([8.0, 6.0, 40.0, 36.0], "car")


def test_an_outline_is_read_as_its_box(yolo: Callable) -> None:
    folder = yolo("1 0.1 0.2 0.5 0.1 0.5 0.6 0.2 0.5")
    box, name = the_box(read_dataset(folder))
    np.testing.assert_allclose(box, [8, 6, 40, 36], atol=1e-4)
    assert name == "car"


def test_boxes_that_stick_out_are_cut_and_counted(yolo: Callable) -> None:
    folder = yolo("1 0.05 0.5 0.3 0.5", "1 0.5 0.5 1.0001 0.5", "1 0.5 0.5 -0.2 0.5")
    data = read_dataset(folder)
    np.testing.assert_allclose(data.images[0].boxes[0], [0, 15, 16, 45], atol=1e-4)
    assert data.summary() == (
        "1 image with 2 boxes; 1 box cut at the image's edge; left out: 1 box empty"
    )


def test_pixels_instead_of_shares_are_told(yolo: Callable) -> None:
    with pytest.raises(InputError, match=r"a.txt, row 1: .* Are these pixels\?"):
        read_dataset(yolo("1 40 30 20 20"))


@pytest.mark.parametrize("names", ["names:", "names: []", "", "nc: 2"])
def test_a_list_without_a_class_is_refused(yolo: Callable, names: str) -> None:
    with pytest.raises(InputError, match=r"data.yaml: (there is no line )?'names:' (must|with)"):
        read_dataset(yolo("0 0.5 0.5 0.5 0.5", names=names))


def test_a_list_over_several_lines(yolo: Callable) -> None:
    folder = yolo("1 0.5 0.5 0.5 0.5", names="names: [\n  'cone',\n  \"car\"\n]\nnc: 2")
    data = open_dataset(folder)
    assert data.listed == ("cone", "car")
    assert data.boxes_of() == {"cone": 0, "car": 1}


def test_pictures_without_a_label_file_are_empty_and_counted(
    yolo: Callable, picture: Callable, tmp_path: Path
) -> None:
    folder = yolo("1 0.5 0.5 0.5 0.5")
    picture("images/b.png")
    data = read_dataset(folder)
    assert [len(image.boxes) for image in data.images] == [1, 0]
    assert "1 image without a label file, counted as empty" in data.summary()
    (tmp_path / "labels/a.txt").unlink()
    with pytest.raises(InputError, match=r"2 images, 2 of them without a label file"):
        read_dataset(folder)
