"""Record drives that leave the lane and come back, in TORCS, for training the steering network.

The tool in ../shared/torcs drives and draws. Its expert keeps the lane; here its steering is
disturbed, so that the car weaves up to about 1.6 m to either side, while the recorded `wheel` is
what the expert would do at that moment to get back: the labels stay right wherever the car is
(the idea of DART, arXiv 1703.09327). Besides `wheel` and `speed` the CSV holds the offset from
the lane in metres and the angle that was driven.

    python -m benchmarks.record_torcs OUT TRACK[,TRACK...] [--drives 2]
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = tuple[Any, ...]

TOOL = Path(__file__).resolve().parents[2] / "shared" / "torcs"
TRACKS = Path("/usr/share/games/torcs/tracks/road")

FPS = 10.0
"""Frames a second, as the paper samples its drives (section 5.1)."""

PLANS = (
    {"speed_mps": 20.0, "traffic": 0},
    {"speed_mps": 15.0, "traffic": 3},
    {"speed_mps": 24.0, "traffic": 1},
)
"""How drive 1, 2, ... of a track is driven."""

WEAVE_M = 1.6
"""Widest offset that the disturbance aims at."""

CENTRED_SHARE = 0.25
"""Share of the stretches without a disturbance."""

HOLD_S = (0.8, 3.0)
"""Shortest and longest time for which the disturbance stays the same."""

WHEELBASE_M = 2.6
STANDSTILL_M, AIM_S = 4.0, 0.55
"""The expert's wheelbase, and where it aims: 4 m and 0.55 s ahead (robot/pydrive.cpp)."""

SLOW_SHARE = 0.8
"""Mean speed over the cruise speed, for the number of frames in a lap; bends are driven slower."""

FEWEST_FRAMES, MOST_FRAMES = 900, 3000

SETTINGS = """# TORCS' camera at the bonnet (../shared/torcs/README.md), its height by the depth.
[camera]
height_m = 1.03
fov_deg = 99.9
horizon = 0.5

[car]
wheelbase_m = 2.6
steering_ratio = 1.0
speed_unit = "m/s"
lane_m = 2.5
"""


def main() -> None:
    """Record the drives that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("tracks", help="names with commas between")
    parser.add_argument("--first", type=int, default=1, help="number of the first drive")
    parser.add_argument("--drives", type=int, default=2, help=f"of each track, 1 to {len(PLANS)}")
    parser.add_argument("--frames", type=int, default=MOST_FRAMES, help="at most, of each drive")
    arguments = parser.parse_args()
    for track in arguments.tracks.split(","):
        for number in range(arguments.first, arguments.first + arguments.drives):
            record(arguments.out / track, track, number, arguments.frames)


def record(folder: Path, track: str, number: int, most_frames: int = MOST_FRAMES) -> None:
    """Record one drive of about a lap, unless it is there; whole or not at all."""
    video, rows = (
        folder / f"epoch{number:02d}_front.mp4",
        folder / f"epoch{number:02d}_steering.csv",
    )
    if rows.exists():
        return
    plan = PLANS[(number - 1) % len(PLANS)]
    count = min(most_frames, lap_frames(track, plan["speed_mps"]))
    weave = Weave(np.random.default_rng([number, *track.encode()]))
    found = drive(
        track,
        video,
        count,
        lambda state: state.expert_wheel_deg + weave.step(state.speed_mps),
        seed=number,
        **plan,
    )
    write_rows(rows, found)
    offsets = np.array([float(one[4]) for one in found])
    spread = f"offset {offsets.min():+.2f} to {offsets.max():+.2f} m, spread {offsets.std():.2f} m"
    sys.stderr.write(f"{track} drive {number}: {count} frames, {spread}\n")


def drive(
    track: str, video: Path, count: int, steer: Callable[[Any], float], **plan: Any
) -> list[Row]:
    """Drive, write `count` frames to the video, and return their rows.

    `steer` answers a state of the tool with the degrees to drive; `plan` goes to `Torcs`.
    """
    sys.path.insert(0, str(TOOL))
    from torcs import Torcs
    from video import VideoWriter

    video.parent.mkdir(parents=True, exist_ok=True)
    (video.parent / "recording.toml").write_text(SETTINGS)
    part = video.with_name(f"{video.stem}.part.mp4")
    found: list[Row] = []
    with Torcs(track, fps=FPS, **plan) as sim, VideoWriter(part, sim.width, sim.height, FPS) as out:
        driven = None
        for index in range(count):
            state = sim.step(driven)
            out.write(state.frame)
            found.append(row(index, state))
            driven = steer(state)
    part.rename(video)
    return found


def row(index: int, state: Any) -> Row:
    """What the CSV holds about a frame."""
    values = (state.expert_wheel_deg, state.speed_mps, state.offset_m, state.wheel_deg)
    digits = (4, 3, 3, 4)
    texts = (f"{value:.{digit}f}" for value, digit in zip(values, digits, strict=True))
    return (round(index * 1e6 / FPS), index, *texts)


def write_rows(path: Path, found: Sequence[Row]) -> None:
    """Write the CSV of a recording."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("ts_micro", "frame_index", "wheel", "speed", "offset_m", "driven_wheel"))
        table.writerows(found)


def lap_frames(track: str, speed_mps: float) -> int:
    """Frames in which a lap of the track is about driven, within limits."""
    frames = lap_m(track) / (speed_mps * SLOW_SHARE) * FPS
    return int(min(MOST_FRAMES, max(FEWEST_FRAMES, frames)))


def lap_m(track: str) -> float:
    """The length of a track by its own description, in metres, roughly."""
    text = (TRACKS / track / f"{track}.xml").read_text(errors="replace")
    total = 0.0
    for section in re.split(r'<section name="', text[text.find("Main Track") :])[1:]:
        length = re.search(r'name="lg"[^>]*val="([\d.]+)"', section)
        radius = re.search(r'name="radius"[^>]*val="([\d.]+)"', section)
        arc = re.search(r'name="arc"[^>]*val="([\d.]+)"', section)
        if length:
            total += float(length[1])
        elif radius and arc:
            total += float(radius[1]) * np.radians(float(arc[1]))
    return total


class Weave:
    """A steering disturbance in degrees that pushes the car to random offsets for random times."""

    def __init__(
        self, rng: np.random.Generator, widest_m: float = WEAVE_M, centred: float = CENTRED_SHARE
    ) -> None:
        self.rng, self.widest_m, self.centred = rng, widest_m, centred
        self.left_s, self.target_m = 0.0, 0.0

    def step(self, speed_mps: float) -> float:
        """The degrees to add to the expert's angle until the next frame."""
        if self.left_s <= 0:
            self.left_s = self.rng.uniform(*HOLD_S)
            centred = self.rng.random() < self.centred
            widest_m = self.widest_m
            self.target_m = 0.0 if centred else self.rng.uniform(-widest_m, widest_m)
        self.left_s -= 1 / FPS
        aim_m = STANDSTILL_M + AIM_S * max(speed_mps, 0.0)
        # The expert answers an offset o with 2 L o / aim^2: this much more holds the car there.
        return float(np.degrees(2 * WHEELBASE_M * self.target_m / aim_m**2))


if __name__ == "__main__":
    main()
