"""What every command shares: the common options and the context that a run works in.

Imports nothing heavy: help has to appear at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from drive.core.errors import DriveError, InputError, MissingFileError
from drive.core.progress import Item, no_progress
from drive.core.texts import TOO_LONG, as_written, parse_toml, read_text
from drive.core.wording import are, counted
from drive.results.json_files import plain
from drive.results.record import RunRecord
from drive.results.run_folder import RunFolder, open_run_folder

if TYPE_CHECKING:
    from drive.pages import LiveReport

Loaded = TypeVar("Loaded")

PROGRAM = "python run.py"
EXIT_WRONG_INPUT = 2
REPORT = "report.html"
GENERATOR, PAGE_HEAD = b'name="generator" content="drive"', 2000
SHIPPED_STEERING_NOTE = (
    "steering: the weights that ship learnt in a simulator; on other cameras and real roads their "
    "angles mean little: train your own with train-steering, and name it with --weights (annotate: "
    "--steering-weights)"
)
LEFT_OUT = {
    "frames_lost": ("damaged or missing frame", "of the video"),
    "frames_without_row": ("frame", "without a row in the CSV"),
    "rows_without_angle": ("row", "of the CSV without an angle"),
    "rows_repeated": ("row", "of the CSV with the frame of an earlier row"),
    "rows_without_frame": ("row", "of the CSV without a frame in the video"),
}
"""Why frames and rows of a recording are not used: `PairingReport`'s counts, in words."""

NOT_SETTINGS = ("help", "config", "json", "quiet")
MINIMUM_PROGRESS_INTERVAL_S = 0.5
LONGEST_SMOOTHING_S = 5.0
"""An angle that comes later than this has nothing to do with the road in the picture."""


class Parser(argparse.ArgumentParser):
    """A parser that complains on one line, in words that are no Python."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.register("type", int, whole_number)
        self.register("type", float, number)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on; exit with status 2."""
        if "expected one argument" in message:
            message += " (a value that begins with - is written --option=VALUE)"
        sys.stderr.write(f"{self.prog}: {message}. See {self.prog} --help\n")
        sys.exit(EXIT_WRONG_INPUT)


def add_common_options(parser: argparse.ArgumentParser, without: Iterable[str] = ()) -> None:
    """Add the options that every command has; those a command added itself are left alone.

    Args:
        parser: of the command.
        without: options that the command has no use for.
    """
    group = parser.add_argument_group("common options")

    def add(option: str, **settings: Any) -> None:
        if option not in without:
            with contextlib.suppress(argparse.ArgumentError):
                group.add_argument(option, **settings)

    add("--out", metavar="DIR", help="folder for results (default: a new one in outputs/)")
    add("--overwrite", action="store_true", help="results already in --out may be replaced")
    add("--weights", metavar="FILE", help="weights or model file (default: what ships)")
    add("--config", metavar="FILE.toml", help="options from a file; the line's own win")
    add("--seed", type=_seed, default=0, metavar="N", help="random seed (default: 0)")
    add("--quiet", action="store_true", help="no progress, no messages; only warnings")
    add("--json", action="store_true", help="last line on standard output: the results")


def whole_number(text: str) -> int:
    """The whole number that an option was given."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number; received: {text}") from None


def number(text: str) -> float:
    """The number that an option was given."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number; received: {text}") from None


