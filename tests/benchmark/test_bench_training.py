"""`bench`: an epoch of training from the cache beside the straightforward one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import straightforward
from drive import cli
from drive.benchmark import report, training
from drive.benchmark.measure import Times
from drive.benchmark.stages import Row
from drive.core.errors import InputError
from drive.recordings.recording import open_recordings
from drive.steering.network import build_network
from drive.steering.preprocess import preprocess
from drive.video.reader import read_frames

ANGLES = [float(index % 7 - 3) for index in range(80)]


@pytest.fixture
def recording(make_recording: Callable[..., Path]) -> Path:
    return make_recording("town", ANGLES, fps=20)


def test_the_straightforward_network_is_ours() -> None:
    ours, theirs = build_network(), straightforward.build_pilotnet()
    shapes = [[weight.shape for weight in model.get_weights()] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert theirs.count_params() == 252_219


@pytest.mark.parametrize("reader", ["opencv", "moviepy"])
def test_the_straightforward_way_sees_our_pixels(recording: Path, reader: str) -> None:
    video = recording / "epoch01_front.mp4"
    theirs = list(straightforward.read_video(video, reader))
    assert len(theirs) == 80
    assert len(list(straightforward.read_video(video, reader, limit=7))) == 7
    with read_frames(video) as frames:
        ours = [preprocess(frame.image) for frame in frames]
    assert np.abs(np.array(theirs, np.int16) - np.array(ours, np.int16)).mean() < 2


def test_a_batch_is_read_from_its_first_frame(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(straightforward, "TOP", 0.0)  # the number of a frame is in its top rows
    video = recording / "epoch01_front.mp4"
    read, images = straightforward.read_batch(video, [34, 35, 40])
    assert read == 7
    every = list(straightforward.read_video(video, "opencv"))
    assert np.array_equal(images, [every[34], every[35], every[40]])
    assert not np.array_equal(every[34], every[35])


@pytest.mark.slow
def test_the_straightforward_way_runs_alone(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straightforward.main(["train", str(recording), "--reader", "batches"])
    assert "80 frames read, 80 trained on" in capsys.readouterr().out
    straightforward.main(["train", str(recording), "--epochs", "1"])
    assert "80 frames read, 80 trained on" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        straightforward.main(["train", str(recording / "absent")])


@pytest.mark.slow
def test_both_ways_train_on_the_same_frames(
    recording: Path,
    make_recording: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "FRAMES", 100)
    other = make_recording("country", ANGLES, fps=20)
    recordings = open_recordings([recording, other])
    asked: list[Any] = []
    monkeypatch.setattr(straightforward, "train_epoch", lambda *args: asked.append(args))
    found = training.training_stages(recordings, tmp_path / "cache")
    assert [(row.subject, row.engine) for row, _ in found.pairs] == [
        ("drive", "cache"),
        ("drive, varied", "cache"),
        ("straightforward", "opencv"),
        ("straightforward", "moviepy"),
        ("straightforward", "batches"),
    ]
    drives, batch = asked[0][1:3]
    limits = [limit for _, _, limit in drives]
    assert 79 <= limits[0] <= 80  # 10 of 20 frames a second are cached
    assert sum(limits) == found.facts.frames_decoded == 100
    chosen = [angles for _, angles, _ in drives]
    assert sum(map(len, chosen)) == found.facts.frames_trained == found.pairs[0][1].units
    assert len(chosen[0]) > 10
    for angles, limit in zip(chosen, limits, strict=True):
        assert all(ANGLES[index] == angle for index, angle in angles.items())
        assert all(index % 2 == 0 and index < limit for index in angles)
    assert batch == found.facts.batch


@pytest.mark.slow
def test_the_command_measures_training(
    recording: Path,
    tmp_path: Path,
    weights: Path,
    small_reference: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    video = recording / "epoch01_front.mp4"
    options = ["--recording", recording, "--cache", tmp_path / "cache", "--rounds", "1"]
    arguments = ["bench", video, "--weights", weights, "--no-keras", "--no-detect", *options]
    assert cli.main([*map(str, arguments), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "in every epoch, in one process" in printed.err
    assert "training_vs_straightforward" in printed.out
    figures = json.loads((out / "bench.json").read_text())
    assert figures["training"]["videos"] == [str(video)]
    rows = {(r["subject"], r["engine"]): r for r in figures["stages"] if r["stage"] == "training"}
    slow, fast = rows["straightforward", "opencv"]["ms"], rows["drive", "cache"]["ms"]
    ratio = figures["ratios"]["training_vs_straightforward"]
    assert ratio == pytest.approx(slow / fast, rel=0.01)
    assert figures["ratios"]["training_by_reader"]["moviepy"] > 0
    assert cv2.imread(str(out / "bench.png")).std() > 5


def test_the_ratio_is_to_the_first_reader() -> None:
    milliseconds = {
        Row(training.TRAINING, training.DRIVE, "", training.CACHE, "200x66"): 1.5,
        Row(training.TRAINING, training.VARIED, "", training.CACHE, "200x66"): 2.0,
        Row(training.TRAINING, training.STRAIGHTFORWARD, "", "opencv", "640x360"): 15.0,
        Row(training.TRAINING, training.STRAIGHTFORWARD, "", "moviepy", "640x360"): 30.0,
        Row(training.TRAINING, training.STRAIGHTFORWARD, "", "batches", "640x360"): 45.0,
    }
    times = {row.key: Times([[value]]) for row, value in milliseconds.items()}
    found = report.ratios(list(milliseconds), times)
    assert found.plain["training_vs_straightforward"] == 10.0
    assert found.by_reader == {"opencv": 10.0, "moviepy": 20.0, "batches": 30.0}


@pytest.mark.slow
def test_without_the_peer_there_is_no_ratio(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks", None)
    found = training.training_stages(open_recordings([recording]), tmp_path / "cache")
    assert [row.engine for row, _ in found.pairs] == ["cache", "cache"]


def test_pictures_are_no_videos(tmp_path: Path) -> None:
    (tmp_path / "IMG").mkdir()
    stamp = "2016_12_01_13_30_48_287"
    names = [f"{side}_{stamp}.jpg" for side in ("center", "left", "right")]
    for name in names:
        cv2.imwrite(str(tmp_path / "IMG" / name), np.zeros((40, 80, 3), np.uint8))
    line = ",".join([*(f"IMG/{name}" for name in names), "0.1", "0", "0", "20"])
    (tmp_path / "driving_log.csv").write_text(line + "\n")
    with pytest.raises(InputError, match="folder of images"):
        training.training_stages(open_recordings([tmp_path]), tmp_path / "cache")
