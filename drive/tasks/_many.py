"""One source in this process, or many videos in workers: what the analysing commands share.

The per-video function is the command's own, in both cases and on Ray. Imports nothing heavy.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from drive.core.errors import DriveError, InputError, MissingFileError
from drive.core.progress import Item, no_progress
from drive.core.wording import counted
from drive.tasks._common import Context, Parser, add_common_options

if TYPE_CHECKING:
    from drive.core.jobs import Outcome, Task
    from drive.results.manifest import Entry, Manifest

Analyse = Callable[[argparse.Namespace, Context], dict[str, Any]]
Loaded = TypeVar("Loaded")

CLUSTERS = ("ray",)
NOT_SHARED = ("help", "config", "json", "quiet", "source", "out", "overwrite")
HOW_TO_RUN = ("jobs", "threads", "engine_cluster", "resume")
"""What may be given anew with `--resume`; all else is as the run was asked."""

FILES = ("weights", "steering_weights")
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
FINISHED = "run.json"  # what a video's folder gets last

_kept: dict[Hashable, Any] = {}
"""Models that a worker process keeps from one video to the next."""


def add_many_options(parser: argparse.ArgumentParser) -> None:
    """Add how several videos share the machine, or several machines."""
    group = parser.add_argument_group("several videos (A.mp4 B.mp4 'folder/*.mp4')")
    group.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="videos at a time, each in a process of its own (default: one a core)",
    )
    group.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads of each network, decoder and encoder; with 1 its stages take turns "
        "too (default: what the jobs leave each)",
    )
    group.add_argument(
        "--resume",
        metavar="DIR",
        help="go on with the run in DIR: what is not done, and what failed once more",
    )
    group.add_argument(
        "--engine-cluster",
        choices=CLUSTERS,
        help="spread the videos over a Ray cluster: the one that RAY_ADDRESS names, else a local "
        "one (needs: pip install ray)",
    )


def run_sources(
    args: argparse.Namespace,
    context: Context,
    analyse: Analyse,
    configure: Callable[[argparse.ArgumentParser], None],
) -> dict[str, Any]:
    """Analyse a single source here, or several videos in workers.

    Args:
        args: with the sources as a list.
        context: of the command.
        analyse: the per-video function: of a module, so that workers find it; it is given `args`
            with one source.
        configure: adds the command's options: what their defaults are.

    Returns:
        Paths and counts, ready for `--json`.

    Raises:
        InputError: sources or options are wrong.
    """
    for name in ("jobs", "threads"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is a whole number from 1. Received: {value}")
    if args.engine_cluster:
        from drive.pipeline.ray_cluster import load_ray

        load_ray()  # whether it is there shows before any work
    from drive.video.sources import spread_videos

    names = spread_videos(args.source)
    if not args.resume and len(names) <= 1 and not args.engine_cluster:
        context.record.settings["source"] = args.source = _only(names)
        return analyse(args, context)
    from drive.results.manifest import only_run_in

    if args.resume:
        with only_run_in(args.resume):
            manifest = _resumed(args, context, names, configure)
            return _run_all(args, context, analyse, manifest)
    _only(names)
    _check_videos(names)
    _check_shared(args)
    with only_run_in(context.run_folder().path):
        return _run_all(args, context, analyse, _fresh(args, context, names))


def _only(names: list[str]) -> str:
    if not names:
        raise InputError("SOURCE is missing: a video, images, a camera index or a stream URL")
    return names[0]


def _fresh(args: argparse.Namespace, context: Context, names: list[str]) -> Manifest:
    """A manifest of the videos, in a run folder that holds nothing of theirs yet."""
    from drive.results.manifest import MANIFEST, Manifest

    folder = context.run_folder()
    if (folder.path / MANIFEST).exists() and not folder.overwrite:
        raise InputError(
            f"{folder.path} holds a run over several videos that was stopped. Go on with --resume "
            f"{folder.path}, or choose another --out, or allow it with --overwrite"
        )
    manifest = Manifest(folder.path / MANIFEST, context.name, _shared_settings(args))
    for entry in manifest.add(names):
        folder.file(entry.folder)
    manifest.write()
    return manifest


def _resumed(
    args: argparse.Namespace,
    context: Context,
    names: list[str],
    configure: Callable[[argparse.ArgumentParser], None],
) -> Manifest:
    """The manifest of the run to go on with, and videos that it did not have yet."""
    from drive.results.manifest import DONE, PENDING, Manifest

    if args.out is not None or args.overwrite:
        raise InputError("--resume names the folder of the run. Leave out --out and --overwrite")
    manifest = Manifest.read(args.resume)
    if manifest.command != context.name:
        raise InputError(
            f"{manifest.path} is of the command {manifest.command}. Received: {context.name}"
        )
    _check_unchanged(args, manifest, configure)
    _check_videos(names)
    args.out, args.overwrite = args.resume, True
    for name, value in manifest.settings.items():
        setattr(args, name, value)
    for entry in manifest.with_status(DONE):
        if not (manifest.folder(entry) / FINISHED).exists():  # somebody has removed it
            entry.status = PENDING
    for entry in manifest.add(names):
        if manifest.folder(entry).exists():
            raise InputError(f"{manifest.folder(entry)} exists already, and is not of this run")
    known = context.record.settings
    known |= {name: value for name, value in manifest.settings.items() if name in known}
    known["source"] = [entry.source for entry in manifest.entries]
    context.run_folder()
    manifest.write()
    return manifest


def _check_videos(names: Iterable[str]) -> None:
    """Refuse what is no file before any work; whether it is whole shows when it is read."""
    from drive.video.sources import Kind, find_source

    for name in names:
        if find_source(name).kind is not Kind.VIDEO:
            raise InputError(
                f"Of several sources each is a video file. Received: {name}. Pictures of a folder "
                "or a glob, cameras and streams are taken one source at a time"
            )


def _check_shared(args: argparse.Namespace) -> None:
    if getattr(args, "steering", None):
        raise InputError("--steering gives the rows of a single video. Name one SOURCE with it")
    for name in FILES:
        path = getattr(args, name, None)
        if path is not None and not Path(path).is_file():
            raise MissingFileError(f"--{name.replace('_', '-')}: there is no file {path}")


def _shared_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The options that shape every video's results, as a later run can take them up."""
    settings = {
        name: value for name, value in vars(args).items() if name not in (*NOT_SHARED, *HOW_TO_RUN)
    }
    for name in FILES:
        if settings.get(name):
            settings[name] = str(Path(settings[name]).absolute())
    return settings


