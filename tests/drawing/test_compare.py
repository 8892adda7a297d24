"""Previews: two videos on one time axis, and a GIF; wrong inputs are told apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from drive.cli import main
from drive.core.errors import EncodeError, InputError
from drive.drawing.compare import default_labels, preview_gif, side_by_side
from drive.video.writer import VideoWriter

RED, GREEN = (200, 30, 30), (30, 160, 30)


def make_video(
    path: Path, colour: tuple[int, int, int], seconds: float = 1.0, fps: int = 10
) -> Path:
    """One colour, and white in the last frame."""
    frames = round(seconds * fps)
    with VideoWriter(path, width=128, height=72, rate_hint=fps) as writer:
        for number in range(frames):
            last = number == frames - 1
            image = np.full((72, 128, 3), 255 if last else colour, dtype=np.uint8)
            writer.write(image, number / fps)
    return path


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_two_videos_share_the_time_axis(tmp_path: Path) -> None:
    short = make_video(tmp_path / "a.mp4", RED, seconds=0.5)
    long = make_video(tmp_path / "b.mp4", GREEN, seconds=1.5)
    path = tmp_path / "both.mp4"
    assert side_by_side(short, long, path, height=72) == pytest.approx(1.5, abs=0.05)
    frames = decode(path)
    assert len(frames) == 15
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert container.duration / av.time_base == pytest.approx(1.5, abs=0.05)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    height, width = frames[0].shape[:2]
    assert width > 2 * 128 and height > 72
    left, right = (slice(-60, -10), slice(20, 100)), (slice(-60, -10), slice(-100, -20))
    assert np.abs(frames[1][left].mean(axis=(0, 1)) - RED).max() < 15
    assert np.abs(frames[1][right].mean(axis=(0, 1)) - GREEN).max() < 15
    assert frames[10][left].min() > 220
    assert np.abs(frames[10][right].mean(axis=(0, 1)) - GREEN).max() < 15


DARKEST, A_SECOND = 30, 40
"""Grey of a picture at second 0, and how much lighter a second makes it."""


def make_clock(path: Path, times_s: Sequence[float]) -> Path:
    """Pictures at these times, whose grey says the time."""
    with VideoWriter(path, width=64, height=64, rate_hint=10) as writer:
        for time_s in times_s:
            grey = round(DARKEST + A_SECOND * time_s)
            writer.write(np.full((64, 64, 3), grey, dtype=np.uint8), time_s)
    return path


def read_clock(half: np.ndarray) -> float:
    return (float(half[-50:-14, 14:50].mean()) - DARKEST) / A_SECOND


GAP_S = [*np.arange(0, 1, 0.1), *np.arange(4, 5, 0.1)]
EVEN_S = np.arange(0, 5, 0.1)
UNEVEN_S = [0, 0.1, 0.2, 1.2, 1.3, 1.9, 2.0, 2.1, 2.2, 3.5, 3.6, 4.6, 4.7, 4.8, 4.9]


@pytest.mark.parametrize("starts_s", [(0.0, 0.0), (2.0, 2.0), (0.5, 4.2)])
@pytest.mark.parametrize(("a", "b"), [(GAP_S, EVEN_S), (EVEN_S, UNEVEN_S)])
def test_each_side_shows_the_frame_whose_time_covers_the_moment(
    tmp_path: Path, a: Sequence[float], b: Sequence[float], starts_s: tuple[float, float]
) -> None:
    videos = make_clock(tmp_path / "a.mp4", a), make_clock(tmp_path / "b.mp4", b)
    path = tmp_path / "both.mp4"
    side_by_side(*videos, path, height=64, labels=("", ""), starts_s=starts_s)
    frames = decode(path)
    for number, frame in enumerate(frames):
        for half, times, start_s in zip(
            (frame[:, :64], frame[:, -64:]), (a, b), starts_s, strict=True
        ):
            covering_s = max(t for t in times if t < start_s + number / 10 + 0.01)
            assert read_clock(half) == pytest.approx(covering_s, abs=0.06), number
    assert len(frames) == pytest.approx(10 * (5 - min(starts_s)), abs=1)


def test_a_preview_keeps_to_the_times_of_its_video(tmp_path: Path) -> None:
    video = make_clock(tmp_path / "a.mp4", GAP_S)
    preview_gif(video, tmp_path / "p.gif", seconds=5, width=64, fps=2)
    shown_s = [read_clock(frame) for frame in decode(tmp_path / "p.gif")]
    assert shown_s[-1] == pytest.approx(4.5, abs=0.15) and max(shown_s[:-1]) < 4.2


def test_videos_of_one_frame_can_be_compared(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", RED, seconds=0.1)
    out = tmp_path / "out"
    assert main(["compare", str(video), str(video), "--out", str(out)]) == 0
    assert len(decode(out / "side_by_side.mp4")) == len(decode(out / "preview.gif")) == 1
    assert (out / "run.json").is_file()


def test_the_labels_are_written_above(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", RED, seconds=0.3)
    side_by_side(video, video, tmp_path / "n.mp4", height=72, labels=("before", ""))
    frame = decode(tmp_path / "n.mp4")[0]
    line = frame[: frame.shape[0] - 74]
    assert line[:, :126].max() > 150
    assert line[:, 140:].max() < 80


def test_same_names_are_told_apart_by_their_folders() -> None:
    assert default_labels(Path("x/a.mp4"), Path("x/b.mp4")) == ("a", "b")
    assert default_labels(Path("/x/v.mp4"), Path("/y/v.mp4")) == ("x/v", "y/v")


def test_a_preview_is_a_moving_gif(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", RED, seconds=1.0)
    assert preview_gif(video, tmp_path / "p.gif", seconds=4, width=64, fps=10) == pytest.approx(1.0)
    frames = decode(tmp_path / "p.gif")
    assert frames[0].shape == (36, 64, 3)
    assert len(frames) >= 2
    assert frames[-1].mean() > frames[0].mean() + 50


@pytest.mark.parametrize("wrong", ["missing.mp4", "text.mp4", "empty.mp4"])
def test_a_video_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    video = make_video(tmp_path / "a.mp4", RED, seconds=0.2)
    with pytest.raises(InputError, match=wrong):
        side_by_side(video, tmp_path / wrong, tmp_path / "out.mp4")
    with pytest.raises(InputError, match=wrong):
        preview_gif(tmp_path / wrong, tmp_path / "out.gif")
    assert not list(tmp_path.glob("out*"))


def test_wrong_numbers_and_places_are_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", RED, seconds=0.2)
    for height in (0, 100_000):
        with pytest.raises(InputError, match=r"--height must be from 32 to 2160 pixels; got "):
            side_by_side(video, video, tmp_path / "out.mp4", height=height)
    wide = tmp_path / "wide.mp4"
    with VideoWriter(wide, width=1024, height=16, rate_hint=10) as writer:
        writer.write(np.zeros((16, 1024, 3), np.uint8), 0.0)
    with pytest.raises(InputError, match=r"pixels wide; got 20484 at --height 160"):
        side_by_side(wide, wide, tmp_path / "out.mp4", height=160)
    with pytest.raises(InputError, match="seconds"):
        preview_gif(video, tmp_path / "out.gif", seconds=0)
    with pytest.raises(EncodeError, match="cannot be written"):
        preview_gif(video, tmp_path / "a.mp4" / "out.gif")


def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = make_video(tmp_path / "a.mp4", RED, seconds=0.3)
    b = make_video(tmp_path / "b.mp4", GREEN, seconds=0.3)
    out = tmp_path / "out"
    assert main(["compare", str(a), str(b), "--out", str(out), "--quiet", "--json"]) == 0
    assert '"preview"' in capsys.readouterr().out
    assert {entry.name for entry in out.iterdir()} == {
        "side_by_side.mp4",
        "preview.gif",
        "run.json",
    }


def test_the_command_leaves_nothing_for_a_missing_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = make_video(tmp_path / "a.mp4", RED, seconds=0.2)
    missing = tmp_path / "none.mp4"
    assert main(["compare", str(a), str(missing), "--out", str(tmp_path / "out")]) == 2
    assert "none.mp4" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def make_run(folder: Path, colour: tuple[int, int, int], first_s: float, source: str) -> Path:
    """A second of a run's video, as of a source of which it shows what begins at `first_s`."""
    folder.mkdir()
    video = make_video(folder / "v.mp4", colour)
    record = {
        "results": {"video": str(video)},
        "inputs": [{"path": f"{source}.mp4", "sha256": source}],
        "frames": {"first": {"frame": 0, "time_s": first_s}},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return video


@pytest.mark.parametrize(
    ("first_s", "source", "seconds", "said"),
    [
        (0.6, "drive", 0.4, "side by side is what both show of drive.mp4: 0.6 to 1.0 s"),
        (0.0, "drive", 1.0, ""),
        (7.0, "drive", 1.0, "warning: no moment of drive.mp4 is in both: A shows 0.0 to 1.0 s, B"),
        (0.6, "other", 1.0, "warning: A is of drive.mp4 and B of another source, other.mp4: "),
    ],
)
def test_two_excerpts_of_a_source_are_in_step(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    first_s: float,
    source: str,
    seconds: float,
    said: str,
) -> None:
    a = make_run(tmp_path / "a", RED, 0.0, "drive")
    b = make_run(tmp_path / "b", GREEN, first_s, source)
    out = tmp_path / "out"
    assert main(["compare", str(a), str(b), "--height", "72", "--out", str(out)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (2 if said else 1) and lines[0].startswith(said)
    frames = decode(out / "side_by_side.mp4")
    assert len(frames) == round(10 * seconds)
    assert frames[-1][-60:-10, 20:100].min() > 220  # the white last frame of A
    if seconds < 1:
        assert np.abs(frames[-1][-60:-10, -100:-20].mean(axis=(0, 1)) - GREEN).max() < 15


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ('"path": "drive.mp4", ', ""),
        ('"time_s": 0.6', f'"time_s": 1{"0" * 400}'),
        ('"time_s": 0.6', f'"time_s": 1{"0" * 5000}'),
    ],
)
def test_a_damaged_run_json_is_as_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entry: str, wrong: str
) -> None:
    videos = [make_run(tmp_path / name, RED, 0.6, "drive") for name in "ab"]
    run = tmp_path / "b" / "run.json"
    assert entry in run.read_text()
    run.write_text(run.read_text().replace(entry, wrong))
    out = tmp_path / "out"
    assert main(["compare", *map(str, videos), "--height", "72", "--out", str(out)]) == 0
    assert capsys.readouterr().err.startswith("wrote ")
