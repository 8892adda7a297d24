"""The requirement files and `pyproject.toml` name the same packages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINNED_BY_OTHERS = {"drive[train]"}


def lines(name: str) -> set[str]:
    text = (ROOT / name).read_text().splitlines()
    return {line.replace('"', "'") for line in text if line and not line.startswith("#")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("requirements.txt", [*PROJECT["dependencies"], *EXTRAS["train"]]),
        ("requirements-gpu.txt", [*PROJECT["dependencies"], *EXTRAS["gpu"]]),
        ("requirements-dev.txt", ["-r requirements.txt", *EXTRAS["dev"]]),
    ],
)
def test_a_requirement_file_equals_the_lists_of_pyproject(name: str, expected: list[str]) -> None:
    assert lines(name) == set(expected)


def test_the_gpu_file_differs_in_tensorflow_alone() -> None:
    cpu, gpu = lines("requirements.txt"), lines("requirements-gpu.txt")
    assert all("tensorflow" in line for line in cpu ^ gpu)
    assert any(line.startswith("tensorflow[and-cuda]") for line in gpu)


def test_the_first_command_of_the_readme_installs_what_the_project_is_made_of() -> None:
    named = {line.replace("[", ">").split(">")[0] for line in lines("requirements.txt")}
    required = {"tensorflow", "opencv-python-headless", "numpy", "pandas", "matplotlib", "moviepy"}
    assert required <= named


def test_the_base_install_has_no_tensorflow() -> None:
    assert not [line for line in PROJECT["dependencies"] if "tensorflow" in line or "keras" in line]


def test_everything_has_a_lower_and_an_upper_bound() -> None:
    for line in {*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)}:
        assert line in PINNED_BY_OTHERS or (">=" in line and "<" in line), line
