"""The package that is built and installed: its version, its files, its console script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import drive
from drive.cli import main
from drive.core import extras
from drive.core.extras import MissingPackageError, load_extra
from drive.core.shipped import DETECTOR, SAMPLE, STEERING
from drive.core.version import VERSION
from drive.results.record import versions

ROOT = Path(__file__).resolve().parent.parent
MOST_MB = 30
WITHOUT_EXTRAS = """
import contextlib, io, json, sys
sys.modules.update(dict.fromkeys(("keras", "tensorflow", "optuna", "ray")))
from drive.cli import main
answers = []
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        status = main(command)
    answers.append((status, said.getvalue()))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel made from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def test_the_version_stands_in_one_place() -> None:
    assert 'path = "drive/core/version.py"' in (ROOT / "pyproject.toml").read_text()
    assert drive.__version__ == VERSION
    first = next(
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## [")
    )
    assert first.startswith((f"## [{drive.__version__}]", "## [Unreleased]"))


def test_the_command_line_and_run_json_name_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"drive {drive.__version__}\n"
    assert versions()["drive"] == drive.__version__


def test_the_files_that_ship_are_found_in_a_checkout() -> None:
    assert DETECTOR.is_file() and STEERING.is_file()
    assert (SAMPLE / "epoch03_front.mp4").is_file()


def test_commands_without_their_packages_name_the_pip_command(tmp_path: Path) -> None:
    dataset = tmp_path / "images"
    (dataset / "images").mkdir(parents=True)
    (dataset / "labels.csv").write_text("image,class,x1,y1,x2,y2\n")
    sample = str(SAMPLE / "epoch03_front.mp4")
    commands = {
        "train": [
            ["train-steering", "--epochs", "1"],
            ["tune-steering", "--trials", "1"],
            ["train-detector", str(dataset)],
            ["export", "tiny-yolo-drive", "--format", "litert"],
            ["detect", sample, "--engine", "keras", "--end", "0.1"],
        ],
        "ray": [["detect", sample, sample, "--engine-cluster", "ray"]],
    }
    for extra, words in commands.items():
        for command, (status, said) in zip(words, _without_extras(words, tmp_path), strict=True):
            assert status == 2, (command, said)
            assert said.splitlines()[-1].endswith(f"Run: {extras.install_command(extra)}"), said
            assert "Traceback" not in said


def _without_extras(commands: list[list[str]], folder: Path) -> list[tuple[int, str]]:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(status, said) for status, said in json.loads(done.stdout.splitlines()[-1])]


def test_a_missing_package_is_an_input_error_with_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(extras.metadata, "version", lambda name: "0.2.0")
    with pytest.raises(MissingPackageError) as caught:
        load_extra("optuna", "tune-steering")
    assert str(caught.value) == (
        "tune-steering requires Optuna, which is not installed. "
        'Run: pip install "drive[train]==0.2.0"'
    )


def test_a_checkout_that_is_not_installed_is_named_in_the_pip_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise extras.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras.metadata, "version", missing)
    assert extras.install_command("train") == f'pip install "{ROOT}[train]"'


@pytest.mark.slow
def test_the_wheel_holds_what_runs_and_stays_small(built: Path) -> None:
    wheel = only(built, "*.whl")
    assert wheel.stat().st_size < MOST_MB * 1e6
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        "drive/py.typed",
        "drive/pages/assets/echarts.min.js",
        "drive/_shipped/weights/steering-int8.onnx",
        "drive/_shipped/weights/steering.onnx",
        "drive/_shipped/weights/tiny-yolo-drive-int8.onnx",
        "drive/_shipped/weights/tiny-yolo-drive.onnx",
        "drive/_shipped/data/sample/recording.toml",
    }
    assert expected <= names
    assert {name.split("/")[0] for name in names} == {
        "drive",
        f"drive-{drive.__version__}.dist-info",
    }
    for licence in ("LICENSE", "NOTICE", "drive/pages/assets/echarts-LICENSE.txt"):
        assert f"drive-{drive.__version__}.dist-info/licenses/{licence}" in names


@pytest.mark.slow
def test_the_source_distribution_holds_the_tests_and_the_weights(built: Path) -> None:
    with tarfile.open(only(built, "*.tar.gz")) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"tests/test_packaging.py", "weights/steering.onnx", "run.py", "LICENSE"} <= names


@pytest.mark.slow
def test_the_installed_wheel_detects_in_another_folder(built: Path, tmp_path: Path) -> None:
    """The packages come from this environment, to save minutes; `.ci/run` installs them anew."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    place = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    subprocess.run([*install, "--quiet", str(only(built, "*.whl"))], check=True)
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (Path(place) / "packages_of_the_tests.pth").write_text("\n".join(paths))
    work = tmp_path / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = {"cwd": work, "env": environment, "capture_output": True, "text": True, "check": False}
    where = subprocess.run(
        [python, "-c", "from drive.core.shipped import SAMPLE; print(SAMPLE)"], **run
    )
    sample = Path(where.stdout.strip())
    assert sample.is_relative_to(home.resolve())
    options = ["--end", "3", "--json", "--quiet"]
    done = subprocess.run(
        [scripts / "drive", "detect", sample / "epoch01_front.mp4", *options], **run
    )
    assert done.returncode == 0, done.stderr
    video = work / json.loads(done.stdout.splitlines()[-1])["video"]
    assert video.is_file() and video.is_relative_to(work / "outputs")
    assert (video.parent / "detections.csv").read_text().count("\n") > 1
