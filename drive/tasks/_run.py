"""One run of a task: its folder, its record, its report, and what it tells the caller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, get_args, get_type_hints

from drive.core.errors import DriveError, InputError
from drive.core.options import Config, between, command_line, fields_of, option
from drive.core.progress import Item
from drive.core.reporter import LogReporter, Reporter
from drive.core.wording import are, counted
from drive.results.manifest import only_run_in
from drive.results.names import REPORT, RUN
from drive.results.record import RunRecord
from drive.results.run_folder import RunFolder, open_run_folder

if TYPE_CHECKING:
    from drive.pages import LiveReport

Loaded = TypeVar("Loaded")
Models = dict[Hashable, object]
ConfigT = TypeVar("ConfigT", bound="RunConfig")
ResultT = TypeVar("ResultT", bound="TaskResult")

COMMON = "common options"
GENERATOR, PAGE_HEAD = b'name="generator" content="drive"', 2000

SHIPPED_STEERING_NOTE = (
    "steering: the weights that ship were trained in a simulator; on other cameras and real roads "
    "their angles mean little. Train your own with train-steering and name them with --weights "
    "(annotate: --steering-weights)"
)
LEFT_OUT = {
    "frames_lost": ("damaged or missing frame", "of the video"),
    "frames_without_row": ("frame", "without a row in the CSV"),
    "rows_without_angle": ("row", "of the CSV without an angle"),
    "rows_repeated": ("row", "of the CSV with the frame of an earlier row"),
    "rows_without_frame": ("row", "of the CSV without a frame in the video"),
}
"""Why frames and rows of a recording are not used: `PairingReport`'s counts, in words."""


