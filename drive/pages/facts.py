"""The few numbers that a run is about, as text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from drive.core.wording import noun
from drive.pages.data import Fact
from drive.results.history import EpochResult
from drive.results.json_files import parse
from drive.results.manifest import Entry
from drive.results.numbers import Numbers, Side
from drive.results.record import Record
from drive.results.run_results import RunResults, Search
from drive.results.search import TrialResult


def facts_of(run: RunResults) -> list[Fact]:
    """Return the facts of a run, the most important first."""
    say = _SAYERS.get(run.command, _analysed)
    facts = search_facts(run.search) + list(filter(None, say(run.numbers, run.record)))
    if run.record.total_s:
        facts.append(_fact("took", _duration(run.record.total_s), _since(run.record)))
    return facts


def video_facts(entry: Entry) -> list[Fact]:
    """Return the facts of a video of a run over several."""
    numbers = parse(Numbers, entry.results, "", lambda _: None)
    record = Record(seconds={"total": entry.seconds or 0.0})
    facts = list(filter(None, _analysed(numbers, record)))
    return facts + ([_fact("took", _duration(entry.seconds))] if entry.seconds else [])


def _since(record: Record) -> str:
    return "since it was resumed" if record.settings.get("resume") else ""


def search_facts(search: Search | None) -> list[Fact]:
    """Return the facts of a search; empty if there is none."""
    if search is None:
        return []
    count = f"{len(search.trials)} of {search.asked}" if search.asked else str(len(search.trials))
    facts = [_fact("trials", count, _outcomes(search.trials))]
    if search.best:
        note = f"degrees², trial {search.best.number}"
        facts.insert(0, _fact("best loss", f"{search.best.val_loss:.3f}", note))
    return facts


def trial_facts(trial: TrialResult) -> list[Fact]:
    """Return the facts of a trial of a search."""
    at = f"epoch {trial.best_epoch}" if trial.best_epoch else ""
    loss = trial.val_loss if math.isfinite(trial.val_loss) else None
    facts = [
        _measure("best loss", loss, ".3f", "", at),
        _fact("outcome", trial.outcome),
        _measure("epochs", trial.epochs),
        _fact("took", _duration(trial.seconds)),
    ]
    return list(filter(None, facts))


def history_facts(history: Sequence[EpochResult]) -> list[Fact]:
    """Return the facts of a training that has not ended; empty before its first epoch."""
    if not history:
        return []
    best = min(history, key=lambda row: row.val_loss)
    return [
        _fact("epochs so far", str(len(history))),
        _fact("best loss", f"{best.val_loss:.3f}", f"epoch {best.epoch}"),
    ]


def _outcomes(trials: Sequence[TrialResult]) -> str:
    counts = Counter(trial.outcome for trial in trials)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _analysed(numbers: Numbers, record: Record) -> list[Fact | None]:
    frames, lost, with_boxes = numbers.frames, numbers.frames_lost, numbers.frames_with_boxes
    share = f"in {with_boxes / frames:.0%} of the frames" if frames and with_boxes else ""
    seconds = record.total_s
    pace = frames / seconds if frames and seconds and not _since(record) else 0.0
    rate = f"{pace:.{0 if pace >= 10 else 1}f} per second" if pace else ""
    videos = numbers.videos if isinstance(numbers.videos, int) else None
    return [
        *_errors(numbers.against_human or Numbers()),
        _measure("videos", videos),
        _measure("failed", numbers.failed or None),
        _measure("frames", frames, note=f"{lost:,} lost" if lost else rate),
        _measure("boxes", numbers.boxes, note=share),
        _measure("tracks", numbers.tracks),
    ]


def _evaluated(numbers: Numbers, record: Record) -> list[Fact | None]:
    recordings = len(numbers.recordings)
    where = f"{recordings} recordings" if recordings > 1 else ""
    return [*_errors(numbers, where), _measure("frames", numbers.n)]


def _simulated(numbers: Numbers, record: Record) -> list[Fact | None]:
    zero = numbers.baselines.get("zero")
    straight = zero.get("interventions") if isinstance(zero, dict) else None
    metres = numbers.metres
    beside = f"straight ahead: {straight}" if straight is not None else ""
    return [
        _measure("autonomy", numbers.autonomy_percent, ".1f", " %"),
        _measure("interventions", numbers.interventions, note=beside),
        _measure("mean offset", numbers.mean_abs_offset_m, ".2f", " m"),
        _measure("driven", metres / 1000 if metres else None, ".2f", " km"),
    ]


def _compared(numbers: Numbers, record: Record) -> list[Fact | None]:
    sides = zip(("left", "right"), numbers.sides, strict=False)
    return [
        _measure("length", numbers.seconds, ".1f", " s"),
        *(_measure(where, side.seconds, ".1f", " s", _in_words(side)) for where, side in sides),
    ]


def _in_words(side: Side) -> str:
    rate = f", {side.fps:.4g} frames per second" if side.fps else ""
    return f"{side.name}: {side.width} by {side.height} pixels{rate}"


def _trained_steering(numbers: Numbers, record: Record) -> list[Fact | None]:
    measured = numbers.test or numbers.validation or Numbers()
    best, epochs = numbers.best_epoch, numbers.epochs
    return [
        *_errors(measured, "test" if numbers.test else "validation"),
        _fact("best epoch", f"{best} of {epochs}") if best else None,
        _measure("validation loss", numbers.val_loss, ".3f"),
    ]


def _trained_detector(numbers: Numbers, record: Record) -> list[Fact | None]:
    before = numbers.validation_before.map50 if numbers.validation_before else None
    note = f"before: {before:.3f}" if before is not None else ""
    classes = numbers.classes
    measured = numbers.validation or Numbers()
    return [
        _measure("mean AP50", measured.map50, ".3f", "", note),
        _measure("validation loss", numbers.val_loss, ".3f"),
        _measure("epochs", numbers.epochs),
        _fact("classes", str(len(classes)), ", ".join(classes)) if classes else None,
    ]


def _errors(numbers: Numbers, where: str = "") -> list[Fact | None]:
    baselines = [
        f"{name.split('_')[0]} {value:.2f}"
        for name, value in numbers.baselines.items()
        if isinstance(value, int | float) and value
    ]
    note = f"always {', '.join(baselines)}".replace("always persistence", "persistence")
    count = numbers.n
    compared = f"{count:,} {noun(count, 'frame')} compared" if count else ""
    place = f", {where}" if where else ""
    return [
        _explained(numbers.explained, place),
        _measure(f"RMSE{place}", numbers.rmse_deg, ".2f", "°", note if baselines else ""),
        _measure(f"mean absolute error{place}", numbers.mae_deg, ".2f", "°", compared),
    ]


def _explained(shares: Mapping[str, object], place: str) -> Fact | None:
    """The share of the variation that the model explains; what is worse than a constant is 0 %."""
    model, ago = shares.get("model"), shares.get("persistence_1s")
    if not isinstance(model, int | float):
        return None
    beside = f", one second ago {max(0, ago):.0%}" if isinstance(ago, int | float) else ""
    zero = shares.get("zero")
    straight = max(0, zero) if isinstance(zero, int | float) else 0
    return _fact(f"explained{place}", f"{max(0, model):.0%}", f"zero {straight:.0%}{beside}")


def _measure(
    label: str, value: float | None, form: str = ",", unit: str = "", note: str = ""
) -> Fact | None:
    return None if value is None else _fact(label, f"{value:{form}}{unit}", note)


def _fact(label: str, value: str, note: str = "") -> Fact:
    return {"label": label, "value": value, "note": note}


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


_SAYERS: dict[str, Callable[[Numbers, Record], list[Fact | None]]] = {
    "compare": _compared,
    "evaluate-steering": _evaluated,
    "simulate": _simulated,
    "train-steering": _trained_steering,
    "train-detector": _trained_detector,
}