def _check_unchanged(
    args: argparse.Namespace,
    manifest: Manifest,
    configure: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Refuse options that are not what the run was asked: its videos would not be comparable."""
    parser = Parser()
    configure(parser)
    add_common_options(parser)
    for name, value in _shared_settings(args).items():
        asked = manifest.settings.get(name)
        if value not in (parser.get_default(name), asked):
            was = "was not given" if asked is None else f"was {asked}"
            raise InputError(
                f"--resume goes on as the run was asked: --{name.replace('_', '-')} {was}. "
                f"Received: {value}"
            )


def _run_all(
    args: argparse.Namespace, context: Context, analyse: Analyse, manifest: Manifest
) -> dict[str, Any]:
    """Analyse what is not done; the manifest is right at every moment."""
    from drive.results.manifest import FAILED, PENDING

    folder = context.run_folder().path
    todo = manifest.with_status(PENDING, FAILED)
    jobs, threads = _shares(args, len(todo))
    tasks = _tasks(args, context, analyse, manifest, threads)
    running = _outcomes(args, tasks, jobs, threads)
    context.message(_plan(todo, manifest, jobs, threads, folder))
    said: set[str] = set()
    try:
        with context.record.stage("videos"), contextlib.closing(running) as outcomes:
            for outcome in context.progress(outcomes, len(tasks), "videos"):
                _tell(context, outcome, manifest, said)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"the videos that are done are kept; go on with --resume {folder}"
        ) from None
    finally:
        for entry in manifest.with_status(PENDING, FAILED):
            _clear(manifest.folder(entry))
    return _report(context, manifest)


def _shares(args: argparse.Namespace, videos: int) -> tuple[int | None, int]:
    """Jobs (None: what the cluster has room for) and threads of each."""
    from drive.pipeline.processes import cores

    if args.engine_cluster:
        return args.jobs, args.threads or 1
    jobs = max(1, min(args.jobs or cores(), videos))
    return jobs, args.threads or max(1, cores() // jobs)


def _plan(
    todo: list[Entry], manifest: Manifest, jobs: int | None, threads: int, folder: Path
) -> str:
    done = len(manifest.entries) - len(todo)
    already = f" ({done} done already)" if done else ""
    together = f"{jobs or 'as many as the cluster takes'} at a time, threads of each: {threads}"
    return f"videos: {len(todo)}{already}, {together} -> {folder}"


@dataclass(frozen=True, slots=True)
class VideoJob:
    """What a worker needs to analyse one video.

    Attributes:
        name: of the command.
        command: the command line, for `run.json`.
        args: with one source and its own folder.
        analyse: the command's per-video function.
    """

    name: str
    command: list[str]
    args: argparse.Namespace
    analyse: Analyse


def _tasks(
    args: argparse.Namespace,
    context: Context,
    analyse: Analyse,
    manifest: Manifest,
    threads: int,
) -> list[Task]:
    from drive.core.jobs import Task
    from drive.results.manifest import DONE

    return [
        Task(key, VideoJob(context.name, context.record.command, own, analyse))
        for key, entry in enumerate(manifest.entries)
        if entry.status != DONE
        for own in [_own_args(args, entry, manifest.folder(entry), threads)]
    ]


def _own_args(
    args: argparse.Namespace, entry: Entry, folder: Path, threads: int
) -> argparse.Namespace:
    """The options of one video; what an earlier attempt left in its folder may be replaced."""
    own = {"source": entry.source, "out": str(folder.absolute()), "overwrite": True}
    return argparse.Namespace(**vars(args) | own | {"threads": threads, "json": False})


def _outcomes(
    args: argparse.Namespace, tasks: list[Task], jobs: int | None, threads: int
) -> Generator[Outcome]:
    environment = dict.fromkeys(THREAD_VARIABLES, str(threads))
    if args.engine_cluster:
        from drive.pipeline.ray_cluster import run_on_ray

        return run_on_ray(analyse_video, tasks, jobs, environment, threads)
    from drive.pipeline.processes import run_in_processes

    return run_in_processes(analyse_video, tasks, jobs or 1, environment)


def analyse_video(job: VideoJob) -> dict[str, Any]:
    """Analyse one video in a worker, in processes and on Ray alike.

    Returns:
        What the command returns of a single source, and the `messages` and `warnings` on the way.
    """
    context = _VideoContext(job.name, job.args, job.command)
    try:
        results = job.analyse(job.args, context)
    except BaseException as error:
        context.abandon(error)
        raise
    context.finish(results)
    return {**results, "messages": context.messages, "warnings": context.warnings}


class _VideoContext(Context):
    """The context of one video in a worker: what it says is brought home, models stay loaded."""

    def __init__(self, name: str, args: argparse.Namespace, command: list[str]) -> None:
        super().__init__(name, args, command)
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def progress(
        self, iterable: Iterable[Item], total: int | None = None, description: str = ""
    ) -> Iterable[Item]:
        return no_progress(iterable)

    def loaded(self, key: Hashable, load: Callable[[], Loaded]) -> Loaded:
        if key not in _kept:
            _kept[key] = load()
        return _kept[key]


def _tell(context: Context, outcome: Outcome, manifest: Manifest, said: set[str]) -> None:
    """Note what came of a video, and say what its worker had to say, each thing once."""
    messages = outcome.results.pop("messages") if outcome.results else []
    entry = manifest.note(outcome)
    for text in messages:
        if text not in said:
            context.message(text)
    said.update(messages)
    for text in [*entry.results.get("warnings", []), *([entry.reason] if entry.reason else [])]:
        context.warn(f"{entry.folder}: {text}")


def _clear(folder: Path) -> None:
    """Remove what a worker that was killed has left half written."""
    for part in folder.glob("*.part*"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # absent, or it holds something
        folder.rmdir()


def _report(context: Context, manifest: Manifest) -> dict[str, Any]:
    """Write and print the summary; with failures the command fails once all is written."""
    from drive.results.manifest import FAILED
    from drive.results.summary import SUMMARY, as_text, totals, write_summary

    folder, entries = context.run_folder().path, manifest.entries
    write_summary(folder / SUMMARY, entries)
    sys.stdout.write(as_text(entries) + "\n")
    for entry in entries:
        run = manifest.folder(entry) / FINISHED
        context.record.inputs.append({"path": entry.source, "run": str(run)})
    context.record.counts |= totals(entries)
    context.failure = _failure(manifest.with_status(FAILED), len(entries), folder)
    context.record.extra["results"] = totals(entries)
    videos = [
        {
            "source": entry.source,
            "folder": manifest.folder(entry),
            "status": entry.status,
            "seconds": entry.seconds,
            "reason": entry.reason,
            **entry.results,
        }
        for entry in entries
    ]
    paths = {"manifest": manifest.path, "summary": folder / SUMMARY}
    return {**totals(entries), **paths, "per_video": videos}


def _failure(failed: list[Entry], videos: int, folder: Path) -> DriveError | None:
    """What the command ends with: wrong input where that is all that went wrong."""
    if not failed:
        return None
    kind = InputError if all(entry.wrong_input for entry in failed) else DriveError
    others = "The others are done. " if len(failed) < videos else ""
    more = f" (and {len(failed) - 1} more, see summary.csv)" if len(failed) > 1 else ""
    return kind(
        f"{len(failed)} of {counted(videos, 'video')} failed: {failed[0].reason}{more}. {others}"
        f"What failed is tried again with --resume {folder}"
    )
