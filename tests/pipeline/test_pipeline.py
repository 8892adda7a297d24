"""The pipeline with stand-in models: right frames, right times, whole files or none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive import read_frames
from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.pipeline.analyser import Analyser, Detecting, Predicting, run_pipeline
from drive.pipeline.sinks import (
    AnnotatedImages,
    AnnotatedVideo,
    DetectionTable,
    SteeringTable,
    VideoSettings,
)
from drive.results.record import RunRecord
from drive.video.probe import probe
from tests.conftest import VideoMaker, marked_picture, read_mark

TIMES_MS = [0, 40, 95, 140, 260, 300, 333, 420]


class MarkDetector:
    """Finds one car whose box tells the frame's number; fails on one frame where asked."""

    name = "mark"
    classes = ("car",)

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.regions: list[Region | None] = []

    def default_region(self, width: int, height: int) -> Region:
        return Region(0, 10, width, height)

    def detect(
        self,
        image: np.ndarray,
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[Detection]:
        number = read_mark(image)
        if number == self.fails_at:
            raise RuntimeError("the network fell over")
        self.regions.append(region)
        return [Detection("car", 0.5, Box(number, 20, number + 50.5, 60))]


class MarkModel:
    """Steers by the frame's number."""

    members = 1

    def predict(self, image: np.ndarray) -> float:
        return read_mark(image) / 10


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def settings(video: Path) -> VideoSettings:
    info = probe(video)
    return VideoSettings(info.width, info.height, info.average_fps or 20)


@pytest.mark.parametrize("threads", [0, 1])
def test_tables_and_video_follow_the_source(
    tmp_path: Path, make_video: VideoMaker, threads: int
) -> None:
    video = make_video(times_ms=TIMES_MS)
    boxes, steering = DetectionTable(tmp_path / "d.csv"), SteeringTable(tmp_path / "s.csv")
    pictures = AnnotatedVideo(tmp_path / "out.mp4", settings(video))
    record = RunRecord([], {})
    record.spans = []
    truth = {2: 1.5}
    predicting = Predicting(MarkModel(), recorded=lambda frame: truth.get(frame.index))
    analyser = Analyser(Detecting(MarkDetector()), predicting, record)
    sinks = [boxes, steering, pictures]
    run_pipeline(read_frames(video), analyser, sinks, record, threads=threads)

    assert len({span.thread for span in record.spans}) == (1 if threads else 3)
    found = rows_of(tmp_path / "d.csv")
    assert ",".join(found[0]) == "source,frame,time_s,track_id,class,score,x1,y1,x2,y2"
    assert [float(row["x1"]) for row in found] == list(range(len(TIMES_MS)))
    assert [float(row["time_s"]) * 1000 for row in found] == pytest.approx(TIMES_MS)
    assert {row["source"] for row in found} == {"video.mp4"}
    angles = rows_of(tmp_path / "s.csv")
    assert [float(row["angle_deg"]) for row in angles] == pytest.approx(
        [index / 10 for index in range(len(TIMES_MS))]
    )
    assert [row["truth_deg"] for row in angles] == ["", "", "1.5", "", "", "", "", ""]
    written = [frame.time_s * 1000 for frame in read_frames(tmp_path / "out.mp4")]
    assert written == pytest.approx(TIMES_MS, abs=1)
    assert record.counts == {"frames_read": len(TIMES_MS), "frames_lost": 0}
    assert {"decode", "detect", "steer", "write"} <= set(record.seconds)


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, make_video: VideoMaker) -> None:
    video = make_video(frames=10)
    out = tmp_path / "out"
    out.mkdir()
    sinks = [DetectionTable(out / "d.csv"), AnnotatedVideo(out / "v.mp4", settings(video))]
    analyser = Analyser(Detecting(MarkDetector(fails_at=5)))
    with pytest.raises(RuntimeError, match="fell over"):
        run_pipeline(read_frames(video), analyser, sinks, RunRecord([], {}))
    assert list(out.iterdir()) == []


def test_the_region_is_the_detector_s_own_or_the_user_s(make_video: VideoMaker) -> None:
    detector = MarkDetector()
    frame = next(iter(read_frames(make_video(frames=2))))
    assert Analyser(Detecting(detector)).analyse(frame).region == Region(0, 10, 160, 96)
    Analyser(Detecting(detector, region="1,2,100,90")).analyse(frame)
    assert detector.regions == [Region(0, 10, 160, 96), Region(1, 2, 100, 90)]


def test_every_n_th_frame_asks_the_network_and_the_tracker_fills_in(make_video: VideoMaker) -> None:
    from drive.detection.tracker import Tracker

    detector = MarkDetector()
    analyser = Analyser(Detecting(detector, Tracker(), every=3))
    results = [analyser.analyse(frame) for frame in read_frames(make_video(frames=24))]
    assert len(detector.regions) == 8
    settled = results[12:]
    assert all(len(result.detections or []) == 1 for result in settled)
    assert len({result.detections[0].track_id for result in settled if result.detections}) == 1
    centres = [result.detections[0].box.x1 for result in settled if result.detections]
    assert np.allclose(centres, range(12, 24), atol=2)
    assert analyser.flicker is not None
    assert analyser.flicker.results() == {"tracks": 1, "flicker": 0.0, "flicker_untracked": 0.0}


def test_with_a_stride_the_first_frame_asks_the_network_wherever_the_part_begins(
    make_video: VideoMaker,
) -> None:
    from drive.detection.tracker import Tracker

    analyser = Analyser(Detecting(MarkDetector(), Tracker(), every=5))
    frames = list(read_frames(make_video(frames=12)))[3:]
    assert all(analyser.analyse(frame).detections for frame in frames)


def test_flicker_counts_what_is_shown_beside_what_was_found(make_video: VideoMaker) -> None:
    from drive.detection.tracker import Tracker

    class Blinking(MarkDetector):
        """Misses every fourth frame."""

        def detect(self, image: np.ndarray, *args: object, **kwargs: object) -> list[Detection]:
            return [] if read_mark(image) % 4 == 3 else super().detect(image)

    analyser = Analyser(Detecting(Blinking(), Tracker()))
    shown = [analyser.analyse(frame).detections for frame in read_frames(make_video(frames=23))]
    assert all(shown)
    assert analyser.flicker is not None
    results = analyser.flicker.results()
    assert results == {"tracks": 1, "flicker": 0.0, "flicker_untracked": round(5 / 23, 4)}


def test_pictures_come_out_as_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, width in ((3, 160), (4, 320)):
        cv2.imwrite(str(folder / f"p{number}.png"), marked_picture(number, width, 96))
    cv2.imwrite(str(folder / "p4.bmp"), marked_picture(5, 320, 96))
    boxes = DetectionTable(tmp_path / "d.csv")
    pictures = AnnotatedImages(tmp_path / "images")
    run_pipeline(
        read_frames(folder),
        Analyser(Detecting(MarkDetector())),
        [boxes, pictures],
        RunRecord([], {}),
    )
    sources = [row["source"] for row in rows_of(tmp_path / "d.csv")]
    assert sources == ["p3.png", "p4.bmp", "p4.png"]
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names == ["p3.jpg", "p4-2.jpg", "p4.jpg"]
    assert cv2.imread(str(tmp_path / "images" / "p4.jpg")).shape == (96, 320, 3)