def _seed(text: str) -> int:
    seed = whole_number(text)
    if seed < 0:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0; received: {text}")
    return seed


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that stand in for `recording.toml`."""
    group = parser.add_argument_group("recording options (they stand in for recording.toml)")
    group.add_argument("--steering", metavar="CSV", help="the rows of a single video")
    group.add_argument("--unit", choices=["degrees", "radians", "normalised"], help="of the angles")
    group.add_argument("--positive", choices=["right", "left"], help="side of positive angles")
    group.add_argument(
        "--full-scale-deg", type=float, metavar="DEG", help="what a normalised 1.0 stands for"
    )
    group.add_argument(
        "--lag", type=float, metavar="S", help="seconds by which the angles trail the pictures"
    )
    group.add_argument(
        "--camera-height", type=float, metavar="M", help="metres above the road (default: 1.2)"
    )
    group.add_argument(
        "--fov", type=float, metavar="DEG", help="horizontal field of view (default: 70)"
    )
    group.add_argument(
        "--horizon",
        type=float,
        metavar="SHARE",
        help="where the horizon lies, as a share of the height from the top "
        "(default: estimated from the video, else the middle)",
    )
    group.add_argument(
        "--camera-side",
        type=float,
        metavar="M",
        help="metres from the front camera to the left and right ones (default: 0.5)",
    )
    group.add_argument(
        "--lane",
        type=float,
        metavar="M",
        help="metres that the car keeps right of the middle of the road; if given, training "
        "narrows roads and mirrors nothing",
    )
    group.add_argument(
        "--wheelbase", type=float, metavar="M", help="metres between the axles (default: 2.6)"
    )
    group.add_argument(
        "--steering-ratio",
        type=float,
        metavar="R",
        help="recorded degrees for one of the front wheels; 12 to 18 where the steering wheel's "
        "angle was recorded (default: 1)",
    )
    group.add_argument(
        "--speed-mps",
        type=float,
        metavar="V",
        help="metres a second where the recording has no speed (default: 20)",
    )
    group.add_argument("--speed-unit", choices=["m/s", "km/h", "mph"], help="of a recorded speed")
    group.add_argument(
        "--understeer",
        type=float,
        metavar="K",
        help="s²/m²: at V m/s the car drives a circle 1 + K V² times as wide (default: 0)",
    )


def add_smooth_option(parser: argparse._ActionsContainer, help_text: str) -> None:
    """Add `--smooth`, the delay in seconds of a filter over time."""
    parser.add_argument(
        "--smooth",
        type=_smoothing,
        metavar="S",
        help=f"{help_text}; above 0, at most {LONGEST_SMOOTHING_S:g}",
    )


def _smoothing(text: str) -> float:
    try:
        delay_s = float(text)
    except ValueError:
        delay_s = math.nan
    if not 0 < delay_s <= LONGEST_SMOOTHING_S:
        raise argparse.ArgumentTypeError(
            f"a delay is in seconds, above 0 and at most {LONGEST_SMOOTHING_S:g}; received: {text}"
        )
    return delay_s


def add_report_option(parser: argparse.ArgumentParser) -> None:
    """Add `--no-report`; a command that has it writes a report when it is done."""
    parser.add_argument(
        "--no-report", action="store_true", help="no report.html, the page to look at the run with"
    )


def recording_overrides(args: argparse.Namespace) -> dict[str, Any]:
    """The recording options as `open_recordings` takes them; None where not given."""
    return {
        "unit": args.unit,
        "positive": args.positive,
        "full_scale_deg": args.full_scale_deg,
        "lag_s": args.lag,
        "height_m": args.camera_height,
        "fov_deg": args.fov,
        "horizon": args.horizon,
        "side_m": args.camera_side,
        "wheelbase_m": args.wheelbase,
        "lane_m": args.lane,
        "steering_ratio": args.steering_ratio,
        "speed_mps": args.speed_mps,
        "speed_unit": args.speed_unit,
        "understeer": args.understeer,
    }


def apply_config_file(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Make the values of `--config FILE.toml` the parser's defaults.

    Keys are the options' long names, with `-` or `_`. The command line overrides them.

    Raises:
        InputError: the file is missing, is no TOML, or names an unknown option or a wrong value.
    """
    finder = Parser(prog=parser.prog, add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    path = finder.parse_known_args(arguments)[0].config
    if path is None:
        return
    actions = {
        option.removeprefix("--").replace("-", "_"): action
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and action.dest not in ("help", "config")
    }
    for key, value in _read_toml(path).items():
        action = actions.get(key.replace("-", "_"))
        if action is None:
            known = ", ".join(sorted(actions))
            raise InputError(f"{path}: no option is called {key!r}. Expected one of: {known}")
        parser.set_defaults(**{action.dest: _checked(parser, action, value, f"{path}: {key}")})


def _read_toml(path: str) -> dict[str, Any]:
    try:
        return parse_toml(read_text(Path(path), pipes=True), path)
    except MissingFileError:
        raise MissingFileError(f"--config: there is no file {path}") from None
    except InputError as error:
        raise InputError(f"--config: {error}") from None


def _checked(
    parser: argparse.ArgumentParser, action: argparse.Action, value: Any, where: str
) -> Any:
    """The value as the command line would have read it."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise InputError(f"{where} is true or false. Received: {as_written(value)}")
        return value if action.const in (True, None) else not value
    try:
        if isinstance(value, list) and action.nargs is None:
            value = ",".join(map(str, value))
        values = value if isinstance(value, list) else [value]
        checked = [parser._get_values(action, [str(one)]) for one in values]
    except argparse.ArgumentError as error:
        raise InputError(f"{where}: {error.message}") from None
    except ValueError:  # of str
        raise InputError(f"{where} {TOO_LONG}") from None
    return checked if isinstance(value, list) else checked[0]


class Context:
    """What a command's `run` is given beside its arguments.

    Attributes:
        results_on_stdout: whether the last line of standard output is JSON (`--json`).
        record: what goes into `run.json`.
        failure: what the command ends with once its results are written; None where all went well.
    """

    def __init__(self, name: str, args: argparse.Namespace, command: list[str]) -> None:
        self.name = name
        self.args = args
        settings = {key: value for key, value in vars(args).items() if key not in NOT_SETTINGS}
        self.record = RunRecord(command=command, settings=settings)
        self.failure: DriveError | None = None
        self._folder: RunFolder | None = None
        self._live: LiveReport | None = None

    @property
    def folder(self) -> RunFolder:
        """The folder of this run, made on first use."""
        return self.run_folder()

    def run_folder(self) -> RunFolder:
        """The folder of this run, made on the first call."""
        if self._folder is None:
            self._folder = open_run_folder(self.name, self.args.out, self.args.overwrite)
            if self.reports:
                self._protect_page(self._folder)
        return self._folder

    def message(self, text: str) -> None:
        """Say something on standard error, unless `--quiet`."""
        if not self.args.quiet:
            sys.stderr.write(text + "\n")

    def warn(self, text: str) -> None:
        """Say on standard error what the user must know, even with `--quiet`, and record it."""
        self._keep(text)
        sys.stderr.write(f"warning: {text}\n")

    def note(self, text: str) -> None:
        """Say on standard error, unless `--quiet`, and record what helps to read the results."""
        self._keep(text)
        self.message(text)

    def _keep(self, text: str) -> None:
        if text not in self.record.warnings:
            self.record.warnings.append(text)

    def tell_marked(self, name: str, frames: int, what: str = "left out") -> None:
        """Say and count how many frames of a recording are marked as bad; nothing where none is."""
        if frames:
            self.record.counts.setdefault("frames_marked_bad", {})[name] = frames
            self.note(f"{name}: {counted(frames, 'frame')} in excluded ranges {are(frames)} {what}")

    def tell_left_out(self, name: str, found: Mapping[str, int], what: str = "left out") -> None:
        """Say and count which frames and rows of a recording are not used.

        Args:
            name: of the recording.
            found: how many of each kind that `LEFT_OUT` names; others are passed over.
            what: is done with them.
        """
        for kind in (kind for kind in LEFT_OUT if kind in found):
            (thing, lacks), count = LEFT_OUT[kind], found[kind]
            self.record.counts[kind] = self.record.counts.get(kind, 0) + count
            if count:
                self.warn(f"{name}: {counted(count, thing)} {lacks} {are(count)} {what}")

    def progress(
        self, iterable: Iterable[Item], total: int | None = None, description: str = ""
    ) -> Iterable[Item]:
        """Show on standard error how far `iterable` has come, unless `--quiet`."""
        if self.args.quiet:
            return no_progress(iterable)
        from tqdm import tqdm

        shown: Iterable[Item] = tqdm(
            iterable,
            total=total,
            desc=description,
            file=sys.stderr,
            mininterval=MINIMUM_PROGRESS_INTERVAL_S,
            dynamic_ncols=True,
        )
        return shown

    def loaded(self, key: Hashable, load: Callable[[], Loaded]) -> Loaded:
        """What `load` gives; a worker that takes many videos keeps it, by `key`, for the next."""
        return load()

    def abandon(self, error: BaseException) -> None:
        """Say in a live report that the run has ended, and leave no empty folder behind it.

        Args:
            error: that ended it; one of drive's own is for people, and said in the report.
        """
        if self._live is not None:
            with contextlib.suppress(OSError):  # somebody removed the folder
                self._live.stop(str(error) if isinstance(error, DriveError) else "")
        if self._folder is not None:
            with contextlib.suppress(OSError):  # not empty: somebody's, or worth keeping
                self._folder.path.rmdir()

    @property
    def reports(self) -> bool:
        """Whether the run gets a report."""
        return not getattr(self.args, "no_report", True)

    def _protect_page(self, folder: RunFolder) -> None:
        """Refuse to replace a page that is no report of drive's, before any work."""
        page = folder.path / REPORT
        if page.exists() and GENERATOR not in page.read_bytes()[:PAGE_HEAD]:
            folder.file(REPORT)

    def live_report(self) -> LiveReport | None:
        """The report of a training that begins; None where none is wanted."""
        if not self.reports:
            return None
        from drive.pages import LiveReport

        self._live = LiveReport(self.run_folder().path, self.record.as_json())
        return self._live

    def _write_report(self, folder: Path) -> Path:
        from drive.pages import write_report

        if self._live is not None:
            self._live.close()
        with self.record.stage("report"):
            return write_report(folder, self.record.as_json())

    def finish(self, results: dict[str, Any]) -> None:
        """Write `run.json` and, with `--json`, the results as the last line of standard output."""
        if self._folder is not None:
            folder = self._folder.path
            self.record.extra.setdefault("results", results)
            path = folder / "run.json"
            self.record.write(path)  # a run that is stopped while its report is made has its record
            results = {**results, "out": folder, "run": path}
            if self.reports:
                try:
                    results["report"] = self._write_report(folder)
                except KeyboardInterrupt:
                    raise KeyboardInterrupt(
                        f"all results are in {folder}, only {REPORT} was not finished"
                    ) from None
                self.record.write(path)
        if self.args.json:
            sys.stdout.write(json.dumps(results, default=plain, ensure_ascii=False) + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def resumable(folder: Path, kept: str, *states: Path) -> Iterator[None]:
    """Say how to go on when Ctrl-C ends the block, or that there is nothing to go on from yet.

    Args:
        folder: of the run.
        kept: what is kept of the work, in words.
        states: files of which any one is enough to go on from.
    """
    try:
        yield
    except KeyboardInterrupt:
        if any(state.is_file() for state in states):
            raise KeyboardInterrupt(f"{kept} are kept; go on with --resume {folder}") from None
        if folder.is_dir() and any(folder.iterdir()):
            raise KeyboardInterrupt(
                f"there is nothing to resume yet; begin anew, in {folder} with --overwrite"
            ) from None
        raise


def warn_of_training_drives(
    names: Iterable[str], metadata: Mapping[str, str], what: str, context: Context
) -> None:
    """Say which recordings a model has learnt from: `what` is seen there proves nothing."""
    trained_on = {name.strip() for name in metadata.get("trained_on", "").split(",")}
    seen = [name for name in names if name in trained_on]
    if seen:
        context.warn(
            f"the model was trained on {', '.join(seen)}: {what} there says nothing about other "
            "roads"
        )
