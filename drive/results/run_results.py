"""A run folder, read: `read_run(folder)` gives everything that a command wrote there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from drive.core.errors import InputError, MissingFileError, as_path
from drive.core.files import PART, leads_out
from drive.results import names
from drive.results.damage import LEADS_OUT, Damage
from drive.results.detections import Detections
from drive.results.history import EpochResult, read_history
from drive.results.json_files import parse, read_object
from drive.results.manifest import Entry
from drive.results.numbers import Numbers
from drive.results.record import Record
from drive.results.search import TrialResult, best_trial, is_search, read_trials
from drive.results.simulation import Simulation
from drive.results.steering import Steering
from drive.results.table import Table, read_by_recording, read_table
from drive.results.training_notes import Notes


@dataclass(frozen=True, slots=True)
class Search:
    """A search for settings: its finished trials, and how many were asked for, if known."""

    trials: Sequence[TrialResult]
    asked: int | None = None

    @property
    def searched(self) -> list[str]:
        """Names of the settings that are searched."""
        return list(self.trials[0].values) if self.trials else []

    @property
    def best(self) -> TrialResult | None:
        """The complete trial with the smallest loss."""
        return best_trial(self.trials)


@dataclass(frozen=True, slots=True)
class _Manifest:
    videos: tuple[Entry, ...] = ()


class RunResults:
    """What a run folder holds. Each file is read when its attribute is first used.

    What is missing is None or empty; so is what is damaged, and `problems` says why.

    Attributes:
        folder: of the run.
        record: `run.json`; empty if there is none.
        problem: why `run.json` cannot be read; empty if it can, or if there is none.
        ended: whether there is a `run.json`, which a run writes at its end.
    """

    def __init__(self, folder: Path, record: Record, damage: Damage, problem: str = "") -> None:
        self.folder, self.record, self.problem, self._damage = folder, record, problem, damage
        self.ended = (folder / names.RUN).exists()

    @property
    def command(self) -> str:
        """The command, such as `detect`; empty if unknown."""
        return self.record.name

    @property
    def title(self) -> str:
        """What the run is about: the names of its sources, else of its folder."""
        return self.record.title(self.folder)

    @property
    def settings(self) -> Mapping[str, object]:
        """Every resolved setting, by today's names."""
        return self.record.asked

    @property
    def counts(self) -> Mapping[str, object]:
        """Numbers of frames, rows and boxes that were read, lost and written."""
        return self.record.counts

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be known to read the results correctly."""
        return self.record.warnings

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds per stage, and `total`."""
        return self.record.seconds

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, and why; a line each."""
        return self._damage.told

    def tell(self, problem: str) -> None:
        """Add a line to `problems`."""
        self._damage.tell(problem)

    @cached_property
    def metrics(self) -> Mapping[str, object]:
        """`metrics.json`."""
        path = self.folder / names.METRICS
        return self._damage.read(names.METRICS, read_object, path, self.folder) or {}

    @cached_property
    def numbers(self) -> Numbers:
        """The numbers of `run.json` and `metrics.json`."""
        tell = self._damage.tell
        own = parse(Numbers, self.record.results, f"{names.RUN}: results", tell)
        return own.updated(parse(Numbers, self.metrics, names.METRICS, tell))

    @cached_property
    def detections(self) -> Detections | None:
        """`detections.csv`."""
        return self._table(self.folder / names.DETECTIONS, Detections)

    @cached_property
    def steering(self) -> Steering | None:
        """`steering.csv` of a run with one video or recording."""
        return self._table(self.folder / names.STEERING, Steering)

    @cached_property
    def steering_by_recording(self) -> Mapping[str, Steering]:
        """`steering.csv` of each recording that `evaluate-steering` measured, by name."""
        recordings = list(self.numbers.recordings) or [self.title]
        homes = {name: self.folder / names.recording_folder(name) for name in recordings}
        if len(recordings) == 1:
            homes = {recordings[0]: self.folder}
        found = {name: self._table(home / names.STEERING, Steering) for name, home in homes.items()}
        return {name: table for name, table in found.items() if table is not None}

    @cached_property
    def simulation(self) -> Mapping[str, Simulation]:
        """`simulation.csv`: the table of each recording, by name."""
        return self._tables(self.folder / names.SIMULATION, Simulation)

    @cached_property
    def predictions(self) -> Mapping[str, Steering]:
        """`predictions.csv` of a training: the held-out recordings, by name."""
        return self._tables(self.folder / names.PREDICTIONS, Steering)

    def _table(self, path: Path, table: type[Table]) -> Table | None:
        return self._damage.read(path.name, read_table, path, table) if self.holds(path) else None

    def _tables(self, path: Path, table: type[Table]) -> Mapping[str, Table]:
        if not self.holds(path):
            return {}
        return self._damage.read(path.name, read_by_recording, path, table) or {}

    @property
    def history(self) -> Sequence[EpochResult]:
        """`history.csv` of a training."""
        return self.histories.get("", ())

    @cached_property
    def histories(self) -> Mapping[str, Sequence[EpochResult]]:
        """The histories of a training: "" its own, and those of an ensemble's members by name."""
        found = {
            name: self._damage.read(names.HISTORY, read_history, path)
            for name, path in self.history_files.items()
        }
        return {name: rows for name, rows in found.items() if rows is not None}

    @cached_property
    def history_files(self) -> Mapping[str, Path]:
        """The paths of the histories, by name."""
        members = sorted(self.folder.glob(f"{names.MEMBER}*"), key=_digits)
        homes = {"": self.folder} | {home.name: home for home in members if home.is_dir()}
        paths = {name: home / names.HISTORY for name, home in homes.items()}
        return {name: path for name, path in paths.items() if self.holds(path)}

    @cached_property
    def notes(self) -> Notes | None:
        """What a training left for its report."""
        path = self.folder / names.NOTES_FOLDER / names.NOTES
        if not path.is_file():
            return None
        found = self._damage.read(names.NOTES, read_object, path, self.folder)
        return None if found is None else parse(Notes, found, names.NOTES, self._damage.tell)

    @cached_property
    def search(self) -> Search | None:
        """The trials of a search."""
        if not is_search(self.folder):
            return None
        return self._damage.read(names.TRIALS, self._read_search)

    def _read_search(self) -> Search:
        path = self.folder / names.TRIALS
        if leads_out(path, self.folder):
            raise InputError(f"{path} {LEADS_OUT}")
        return Search(read_trials(path) if path.is_file() else [], self.record.trials)

    @cached_property
    def videos(self) -> Sequence[Entry]:
        """The videos of a run over several; each has its own run folder, `entry.folder`."""
        path = self.folder / names.MANIFEST
        found = self._damage.read(names.MANIFEST, read_object, path, self.folder) or {}
        return parse(_Manifest, found, names.MANIFEST, self._damage.tell).videos

    @cached_property
    def images(self) -> Sequence[Path]:
        """Annotated images, if the source was images."""
        folder = self.folder / names.IMAGES
        return sorted(folder.glob("*.jpg")) if folder.is_dir() else []

    @property
    def video(self) -> Path | None:
        """The annotated video: the one that the run names, else the only one there."""
        name = Path(self.numbers.video).name
        named = self.folder / name if name else None
        if named and named.is_file():
            return named
        found = sorted(path for path in self.folder.glob("*.mp4") if PART not in path.name)
        return found[0] if len(found) == 1 else named

    @property
    def files(self) -> list[Path]:
        """The results, with those of each recording in its own folder; not the report."""
        skipped = (names.REPORT, names.LIVE_DATA)
        tables = sorted(self.folder.glob(f"*/{names.STEERING}"))
        inner = [path.parent for path in tables if not (path.parent / names.RUN).is_file()]
        return [
            path
            for home in (self.folder, *inner)
            for path in sorted(home.iterdir())
            if path.is_file() and path.name not in skipped and PART not in path.name
        ]

    def holds(self, path: Path) -> bool:
        """Return whether the run has such a file; a link out of its folder does not count."""
        return self._damage.holds(path)


