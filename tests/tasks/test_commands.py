"""The analysing commands from the outside, with the weights that ship, on small videos."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from drive import cli, read_frames
from tests.conftest import VideoMaker, marked_picture

MakeRecording = Callable[..., Path]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    """Run a command with --json and return what its last line says."""
    assert cli.main([*map(str, arguments), "--quiet", "--json"]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def rows_of(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_detect_writes_video_table_and_record(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=12, size=(320, 192), audio=True)
    results = run(capsys, "detect", video, "--out", tmp_path / "out", "--preview")
    assert results["frames"] == 12
    assert len(list(read_frames(results["video"]))) == 12
    assert list(rows_of(results["detections"])) == []  # grey pictures hold no cars
    assert cv2.imread(results["preview"]) is not None
    record = json.loads(Path(results["run"]).read_text())
    assert record["counts"]["frames_written"] == 12
    assert record["detector"]["name"] == "tiny-yolo-drive"
    assert record["settings"]["region"] == "auto"
    assert len(record["region"]) == 4
    assert not list((tmp_path / "out").glob("*.part*"))


def test_a_second_run_does_not_overwrite(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=3)
    arguments = ["detect", str(video), "--out", str(tmp_path / "out"), "--quiet", "--no-video"]
    assert cli.main(arguments) == 0
    assert cli.main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert cli.main([*arguments, "--overwrite"]) == 0


def test_the_source_is_never_replaced(
    make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=3)
    before = video.read_bytes()
    arguments = ["detect", str(video), "--out", str(video.parent), "--overwrite", "--quiet"]
    assert cli.main(arguments) == 2
    assert "source itself" in capsys.readouterr().err
    assert video.read_bytes() == before


def test_losses_are_reported_even_when_quiet(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=60)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    arguments = ["detect", str(video), "--out", str(tmp_path / "out"), "--no-video", "--json"]
    assert cli.main([*arguments, "--quiet"]) == 0
    done = capsys.readouterr()
    results = json.loads(done.out.strip().splitlines()[-1])
    assert results["frames_lost"] > 0
    assert "video.mp4 breaks off after 1." in done.err
    assert f"of 3.00 s, as if its copy were incomplete: {results['frames_lost']} f" in done.err


def test_detect_on_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2):
        cv2.imwrite(str(folder / f"p{number}.png"), marked_picture(number, 320, 200))
    results = run(capsys, "detect", folder, "--out", tmp_path / "out")
    record = json.loads(Path(results["run"]).read_text())
    assert record["region"] == [0, 24, 320, 188]  # the road of 320x200 pixels
    assert sorted(path.name for path in Path(results["images"]).iterdir()) == ["p1.jpg", "p2.jpg"]
    assert "video" not in results


def test_predict_steering_shows_the_human_where_a_csv_lies_beside(
    tmp_path: Path, make_recording: MakeRecording, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording("drive", [index * 0.25 for index in range(12)], size=(320, 192))
    video = folder / "epoch01_front.mp4"
    results = run(capsys, "predict-steering", video, "--out", tmp_path / "out")
    rows = rows_of(results["steering"])
    assert [float(row["truth_deg"]) for row in rows] == [index * 0.25 for index in range(12)]
    assert all(np.isfinite(float(row["angle_deg"])) for row in rows)
    for key in ("steering_over_time", "steering_distribution"):
        assert cv2.imread(results[key]).std() > 5
    turned = run(
        *(capsys, "predict-steering", video, "--out", tmp_path / "left", "--no-video"),
        *("--positive", "left"),
    )
    assert float(rows_of(turned["steering"])[4]["truth_deg"]) == -1.0


def test_annotate_runs_both_models_in_one_pass(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(times_ms=[0, 40, 95, 140, 260, 300], size=(320, 192))
    results = run(capsys, "annotate", video, "--out", tmp_path / "out", "--every", "2")
    times_ms = [frame.time_s * 1000 for frame in read_frames(results["video"])]
    assert times_ms == pytest.approx([0, 40, 95, 140, 260, 300], abs=1)
    assert len(rows_of(results["steering"])) == 6
    assert Path(results["detections"]).exists()


def test_start_and_end_cut_the_source(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=40, fps=20, size=(320, 192))
    results = run(
        *(capsys, "predict-steering", video, "--out", tmp_path / "out"),
        *("--start", "0.5", "--end", "1.0"),
    )
    rows = rows_of(results["steering"])
    assert [int(row["frame"]) for row in rows] == list(range(10, 20))
    assert float(rows[0]["time_s"]) == pytest.approx(0.5)
    assert len(list(read_frames(results["video"]))) == 10


def test_crop_preview_shows_the_region(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=4, size=(320, 192))
    results = run(
        *(capsys, "crop-preview", video, "--region", "0,96,320,192", "--out", tmp_path / "out")
    )
    picture = cv2.imread(results["preview"])
    assert picture.shape[1] == 1280
    frame = picture[100:700]
    assert frame[:200, 600:1200].mean() < frame[420:560, 600:1200].mean() - 30  # dim outside


def test_unknown_classes_are_refused(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=3)
    arguments = ["detect", str(video), "--classes", "car,spaceship", "--out", str(tmp_path / "o")]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert "spaceship" in error
    assert "motorcycle" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"--start": "9"}, "must be before the end of video.mp4, which lasts 0.15 s; got 9 s"),
        ({"--out": "video.mp4"}, "video.mp4 is a file"),
        ({"--out": "video.mp4/out"}, "cannot be created"),
        ({"--region": "5,5,6,6"}, "at least 16 pixels wide and high"),
    ],
)
def test_what_cannot_work_is_told_before_the_network_loads(
    asked: dict[str, str],
    told: str,
    tmp_path: Path,
    make_video: VideoMaker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_video(frames=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drive.tasks._detecting.load_detector", None)
    options = [each for pair in ({"--out": "out"} | asked).items() for each in pair]
    assert cli.main(["detect", "video.mp4", *options]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]


@pytest.mark.slow
def test_both_cars_of_the_highway_clip_are_found(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = shared / "clips" / "highway_720p_25fps.mp4"
    results = run(capsys, "detect", clip, "--out", tmp_path / "out", "--classes", "car,truck,bus")
    rows = rows_of(results["detections"])
    # The two cars drive at x 790 to 960 and 995 to 1240 of 1280 pixels, at y 400 to 510.
    both = sum(
        any(780 < float(row["x1"]) < 900 for row in rows if int(row["frame"]) == index)
        and any(950 < float(row["x1"]) < 1100 for row in rows if int(row["frame"]) == index)
        for index in range(38)
    )
    assert len(list(read_frames(results["video"]))) == 38
    assert both >= 36
    # Besides them, only cars far ahead and behind the left wall, 20 to 80 pixels wide.
    near = [row for row in rows if float(row["x2"]) - float(row["x1"]) > 80]
    assert len(near) == pytest.approx(2 * 38, abs=4)


def test_pictures_are_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    picture = folder / "a.jpg"
    cv2.imwrite(str(picture), marked_picture(1, 320, 200))
    before = picture.read_bytes()
    arguments = ["detect", str(folder), "--out", str(tmp_path), "--overwrite", "--quiet"]
    assert cli.main(arguments) == 2
    assert "source itself" in capsys.readouterr().err
    assert picture.read_bytes() == before


@pytest.mark.parametrize("options", [["--start", "9"], ["--start", "inf"], ["--end", "nan"]])
@pytest.mark.parametrize("video", [[], ["--no-video"]])
def test_times_outside_the_source_are_refused(
    tmp_path: Path,
    make_video: VideoMaker,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    video: list[str],
) -> None:
    source = make_video(frames=5, size=(320, 192))
    out = tmp_path / "out"
    assert cli.main(["detect", str(source), *options, *video, "--out", str(out), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists() or list(out.iterdir()) == []


def test_a_failed_run_leaves_no_empty_folder(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["detect", str(make_video(frames=3)), "--classes", "cat", "--out", str(out)]
    assert cli.main(arguments) == 2
    assert "cat" in capsys.readouterr().err
    assert not out.exists()


def test_the_shipped_steering_says_where_it_learnt(
    tmp_path: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    video = make_video(frames=3, size=(320, 192))
    assert cli.main(["predict-steering", str(video), "--out", str(tmp_path / "out")]) == 0
    assert "simulator" in capsys.readouterr().err


def test_evaluating_on_training_drives_is_pointed_out(
    make_recording: MakeRecording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_on = make_recording("alpine-1", [0.1 * index for index in range(25)], size=(320, 192))
    arguments = ["evaluate-steering", str(trained_on), "--out", str(tmp_path / "out"), "--quiet"]
    assert cli.main(arguments) == 0
    warnings = capsys.readouterr().err
    assert "trained on alpine-1/epoch01" in warnings
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["verdict"]["level"] != "good"


@pytest.mark.parametrize(("options", "threads"), [([], 0), (["--threads", "1"], 1)])
def test_threads_are_those_of_networks_decoder_and_encoder(
    tmp_path: Path,
    make_video: VideoMaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    threads: int,
) -> None:
    from drive.detection import detector
    from drive.steering import predict
    from drive.video import reader, writer

    seen: dict[str, set[int]] = {"decoder": set(), "encoder": set(), "networks": set()}

    def spy(module: object, name: str, what: str) -> None:
        original = getattr(module, name)

        def call(*arguments: object, **more: object) -> object:
            made = original(*arguments, **more)
            seen[what].add(made.codec_context.thread_count)
            return made

        monkeypatch.setattr(module, name, call)

    def spy_on_engine(module: object) -> None:
        original = module.load_engine

        def load(path: object, engine: str, threads: int, *more: object, **named: object) -> object:
            seen["networks"].add(threads)
            return original(path, engine, threads, *more, **named)

        monkeypatch.setattr(module, "load_engine", load)

    spy(reader, "video_stream", "decoder")
    spy(writer, "add_h264", "encoder")
    spy_on_engine(detector)
    spy_on_engine(predict)
    video = make_video(frames=3, size=(320, 192))
    run(capsys, "annotate", video, "--out", tmp_path / "out", *options)
    assert seen == {"decoder": {threads}, "encoder": {threads}, "networks": {threads, 1}}