@dataclass(frozen=True, kw_only=True)
class RunConfig(Config):
    """The options that every task has."""

    group, place = COMMON, 9

    out: str | None = option(
        None, "folder for results", "DIR", shown_default="a new one in outputs/", resumable=True
    )
    overwrite: bool = option(False, "replace results that exist in --out", resumable=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out and self.out.startswith("~"):  # a shell expands it only in front of a word
            with contextlib.suppress(RuntimeError):  # `~name` of no user
                object.__setattr__(self, "out", str(Path(self.out).expanduser()))

    def refuse_with_resume(self) -> None:
        """Refuse options that a resumed run would ignore: those that are not `resumable`."""
        given = {name for name in self.given if getattr(self, name) not in (None, ())}
        declared = fields_of(type(self))
        free = [each for each in declared if each.option.resumable]
        ignored = [each.shown for each in declared if each.name in given and each not in free]
        if ignored:
            usual = (COMMON, "resume")
            allowed = ", ".join(
                e.flag for e in free if e.group not in usual and e.name not in usual
            )
            raise InputError(
                f"--resume continues with what the run was asked, except {allowed}. "
                f"Leave out {', '.join(ignored)}"
            )


@dataclass(frozen=True, kw_only=True)
class SeedConfig(RunConfig):
    """The option of a task that draws random numbers."""

    group, place = COMMON, 9

    seed: int = option(0, "random seed", "N", between(0, 2**32 - 1), resumable=True)


@dataclass(frozen=True, kw_only=True)
class WeightsConfig(RunConfig):
    """The option of a task that runs or trains a network."""

    group, place = COMMON, 9

    weights: str | None = option(
        None, "weights or model file", "FILE", shown_default="the weights that ship"
    )


@dataclass(frozen=True, kw_only=True)
class ReportConfig(RunConfig):
    """The options of a task that writes a report."""

    group, place = COMMON, 9

    report: bool = option(True, "do not write report.html", resumable=True)


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What every task returns; a path is None if nothing was written there."""

    out: Path | None = None
    run: Path | None = None
    report: Path | None = None

    def as_json(self) -> dict[str, object]:
        """Return the fields that are known, as `--json` prints them; those of every task last."""
        common = {each.name for each in fields(TaskResult)}
        names = sorted((each.name for each in fields(self)), key=common.__contains__)
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def run_files(self) -> dict[str, Path]:
        """Return the known paths among the folder, `run.json` and the report."""
        files = {"out": self.out, "run": self.run, "report": self.report}
        return {name: path for name, path in files.items() if path is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """Return the result that `as_json` has written; unknown keys are ignored."""
        read: dict[str, Any] = {}
        for name, hint in get_type_hints(cls).items():
            if name in values:
                read[name] = _from_json(values[name], get_args(hint) or (hint,))
        return cls(**read)

    def as_text(self) -> str:
        """Return the result as text for the terminal; empty if there is nothing to show."""
        return ""


def _from_json(value: object, kinds: Sequence[object]) -> object:
    if Path in kinds and isinstance(value, str):
        return Path(value)
    for kind in kinds:
        if isinstance(value, dict) and is_dataclass(kind) and isinstance(kind, type):
            return kind(**value)
    return value


class Run:
    """What the work of a task is given beside its config.

    `failure` is the error that the task ends with once its results are written; `models` are loaded
    models by key, which workers and `bench` keep from one run to the next.
    """

    def __init__(
        self,
        name: str,
        config: RunConfig,
        reporter: Reporter | None = None,
        models: Models | None = None,
    ) -> None:
        self.name, self.config = name, config
        self.record = RunRecord(command_line(name, config), config.settings())
        self.failure: DriveError | None = None
        self.models = {} if models is None else models
        self.reporter = reporter or LogReporter()
        self._folder: RunFolder | None = None
        self._alone: contextlib.ExitStack | None = None
        self._live: LiveReport | None = None

    def use(self, config: ConfigT) -> ConfigT:
        """Continue with another config, such as that of a run to resume; return it."""
        self.config, self.record.settings = config, config.settings()
        return config

    @property
    def folder(self) -> RunFolder:
        """The folder of this run, made on first use."""
        if self._folder is None:
            folder = open_run_folder(self.name, self.config.out, self.config.overwrite)
            self.lock(folder.path)
            self._folder = folder
            page = self._folder.path / REPORT
            if self.reports and page.exists() and GENERATOR not in page.read_bytes()[:PAGE_HEAD]:
                self._folder.file(REPORT)  # refuses to replace a page that is not one of ours
        return self._folder

    def lock(self, folder: str | Path) -> None:
        """Keep other runs out of the folder until this one ends; refuse if one works in it."""
        if self._alone is None:
            alone = contextlib.ExitStack()
            alone.enter_context(only_run_in(folder))
            self._alone = alone

    def close(self) -> None:
        """Let other runs into the folder."""
        if self._alone is not None:
            self._alone.close()

    def file(self, name: str, *sources: Path) -> Path:
        """Return where to write a result; refuse to replace what it is made from."""
        path = self.folder.file(name)
        if path.exists() and any(each.exists() and path.samefile(each) for each in sources):
            raise InputError(f"--out {path.parent} would replace the source itself. Choose another")
        return path

    @property
    def reports(self) -> bool:
        """Whether the run gets a report."""
        return isinstance(self.config, ReportConfig) and self.config.report

    def message(self, text: str) -> None:
        """Tell the caller something."""
        self.reporter.message(text)

    def count(self, **numbers: int) -> None:
        """Add to the counts of the record."""
        counts = self.record.counts
        counts.update({name: counts.get(name, 0) + number for name, number in numbers.items()})

    def add_inputs(self, *paths: str | Path) -> None:
        """Record files that are read."""
        for path in paths:
            self.record.add_input(path)

    def warn(self, text: str) -> None:
        """Tell the caller what they must know, and record it."""
        self._keep(text)
        self.reporter.warn(text)

    def note(self, text: str) -> None:
        """Tell the caller something that helps to read the results, and record it."""
        self._keep(text)
        self.reporter.message(text)

    def progress(
        self, iterable: Iterable[Item], total: int | None = None, description: str = ""
    ) -> Iterable[Item]:
        """Show how far `iterable` has come."""
        return self.reporter.progress(iterable, total, description)

    def loaded(self, key: Hashable, load: Callable[[], Loaded]) -> Loaded:
        """Return the model of `key`, loaded once."""
        if key not in self.models:
            self.models[key] = load()
        return cast(Loaded, self.models[key])

    def _keep(self, text: str) -> None:
        if text not in self.record.warnings:
            self.record.warnings.append(text)

    def tell_excluded(self, name: str, frames: int, what: str = "left out") -> None:
        """Report how many frames of a recording lie in excluded ranges, if any."""
        if frames:
            self.record.counts.setdefault("frames_marked_bad", {})[name] = frames
            told = f"{counted(frames, 'frame')} in excluded ranges {are(frames)}"
            self.note(f"{name}: {told} {what}")

    def tell_left_out(self, name: str, found: Mapping[str, int], what: str = "left out") -> None:
        """Report the frames and rows of a recording that are not used, by keys of `LEFT_OUT`."""
        for kind in (kind for kind in LEFT_OUT if kind in found):
            (thing, lacks), count = LEFT_OUT[kind], found[kind]
            self.count(**{kind: count})
            if count:
                self.warn(f"{name}: {counted(count, thing)} {lacks} {are(count)} {what}")

    def warn_of_known(self, names: Iterable[str], metadata: Mapping[str, str], what: str) -> None:
        """Warn about recordings that the model was trained on: `what` there proves nothing."""
        trained_on = {name.strip() for name in metadata.get("trained_on", "").split(",")}
        if seen := [name for name in names if name in trained_on]:
            told = f"the model was trained on {', '.join(seen)}"
            self.warn(f"{told}: {what} there says nothing about other roads")

    def live_report(self) -> LiveReport | None:
        """Return the report of a training that begins; None if none is wanted."""
        if not self.reports:
            return None
        from drive.pages import LiveReport

        self._live = LiveReport(self.folder.path, self.record.as_json())
        return self._live

    def abandon(self, error: BaseException) -> None:
        """Mark a live report as stopped, and remove the folder if it is empty."""
        if self._live is not None:
            with contextlib.suppress(OSError):  # somebody removed the folder
                self._live.stop(str(error) if isinstance(error, DriveError) else "")
        if self._folder is not None:
            with contextlib.suppress(OSError):  # not empty: somebody's, or worth keeping
                self._folder.path.rmdir()

    def finish(self, result: ResultT) -> ResultT:
        """Write `run.json` and the report, and return the result with their paths.

        A `failure` is raised then, with the result as its attribute `result`.
        """
        if self._folder is not None:
            folder = self._folder.path
            self.record.extra.setdefault("results", result.as_json())
            path = folder / RUN
            self.record.write(path)  # if the report is interrupted, the run has its record
            result = replace(result, out=folder, run=path)
            if self.reports:
                result = replace(result, report=self._write_report(folder))
                self.record.write(path)
        if self.failure is not None:
            self.failure.result = result
            raise self.failure
        return result

    def _write_report(self, folder: Path) -> Path:
        from drive.pages import write_report

        if self._live is not None:
            self._live.close()
        try:
            with self.record.stage("report"):
                return write_report(folder, self.record.as_json())
        except KeyboardInterrupt:
            told = f"all results are in {folder}, only {REPORT} was not finished"
            raise KeyboardInterrupt(told) from None


def run_task(
    name: str,
    work: Callable[[ConfigT, Run], ResultT],
    config: ConfigT,
    reporter: Reporter | None = None,
    models: Models | None = None,
) -> ResultT:
    """Do the work of the task `name`, write its record and report; `models` gets what is loaded."""
    _check_config(name, config)
    with contextlib.closing(Run(name, config, reporter, models)) as run:
        try:
            result = work(config, run)
        except BaseException as error:
            run.abandon(error)
            raise
        return run.finish(result)


def _check_config(task: str, config: object) -> None:
    """Refuse what is not the config of the task, such as a bare source."""
    words = task.split("-")
    function, wanted = "_".join(words), "".join(word.title() for word in words) + "Config"
    if wanted not in (base.__name__ for base in type(config).__mro__):
        got = type(config).__name__ if config is not None else "None"
        article = "an " if got[0] in "AEIOUaeiou" else "a "
        example = repr(config) if isinstance(config, str) else "..."
        raise InputError(
            f"{function} requires a {wanted}; got {article if got != 'None' else ''}{got}. "
            f"Write {function}({wanted}({example}))"
        )


@contextlib.contextmanager
def resumable(folder: Path, kept: str, *states: Path) -> Iterator[None]:
    """Say how to resume when Ctrl-C ends the block, or that there is nothing to resume yet.

    `kept` names what is kept of the work; any one of the files `states` is enough to resume from.
    """
    try:
        yield
    except KeyboardInterrupt:
        if any(state.is_file() for state in states):
            raise KeyboardInterrupt(f"{kept} are kept; resume with --resume {folder}") from None
        if folder.is_dir() and any(folder.iterdir()):
            told = f"there is nothing to resume yet; start again, in {folder} with --overwrite"
            raise KeyboardInterrupt(told) from None
        raise
