"""The few numbers that a run is about, in words. Knows what commands put into their JSON files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drive.core.wording import noun

Fact = dict[str, str]
Numbers = Mapping[str, Any]


def facts_of(command: str, record: Numbers, metrics: Numbers) -> list[Fact]:
    """The facts of a run, the most important first.

    Args:
        command: of the run.
        record: what `run.json` says.
        metrics: what `metrics.json` says, empty without one.
    """
    results = record.get("results", {})
    say = _SAYERS.get(command, _analysed)
    facts = [fact for fact in say({**results, **metrics}, record) if fact is not None]
    seconds = record.get("seconds", {}).get("total")
    if seconds:
        facts.append(_fact("took", _duration(float(seconds)), _since(record)))
    return facts


def _since(record: Numbers) -> str:
    return "since it was resumed" if record.get("settings", {}).get("resume") else ""


def search_facts(search: Numbers | None) -> list[Fact]:
    """The best of a search's finished trials, of all of them."""
    if search is None:
        return []
    trials, asked = search["trials"], search["asked"]
    count = f"{len(trials)} of {asked}" if asked else str(len(trials))
    facts = [_fact("trials", count, _outcomes(trials))]
    for trial in trials:
        if trial["trial"] == search["best"]:
            name = f"trial {trial['trial']}"
            facts.insert(0, _fact("best loss", f"{trial['val_loss']:.3f}", f"degrees², {name}"))
    return facts


def trial_facts(trial: Numbers) -> list[Fact]:
    """What became of a trial of a search."""
    at = f"epoch {trial['best_epoch']}" if trial["best_epoch"] else ""
    facts = [
        _measure("best loss", trial["val_loss"], "", 3, at),
        _fact("outcome", trial["outcome"]),
        _number("epochs", trial["epochs"]),
        _fact("took", _duration(trial["seconds"])),
    ]
    return [fact for fact in facts if fact is not None]


def _outcomes(trials: list[Numbers]) -> str:
    kinds = dict.fromkeys(trial["outcome"] for trial in trials)
    counts = {kind: sum(trial["outcome"] == kind for trial in trials) for kind in kinds}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _analysed(results: Numbers, record: Numbers) -> list[Fact | None]:
    frames = results.get("frames")
    lost = results.get("frames_lost")
    with_boxes = results.get("frames_with_boxes")
    seconds = record.get("seconds", {}).get("total")
    share = f"in {with_boxes / frames:.0%} of the frames" if frames and with_boxes else ""
    pace = frames / float(seconds) if frames and seconds and not _since(record) else 0.0
    rate = f"analysed at {pace:.{0 if pace >= 10 else 1}f} a second" if pace else ""
    return [
        *_errors(results.get("against_human") or {}),
        _number("videos", results.get("videos")),
        _number("failed", results.get("failed") or None),
        _number("frames", frames, f"{lost:,} lost" if lost else rate),
        _number("boxes", results.get("boxes"), share),
        _number("tracks", results.get("tracks")),
    ]


def _evaluated(results: Numbers, record: Numbers) -> list[Fact | None]:
    recordings = len(results.get("recordings") or [])
    where = f"{recordings} recordings" if recordings > 1 else ""
    return [*_errors(results, where), _number("frames", results.get("n"))]


def _simulated(results: Numbers, record: Numbers) -> list[Fact | None]:
    baselines = results.get("baselines", {}).get("zero", {})
    straight = baselines.get("interventions")
    metres = results.get("metres")
    beside = f"straight on: {straight}" if straight is not None else ""
    return [
        _measure("autonomy", results.get("autonomy_percent"), " %", 1),
        _number("interventions", results.get("interventions"), beside),
        _measure("mean offset", results.get("mean_abs_offset_m"), " m", 2),
        _measure("driven", metres / 1000 if metres else None, " km", 2),
    ]


def _compared(results: Numbers, record: Numbers) -> list[Fact | None]:
    sides = zip(("left", "right"), results.get("sides", []), strict=False)
    return [
        _measure("length", results.get("seconds"), " s", 1),
        *(_measure(where, side["seconds"], " s", 1, _in_words(side)) for where, side in sides),
    ]


def _in_words(side: Numbers) -> str:
    rate = f", {side['fps']:.4g} frames a second" if side.get("fps") else ""
    return f"{side['name']}: {side['width']} by {side['height']} pixels{rate}"


def _trained_steering(results: Numbers, record: Numbers) -> list[Fact | None]:
    measured = results.get("test") or results.get("validation") or {}
    best, epochs = results.get("best_epoch"), results.get("epochs")
    return [
        *_errors(measured, "test" if results.get("test") else "validation"),
        _fact("best epoch", f"{best} of {epochs}") if best else None,
        _measure("validation loss", results.get("val_loss"), "", 3),
    ]


def _trained_detector(results: Numbers, record: Numbers) -> list[Fact | None]:
    measured = results.get("validation") or {}
    before = (results.get("validation_before") or {}).get("map50")
    note = f"before: {before:.3f}" if before is not None else ""
    losses = results.get("val_loss")
    classes = results.get("classes") or []
    return [
        _measure("mean AP50", measured.get("map50"), "", 3, note),
        _measure("validation loss", losses, "", 3),
        _number("epochs", results.get("epochs")),
        _fact("classes", str(len(classes)), ", ".join(classes)) if classes else None,
    ]


def _errors(metrics: Numbers, where: str = "") -> list[Fact | None]:
    baselines = metrics.get("baselines") or {}
    beside = [f"{name.split('_')[0]} {value:.2f}" for name, value in baselines.items() if value]
    note = f"always {', '.join(beside)}".replace("always persistence", "persistence")
    return [
        _measure(
            f"RMSE, {where}" if where else "RMSE",
            metrics.get("rmse_deg"),
            "°",
            2,
            note if beside else "",
        ),
        _measure(
            f"mean absolute error, {where}" if where else "mean absolute error",
            metrics.get("mae_deg"),
            "°",
            2,
            _compared_frames(metrics),
        ),
    ]


def _compared_frames(metrics: Numbers) -> str:
    count = metrics.get("n")
    return f"{count:,} {noun(count, 'frame')} compared" if count else ""


def _number(label: str, value: Any, note: str = "") -> Fact | None:
    return None if value is None else _fact(label, f"{value:,}", note)


def _measure(label: str, value: Any, unit: str, digits: int, note: str = "") -> Fact | None:
    return None if value is None else _fact(label, f"{float(value):.{digits}f}{unit}", note)


def _fact(label: str, value: str, note: str = "") -> Fact:
    return {"label": label, "value": value, "note": note}


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


_SAYERS: dict[str, Callable[[Numbers, Numbers], list[Fact | None]]] = {
    "compare": _compared,
    "evaluate-steering": _evaluated,
    "simulate": _simulated,
    "train-steering": _trained_steering,
    "train-detector": _trained_detector,
}
