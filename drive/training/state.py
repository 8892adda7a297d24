"""The state of a training on disk, from which it can resume; replaced after each finished epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError, as_option
from drive.results.history import EpochResult, write_history
from drive.results.names import CHECKPOINT, HISTORY
from drive.runtime.keras_file import read_notes, save_model

if TYPE_CHECKING:
    import keras

STATE = f"{CHECKPOINT}/state.keras"


@dataclass(frozen=True, slots=True)
class State:
    """What a state file says: finished epochs, and what the training said of itself."""

    history: list[EpochResult]
    about: dict[str, Any]


def read_state(folder: str | Path) -> State:
    """Read the state of a training, finished or not; raise `InputError` if there is none."""
    path = Path(folder) / STATE
    if not path.is_file():
        raise InputError(
            f"{folder}: there is no training to resume; none was stopped here, or it had not "
            "reached its first epoch. Start again, without --resume"
        )
    about = read_notes(path)
    return State([EpochResult(**row) for row in about.pop("history")], about)


def save_state(
    model: keras.Model, folder: Path, history: Sequence[EpochResult], about: Mapping[str, Any]
) -> None:
    """Write the state after an epoch, and `history.csv` beside it."""
    save_model(model, folder / STATE, {**about, "history": [asdict(row) for row in history]})
    write_history(folder / HISTORY, history)


def check_unchanged(
    folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], changeable: Sequence[str]
) -> None:
    """Raise `InputError` if a setting that is not `changeable` differs from before."""
    changed = [n for n, value in now.items() if n not in changeable and before.get(n) != value]
    if changed:
        began, got = ({name: each.get(name) for name in changed} for each in (before, now))
        raise InputError(
            f"{folder}: a training resumes with the settings it began with, except "
            f"{', '.join(map(as_option, changeable))}; expected {began}, got {got}"
        )
