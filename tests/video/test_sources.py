"""Several sources on the command line: patterns of videos are spread out, all else is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from drive.core.errors import InputError
from drive.video.sources import find_source, spread_videos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("clip10.mp4", "clip9.MP4", "one.avi", "rows.csv", "p1.png", "p2.png"):
        (tmp_path / name).touch()
    (tmp_path / "clips[1]").mkdir()
    return tmp_path


def test_a_pattern_of_videos_is_spread_in_natural_order(folder: Path) -> None:
    found = spread_videos([f"{folder}/clip*", "rtsp://camera/1", "0"])
    names = [str(folder / name) for name in ("clip9.MP4", "clip10.mp4")]
    assert found == [*names, "rtsp://camera/1", "0"]


def test_a_pattern_of_one_video_is_spread_too(folder: Path) -> None:
    (folder / "one.csv").touch()
    said: list[str] = []
    found = spread_videos([f"{folder}/*.avi", f"{folder}/one.*", f"{folder}/r*"], said.append)
    assert found == [f"{folder}/one.avi", f"{folder}/rows.csv"]
    assert said == [f"{folder}/one.avi is named more than once; it is analysed once"]


def test_patterns_of_images_stay_as_they_are(folder: Path) -> None:
    texts = [f"{folder}/*.png", f"{folder}/*", f"{folder}/none*", "", "absent"]
    texts.append(f"{folder}/clips[1]")
    assert spread_videos(texts) == texts


def test_what_names_a_file_twice_counts_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert spread_videos(["one.avi", "./one.avi", f"{folder}/one.avi", "0"]) == ["one.avi", "0"]


def test_a_folder_of_videos_says_how_to_name_them(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").touch()
    with pytest.raises(InputError, match=r"'.*/\*\.mkv'"):
        find_source(tmp_path)


def test_a_pattern_without_matches_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="matches no file"):
        find_source(str(tmp_path / "nothing" / "*.mp4"))
