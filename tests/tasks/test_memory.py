"""Everything streams: memory does not grow with the length of a video."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import VideoMaker

ROOT = Path(__file__).resolve().parents[2]
SHARE = 0.10


def peak_memory_kib(*arguments: object) -> int:
    """Run a command in a process of its own; return its largest resident size."""
    command = [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs os.wait4 to measure a child's memory")
def test_a_ten_times_longer_video_takes_no_more_memory(
    tmp_path: Path, make_video: VideoMaker
) -> None:
    peaks = []
    for frames in (60, 600):
        video = make_video(f"{frames}.mp4", frames=frames, size=(640, 384))
        peaks.append(peak_memory_kib("detect", video, "--out", tmp_path / f"out{frames}"))
    short, long = peaks
    assert abs(long - short) <= SHARE * short
