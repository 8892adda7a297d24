"""The numbers in `results` of `run.json` and in `metrics.json`, read whatever the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from drive.results.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Side:
    """A video of `compare`."""

    name: str = ""
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a command measured; None or empty what it does not. `simulate` lists its `videos`."""

    frames: int | None = None
    frames_lost: int | None = None
    frames_with_boxes: int | None = None
    boxes: int | None = None
    tracks: int | None = None
    videos: object = None
    failed: int | None = None
    video: str = ""
    n: int | None = None
    rmse_deg: float | None = None
    mae_deg: float | None = None
    explained: Mapping[str, object] = field(default_factory=dict)
    baselines: Mapping[str, object] = field(default_factory=dict)
    recordings: Mapping[str, object] = field(default_factory=dict)
    against_human: Numbers | None = None
    verdict: Verdict | None = None
    autonomy_percent: float | None = None
    interventions: int | None = None
    mean_abs_offset_m: float | None = None
    metres: float | None = None
    limit_m: float | None = None
    seconds: float | None = None
    sides: tuple[Side, ...] = ()
    epochs: int | None = None
    best_epoch: int | None = None
    val_loss: float | None = None
    validation: Numbers | None = None
    validation_before: Numbers | None = None
    test: Numbers | None = None
    classes: tuple[str, ...] = ()
    map50: float | None = None

    def updated(self, newer: Numbers) -> Numbers:
        """Return these numbers with those of `newer` in their place, as far as it has them."""
        values = {each.name: getattr(newer, each.name) for each in fields(newer)}
        known = {name: each for name, each in values.items() if each != getattr(_NOTHING, name)}
        return replace(self, **known)


_NOTHING = Numbers()
