"""One source in this process, or several videos in workers; the work per video is the same."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from drive.core.errors import DriveError, InputError, MissingFileError
from drive.core.jobs import Outcome, Task
from drive.core.options import fields_of
from drive.core.reporter import KeepingReporter, Reporter
from drive.core.wording import counted
from drive.pipeline.schedule import run_tasks, shares
from drive.results.manifest import DONE, FAILED, PENDING, Entry, Manifest
from drive.results.names import MANIFEST, RUN, SUMMARY
from drive.results.summary import as_text, totals, write_summary
from drive.tasks._options import AnalysisConfig, ManyOptions
from drive.tasks._results import AnalysisResult, Fields, VideoOutcome
from drive.tasks._run import Models, Run, run_task

ConfigT = TypeVar("ConfigT", bound=AnalysisConfig)
ResultT = TypeVar("ResultT", bound=AnalysisResult)
OneVideo = Callable[[ConfigT, Run], ResultT]
"""The work of a task on one source: a function of a module, so that workers find it."""

FILES = ("weights", "steering_weights")
NOT_SHARED = ("source", "out", "overwrite")

_models: Models = {}
"""Models that a worker process keeps from one video to the next."""


@dataclass(frozen=True, slots=True)
class VideoJob(Generic[ConfigT, ResultT]):
    """What a worker needs for one video."""

    command: str
    config: ConfigT
    work: OneVideo[ConfigT, ResultT]


def run_sources(
    name: str,
    work: OneVideo[ConfigT, ResultT],
    result: type[ResultT],
    config: ConfigT,
    reporter: Reporter | None,
) -> ResultT:
    """Run a task whose work is per source: one source here, or several videos in workers."""
    return run_task(name, lambda c, run: _run_all(c, run, work, result), config, reporter)


def _run_all(
    config: ConfigT, run: Run, work: OneVideo[ConfigT, ResultT], result: type[ResultT]
) -> ResultT:
    if config.engine_cluster:
        from drive.pipeline.ray_cluster import load_ray

        load_ray()  # whether it is installed shows before any work
    from drive.video.sources import spread_videos

    names = spread_videos(config.sources, run.message)
    if config.resume:
        run.lock(config.resume)
        config, manifest = _resumed(config, run, names)
        return _Videos(config, run, manifest, work, result).run_all()
    if not names:
        raise InputError("SOURCE is missing: a video, images, a camera index or a stream URL")
    if len(names) == 1 and not config.engine_cluster:
        return work(run.use(replace(config, source=names[0])), run)
    _check_videos(names)
    _check_shared(config)
    manifest = _fresh(config, run, names)
    return _Videos(config, run, manifest, work, result).run_all()


def _fresh(config: AnalysisConfig, run: Run, names: list[str]) -> Manifest:
    """A manifest of the videos, in a run folder that holds nothing of theirs yet."""
    folder = run.folder
    if (folder.path / MANIFEST).exists() and not folder.overwrite:
        raise InputError(
            f"{folder.path} holds an unfinished run over several videos. Resume it with --resume "
            f"{folder.path}, choose another --out, or replace it with --overwrite"
        )
    manifest = Manifest(folder.path / MANIFEST, run.name, _shared_settings(config))
    for entry in manifest.add(names):
        folder.file(entry.folder)
    manifest.write()
    return manifest


def _resumed(config: ConfigT, run: Run, names: list[str]) -> tuple[ConfigT, Manifest]:
    """The config and the manifest of the run to resume, with the videos that are new."""
    folder = config.resume or ""
    if config.out is not None or config.overwrite:
        raise InputError("--resume names the folder of the run. Leave out --out and --overwrite")
    manifest = Manifest.read(folder)
    if manifest.command != run.name:
        told = f"{manifest.path} must be of the command {run.name}"
        raise InputError(f"{told}; got {manifest.command}")
    asked = type(config).from_settings(manifest.settings, str(manifest.path))
    _check_unchanged(config, asked)
    _check_videos(names)
    for entry in manifest.with_status(DONE):
        if not (manifest.folder(entry) / RUN).exists():  # somebody has removed it
            entry.status = PENDING
    for entry in manifest.add(names):
        if manifest.folder(entry).exists():
            raise InputError(f"{manifest.folder(entry)} exists already, and is not of this run")
    given = {name: value for name, value in config.changed().items() if name in config.resumable()}
    sources = tuple(entry.source for entry in manifest.entries)
    own = {"source": sources, "out": folder, "overwrite": True}
    config = run.use(type(config).from_settings(asked.settings() | given | own))
    manifest.settings = _shared_settings(config)
    _ = run.folder
    manifest.write()
    return config, manifest


def _check_unchanged(config: AnalysisConfig, asked: AnalysisConfig) -> None:
    """Refuse options that differ from the run to resume: its videos would not be comparable."""
    given, before = _shared_settings(config), _shared_settings(asked)
    asked_anew = (config.given & given.keys()).difference(config.resumable())
    for each in (each for each in fields_of(type(config)) if each.name in asked_anew):
        value, was = given[each.name], before[each.name]
        if value != was:
            told = "was not given" if was is None else f"was {_shown(was)}"
            raise InputError(f"{each.flag} {told} in the run to resume; got {_shown(value)}")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_videos(names: Iterable[str]) -> None:
    """Refuse what is not a video file before any work; damage shows when it is read."""
    from drive.video.sources import Kind, find_source

    for name in names:
        if find_source(name).kind is not Kind.VIDEO:
            told = "Give images, cameras and streams one source at a time"
            raise InputError(f"several sources must be video files; got {name}. {told}")


def _check_shared(config: AnalysisConfig) -> None:
    if getattr(config, "steering", None):
        raise InputError("--steering belongs to a single video. Name one SOURCE with it")
    for name in FILES:
        path = getattr(config, name, None)
        if path is not None and not Path(path).is_file():
            raise MissingFileError(f"--{name.replace('_', '-')}: there is no file {path}")


def _shared_settings(config: AnalysisConfig) -> dict[str, object]:
    """The options that shape the results of every video, as a later run can take them up."""
    left_out = {*NOT_SHARED, *(each.name for each in fields_of(ManyOptions))}
    settings = {name: value for name, value in config.settings().items() if name not in left_out}
    for name in FILES:
        if path := settings.get(name):
            settings[name] = str(Path(str(path)).absolute())
    return settings


@dataclass(frozen=True)
class _Videos(Generic[ConfigT, ResultT]):
    """A run over several videos; its manifest is right at every moment."""

    config: ConfigT
    run: Run
    manifest: Manifest
    work: OneVideo[ConfigT, ResultT]
    result: type[ResultT]
    said: set[str] = field(default_factory=set)

    def run_all(self) -> ResultT:
        """Do the work on every video that is not done, and return the summary."""
        config, folder = self.config, self.run.folder.path
        todo = self.manifest.with_status(PENDING, FAILED)
        shared = shares(len(todo), config.jobs, config.threads, config.engine_cluster)
        tasks = list(self._tasks(shared.threads))
        done = len(self.manifest.entries) - len(todo)
        already = f" ({done} done already)" if done else ""
        self.run.message(f"videos: {len(todo)}{already}, {shared} -> {folder}")
        try:
            outcomes = run_tasks(analyse_video, tasks, shared)
            with self.run.record.stage("videos"), contextlib.closing(outcomes):
                for outcome in self.run.progress(outcomes, len(tasks), "videos"):
                    self._note(outcome)
        except KeyboardInterrupt:
            told = f"finished videos are kept; resume with --resume {folder}"
            raise KeyboardInterrupt(told) from None
        finally:
            for entry in self.manifest.with_status(PENDING, FAILED):
                _clear(self.manifest.folder(entry))
        return self._summary()

    def _tasks(self, threads: int) -> Iterator[Task[VideoJob[ConfigT, ResultT]]]:
        alone: Fields = dict.fromkeys(("jobs", "resume", "engine_cluster"))
        own: Fields = {"overwrite": True, "threads": threads} | alone  # earlier attempts may go
        for key, entry in enumerate(self.manifest.entries):
            if entry.status != DONE:
                folder = str(self.manifest.folder(entry).absolute())
                config = replace(self.config, source=entry.source, out=folder, **own)
                yield Task(key, VideoJob(self.run.name, config, self.work))

    def _note(self, outcome: Outcome) -> None:
        """Note the outcome of a video, and pass on its messages, each of them once."""
        messages = outcome.results.pop("messages") if outcome.results else []
        entry = self.manifest.note(outcome)
        for text in (text for text in messages if text not in self.said):
            self.run.message(text)
        self.said.update(messages)
        for text in [*entry.results.get("warnings", []), *([entry.reason] if entry.reason else [])]:
            self.run.warn(f"{entry.folder}: {text}")

    def _summary(self) -> ResultT:
        """Write the summary; if videos failed, the task fails once all is written."""
        run, entries, folder = self.run, self.manifest.entries, self.run.folder.path
        write_summary(folder / SUMMARY, entries)
        own = [(entry.source, str(self.manifest.folder(entry) / RUN)) for entry in entries]
        run.record.inputs += [{"path": source, "run": path} for source, path in own]
        counts = totals(entries)
        run.record.counts |= counts
        run.record.extra["results"] = counts
        run.failure = _failure(self.manifest.with_status(FAILED), len(entries), folder)
        return self.result(
            videos=counts["videos"],
            done=counts["done"],
            failed=counts["failed"],
            frames=counts["frames"],
            manifest=self.manifest.path,
            summary=folder / SUMMARY,
            overview=as_text(entries),
            per_video=tuple(self._outcome(entry) for entry in entries),
        )

    def _outcome(self, entry: Entry) -> VideoOutcome[ResultT]:
        result = self.result.from_json(entry.results) if entry.results else None
        warnings = tuple(entry.results.get("warnings", ()))
        known = (entry.source, self.manifest.folder(entry), entry.status, entry.seconds)
        return VideoOutcome(*known, entry.reason, result, warnings)


def analyse_video(job: VideoJob[ConfigT, ResultT]) -> Fields:
    """Do the work on one video in a worker; return its result, `messages` and `warnings`."""
    reporter = KeepingReporter()
    result = run_task(job.command, job.work, job.config, reporter, _models)
    return result.as_json() | {"messages": reporter.messages, "warnings": reporter.warnings}


def _clear(folder: Path) -> None:
    """Remove half-written files of a worker that was killed."""
    for part in folder.glob("*.part*"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # absent, or it holds something
        folder.rmdir()


def _failure(failed: list[Entry], videos: int, folder: Path) -> DriveError | None:
    """The error of the run: invalid input if that is all that went wrong."""
    if not failed:
        return None
    kind = InputError if all(entry.wrong_input for entry in failed) else DriveError
    others = "The others are done. " if len(failed) < videos else ""
    more = f" (and {len(failed) - 1} more, see summary.csv)" if len(failed) > 1 else ""
    return kind(
        f"{len(failed)} of {counted(videos, 'video')} failed: {failed[0].reason}{more}. {others}"
        f"Retry the failed ones with --resume {folder}"
    )
