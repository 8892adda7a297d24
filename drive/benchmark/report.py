"""The figures of `bench`: rows, ratios, the table as text, `bench.json`.

Knows what is compared with what; times come from `measure`, rows from `stages`.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drive.benchmark.measure import Times, ratio
from drive.benchmark.stages import DRIVE, FLOAT, INFERENCE, INT8, RUNTIMES, V1, Row
from drive.benchmark.training import CACHE, READERS, STRAIGHTFORWARD, TRAINING
from drive.benchmark.training import DRIVE as TRAINED
from drive.benchmark.whole import DETECT, OURS, PREDICT, ULTRALYTICS

RATIOS = (
    "detect_vs_straightforward",
    "detect_vs_ultralytics",
    "int8_vs_float",
    "training_vs_straightforward",
    "predict_steering_vs_video",
    "drive_int8_vs_tiny_yolo_v1_float",
)
"""How many times faster the first is than the second; null in `bench.json` where not measured."""

BUSY_SHARE = 0.25
"""Load of other work, as a share of the processors, from which the figures are not to be trusted:
its ratios are, roughly, since everything is measured in turn."""

CPU_INFO = Path("/proc/cpuinfo")
DIGITS = 3
HEAD = ("stage", "subject", "precision", "engine", "size", "ms", "quartiles", "a second")
FIRST_FIGURE = HEAD.index("ms")


def table_rows(rows: Sequence[Row], times: Mapping[str, Times]) -> list[dict[str, Any]]:
    """Return the rows with their figures, as `bench.json` has them."""
    found = []
    for row in rows:
        taken = times[row.key]
        found.append(
            {
                "stage": row.stage,
                "subject": row.subject,
                "precision": row.precision or None,
                "engine": row.engine,
                "size": row.size,
                "ms": round(taken.median_ms, DIGITS),
                "ms_quartiles": [round(value, DIGITS) for value in taken.quartiles_ms],
                "per_second": round(1000 / taken.median_ms, DIGITS),
                "samples": taken.count,
            }
        )
    return found


def ratios(
    rows: Sequence[Row], times: Mapping[str, Times], frame_s: float | None = None
) -> dict[str, Any]:
    """Return every ratio; inference is compared within a runtime, `by_engine` has each.

    The plain ones are those of the runtime that `auto` takes: the first of `RUNTIMES`. Training is
    compared with the straightforward way with each of its readers, `by_reader`; the plain ratio is
    that of the first of `READERS`. `frame_s`, the seconds that a frame of the video is shown, is
    what `predict-steering` is compared with.
    """
    by_engine = {engine: _of_engine(engine, rows, times) for engine in RUNTIMES}
    first = next((found for found in by_engine.values() if any(found.values())), {})
    by_reader = {reader: _of_reader(reader, rows, times) for reader in READERS}
    plain = {name: first.get(name) for name in RATIOS}
    plain["training_vs_straightforward"] = by_reader[READERS[0]]
    ours = _of_subject(DETECT, OURS, rows, times)
    for other in (STRAIGHTFORWARD, ULTRALYTICS):
        plain[f"detect_vs_{other}"] = _faster(_of_subject(DETECT, other, rows, times), ours)
    steered = _of_subject(PREDICT, OURS, rows, times)
    if steered and frame_s:
        plain["predict_steering_vs_video"] = round(1000 * frame_s / steered.median_ms, DIGITS)
    return plain | {"by_engine": by_engine, "training_by_reader": by_reader}


def _of_engine(
    engine: str, rows: Sequence[Row], times: Mapping[str, Times]
) -> dict[str, float | None]:
    def taken(subject: str, precision: str) -> Times | None:
        return _taken((INFERENCE, subject, precision, engine), rows, times)

    int8 = taken(DRIVE, INT8)
    return {
        "int8_vs_float": _faster(taken(DRIVE, FLOAT), int8),
        "drive_int8_vs_tiny_yolo_v1_float": _faster(taken(V1, FLOAT), int8),
    }


def _of_reader(reader: str, rows: Sequence[Row], times: Mapping[str, Times]) -> float | None:
    slow = _taken((TRAINING, STRAIGHTFORWARD, "", reader), rows, times)
    return _faster(slow, _taken((TRAINING, TRAINED, "", CACHE), rows, times))


def _taken(
    wanted: tuple[str, str, str, str], rows: Sequence[Row], times: Mapping[str, Times]
) -> Times | None:
    """The times of the row with this stage, subject, precision and engine."""
    for row in rows:
        if (row.stage, row.subject, row.precision, row.engine) == wanted:
            return times[row.key]
    return None


def _of_subject(
    stage: str, subject: str, rows: Sequence[Row], times: Mapping[str, Times]
) -> Times | None:
    """The times of the first row with this stage and subject."""
    found = (times[row.key] for row in rows if (row.stage, row.subject) == (stage, subject))
    return next(found, None)


def _faster(slow: Times | None, fast: Times | None) -> float | None:
    return None if slow is None or fast is None else round(ratio(slow, fast), DIGITS)


def as_text(table: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> str:
    """Return the table and the ratios for a terminal."""
    lines: list[tuple[str, ...]] = [HEAD]
    for row in table:
        low, high = row["ms_quartiles"]
        names = [row[key] or "" for key in ("stage", "subject", "precision", "engine", "size")]
        figures = (f"{row['ms']:.2f}", f"{low:.2f}-{high:.2f}", f"{row['per_second']:.1f}")
        lines.append((*names, *figures))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = ["  ".join(map(_cell, line, widths, range(len(HEAD)))) for line in lines]
    text += ["", "times faster"]
    width = max(map(len, RATIOS))
    for name in RATIOS:
        value = found[name]
        text.append(f"{name:<{width}}  {'not measured' if value is None else f'{value:.2f}'}")
    return "\n".join(line.rstrip() for line in text)


def machine() -> dict[str, Any]:
    """Return what the figures were taken on; `load` is the mean of the last minute."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def is_busy(found: Mapping[str, Any]) -> bool:
    """Whether other work was running on the machine when `machine` was asked."""
    load, cores = found["load"], found["cores"]
    return load is not None and load > BUSY_SHARE * (cores or 1)


def _processor() -> str:
    """Return the processor's name, as Linux gives it, else as Python does."""
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cell(text: str, width: int, column: int) -> str:
    """Names to the left, figures to the right."""
    return text.rjust(width) if column >= FIRST_FIGURE else text.ljust(width)
