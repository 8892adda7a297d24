"""Time and memory of a whole command against the length of its video: straight and flat?

    python benchmarks/long_videos.py VIDEO [--times 1 2 4 8] [--minutes M] [--plot PNG]

Puts the video's packets behind each other 1, 2, 4 and 8 times, or until it plays M minutes, runs
`detect` on each in a process of its own, and notes seconds and the largest resident memory; the
last line is JSON. Each run includes everything: start, loading, decoding, network, drawing,
encoding. Memory is right on a busy machine too, time on an idle one only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from drive.benchmark.repeat import repeat_video  # noqa: E402
from drive.drawing.charts import SERIES, add_legend, new_figure, save_figure, set_title  # noqa: E402

SECONDS_A_MINUTE = 60
KIB_A_MB = 1e6 / 1024
HEADROOM = 1.25


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", metavar="VIDEO", type=Path)
    parser.add_argument("--times", nargs="+", type=int, default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--minutes", type=float, metavar="M", help="one video of this length")
    parser.add_argument("--command", default="detect", help="of run.py (default: detect)")
    parser.add_argument("--plot", type=Path, metavar="PNG")
    args = parser.parse_args()
    times = args.times
    if args.minutes:
        times = [int(np.ceil(args.minutes * SECONDS_A_MINUTE / seconds_of(args.video)))]
    rows = []
    with TemporaryDirectory() as folder:
        for number in times:
            path = Path(folder) / f"{number}.mp4"
            frames = repeat_video(args.video, path, number)
            rows.append({"times": number, "frames": frames} | measure(args.command, path))
            print(rows[-1], flush=True)
            path.unlink()
    if args.plot:
        plot(rows, args.plot, f"{args.command} on {args.video.name}, repeated")
    print(json.dumps({"rows": rows, "load": round(os.getloadavg()[0], 1)}))


def seconds_of(path: Path) -> float:
    """How long a video plays."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def measure(command: str, video: Path) -> dict[str, float]:
    """Seconds and peak megabytes of one run."""
    out = video.with_suffix("")
    line = [sys.executable, str(ROOT / "run.py"), command, str(video), "--out", str(out), "--quiet"]
    began = time.perf_counter()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed on {video}")
    seconds = time.perf_counter() - began
    shutil.rmtree(out)
    return {"seconds": round(seconds, 2), "peak_mb": round(usage.ru_maxrss / KIB_A_MB, 1)}


def plot(rows: Sequence[dict[str, float]], path: Path, title: str) -> None:
    """Both over the number of frames, from zero; time with the straight line nearest to it."""
    frames, seconds, peaks = (
        [row[key] for row in rows] for key in ("frames", "seconds", "peak_mb")
    )
    figure, (above, below) = new_figure(5.0, heights=(1, 1))
    line = np.polyfit(frames, seconds, 1)
    label = f"{line[1]:.1f} s and {line[0] * 1000:.1f} ms per frame"
    ends = np.array([0, max(frames)])
    above.plot(ends, np.polyval(line, ends), color=SERIES[1], linewidth=1.2, label=label)
    above.plot(frames, seconds, "o", color=SERIES[0], label="measured")
    above.set(ylabel="seconds", ylim=(0, None), xlim=(0, None))
    add_legend(above)
    below.plot(frames, peaks, "o-", color=SERIES[0])
    below.set(xlabel="frames", ylabel="peak memory, MB", ylim=(0, HEADROOM * max(peaks)))
    set_title(above, title)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
