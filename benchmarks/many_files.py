"""How much faster several videos are in several processes, with one thread in each.

    python benchmarks/many_files.py VIDEO [--clips 8] [--jobs 2] [--rounds 3]

Copies the video, runs `detect --threads 1` over the copies with one job and with `--jobs N`, in
turn, and prints the medians and their ratio; the last line is JSON. Each run includes everything:
start, loading, decoding, network, drawing, encoding. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", metavar="VIDEO", type=Path)
    parser.add_argument("--clips", type=int, default=8, metavar="N", help="copies (default: 8)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns (default: 3)")
    args = parser.parse_args()
    seconds: dict[int, list[float]] = {1: [], args.jobs: []}
    with TemporaryDirectory() as folder:
        clips = [Path(folder) / f"clip{number}{args.video.suffix}" for number in range(args.clips)]
        for clip in clips:
            shutil.copyfile(args.video, clip)
        for number in range(args.rounds):
            for jobs in sorted(seconds, reverse=bool(number % 2)):
                seconds[jobs].append(_time(clips, jobs, Path(folder) / f"{number}-{jobs}"))
                print(f"jobs {jobs}: {seconds[jobs][-1]:.1f} s")
    pairs = zip(seconds[1], seconds[args.jobs], strict=True)
    figures = {
        "clips": args.clips,
        "jobs": args.jobs,
        "load": round(os.getloadavg()[0], 1),
        "seconds_one_job": round(statistics.median(seconds[1]), 2),
        "seconds_jobs": round(statistics.median(seconds[args.jobs]), 2),
        "ratio": round(statistics.median(one / many for one, many in pairs), 3),
    }
    print(json.dumps(figures))


def _time(clips: list[Path], jobs: int, out: Path) -> float:
    options = ["--jobs", str(jobs), "--threads", "1", "--out", str(out), "--quiet"]
    command = [sys.executable, str(ROOT / "run.py"), "detect", *map(str, clips), *options]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
