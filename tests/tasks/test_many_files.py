"""Several videos in one command: own folders, failures, going on, Ctrl-C, processes and Ray.

What a worker does with a video is mostly `light_analysis`; the last tests run the real thing.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drive import cli
from drive.core.errors import InputError
from drive.tasks import annotate, detect
from tests.conftest import VideoMaker
from tests.pipeline import light_analysis
from tests.pipeline.light_work import PATIENCE_S, wait_for_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "detect_one", light_analysis.analyse)
    monkeypatch.setattr(detect, "DetectResult", light_analysis.LightResult)
    monkeypatch.setattr(annotate, "annotate_one", light_analysis.analyse)


def videos(folder: Path, **words: str) -> dict[str, Path]:
    """Files `NAME.mp4` with the words that `light_analysis` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.mp4" for name in words}
    for name, path in paths.items():
        path.write_text(words[name] or "fine")
    return paths


def manifest_in(folder: Path) -> dict[str, dict]:
    content = json.loads((folder / "manifest.json").read_text())
    return {entry["folder"]: entry for entry in content["videos"]}


def statuses(folder: Path) -> dict[str, str]:
    return {name: entry["status"] for name, entry in manifest_in(folder).items()}


def attempts(video: Path) -> int:
    log = video.with_suffix(".log")
    return len(log.read_text().splitlines()) if log.exists() else 0


def detect_all(*arguments: object) -> int:
    return cli.main(["detect", *map(str, arguments), "--quiet"])


