"""Record in TORCS what the network itself drives into, with the angle of the expert (DAgger).

A network that has only seen an expert's roads does not know its own mistakes. Here it drives the
training tracks itself, and every frame is labelled with what the tool's expert would do at that
moment (Ross et al., arXiv 1011.0686). The expert takes over where the car is more than 1.3 m off
its lane, until it is within 0.5 m. A weak disturbance pushes the car now and then, and for a few
seconds at a time the expert drives, so that the frames also show how the lane is kept.

    python -m benchmarks.dagger_torcs OUT TRACK[,TRACK...] --model weights/steering.onnx --round 1

The recordings are like those of `benchmarks.record_torcs`; round K is recording K of each track.
Train with `train-steering OUT ... --weights weights/steering.keras`, and go on with round K + 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.record_torcs import FPS, Weave, drive, write_rows
from drive import load_steering

SPEEDS_MPS = (15.0, 22.0)
"""Slowest and fastest cruise speed; half of the recordings have the speed of the test."""

TEST_SPEED_MPS = 20.0

RESCUE_M, RETURN_M = 1.3, 0.5
"""The expert takes over farther off the lane than the first, until nearer than the second."""

PUSH_M = 1.0
"""Widest offset that the disturbance aims at."""

UNDISTURBED = 0.6
"""Share of the stretches without a disturbance."""

EXPERT_SHARE, STRETCH_S = 0.15, 4.0
"""Share of the stretches that the expert drives, and how long they are."""


def main() -> None:
    """Record the round that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("tracks", help="names with commas between")
    parser.add_argument("--model", type=Path, help="network that drives (default: what ships)")
    parser.add_argument("--round", type=int, default=1, help="number of the recordings")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each track")
    arguments = parser.parse_args()
    model = load_steering(arguments.model)
    for track in arguments.tracks.split(","):
        folder, count = arguments.out / track, round(arguments.seconds * FPS)
        try:
            record(folder, track, arguments.round, model.predict, count)
        except RuntimeError as error:  # some invented tracks are more than TORCS can draw
            sys.stderr.write(f"{track}: left out: {str(error).splitlines()[0]}\n")


def record(
    folder: Path, track: str, number: int, predict: Callable[[np.ndarray], float], count: int
) -> None:
    """Record one round on a track, unless it is there; whole or not at all."""
    rows = folder / f"epoch{number:02d}_steering.csv"
    if rows.exists():
        return
    rng = np.random.default_rng([number, *track.encode()])
    speed_mps = TEST_SPEED_MPS if rng.random() < 0.5 else rng.uniform(*SPEEDS_MPS)
    driver = Driver(predict, rng)
    video = folder / f"epoch{number:02d}_front.mp4"
    found = drive(track, video, count, driver.steer, traffic=0, speed_mps=speed_mps)
    write_rows(rows, found)
    sys.stderr.write(
        f"{track} round {number}: {count} frames at {speed_mps:.0f} m/s, "
        f"{driver.rescues} rescues, RMSE {driver.rmse_deg:.2f} degrees\n"
    )
    sys.stderr.flush()


class Driver:
    """The network under a weak disturbance, with the expert to rescue it and to take turns.

    `steer` answers a state of the tool with the degrees to drive. `rescues` counts how often the
    expert had to take over; `rmse_deg` is the network's error where it drove.
    """

    def __init__(self, predict: Callable[[np.ndarray], float], rng: np.random.Generator) -> None:
        self.predict, self.rng = predict, rng
        self.weave = Weave(rng, PUSH_M, UNDISTURBED)
        self.rescues, self.rescued = 0, False
        self.left_s, self.turn_of_expert = 0.0, False
        self.errors_deg: list[float] = []

    @property
    def rmse_deg(self) -> float:
        """Root mean square of the network's error where it drove, in degrees."""
        return float(np.sqrt(np.mean(np.square(self.errors_deg)))) if self.errors_deg else 0.0

    def steer(self, state: Any) -> float:
        """The angle to drive until the next step, in degrees, positive right."""
        push = self.weave.step(state.speed_mps)
        expert_deg = float(state.expert_wheel_deg)
        if self.is_rescued(state.offset_m):
            return expert_deg
        if self.is_turn_of_expert():
            return expert_deg + push
        angle = float(self.predict(state.frame))
        self.errors_deg.append(angle - expert_deg)
        return angle + push

    def is_rescued(self, offset_m: float) -> bool:
        """Tell whether the expert has to bring the car back now."""
        if not self.rescued and abs(offset_m) > RESCUE_M:
            self.rescues, self.rescued = self.rescues + 1, True
        elif self.rescued and abs(offset_m) < RETURN_M:
            self.rescued = False
        return self.rescued

    def is_turn_of_expert(self) -> bool:
        """Tell who drives this stretch; the draw is new every few seconds."""
        if self.left_s <= 0:
            self.left_s = STRETCH_S
            self.turn_of_expert = bool(self.rng.random() < EXPERT_SHARE)
        self.left_s -= 1 / (FPS)
        return self.turn_of_expert


if __name__ == "__main__":
    main()
