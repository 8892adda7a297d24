"""The reader: order, times, rotation, damage, cuts and every kind of source."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from drive import read_frames
from drive.core.errors import InputError, MissingFileError
from tests.conftest import VideoMaker, marked_picture, read_mark

VARIABLE_MS = [0, 40, 95, 140, 260, 300, 333, 420, 470, 600, 640, 700]


@pytest.mark.parametrize(
    ("asked", "frames"),
    [({}, 40), ({"start_s": 0.5, "end_s": 1.5}, 20), ({"end_s": 9.0}, 40), ({"stride": 4}, 10)],
)
def test_how_many_frames_to_expect_heeds_what_was_asked(
    make_video: VideoMaker, asked: dict[str, Any], frames: int
) -> None:
    with read_frames(make_video(frames=40), **asked) as reader:
        assert reader.expected == frames
        assert abs(sum(1 for _ in reader) - frames) <= 1


def test_constant_rate_gives_every_frame_its_index_and_time(make_video: VideoMaker) -> None:
    frames = list(read_frames(make_video(frames=30, fps=20)))
    assert [frame.index for frame in frames] == list(range(30))
    assert [read_mark(frame.image) for frame in frames] == list(range(30))
    assert np.allclose([frame.time_s for frame in frames], np.arange(30) / 20)
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image.shape == (96, 160, 3)


def test_colours_are_red_first(make_video: VideoMaker) -> None:
    image = next(iter(read_frames(make_video(frames=2)))).image
    left = image[60:, :60].reshape(-1, 3).mean(0)
    assert left[0] > left[2] + 40


def test_variable_rate_keeps_the_file_s_own_times(make_video: VideoMaker) -> None:
    frames = list(read_frames(make_video(times_ms=VARIABLE_MS)))
    assert np.allclose([frame.time_s for frame in frames], np.array(VARIABLE_MS) / 1000)
    assert [frame.index for frame in frames] == list(range(len(VARIABLE_MS)))


def test_times_count_from_the_first_frame(make_video: VideoMaker) -> None:
    frames = list(read_frames(make_video(times_ms=[500, 550, 600])))
    assert np.allclose([frame.time_s for frame in frames], [0, 0.05, 0.1])


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_of_the_file_is_applied(make_video: VideoMaker, turn: int) -> None:
    plain = next(iter(read_frames(make_video("plain.mp4", frames=2)))).image
    turned = next(iter(read_frames(make_video("turned.mp4", frames=2, rotation=turn)))).image
    # The display matrix counts counter-clockwise, as numpy does.
    expected = np.rot90(plain, turn // 90)
    assert turned.shape == expected.shape
    assert np.abs(turned.astype(int) - expected).mean() < 3


def test_size_is_the_upright_size(make_video: VideoMaker) -> None:
    path = make_video(frames=2, rotation=90)
    assert next(iter(read_frames(path, size=(48, 80)))).image.shape == (80, 48, 3)


def test_stride_start_and_end_keep_the_indices_of_the_file(make_video: VideoMaker) -> None:
    path = make_video(times_ms=VARIABLE_MS, key_frames_every=4)
    cut = list(read_frames(path, start_s=0.3, end_s=0.6))
    assert [frame.index for frame in cut] == [5, 6, 7, 8]
    assert [read_mark(frame.image) for frame in cut] == [5, 6, 7, 8]
    assert [frame.index for frame in read_frames(path, stride=5)] == [0, 5, 10]


@pytest.mark.parametrize("start_s", [0, 0.5, 1.64, 3.2])
@pytest.mark.parametrize(
    ("name", "codec", "b_frames"),
    [
        ("a.avi", "libx264", 3),  # tells no times to show a frame at
        ("a.avi", "mpeg4", 2),
        ("a.avi", "mjpeg", 0),
        ("a.ts", "libx264", 3),  # without an index
        ("a.ts", "mpeg2video", 2),
        ("a.mpg", "mpeg2video", 2),
        ("a.flv", "libx264", 3),
        ("a.mkv", "libx264", 3),
        ("a.mov", "libx264", 3),
    ],
)
def test_every_container_begins_where_it_is_to_and_keeps_frames_in_order(
    make_video: VideoMaker, name: str, codec: str, b_frames: int, start_s: float
) -> None:
    path = make_video(name, codec=codec, b_frames=b_frames, frames=90, fps=25, key_frames_every=40)
    found = list(read_frames(path, start_s=start_s))
    wanted = [index for index in range(90) if index / 25 >= start_s - 1e-9]
    assert [read_mark(frame.image) for frame in found] == wanted
    assert [frame.index for frame in found] == wanted
    np.testing.assert_allclose([f.time_s for f in found], np.array(wanted) / 25, atol=2e-3)


def test_frames_behind_damage_keep_their_index(make_video: VideoMaker) -> None:
    path = make_video(frames=60, fps=20, key_frames_every=10)
    _damage_packets(path, first=20, last=24)
    reader = read_frames(path)
    frames = list(reader)
    assert reader.frames_lost > 0
    assert frames[-1].index == 59
    behind = [frame for frame in frames if frame.index >= 30]
    assert len(behind) == 30
    assert [read_mark(frame.image) for frame in behind] == list(range(30, 60))


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(make_video: VideoMaker) -> None:
    path = make_video(frames=80, fps=20)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    reader = read_frames(path)
    frames = list(reader)
    assert 20 < len(frames) < 80
    assert reader.frames_lost >= 80 - len(frames)
    assert reader.frames_read == len(frames)
    assert reader.breaks_off_s == pytest.approx(frames[-1].time_s + 0.05, abs=0.051)
    part = read_frames(path, end_s=3.5)
    assert part.frames_lost == 0 and len(list(part)) == len(frames)
    assert part.frames_lost == 70 - len(frames)  # those behind the end are not missed


@pytest.mark.parametrize("audio", [False, True])
def test_a_matroska_file_that_was_cut_off_is_told_by_its_duration(
    make_video: VideoMaker, audio: bool
) -> None:
    path = make_video("video.mkv", frames=80, fps=20, audio=audio)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    for start_s in (0.0, 1.0):
        reader = read_frames(path, start_s=start_s)
        frames = list(reader)
        assert frames[-1].index < 79
        assert reader.frames_lost == 79 - frames[-1].index
        assert reader.breaks_off_s == pytest.approx(frames[-1].time_s + 0.05)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "whole",
    [
        {"times_ms": VARIABLE_MS},
        {"times_ms": [0, 3000, 3040, 3080, 9000]},
        {"frames": 1},
        {"frames": 10, "audio": True, "sound_s": 4.0},
    ],
    ids=["variable rate", "slides", "one frame", "longer sound"],
)
def test_an_unhurt_file_loses_nothing(
    make_video: VideoMaker, suffix: str, whole: dict[str, Any]
) -> None:
    reader = read_frames(make_video(f"video.{suffix}", **whole))
    assert len(list(reader)) == whole.get("frames", len(whole.get("times_ms", ())))
    assert (reader.frames_lost, reader.breaks_off_s) == (0, None)


def test_images_in_natural_order_and_unreadable_ones_counted(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2, 10):
        cv2.imwrite(str(folder / f"frame{number}.png"), marked_picture(number, 160, 96))
    (folder / "frame3.png").write_bytes(b"no picture")
    reader = read_frames(folder)
    frames = list(reader)
    assert [read_mark(frame.image) for frame in frames] == [1, 2, 10]
    assert [Path(frame.source).name for frame in frames] == [
        "frame1.png",
        "frame2.png",
        "frame10.png",
    ]
    assert reader.frames_lost == 1
    assert len(list(read_frames(str(folder / "*1*.png")))) == 2
    single = list(read_frames(folder / "frame2.png"))
    assert [read_mark(frame.image) for frame in single] == [2]


def test_an_image_is_read_in_rgb(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((20, 20, 3), (0, 0, 255), np.uint8))
    assert tuple(next(iter(read_frames(path))).image[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.mp4", b"this is a text file, whatever it is called\n" * 50), ("empty.mp4", b"")],
)
def test_what_is_no_video_is_a_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        list(read_frames(path))


def test_sound_without_picture_is_a_clear_error(tmp_path: Path, make_video: VideoMaker) -> None:
    whole = make_video(frames=40, audio=True)
    path = tmp_path / "sound.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(InputError, match="no video stream"):
        read_frames(path)


def test_missing_sources_and_wrong_arguments(tmp_path: Path, make_video: VideoMaker) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.mp4"):
        read_frames(tmp_path / "nothing.mp4")
    with pytest.raises(InputError, match="no images"):
        read_frames(tmp_path)
    path = make_video(frames=2)
    with pytest.raises(InputError, match="stride"):
        read_frames(path, stride=0)
    with pytest.raises(InputError, match="end must be after"):
        read_frames(path, start_s=2, end_s=1)


def test_a_folder_of_videos_says_so(tmp_path: Path, make_video: VideoMaker) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.move(make_video(frames=2), folder / "a.mp4")
    with pytest.raises(InputError, match="it has videos"):
        read_frames(folder)


def test_every_frame_of_the_real_clips_is_read(shared: Path) -> None:
    counts = {"highway_720p_25fps.mp4": 38, "highway_720p_two_cars.mp4": 88}
    for name, count in counts.items():
        reader = read_frames(shared / "clips" / name)
        assert len(list(reader)) == count
        assert reader.frames_lost == 0


def _damage_packets(path: Path, first: int, last: int) -> None:
    """Overwrite the payload of some packets, where they lie in the file."""
    with av.open(str(path)) as container:
        places = [
            (packet.pos, packet.size)
            for packet in container.demux(video=0)
            if packet.pos is not None
        ]
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(3)
    for position, size in places[first : last + 1]:
        data[position : position + size] = noise.bytes(size)
    path.write_bytes(data)


def test_an_endless_end_is_the_end(make_video: VideoMaker) -> None:
    assert len(list(read_frames(make_video(frames=5), end_s=float("inf")))) == 5