def read_run(
    folder: str | Path, record: Mapping[str, object] | None = None, follow_links: bool = False
) -> RunResults:
    """Read a run folder, also one that an earlier version of drive wrote.

    Args:
        folder: of the run.
        record: content to use instead of `run.json`; None reads the file if it exists.
        follow_links: whether `run.json` may be a link out of the folder.

    Raises:
        MissingFileError: there is no such folder.

    Example:
        >>> from drive import read_run
        >>> run = read_run("outputs/001-annotate")
        >>> run.command, run.counts["frames_read"], run.warnings
        >>> run.steering.angle_deg.mean()     # a NumPy array per column
        >>> run.detections.score[run.detections.track_id == 3]
    """
    home = as_path(folder)
    if not home.is_dir():
        raise MissingFileError(f"{home}: no such folder; expected the folder of a run")
    damage, problem = Damage(home), ""
    if record is None:
        limit = None if follow_links else home
        record = damage.read(names.RUN, read_object, home / names.RUN, limit)
        if record is None:
            record, problem = {}, damage.told[0]
            old = (home / names.REPORT).is_file()
            damage.tell(
                f"without {names.RUN}, the command, settings and facts of the run are unknown"
                + (f"; {names.REPORT} in this folder still opens" if old else "")
            )
    return RunResults(home, parse(Record, record, names.RUN, damage.tell), damage, problem)


def _digits(home: Path) -> float:
    digits = "".join(filter(str.isdigit, home.name))
    return int(digits) if digits else -math.inf
