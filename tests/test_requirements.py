"""The requirement files agree with each other."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lines(name: str) -> set[str]:
    text = (ROOT / name).read_text().splitlines()
    return {line for line in text if line and not line.startswith("#")}


def test_the_gpu_file_differs_in_tensorflow_alone() -> None:
    cpu, gpu = lines("requirements.txt"), lines("requirements-gpu.txt")
    assert all("tensorflow" in line for line in cpu ^ gpu)
    assert any(line.startswith("tensorflow[and-cuda]") for line in gpu)


def test_everything_has_a_lower_and_an_upper_bound() -> None:
    for name in ("requirements.txt", "requirements-gpu.txt", "requirements-dev.txt"):
        for line in lines(name):
            assert line.startswith("-r ") or (">=" in line and "<" in line), line
