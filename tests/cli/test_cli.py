"""The command line: help at once, exit statuses, config files, run folders, JSON."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from drive import cli
from drive.core.shipped import SAMPLE
from drive.tasks import check_data, detect
from drive.tasks._run import Run, resumable
from tests.conftest import VideoMaker

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_VIDEO = SAMPLE / "epoch03_front.mp4"
HEAVY = ("numpy", "cv2", "av", "tensorflow", "keras", "openvino", "pandas", "matplotlib")


def run(*arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def assert_one_line_of_complaint(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    complaint = done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in complaint


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_is_quick_has_an_example_and_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from drive.cli import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert "example:" in done.stdout
    assert done.stdout.strip().endswith("[]")
    assert seconds < 1.5  # of the processor, which other programs do not change: 0.2 when idle


def test_the_overview_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in cli.COMMANDS:
        assert command in done.stdout


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "drive", "compare", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("usage: drive compare [OPTION ...] A.mp4 B.mp4\n")


def test_an_unknown_command_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["detec"]) == 2
    said = capsys.readouterr().err
    assert ": unknown command 'detec'. Did you mean detect? Expected one of: demo, " in said
    assert said.count("\n") == 1


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for words in (["help"], ["--help"], []):
        assert cli.main(words) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2] and "commands:" in shown[0]


def test_help_all_is_help_where_nothing_is_advanced(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for word in ("--help", "--help-all"):
        with pytest.raises(SystemExit, match="0"):
            cli.main(["compare", word])
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and "--labels" in shown[0]


def test_ctrl_c_while_the_command_line_loads_takes_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loading:
        @property
        def main(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "drive.cli.commands", Loading())  # type: ignore[arg-type]
    assert cli.start() == 130
    assert capsys.readouterr().err == "drive: interrupted\n"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["scripts"] == {"drive": "drive.cli:start"}


@pytest.mark.parametrize(
    "words", [["--help"], ["detect", "--help"], ["check-data", "{}", "--json"]]
)
def test_output_that_nobody_reads_ends_quietly(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "epoch01_front.mp4").write_bytes(SAMPLE_VIDEO.read_bytes())
    (tmp_path / "epoch01_steering.csv").write_text("frame,wheel\n0,1\n")
    words = [word.format(tmp_path) for word in words]
    command = [sys.executable, str(ROOT / "run.py"), *words]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, "Errno" in done.stderr, "Pipe" in done.stderr) == (1, False, False)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(": standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize(
    ("name", "content"), [("text.mp4", b"just text " * 99), ("empty.mp4", b""), (None, b"")]
)
def test_what_is_no_video_ends_with_status_2(
    tmp_path: Path, name: str | None, content: bytes
) -> None:
    path = tmp_path / (name or "absent.mp4")
    if name:
        path.write_bytes(content)
    done = run("detect", path, "--out", tmp_path / "out", "--quiet")
    assert_one_line_of_complaint(done, path.name)
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_wrong_options_end_with_status_2(tmp_path: Path, make_video: VideoMaker) -> None:
    video = make_video(frames=3)
    out = ["--out", tmp_path / "out", "--quiet"]
    assert_one_line_of_complaint(run("detect", video, "--region", "9,9,1,1", *out), "X1,Y1,X2,Y2")
    assert_one_line_of_complaint(run("detect", video, "--conf", "7", *out), "--conf", "7")
    assert run("detect", video, "--every", "0.5", *out).returncode == 2
    assert_one_line_of_complaint(run("detect", video, "--start", "5", "--end", "2", *out), "end")


def test_what_is_wrong_with_a_training_is_said_before_anything_heavy_loads(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    wrong = [
        ["train-steering", str(tmp_path / "absent")],
        ["train-steering", str(tmp_path / "empty")],
        ["train-steering", "--epochs", "0"],
        ["train-steering", "--validation", "nowhere"],
        ["train-steering", "--backbone", "vgg16", "--batch-norm"],
        ["train-steering", "--weights", "absent.onnx", "--no-batch-norm"],
        ["train-steering", "--cache", "/proc/nowhere"],
        ["train-steering", "--resume", str(tmp_path)],
        ["tune-steering", "--trials", "0"],
        ["tune-steering", "--validation", "nowhere"],
        ["tune-steering", "--search", "batch", "--batch", "8"],
        ["tune-steering", "--resume", str(tmp_path)],
    ]
    code = (
        "import sys; from drive.cli import main\n"
        f"for wrong in {wrong!r}:\n"
        f"    out = [] if '--resume' in wrong else ['--out', {str(tmp_path / 'out')!r}]\n"
        "    print(main([*wrong, *out]))\n"
        "print([n for n in ('tensorflow', 'keras', 'optuna') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.split() == ["2"] * len(wrong) + ["[]"]
    assert len(done.stderr.splitlines()) == len(wrong)
    assert not (tmp_path / "out").exists()


def test_a_config_file_gives_defaults_and_the_line_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings.toml"
    text = 'unit = "radians"\nfull-scale-deg = 20\nquiet = true\n'
    config.write_text(f"\ufeff{text}")  # a byte order mark, by Windows' Notepad
    seen = []
    monkeypatch.setattr(check_data, "check_data", lambda *given: seen.append(given))
    status = cli.main(["check-data", "x", "--config", str(config), "--full-scale-deg", "30"])
    assert status == 0
    ((settings, console),) = seen
    assert settings.unit == "radians"
    assert settings.full_scale_deg == 30
    assert console.quiet is True


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("colour = 1", "colour"),
        ("full-scale-deg = 'wide'", "full-scale-deg"),
        ("unit = 'grad'", "grad"),
        ("quiet = 'yes'", "quiet"),
        ("= broken", "TOML"),
        (f"full-scale-deg = 0x{'f' * 5000}", "full-scale-deg must be a number; got a whole number"),
    ],
)
def test_a_wrong_config_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, word: str
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(content)
    assert cli.main(["check-data", "x", "--config", str(config)]) == 2
    assert word in capsys.readouterr().err


def test_a_folder_is_no_config_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-data", "x", "--config", str(tmp_path)]) == 2
    assert f"{tmp_path} is a folder; expected a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option", "expected"),
    [
        ("detect", "--seed", "whole number"),
        ("detect", "--conf", "number"),
        ("annotate", "--smooth", "number"),
        ("bench", "--rounds", "whole number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_in_plain_words(
    command: str, option: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wording = f"must be a {expected}; got 'many'"
    assert cli.main([command, option, "many"]) == 2
    assert f"{command}: {option} {wording}\n" in capsys.readouterr().err
    config = tmp_path / "settings.toml"
    config.write_text(f'{option.removeprefix("--")} = "many"')
    assert cli.main([command, "--config", str(config)]) == 2
    assert wording in capsys.readouterr().err


@pytest.mark.parametrize(("options", "shown"), [([], "working\n"), (["--quiet"], "")])
def test_what_the_library_logs_is_shown(
    options: list[str],
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("drive")
    monkeypatch.setattr(detect, "detect", lambda config, reporter: log.info("working"))
    assert cli.main(["detect", "x.mp4", *options]) == 0
    assert capsys.readouterr().err == shown
    assert log.handlers == []


def test_errors_become_exit_statuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(check_data, "check_data", interrupted)
    assert cli.main(["check-data", "x"]) == 130
    assert "interrupted; no half-written result was kept\n" in capsys.readouterr().err
    monkeypatch.setattr(check_data, "check_data", full_disk)
    assert cli.main(["check-data", "x"]) == 1
    assert "No space left" in capsys.readouterr().err


def test_a_run_stopped_while_its_report_is_made_has_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    run = Run("detect", detect.DetectConfig("x.mp4", out=str(tmp_path)))
    assert run.folder.path == tmp_path
    monkeypatch.setattr(Run, "_write_report", stopped)
    with pytest.raises(KeyboardInterrupt):
        run.finish(detect.DetectResult(boxes=3))
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert results["boxes"] == 3


def test_check_data_prints_findings_and_json(tmp_path: Path, make_video: VideoMaker) -> None:
    make_video("drive/epoch01_front.mp4", frames=10)
    csv = tmp_path / "drive" / "epoch01_steering.csv"
    csv.write_text("frame,wheel\n" + "\n".join(f"{i},{i % 3}" for i in range(8)) + "\n")
    done = run("check-data", tmp_path / "drive", "--json")
    assert done.returncode == 0
    assert "2 frames have no row" in done.stdout
    report = json.loads(done.stdout.strip().splitlines()[-1])
    codes = [finding["code"] for finding in report["recordings"][0]["findings"]]
    assert codes == ["frames_without_rows"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["detect", "x.mp4", "--conf", "abc"], "abc"),
        (["detect", "x.mp4", "--frobnicate"], "--frobnicate"),
        (["detect"], "SOURCE"),
        (["detect", "x.mp4", "--region", "-5,-5,9,9"], "--region=VALUE"),
        (["detect", "x.mp4", "--seed", "-1"], "seed"),
        (["detect", ""], "empty"),
        (["check-data", "x", "--config"], "--config"),
    ],
)
def test_wrong_arguments_take_one_line(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = int(str(end.code))
    complaint = capsys.readouterr().err
    assert status == 2
    assert complaint.count("\n") == 1
    assert word in complaint


def test_a_list_in_a_config_file_is_what_commas_are_on_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text('region = [0, 10, 100, 90]\nclasses = ["car", "bus"]\n')
    seen = []
    monkeypatch.setattr(detect, "detect", lambda config, reporter: seen.append(config))
    assert cli.main(["detect", "x.mp4", "--config", str(config)]) == 0
    assert (seen[0].region, seen[0].classes) == ("0,10,100,90", "car,bus")


def test_an_interrupted_command_leaves_nothing(tmp_path: Path, make_video: VideoMaker) -> None:
    video = make_video(frames=900, size=(640, 384), fps=30)
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "run.py"), "detect", str(video), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 240
        while not list(out.glob("*.part-*.mp4")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        complaint = process.communicate(timeout=240)[1]
    assert process.returncode == 130
    assert "interrupted" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint
    assert not out.exists()


def test_an_interrupted_training_names_its_folder_and_how_to_go_on(tmp_path: Path) -> None:
    state = tmp_path / "state.keras"

    def interrupted() -> str:
        with pytest.raises(KeyboardInterrupt) as it, resumable(tmp_path, "epochs", state):
            raise KeyboardInterrupt
        return str(it.value)

    assert interrupted() == ""
    (tmp_path / "report.html").write_text("")
    assert interrupted().endswith(f"start again, in {tmp_path} with --overwrite")
    state.write_text("")
    assert interrupted() == f"epochs are kept; resume with --resume {tmp_path}"


def test_a_report_that_is_interrupted_leaves_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    done = detect.DetectResult()
    monkeypatch.setattr(detect, "detect_one", lambda _, run: run.folder and done)
    monkeypatch.setattr("drive.pages.write_report", interrupt)
    assert cli.main(["detect", "x.mp4", "--out", str(tmp_path / "out")]) == 130
    said = f"interrupted; all results are in {tmp_path / 'out'}, only report.html was not finished"
    assert said in capsys.readouterr().err
    assert (tmp_path / "out" / "run.json").is_file()


def test_check_data_goes_on_behind_a_bad_recording(tmp_path: Path, make_video: VideoMaker) -> None:
    for epoch, rows in (("epoch01", "0,left"), ("epoch02", "0,1\n1,2")):
        make_video(f"drive/{epoch}_front.mp4", frames=2)
        (tmp_path / "drive" / f"{epoch}_steering.csv").write_text(f"frame,wheel\n{rows}\n")
    done = run("check-data", tmp_path / "drive", "--json", "--quiet")
    assert done.returncode == 2
    assert "1 of 2 recordings cannot be read" in done.stderr and "row 2" in done.stderr
    good, bad = json.loads(done.stdout.strip().splitlines()[-1])["recordings"]
    assert good["name"] == "drive/epoch02"
    assert bad["findings"][0]["code"] == "unreadable"
    assert "row 2" in bad["findings"][0]["text"]
    assert (done.stdout.split("{")[0] + done.stderr).count("row 2") == 1  # told once
    assert "drive/epoch02: 2 frames, 2 rows" in done.stdout


def test_check_data_of_a_single_bad_recording_gives_its_reason_once(
    tmp_path: Path, make_video: VideoMaker
) -> None:
    video = make_video("drive/epoch01_front.mp4", frames=1)
    rows = tmp_path / "drive" / "epoch01_steering.csv"
    rows.write_text("frame,wheel\n0,left\n")
    done = run("check-data", video, "--quiet")
    assert (done.returncode, done.stdout) == (2, f"{video}: cannot be checked\n")
    assert "row 2" in done.stderr and "1 of 1" not in done.stderr
    rows.write_text("frame,wheel\n0,1\n1,\n")
    done = run("check-data", video, "--quiet")
    assert "drive/epoch01: 1 frame, 2 rows" in done.stdout
    assert "1 row has no finite angle: row 3 of the file" in done.stdout


@pytest.mark.parametrize(
    ("command", "useless"),
    [
        ("view", ["--out", "--overwrite", "--weights", "--seed"]),
        ("compare", ["--weights", "--seed"]),
    ],
)
def test_help_lists_no_option_that_does_nothing(
    command: str, useless: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = capsys.readouterr().out
    assert "--quiet" in said
    assert [option for option in useless if option in said] == []
