"""The numbers of simulated recordings: metrics and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from drive.recordings.vehicle import Car
from drive.results.simulation import Simulation
from drive.steering.car_beside import LOCK_DEG
from drive.steering.simulate import BASELINES, SimulationResult, autonomy_percent

STRONGEST_MPS2 = 10.0
"""Sideways acceleration that tyres on a road do not hold: about 1 g."""
IMPLAUSIBLE_SHARE = 0.02
"""With more frames above it, speed, angles and wheelbase cannot belong together."""


@dataclass(frozen=True, slots=True)
class SimulationMetrics:
    """Numbers of simulated recordings together; jitter is that while nobody intervened."""

    seconds: float
    interventions: int
    autonomy_percent: float
    mean_abs_offset_m: float
    max_abs_offset_m: float
    jitter_deg: float | None
    metres: float


@dataclass(frozen=True, slots=True)
class WithBaselines:
    """Metrics of a model, and of the baselines by name."""

    model: SimulationMetrics
    baselines: Mapping[str, SimulationMetrics]

    def as_json(self) -> dict[str, object]:
        """Return the entries of `metrics.json`."""
        return {**asdict(self.model), "baselines": dict(self.baselines)}


def measure(driven: Sequence[SimulationResult]) -> SimulationMetrics:
    """Measure one or several simulated recordings together."""
    offset = np.abs(np.concatenate([one.offset_m for one in driven]))
    changes = np.concatenate([one.changes_deg() for one in driven])
    seconds = sum(one.seconds for one in driven)
    interventions = sum(one.interventions for one in driven)
    return SimulationMetrics(
        seconds=seconds,
        interventions=interventions,
        autonomy_percent=autonomy_percent(interventions, seconds),
        mean_abs_offset_m=float(offset.mean()),
        max_abs_offset_m=float(offset.max()),
        jitter_deg=float(changes.mean()) if len(changes) else None,
        metres=sum(one.metres for one in driven),
    )


def measure_beside(
    driven: Sequence[SimulationResult], baselines: Sequence[Mapping[str, SimulationResult]]
) -> WithBaselines:
    """Measure simulated recordings, and the baselines of each of them."""
    beside = {name: measure([each[name] for each in baselines]) for name in BASELINES}
    return WithBaselines(measure(driven), beside)


def implausible_share(one: SimulationResult, car: Car) -> float:
    """Share of the frames at which the recorded car would have cornered harder than tyres hold."""
    lock = LOCK_DEG * car.steering_ratio
    curvature = car.curvature(np.clip(one.truth_deg, -lock, lock), one.speed_mps)
    return float(np.mean(np.abs(curvature) * one.speed_mps**2 > STRONGEST_MPS2))


def table_of(one: SimulationResult) -> Simulation:
    """Return the rows of `simulation.csv` of a simulated recording."""
    place, angles = (one.offset_m, one.heading_deg), (one.angle_deg, one.truth_deg)
    frames = one.frame_index, one.time_s
    return Simulation(*frames, *place, *angles, one.intervention, one.distance_m)


def as_table(results: Mapping[str, WithBaselines]) -> str:
    """Return a table: one row per recording, the model and beside it the baselines."""
    width = max(len(name) for name in results)
    lines = [
        f"{'':<{width}}  {'seconds':>8}  {'metres':>8}  {'interv.':>7}  {'autonomy':>8}  "
        f"{'offset m: mean':>14}  {'max':>5}  {'jitter':>6}  "
        + "  ".join(f"{name + ': interv.':>17}  {'autonomy':>8}" for name in BASELINES)
    ]
    for name, one in results.items():
        m = one.model
        jitter = "-" if m.jitter_deg is None else f"{m.jitter_deg:.3f}"
        beside = "  ".join(
            f"{one.baselines[key].interventions:>17}  {one.baselines[key].autonomy_percent:>7.1f}%"
            for key in BASELINES
        )
        lines.append(
            f"{name:<{width}}  {m.seconds:>8.1f}  {m.metres:>8.0f}  {m.interventions:>7}  "
            f"{m.autonomy_percent:>7.1f}%  {m.mean_abs_offset_m:>14.3f}  "
            f"{m.max_abs_offset_m:>5.2f}  {jitter:>6}  {beside}"
        )
    return "\n".join(lines)
