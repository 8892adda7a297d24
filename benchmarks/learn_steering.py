"""How well steering is learnt from the recordings people have: every start, beside the baselines.

Trains with the defaults, from scratch, from the simulator's weights and on the detector's
convolutions (a ridge regression), each by the command a user would type, and evaluates on the part
that was held out. Prints one row per training, and writes a table.

    python -m benchmarks.learn_steering ../shared OUT.csv [RECORDING ...] [--starts default,scratch]

A folder with laps of one track (`LAPS/TRACK/epoch01_front.mp4`) is used with --laps LAPS: its first
four fifths train, the rest is held out.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STARTS = {
    "default": (),
    "scratch": ("--from-scratch",),
    "simulator": ("--weights", "weights/steering.keras", "--crop", "0.46,0.875,0.15"),
    "detector": ("--backbone", "detector"),
}
"""Options of `train-steering` by the name of the start."""

COLUMNS = (
    "recording",
    "start",
    "rmse_deg",
    "explained_variance",
    "zero",
    "mean",
    "persistence_1s",
    "minutes",
)


@dataclass(frozen=True)
class Drive:
    """One recording: its folder in `../shared`, and the frames that train and that are held out."""

    name: str
    folder: str
    train: tuple[int, int]
    test: tuple[int, int]
    number: int = 1


DRIVES = (
    Drive("udacity_ch2", "drives/udacity_ch2", (0, 2700), (2800, 3400)),
    Drive("donkeycar_tub", "drives/donkeycar_tub", (0, 1500), (1600, 2000)),
    Drive("udacity_sim", "recordings/udacity_sim", (0, 2593), (2593, 3242)),
    Drive("deeptesla", "recordings/deeptesla", (0, 604), (604, 755)),
    Drive("torcs_eroad", "recordings/torcs/eroad", (0, 1100), (1200, 1500), 2),
)
LAPS = (0.0, 0.8), (0.82, 1.0)
"""Shares of laps that train and that are held out."""

LAST = "deleted_indexes"


def part_of_video(drive: Drive, source: Path, target: Path, frames: tuple[int, int]) -> None:
    """Write a recording that has the rows of some frames only; its videos are links."""
    target.mkdir()
    stem = f"epoch{drive.number:02}"
    for video in source.glob(f"{stem}_*.mp4"):
        (target / video.name).symlink_to(video)
    for extra in source.glob("recording.toml"):
        shutil.copy(extra, target)
    table = (source / f"{stem}_steering.csv").read_text().splitlines()
    rows = table[1 + frames[0] : 1 + frames[1]]
    (target / f"{stem}_steering.csv").write_text("\n".join([table[0], *rows]) + "\n")


def part_of_tub(source: Path, target: Path, frames: tuple[int, int]) -> None:
    """Write a tub of which all other records are deleted; its images are links."""
    target.mkdir()
    for file in source.iterdir():
        if file.name != "manifest.json":
            (target / file.name).symlink_to(file)
    lines = (source / "manifest.json").read_text().splitlines()
    last = json.loads(lines[-1])
    kept = set(range(*frames))
    last[LAST] = [index for index in range(int(last["current_index"])) if index not in kept]
    (target / "manifest.json").write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n")


def prepare(drive: Drive, shared: Path, home: Path) -> tuple[Path, Path]:
    """Return the folders of the recording that trains and of the one that is held out."""
    source = (shared / drive.folder).resolve()
    folders = home / f"{drive.name}-train", home / f"{drive.name}-test"
    for target, frames in zip(folders, (drive.train, drive.test), strict=True):
        if (source / "manifest.json").exists():
            part_of_tub(source, target, frames)
        else:
            part_of_video(drive, source, target, frames)
    return folders


def laps_of(folder: Path) -> Drive:
    """Return laps of a track as a recording."""
    rows = sum(1 for _ in (folder / "epoch01_steering.csv").open()) - 1
    train, test = ((round(a * rows), round(b * rows)) for a, b in LAPS)
    return Drive(f"laps_{folder.name}", str(folder.resolve()), train, test)


def run(*words: str | Path) -> dict[str, Any]:
    """Run a command of drive; return what `--json` gives."""
    command = [sys.executable, str(ROOT / "run.py"), *map(str, words), "--quiet", "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(
    drive: str, start: str, training: Iterable[Path | str], held_out: Path, home: Path
) -> dict[str, Any]:
    """Train and evaluate; return a row of the table."""
    out, began = home / f"{drive}-{start}", time.perf_counter()
    run("train-steering", *training, *STARTS[start], "--no-report", "--out", out)
    minutes = (time.perf_counter() - began) / 60
    evaluation = home / f"{drive}-{start}-evaluation"
    run("evaluate-steering", held_out, "--weights", out / "model.onnx", "--out", evaluation)
    metrics = json.loads((evaluation / "metrics.json").read_text())
    row = {"recording": drive, "start": start, "minutes": minutes, **metrics["baselines"]}
    return row | {name: metrics[name] for name in ("rmse_deg", "explained_variance")}


def shown(value: object) -> str:
    """Return a cell of the table."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Train, evaluate, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path, help="CSV to write")
    parser.add_argument("recordings", nargs="*", help="names; default: all")
    parser.add_argument("--starts", default=",".join(STARTS), help="names with commas between")
    parser.add_argument("--laps", type=Path, help="folder with a folder for each track")
    options = parser.parse_args()
    laps = sorted(options.laps.glob("*/")) if options.laps else []
    drives = [*DRIVES, *map(laps_of, laps)]
    with tempfile.TemporaryDirectory() as temporary, options.out.open("w", newline="") as file:
        home = Path(temporary)
        sample = ROOT / "data" / "sample"
        jobs = {
            drive.name: prepare(drive, options.shared, home)
            for drive in drives
            if not options.recordings or drive.name in options.recordings
        }
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for start in options.starts.split(","):
            for name, (train, test) in jobs.items():
                report(measure(name, start, [train], test, home), table, file)
            if not options.recordings or "metadrive_sample" in options.recordings:
                training: list[Path | str] = [sample, "--exclude", "sample/epoch03"]
                held_out = sample / "epoch03_front.mp4"
                report(measure("metadrive_sample", start, training, held_out, home), table, file)


def report(row: dict[str, Any], table: csv.DictWriter[str], file: Any) -> None:
    """Print a row and write it."""
    print("  ".join(f"{name} {shown(row[name])}" for name in COLUMNS), flush=True)
    table.writerow(row)
    file.flush()


if __name__ == "__main__":
    main()
