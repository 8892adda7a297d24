"""The public API: every name loads, is documented, and its examples are code that runs."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import subprocess
import sys
from dataclasses import MISSING
from pathlib import Path

import pytest

import drive
from drive.cli import COMMANDS
from drive.cli.commands import HOMES, find_task
from drive.cli.parser import build, make_parser, parse
from drive.core.options import fields_of
from drive.tasks._run import RunConfig, TaskResult
from tests.conftest import VideoMaker

ROOT = Path(__file__).resolve().parents[1]
TASKS = [name for name in COMMANDS if name not in HOMES]
PROPER_NAMES = ("Python", "Keras", "TensorFlow", "ImageNet", "Optuna")
FROM_OUTSIDE = """
from drive import Overlay, Tracker, VideoWriter, load_detector, read_frames

detector = load_detector()
tracker, overlay = Tracker(detector.thresholds), Overlay()
with VideoWriter("annotated.mp4", audio_from="video.mp4") as writer:
    for frame in read_frames("video.mp4"):
        found = detector.detect(frame.image, conf=tracker.low_conf)
        tracks = tracker.update(found, frame.time_s)
        image = overlay.draw(frame.image, detections=tracks, header=f"{frame.time_s:.1f} s")
        writer.write(image, frame.time_s)
"""


TYPED = """
from drive import CompareConfig, DetectConfig, EvaluateSteeringConfig, compare, detect
from drive import evaluate_steering
result = detect(DetectConfig("video.mp4", out="results"))
boxes: int | None = result.boxes
for outcome in detect(DetectConfig(source=["a.mp4", "b.mp4"])).per_video:
    boxes = outcome.result.boxes if outcome.result else None
rmse: float = evaluate_steering(EvaluateSteeringConfig(["recordings/"], smooth_s=0.2)).metrics
compare(CompareConfig("a.mp4", "b.mp4", 360))
"""
"""What a user may write, and two lines that are wrong: type checkers see both."""


@pytest.mark.parametrize("name", drive.__all__)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    found = getattr(drive, name)
    text = inspect.getdoc(found)
    assert text and not text.startswith(f"{name}(")  # what a dataclass without one would say
    assert name in dir(drive)


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse(Path(drive.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    names = [alias.name for node in block.body for alias in node.names]  # type: ignore[attr-defined]
    assert sorted(names) == drive.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = drive.nothing


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, drive; dir(drive); print('numpy' in sys.modules, 'argparse' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("command", TASKS)
def test_every_command_is_a_public_function_with_config_result_and_example(command: str) -> None:
    config, task = find_task(command)
    name = command.replace("-", "_")
    assert getattr(drive, name) is task
    assert getattr(drive, config.__name__) is config
    result = getattr(drive, config.__name__.replace("Config", "Result"))
    assert issubclass(config, RunConfig) and issubclass(result, TaskResult)
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(task) or "")
    source = "".join(example.source for example in examples)
    compile(source, name, "exec")
    assert f"{name}(" in source and f"from drive import {config.__name__}, {name}" in source


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_the_same_on_the_command_line_and_in_the_library(command: str) -> None:
    config, _ = find_task(command)
    required = {
        each.name: ("x",) if each.many else "x"
        for each in fields_of(config)
        if each.default is MISSING
    }
    words = [word for value in required.values() for word in value]
    read = build(config, parse(make_parser(f"drive {command}", config), config, words))
    assert read == config(**required)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_written_for_people(command: str) -> None:
    config, _ = find_task(command)
    assert config.summary.endswith(".") and config.example.startswith(command)
    shown = [each for each in fields_of(config) if not each.option.advanced]
    assert len(shown) <= 22
    for each in fields_of(config):
        text = each.option.help
        assert text and (not text[0].isupper() or text.startswith(PROPER_NAMES)), text
        assert not text.endswith("."), text
        assert "default" not in text, text
        assert not re.search(r"\bis no\b|received|picture|human", text), text


def test_a_config_is_frozen_and_checked() -> None:
    config = drive.DetectConfig("video.mp4", classes=["car", "bus"], region=(0, 0, 64, 64))  # type: ignore[arg-type]
    assert (config.classes, config.region) == ("car,bus", "0,0,64,64")
    with pytest.raises(AttributeError):
        config.conf = 0.5  # type: ignore[misc]
    with pytest.raises(drive.InputError, match="conf must be from 0 to 1; got 7"):
        drive.DetectConfig("video.mp4", conf=7)


def test_detect_track_draw_and_write_in_ten_lines(
    tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(frames=6, size=(320, 192), audio=True)
    monkeypatch.chdir(tmp_path)
    exec(FROM_OUTSIDE, {})
    assert len(list(drive.read_frames("annotated.mp4"))) == 6


def test_every_public_function_has_an_example() -> None:
    functions = [name for name in drive.__all__ if inspect.isfunction(getattr(drive, name))]
    assert len(functions) > 20
    assert [name for name in functions if ">>>" not in (getattr(drive, name).__doc__ or "")] == []


@pytest.mark.parametrize(
    "name",
    [
        *("Tracker", "VideoWriter", "Overlay", "Reporter"),
        *("load_detector", "load_steering", "read_frames"),
    ],
)
def test_the_example_of_the_library_runs(
    name: str, tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(frames=3, size=(320, 192))
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(drive, name)) or "")
    assert examples
    space = {name: getattr(drive, name) for name in drive.__all__}
    space["image"] = next(iter(drive.read_frames("video.mp4"))).image
    for example in examples:
        exec(example.source, space)


@pytest.mark.parametrize("name", ["detect", "predict_steering", "annotate", "crop_preview"])
def test_the_example_of_a_task_runs(
    name: str, tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drive.core.shipped import STEERING

    make_video(frames=3, size=(1280, 720))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(STEERING.read_bytes())
    space: dict[str, object] = {}
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(drive, name)) or "")
    assert examples
    for example in examples:
        exec(example.source, space)


def test_nothing_below_the_command_line_parses_arguments_or_prints() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "drive").rglob("*.py"))
        if path.parent.name != "cli"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"argparse|sys\.stderr|^ *print\(", line)
    ]
    assert found == []


@pytest.mark.slow
def test_type_checkers_know_configs_and_results(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(TYPED)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", str(tmp_path / "user.py")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    wrong = [line for line in checked.stdout.splitlines() if "error:" in line]
    assert {line.split(":")[1] for line in wrong} == {"8", "9"}, checked.stdout
