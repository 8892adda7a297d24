"""Planes: what was drawn reaches them, what was not stays as the source had it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.drawing.overlay import Overlay
from drive.pipeline.sinks import AnnotatedVideo, Result, VideoSettings
from drive.video.mp4 import to_yuv
from drive.video.planes import Place, carry_over, split
from drive.video.reader import read_frames
from tests.conftest import VideoMaker


def soft_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random colours that change slowly, as chroma of half the size can hold."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


@pytest.mark.parametrize(("width", "height"), [(160, 96), (64, 720), (854, 480), (642, 362)])
def test_all_of_a_picture_carried_over_is_the_picture_converted(width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 8 * 8, : width // 8 * 8] = soft_picture(height, width)
    planes = np.zeros((height * 3 // 2, width), np.uint8)
    carry_over(image, planes, [Place(-3, -3, width + 9, height + 9)])
    expected = to_yuv(image).to_ndarray()
    error = np.abs(planes.astype(int) - expected)
    assert error[:height].max() <= 2
    assert np.median(error[height:]) <= 1 and error[height:].mean() < 4


def test_only_the_places_change_and_odd_ones_grow_to_whole_chroma() -> None:
    image = np.full((96, 160, 3), (250, 20, 20), np.uint8)
    planes = np.full((144, 160), 77, np.uint8)
    carry_over(image, planes, [Place(31, 21, 50, 40), Place(200, 0, 210, 9)])
    luma, blue, red = split(planes)
    inside = np.zeros((96, 160), bool)
    inside[20:40, 30:50] = True
    assert ((luma != 77) == inside).all()
    assert ((blue != 77) == inside[::2, ::2]).all()
    assert ((red != 77) == inside[::2, ::2]).all()


@pytest.mark.parametrize("seed", range(12))
def test_the_overlay_tells_every_place_that_it_drew_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = [(320, 180), (641, 361), (1280, 720), (64, 48)][seed % 4]
    corners = rng.uniform(-0.2, 1.2, (8, 2, 2)) * (width, height)
    found = [
        Detection("car", float(rng.random()), Box(*low, *high), None if seed % 3 else index)
        for index, (low, high) in enumerate(zip(corners.min(1), corners.max(1), strict=True))
    ]
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    overlay = Overlay(width, height)
    drawn = overlay.draw(
        image.copy(),
        detections=found,
        angle_deg=float(rng.normal(0, 20)) if seed % 2 else None,
        truth_deg=float(rng.normal(0, 20)) if seed % 5 else None,
        header="00:12.3  gjpqy 24 fps" if seed % 4 else None,
        region=Region.road(width, height) if height > 100 else None,
    )
    told = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in overlay.places:
        told[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = True
    assert (drawn != image).any()
    assert not (drawn != image).any(axis=2)[~told].any()
    overlay.draw(image)
    assert overlay.places == []


def encode(
    path: Path, *, pix_fmt: str, colorspace: int, size: tuple[int, int], turn: int = 0
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
        stream.codec_context.colorspace = colorspace
        if pix_fmt.startswith("yuvj"):
            stream.codec_context.color_range = ColorRange.JPEG
        if turn:
            stream.set_display_rotation(turn)
        image = np.full((size[1], size[0], 3), (200, 60, 30), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("pix_fmt", "colorspace", "size", "turn", "given"),
    [
        ("yuv420p", 1, (64, 720), 0, True),
        ("yuv420p", 2, (64, 720), 0, True),
        ("yuv420p", 6, (64, 720), 0, False),
        ("yuv420p", 5, (64, 96), 0, True),
        ("yuv420p", 2, (64, 96), 0, True),
        ("yuv420p", 1, (64, 96), 0, False),
        ("yuvj420p", 6, (64, 96), 0, False),
        ("yuv444p", 6, (64, 96), 0, False),
        ("yuv420p", 6, (64, 96), 90, False),
    ],
)
def test_the_reader_gives_planes_only_as_they_are_promised(
    tmp_path: Path, pix_fmt: str, colorspace: int, size: tuple[int, int], turn: int, given: bool
) -> None:
    path = tmp_path / "video.mp4"
    encode(path, pix_fmt=pix_fmt, colorspace=colorspace, size=size, turn=turn)
    (frame,) = list(read_frames(path, planes=True))
    assert (frame.planes is not None) == given
    if frame.planes is not None:
        again = to_yuv(frame.image).to_ndarray()
        assert np.abs(frame.planes.astype(int) - again).max() <= 3
    assert next(iter(read_frames(path))).planes is None
    assert next(iter(read_frames(path, planes=True, size=(32, 32)))).planes is None


def test_an_annotated_video_keeps_the_pixels_that_were_not_drawn_on(
    tmp_path: Path, make_video: VideoMaker
) -> None:
    """With and without planes the same pictures come out, but for the rounding of colours."""
    video = make_video(frames=3, size=(320, 180))
    decoded: list[list[np.ndarray]] = []
    for planes in (True, False):
        path = tmp_path / f"planes-{planes}.mp4"
        settings = VideoSettings(320, 180, 20.0)
        with AnnotatedVideo(path, settings) as sink:
            for frame in read_frames(video, planes=planes):
                assert (frame.planes is not None) == planes
                sink.write(Result(frame, [Detection("car", 0.9, Box(100, 60, 200, 120), 1)], 3.0))
        decoded.append([frame.image.astype(int) for frame in read_frames(path)])
    for ours, plain in zip(*decoded, strict=True):
        assert np.abs(ours - plain).mean() < 2
        assert np.abs(ours - plain)[60:120, 100:200].mean() < 4
