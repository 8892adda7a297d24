"""The settings that `tune-steering` searches, and their values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.results.names import STUDY
from drive.results.search import Value
from drive.steering.training_data import TrainingData
from drive.steering.training_settings import LEARNING_RATES, SOLVED, TrainingSettings

RATE_FACTOR = 10.0
"""The learning rate is searched from the default divided by this to the default times this."""

CHOICES: dict[str, tuple[Value, ...]] = {
    "batch": (16, 32, 64, 128),
    "l2": (0.0, 1e-6, 1e-5, 1e-4, 1e-3),
    "batch_norm": (False, True),
    "variant": ("published", "elu"),
    "schedule": ("constant", "cosine"),
}
"""`restarts` is left out: within the few epochs of a trial it equals `cosine`."""

RANGES = {"dropout": (0.0, 0.5, 0.05)}
"""Lowest, highest, step."""

SEARCHED = ("learning_rate", *RANGES, *CHOICES)
"""Searched by default. Not `viewpoints`, `balance` and `augment`: the error on recorded frames does
not show their purpose, returning to the middle of the road."""

OF_THE_VARIANTS = ("variant", "batch_norm")
"""What a network with a pretrained backbone does not have."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A field of `TrainingSettings` that is searched: some `values`, or a range with both ends."""

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False

    def holds(self, value: Value) -> bool:
        """Whether the search could propose this value."""
        if self.values or isinstance(value, str):
            return value in self.values
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search was asked; `options` of `train-steering` belong to the best trial too."""

    settings: TrainingSettings
    space: list[Parameter]
    trials: int
    data: TrainingData
    options: Mapping[str, Value]


def names_to_search(
    asked: str | None, given: Collection[str], backbone: str | None
) -> tuple[str, ...]:
    """Return the settings to search: those asked for (a comma between), or all not given."""
    if backbone == SOLVED:
        raise InputError(
            f"--backbone {SOLVED} has no settings to search. Train it with train-steering"
        )
    meaningless = OF_THE_VARIANTS if backbone else ()
    if asked is None:
        return tuple(name for name in SEARCHED if name not in (*given, *meaningless))
    names = tuple(name.strip().replace("-", "_") for name in asked.split(","))
    if both := ", ".join(name for name in names if name in given):
        raise InputError(f"search a setting or give its value; got both for {both}")
    if set(names) & set(meaningless):
        raise InputError(f"with --backbone there is no {' and no '.join(meaningless)} to search")
    return names


def search_space(settings: TrainingSettings, names: Sequence[str] = SEARCHED) -> list[Parameter]:
    """Return the parameters of a search; the optimizer of `settings` sets the learning rates."""
    unknown = [name for name in names if name not in SEARCHED]
    if unknown or not names:
        raise InputError(
            f"--search must be some of {', '.join(SEARCHED)}; got {', '.join(unknown) or 'none'}"
        )
    return [_parameter(name, settings) for name in SEARCHED if name in names]


def usual(settings: TrainingSettings, space: Iterable[Parameter]) -> dict[str, Value]:
    """Return the values in `settings` of what is searched: those of the first trial."""
    known = {**asdict(settings), "learning_rate": settings.rate}
    return {parameter.name: known[parameter.name] for parameter in space}


def short(settings: TrainingSettings, epochs: int) -> TrainingSettings:
    """Return the settings of a trial of a few epochs, without early stopping."""
    return replace(settings, epochs=epochs, patience=0)


def find_study(folder: str | Path) -> Path:
    """Return the file of the search in a folder."""
    path = Path(folder) / STUDY
    if not path.is_file():
        raise InputError(f"{folder}: there is no search to resume; {STUDY} is missing")
    return path


def read_space(rows: Iterable[Mapping[str, Any]]) -> list[Parameter]:
    """Return parameters from the JSON of their `asdict`."""
    return [Parameter(**{**row, "values": tuple(row["values"])}) for row in rows]


def _parameter(name: str, settings: TrainingSettings) -> Parameter:
    if name == "learning_rate":
        rate = LEARNING_RATES[settings.optimizer]
        return Parameter(name, low=rate / RATE_FACTOR, high=rate * RATE_FACTOR, log=True)
    if name in RANGES:
        low, high, step = RANGES[name]
        return Parameter(name, low=low, high=high, step=step)
    return Parameter(name, values=CHOICES[name])
