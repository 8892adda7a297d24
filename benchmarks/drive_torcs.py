"""Closed loop in TORCS: networks, light and baselines on several tracks; a table and a JSON file.

    python -m benchmarks.drive_torcs OUT.json --tracks g-track-3,alpine-2 --models a.onnx,b.onnx

Runs ../shared/torcs/drive.py (more than 1 m off the lane is an intervention), which stops the
simulated time while the network answers. Runs already in OUT.json are not repeated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TOOL = Path(__file__).resolve().parents[2] / "shared" / "torcs" / "drive.py"
POLICY = Path(__file__).resolve().parent / "torcs_policy.py"
BASELINES = ("expert", "zero")


def main() -> None:
    """Drive what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="JSON file, extended run by run")
    parser.add_argument("--tracks", required=True, help="names with commas between")
    parser.add_argument("--models", default="", help="model files with commas between")
    parser.add_argument("--light", default="1", help="factors with commas between")
    parser.add_argument("--baselines", action="store_true", help="expert and zero too")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--speed", type=float, default=20.0, help="m/s")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    policies = list(BASELINES) if arguments.baselines else []
    for model in filter(None, arguments.models.split(",")):
        for light in arguments.light.split(","):
            policies.append(f"{POLICY}:load:{Path(model).resolve()},{light}")
    done = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
    wanted = [
        run
        for track in arguments.tracks.split(",")
        for run in ((track, p, arguments.seconds, arguments.speed) for p in policies)
        if not any(key(row) == run for row in done)
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(lambda run: drive(*run), wanted):
            done.append(row)
            arguments.out.write_text(json.dumps(done, indent=1))
            sys.stdout.write(line(row) + "\n")
            sys.stdout.flush()


def key(row: dict[str, Any]) -> tuple[str, str, float, float]:
    """What was run, to tell runs apart."""
    return row["track"], row["policy"], row["asked_seconds"], row["speed"]


def drive(track: str, policy: str, seconds: float, speed: float) -> dict[str, Any]:
    """One run of the tool; where the car got stuck, its message under `error`."""
    command = [sys.executable, str(TOOL), track, "--policy", policy]
    command += ["--seconds", f"{seconds:g}", "--speed", f"{speed:g}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    about = {"track": track, "policy": policy, "asked_seconds": seconds, "speed": speed}
    if run.returncode:
        return {**about, "error": run.stderr.strip().splitlines()[-1]}
    return {**json.loads(run.stdout.strip().splitlines()[-1]), **about}


def line(row: dict[str, Any]) -> str:
    """One run, readable."""
    policy = row["policy"].rpartition(":")[2]
    if "error" in row:
        return f"{row['track']:<12} {policy}: {row['error']}"
    return (
        f"{row['track']:<12} autonomy {row['autonomy_percent']:6.2f} %  interventions "
        f"{row['interventions']:3d}  offset {row['mean_abs_offset_m'] or 0:.3f} m mean "
        f"{row['max_abs_offset_m'] or 0:.2f} m most  jitter {row['steering_jitter_deg'] or 0:.3f}  "
        f"{policy}"
    )


if __name__ == "__main__":
    main()
