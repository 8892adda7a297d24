"""The figures of `bench`: rows, ratios, and the table as text.

Knows what is compared with what; times come from `measure`, rows from `stages`.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from drive.benchmark.measure import Times, ratio
from drive.benchmark.stages import DRIVE, FLOAT, INFERENCE, INT8, RUNTIMES, V1, Row
from drive.benchmark.training import CACHE, READERS, STRAIGHTFORWARD, TRAINING
from drive.benchmark.training import DRIVE as TRAINED
from drive.benchmark.whole import DETECT, OURS, PREDICT, ULTRALYTICS
from drive.core.wording import aligned

RATIOS = (
    "detect_vs_straightforward",
    "detect_vs_ultralytics",
    "int8_vs_float",
    "training_vs_straightforward",
    "predict_steering_vs_video",
    "drive_int8_vs_tiny_yolo_v1_float",
)
"""How many times faster the first is than the second; null in `bench.json` if not measured."""

BUSY_SHARE = 0.25
"""Load of other programs per core from which times are not reliable; ratios still hold roughly,
since everything is measured in turn."""

CPU_INFO = Path("/proc/cpuinfo")
DIGITS = 3
HEAD = ("stage", "subject", "precision", "engine", "size", "ms", "quartiles", "per second")


@dataclass(frozen=True, slots=True)
class Figure(Row):
    """A row of the table, as `bench.json` has it; times are milliseconds per unit."""

    ms: float
    ms_quartiles: tuple[float, float]
    per_second: float
    samples: int

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, column by column of `HEAD`."""
        low, high = self.ms_quartiles
        names = (self.stage, self.subject, self.precision or "", self.engine, self.size)
        return (*names, f"{self.ms:.2f}", f"{low:.2f}-{high:.2f}", f"{self.per_second:.1f}")


@dataclass(frozen=True, slots=True)
class Ratios:
    """How many times faster one is than the other; None if not measured."""

    plain: dict[str, float | None]
    by_engine: dict[str, dict[str, float | None]]
    by_reader: dict[str, float | None]

    def as_json(self) -> dict[str, object]:
        """Return the ratios as `bench.json` has them."""
        return self.plain | {"by_engine": self.by_engine, "training_by_reader": self.by_reader}


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were measured on; `load` is the mean of the last minute."""

    processor: str
    cores: int | None
    system: str
    load: float | None

    @property
    def is_busy(self) -> bool:
        """Whether other programs were running."""
        return self.load is not None and self.load > BUSY_SHARE * (self.cores or 1)


def table_rows(rows: Sequence[Row], times: Mapping[str, Times]) -> list[Figure]:
    """Return the rows with their figures."""
    return [_figure(row, times[row.key]) for row in rows]


def _figure(row: Row, times: Times) -> Figure:
    low, high = times.quartiles_ms
    return Figure(
        **asdict(row) | {"precision": row.precision or None},
        ms=round(times.median_ms, DIGITS),
        ms_quartiles=(round(low, DIGITS), round(high, DIGITS)),
        per_second=round(1000 / times.median_ms, DIGITS),
        samples=times.count,
    )


def ratios(rows: Sequence[Row], times: Mapping[str, Times], frame_s: float | None = None) -> Ratios:
    """Return every ratio, of inference within a runtime; `frame_s` is the time per frame."""
    timed = {
        (row.stage, row.subject, row.precision, row.engine): times[row.key]
        for row in reversed(rows)
    }
    subjects = {key[:2]: found for key, found in timed.items()}
    by_engine = {engine: _of_engine(engine, timed) for engine in RUNTIMES}
    first = next((found for found in by_engine.values() if any(found.values())), {})
    ours, trained = subjects.get((DETECT, OURS)), timed.get((TRAINING, TRAINED, "", CACHE))
    by_reader = {
        reader: _faster(timed.get((TRAINING, STRAIGHTFORWARD, "", reader)), trained)
        for reader in READERS
    }
    plain = {name: first.get(name) for name in RATIOS}
    plain["training_vs_straightforward"] = by_reader[READERS[0]]
    for other in (STRAIGHTFORWARD, ULTRALYTICS):
        plain[f"detect_vs_{other}"] = _faster(subjects.get((DETECT, other)), ours)
    if (steered := subjects.get((PREDICT, OURS))) and frame_s:
        plain["predict_steering_vs_video"] = round(1000 * frame_s / steered.median_ms, DIGITS)
    return Ratios(plain, by_engine, by_reader)


def _of_engine(
    engine: str, timed: Mapping[tuple[str, str, str | None, str], Times]
) -> dict[str, float | None]:
    subjects = ((DRIVE, FLOAT), (DRIVE, INT8), (V1, FLOAT))
    plain, int8, v1 = (timed.get((INFERENCE, *each, engine)) for each in subjects)
    return {
        "int8_vs_float": _faster(plain, int8),
        "drive_int8_vs_tiny_yolo_v1_float": _faster(v1, int8),
    }


def _faster(slow: Times | None, fast: Times | None) -> float | None:
    return None if slow is None or fast is None else round(ratio(slow, fast), DIGITS)


def as_text(table: Sequence[Figure], found: Ratios) -> str:
    """Return the table and the ratios for the terminal."""
    figures = aligned([HEAD, *(row.cells() for row in table)], numbers_from=HEAD.index("ms"))
    values = ((name, found.plain[name]) for name in RATIOS)
    said = [(name, "not measured" if value is None else f"{value:.2f}") for name, value in values]
    return f"{figures}\n\ntimes faster\n{aligned(said, numbers_from=len(HEAD))}"


def this_machine() -> Machine:
    """Return the machine and its load."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count(),
        system=platform.platform(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def _processor() -> str:
    """Return the name of the processor: Linux' own, else Python's."""
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