def test_each_video_gets_the_usual_files_in_a_folder_of_its_own(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    mon, tue = videos(tmp_path / "mon", a=""), videos(tmp_path / "tue", a="lossy", b="")
    out = tmp_path / "out"
    pattern = tmp_path / "tue" / "*.mp4"
    assert detect_all(mon["a"], pattern, "--out", out, "--jobs", "1", "--json") == 0
    said = capsys.readouterr()
    *table, last = said.out.strip().splitlines()
    results = json.loads(last)
    assert (results["videos"], results["done"], results["failed"]) == (3, 3, 0)
    assert [Path(each["folder"]).name for each in results["per_video"]] == ["a", "a-2", "b"]
    assert [each["source"] for each in results["per_video"]] == [
        *(str(mon["a"]), str(tue["a"]), str(tue["b"]))
    ]
    assert [line.split() for line in table[1:]] == [
        [name, "done", "3", "2", "1", line.split()[-1]]
        for name, line in zip(("a", "a-2", "b"), table[1:], strict=True)
    ]
    assert "warning: a-2: 2 damaged frames of a.mp4 were skipped" in said.err
    assert statuses(out) == {"a": "done", "a-2": "done", "b": "done"}
    with (out / "summary.csv").open(newline="") as file:
        assert [row["tracks"] for row in csv.DictReader(file)] == ["1", "1", "1"]
    for name, source in (("a", mon["a"]), ("a-2", tue["a"]), ("b", tue["b"])):
        written = sorted(path.name for path in (out / name).iterdir())
        assert written == ["report.html", "run.json", "table.csv"]
        record = json.loads((out / name / "run.json").read_text())
        assert record["settings"]["source"] == str(source)
        lost = "2 damaged frames of a.mp4 were skipped"
        assert record["warnings"] == ([lost] if name == "a-2" else [])
    whole = json.loads((out / "run.json").read_text())
    assert whole["counts"] == {"videos": 3, "done": 3, "failed": 0, "frames": 9}
    assert len({each["loaded_by"] for each in results["per_video"]}) == 1  # one worker, one model


def test_messages_of_the_workers_are_said_once(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = videos(tmp_path, a="", b="")
    arguments = ["detect", *map(str, paths.values()), "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().err.count("on the usual engine") == 1


def test_a_broken_video_stops_no_other_and_is_tried_again(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = videos(tmp_path, a="", b="broken", c="", d="crash")
    out = tmp_path / "out"
    assert detect_all(*paths.values(), "--out", out, "--jobs", "2") == 1  # a crash is not the input
    assert statuses(out) == {"a": "done", "b": "failed", "c": "done", "d": "failed"}
    assert "exit status 3" in manifest_in(out)["d"]["reason"]
    assert not (out / "d").exists()  # nor its half-written table
    paths["d"].write_text("fine")
    assert detect_all("--resume", out) == 2
    complaint = capsys.readouterr().err.strip().splitlines()[-1]
    assert "1 of 4 videos failed: b.mp4 is broken. Expected a video" in complaint
    assert f"--resume {out}" in complaint
    paths["b"].write_text("fine")
    assert detect_all("--resume", out) == 0
    assert statuses(out) == dict.fromkeys("abcd", "done")
    assert manifest_in(out)["b"]["reason"] is None
    assert {name: attempts(path) for name, path in paths.items()} == {
        **{"a": 1, "b": 3, "c": 1, "d": 2}
    }
    assert detect_all("--resume", out) == 0  # nothing is left to do
    assert attempts(paths["b"]) == 3
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["source"] == [str(path) for path in paths.values()]


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path, light: None) -> None:
    paths = videos(tmp_path, a="", b="fault")
    assert detect_all(*paths.values(), "--out", tmp_path / "out") == 1
    entry = manifest_in(tmp_path / "out")["b"]
    assert entry["reason"].startswith("ZeroDivisionError: division by zero (light_analysis.py:")
    assert "Traceback" in entry["traceback"]


def test_going_on_takes_new_videos_and_redoes_what_was_removed(tmp_path: Path, light: None) -> None:
    paths = videos(tmp_path, a="", b="")
    out = tmp_path / "out"
    assert detect_all(*paths.values(), "--out", out, "--conf", "0.3") == 0
    (out / "a" / "run.json").unlink()
    new = videos(tmp_path, c="")["c"]
    assert detect_all(tmp_path / "*.mp4", "--resume", out) == 0
    assert {path.stem: attempts(path) for path in [*paths.values(), new]} == {
        **{"a": 2, "b": 1, "c": 1}
    }
    record = json.loads((out / "c" / "run.json").read_text())
    assert record["settings"]["conf"] == 0.3  # as the run was asked


def test_going_on_otherwise_than_asked_is_refused(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = videos(tmp_path, a="", b="")
    out = tmp_path / "out"
    assert detect_all(*paths.values(), "--out", out, "--conf", "0.3", "--every", "2") == 0
    before = (out / "manifest.json").read_bytes()
    for arguments, words in [
        (["detect", "--resume", out, "--conf", "0.5"], ("--conf was 0.3", "got 0.5")),
        (["detect", "--resume", out, "--every", "1"], ("--every was 2", "got 1")),
        (["detect", "--resume", out, "--out", tmp_path / "x"], ("--out",)),
        (["annotate", "--resume", out], ("detect", "annotate")),
        (["detect", "--resume", tmp_path / "nowhere"], ("manifest.json", "nowhere")),
    ]:
        assert cli.main([*map(str, arguments), "--quiet"]) == 2
        complaint = capsys.readouterr().err
        assert complaint.count("\n") == 1
        for word in words:
            assert word in complaint
    assert (out / "manifest.json").read_bytes() == before
    assert detect_all("--resume", out, "--conf", "0.3", "--jobs", "1") == 0


OLD_SETTINGS = {
    **{"start": 0.0, "end": 3.0, "no_video": True, "engine": "auto", "no_report": True},
    **{"conf": 0.3, "region": "auto", "detail": None, "tiles": None, "classes": None, "every": 1},
    **{"exponent": None, "preview": False, "weights": None, "seed": 0},
}
"""As drive 0.1 wrote them: the names of the options of its command line."""


def test_a_run_of_an_earlier_version_is_resumed(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = videos(tmp_path / "in", a="", b="")
    out = tmp_path / "out"
    assert detect_all(*paths.values(), "--out", out, "--conf", "0.3", "--end", "3") == 0
    content = json.loads((out / "manifest.json").read_text())
    content["videos"][1]["status"] = "pending"
    (out / "manifest.json").write_text(json.dumps(content | {"settings": OLD_SETTINGS}))
    assert detect_all("--resume", out, "--end", "4") == 2
    assert "--end was 3 in the run to resume; got 4" in capsys.readouterr().err
    assert detect_all("--resume", out, "--every", "1", "--conf", "0.5") == 2
    assert "--conf was 0.3 in the run to resume; got 0.5" in capsys.readouterr().err
    assert detect_all("--resume", out, "--end", "3", "--no-video", "--jobs", "1") == 0
    assert {path.stem: attempts(path) for path in paths.values()} == {"a": 1, "b": 2}
    settings = json.loads((out / "b" / "run.json").read_text())["settings"]
    assert (settings["end_s"], settings["video"], settings["report"]) == (3, False, False)


def test_the_result_of_several_videos_has_that_of_each(tmp_path: Path, light: None) -> None:
    paths = videos(tmp_path, a="lossy", b="broken")
    config = detect.DetectConfig([str(path) for path in paths.values()], out=str(tmp_path / "out"))
    with pytest.raises(InputError, match="1 of 2 videos failed") as caught:
        detect.detect(config)
    result = caught.value.result
    assert isinstance(result, detect.DetectResult)
    assert (result.videos, result.done, result.failed) == (2, 1, 1)
    done, failed = result.per_video
    assert (done.status, failed.status) == ("done", "failed")
    assert done.result is not None and done.result.out == tmp_path / "out" / "a"
    assert (done.result.boxes, done.result.frames) == (2, 3)
    assert done.warnings == ("2 damaged frames of a.mp4 were skipped",)
    assert failed.result is None and "b.mp4 is broken" in str(failed.reason)


def test_results_that_are_there_are_not_overwritten(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = videos(tmp_path, a="", b="")
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    assert detect_all(*paths.values(), "--out", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["b"]
    (out / "b").rmdir()
    assert detect_all(*paths.values(), "--out", out) == 0
    (out / "run.json").unlink()  # as if it had been stopped
    assert detect_all(*paths.values(), "--out", out) == 2
    assert f"--resume {out}" in capsys.readouterr().err
    assert detect_all(*paths.values(), "--out", out, "--overwrite") == 0
    assert attempts(paths["a"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="no locks on folders")
def test_two_runs_do_not_work_in_one_folder(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from drive.results.manifest import only_run_in

    paths = videos(tmp_path, a="", b="broken")
    out = tmp_path / "out"
    assert detect_all(*paths.values(), "--out", out) == 2
    before = (out / "manifest.json").read_bytes()
    with only_run_in(out):  # as another process would hold it
        anew = ["--out", out, "--overwrite"]
        for options in (["--resume", out], [paths["a"], *anew], [*paths.values(), *anew]):
            assert detect_all(*options) == 2
            assert "another run is writing to" in capsys.readouterr().err.splitlines()[-1]
    assert (out / "manifest.json").read_bytes() == before
    paths["b"].write_text("fine")
    assert detect_all("--resume", out) == 0


def test_one_source_is_analysed_here_under_its_own_name(tmp_path: Path, light: None) -> None:
    paths = videos(tmp_path, a="")
    out = tmp_path / "out"
    assert detect_all(paths["a"], paths["a"], "--out", out) == 0
    assert paths["a"].with_suffix(".log").read_text() == f"{os.getpid()}\n"
    written = sorted(path.name for path in out.iterdir())
    assert written == ["report.html", "run.json", "table.csv"]
    record = json.loads((out / "run.json").read_text())
    assert record["settings"]["source"] == str(paths["a"])


def test_jobs_share_the_cores(
    tmp_path: Path, light: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from drive.pipeline import processes

    monkeypatch.setattr(processes, "cores", lambda: 4)
    paths = videos(tmp_path, a="", b="")
    for number, (options, threads) in enumerate([([], 2), (["--jobs", "1"], 4)]):
        out = tmp_path / f"out{number}"
        assert detect_all(*paths.values(), "--out", out, *options, "--json") == 0
        results = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert [each["threads"] for each in results["per_video"]] == [threads, threads]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "SOURCE"),
        (["a.mp4", "b.mp4", "--jobs", "0"], "--jobs"),
        (["a.mp4", "--threads", "-1"], "--threads"),
        (["a.mp4", "absent.mp4"], "absent.mp4"),
        (["a.mp4", "picture.png"], "picture.png"),
        (["a.mp4", "0"], "cameras"),
        (["*.png", "--engine-cluster", "ray"], "*.png"),
        (["a.mp4", "b.mp4", "--weights", "none.onnx"], "none.onnx"),
    ],
)
def test_wrong_sources_are_refused_before_any_work(
    tmp_path: Path,
    light: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    word: str,
) -> None:
    monkeypatch.setattr("drive.pipeline.ray_cluster.load_ray", lambda: None)
    videos(tmp_path, a="", b="")
    (tmp_path / "picture.png").touch()
    monkeypatch.chdir(tmp_path)
    assert detect_all(*arguments, "--out", "out") == 2
    complaint = capsys.readouterr().err
    assert word in complaint
    assert complaint.count("\n") == 1
    assert not Path("out").exists()


def test_one_csv_for_several_videos_is_refused(
    tmp_path: Path, light: None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = videos(tmp_path, a="", b="")
    arguments = ["annotate", *map(str, paths.values()), "--steering", "x.csv", "--quiet"]
    assert cli.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "--steering" in capsys.readouterr().err


def test_without_ray_the_command_says_what_to_install(
    tmp_path: Path, light: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    paths = videos(tmp_path, a="", b="")
    out = tmp_path / "out"
    assert detect_all(*paths.values(), "--engine-cluster", "ray", "--out", out) == 2
    complaint = capsys.readouterr().err
    assert "pip install" in complaint and "[ray]" in complaint
    assert complaint.count("\n") == 1
    assert not out.exists()


INTERRUPTED = """
import sys
from drive import cli
from drive.core.errors import InputError
from drive.tasks import detect
from tests.pipeline import light_analysis

if __name__ == "__main__":
    detect.detect_one = light_analysis.analyse
    detect.DetectResult = light_analysis.LightResult
    sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="no process groups")
def test_ctrl_c_leaves_a_manifest_to_go_on_from(tmp_path: Path, light: None) -> None:
    paths = videos(tmp_path / "in", a="", b="hang", c="hang", d="")
    out = tmp_path / "out"
    (tmp_path / "command.py").write_text(INTERRUPTED)
    arguments = ["detect", *map(str, paths.values()), "--out", str(out), "--jobs", "2", "--quiet"]
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for name in "bc":
            wait_for_file(out / name / "table.part.csv")
        os.killpg(process.pid, signal.SIGINT)
        complaint = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert complaint.strip().splitlines()[-1].endswith(f"resume with --resume {out}")
    assert "Traceback" not in complaint
    assert statuses(out) == {"a": "done", "b": "pending", "c": "pending", "d": "pending"}
    assert sorted(path.name for path in out.iterdir()) == ["a", "manifest.json"]
    for path in paths.values():
        path.write_text("fine")
    assert detect_all("--resume", out) == 0
    assert statuses(out) == dict.fromkeys("abcd", "done")
    assert attempts(paths["a"]) == 1


def steering_of(folder: Path) -> np.ndarray:
    """(N, 2): times in seconds and angles in degrees."""
    with (folder / "steering.csv").open(newline="") as file:
        rows = [(float(row["time_s"]), float(row["angle_deg"])) for row in csv.DictReader(file)]
    return np.array(rows)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [None, "ray"])
def test_workers_find_what_a_single_command_finds(
    tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch, cluster: str | None
) -> None:
    """The real models over two videos, in two processes and in two Ray workers."""
    if cluster and importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is absent: pip install ray, or requirements-dev.txt")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    first = make_video("mon/a.mp4", frames=6, size=(320, 192))
    second = make_video("tue/a.mp4", times_ms=[0, 40, 95, 140, 260], size=(320, 192))
    (tmp_path / "broken.mp4").write_text("just text")
    options = ["--jobs", "2", "--quiet", *(["--engine-cluster", cluster] if cluster else [])]
    out = tmp_path / "out"
    sources = [first, tmp_path / "broken.mp4", second]
    assert cli.main(["annotate", *map(str, sources), "--out", str(out), *options]) == 2
    assert statuses(out) == {"a": "done", "broken": "failed", "a-2": "done"}
    for name, source in (("a", first), ("a-2", second)):
        alone = tmp_path / f"alone-{name}"
        assert cli.main(["annotate", str(source), "--out", str(alone), "--quiet"]) == 0
        files = {path.name for path in alone.iterdir()}
        assert {path.name for path in (out / name).iterdir()} == files
        assert steering_of(out / name) == pytest.approx(steering_of(alone), abs=1e-3)
