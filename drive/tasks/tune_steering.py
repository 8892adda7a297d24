"""`tune-steering`: search for the settings with which the steering network learns best."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import DriveError, InputError
from drive.core.extras import load_extra
from drive.core.files import atomic
from drive.core.wording import counted
from drive.results.names import BEST_CONFIG, SEARCH_PLOT, STUDY, TRIALS
from drive.results.search import TrialResult, best_trial, write_trials
from drive.tasks._common import (
    Context,
    Parser,
    add_common_options,
    add_recording_options,
    add_report_option,
    number,
    resumable,
)
from drive.tasks._training_data import add_data_options, add_recordings, asked_data, read_split
from drive.tasks._training_settings import (
    add_learning_options,
    add_transfer_options,
    add_variation_options,
    asked_settings,
)

if TYPE_CHECKING:
    from drive.pages import LiveReport
    from drive.results.run_folder import RunFolder
    from drive.steering.tune import Search, Study

HELP = (
    "Search for the settings with which the steering network learns best, by short trainings: "
    "best.toml is for train-steering --config."
)
EXAMPLE = "tune-steering data/sample --trials 20 --minutes 60"

EPOCHS, USUAL_TRIALS = 6, 20
LOSS_AXIS = "least validation loss [degrees²]"
DIGITS = 4
"""Significant digits of a searched number in messages and in `best.toml`."""

HOW_TO_SEARCH = ("trials", "minutes", "epochs", "search", "resume")
NOT_OF_A_TRAINING = (
    *HOW_TO_SEARCH,
    *("help", "cache", "out", "overwrite", "weights", "config", "quiet", "json", "no_report"),
)
"""Options that say nothing of what the training of `best.toml` learns from, and how."""

FILES = ("steering", "backbone-weights")
"""Options of a training that can name a file; `best.toml` may be used from another folder."""

OF_THE_VARIANTS = ("variant", "batch_norm")
"""What a network with a pretrained backbone has none of."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_recordings(parser)
    search = parser.add_argument_group("search")
    search.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help=f"finished trials in all; the first has the usual settings (default: {USUAL_TRIALS})",
    )
    search.add_argument(
        "--minutes",
        type=_minutes,
        metavar="M",
        help="stop after this time; a trial under way is then broken off (default: no limit)",
    )
    search.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help=f"of a trial; poor ones are cut off earlier (default: {EPOCHS})",
    )
    search.add_argument(
        "--search",
        metavar="NAME[,NAME]",
        help="of learning_rate, dropout, batch, l2, batch_norm, variant, schedule "
        "(default: all whose value is not given below)",
    )
    search.add_argument(
        "--resume", metavar="DIR", help="go on with a search that was stopped, in its folder"
    )
    data = parser.add_argument_group("data")
    add_data_options(data)
    add_variation_options(data)
    learning = parser.add_argument_group("learning (what is given here is not searched)")
    add_learning_options(learning)
    for action in learning._group_actions:
        action.default = argparse.SUPPRESS  # what was not given is to be seen
    add_transfer_options(parser)
    add_recording_options(parser)
    add_report_option(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Read, split, try; write table, picture and best settings anew after every trial."""

    if args.weights:
        raise InputError("Every trial begins with random weights. Leave --weights out")
    study = None
    if args.resume:
        study, folder = _resumed(args, context)
        search = study.search
    else:
        search, folder = _fresh(args, context)
    asked = {"training": asdict(search.settings), "trials": search.trials}
    context.record.extra |= {**asked, **search.notes}
    with context.record.stage("read"):
        split = read_split(search.notes["data"], args.cache, context)
    with resumable(folder.path, "finished trials", folder.path / STUDY):
        with context.record.stage("search"):
            study = study or _study().begin(folder.path, search)
            report = context.live_report()
            study.run(
                split,
                minutes=args.minutes,
                progress=context.progress,
                on_trial=lambda result: _tell(result, study, folder, context, report),
            )
        with context.record.stage("write"):
            files = _write(study, folder)
    return _summary(study, files, bool(split.test), context)


def _tell(
    result: TrialResult,
    study: Study,
    folder: RunFolder,
    context: Context,
    report: LiveReport | None,
) -> None:
    """Write what is known after a trial, and say how it went."""
    _write(study, folder)
    if report:
        report.update()
    context.message(_line(result, study))


def _study() -> type[Study]:
    """The searches on disk; it takes seconds to load what they need."""
    from drive.runtime.quiet import load_keras

    load_keras()
    load_extra("optuna")
    from drive.steering.tune import Study

    return Study


def _minutes(text: str) -> float:
    minutes = number(text)
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"minutes are a number above 0; received: {text}")
    return minutes


def _fresh(args: argparse.Namespace, context: Context) -> tuple[Search, RunFolder]:
    from drive.steering.search_space import SEARCHED, Search, search_space, short

    options = _training_options(args)
    given = [name for name in SEARCHED if hasattr(args, name)]
    senseless = OF_THE_VARIANTS if args.backbone else ()
    names = [name for name in SEARCHED if name not in (*given, *senseless)]
    if args.search is not None:
        names = [name.strip().replace("-", "_") for name in args.search.split(",")]
        both = ", ".join(name for name in names if name in given)
        if both:
            raise InputError(f"Search a setting or give its value. Received both for: {both}")
        if set(names) & set(senseless):
            raise InputError(f"With --backbone there is no {' and no '.join(senseless)} to search")
    for name, value in _usual_learning().items():
        if not hasattr(args, name):
            setattr(args, name, value)
    settings = short(asked_settings(args), EPOCHS if args.epochs is None else args.epochs)
    search = Search(
        settings,
        search_space(settings, names),
        USUAL_TRIALS if args.trials is None else args.trials,
        {"data": asked_data(args), "options": options},
    )
    folder = context.run_folder()
    for name in (STUDY, TRIALS, BEST_CONFIG, SEARCH_PLOT):
        folder.file(name)  # refuses a folder in which another search was stopped
    return search, folder


def _resumed(args: argparse.Namespace, context: Context) -> tuple[Study, RunFolder]:
    """The search that was stopped; `--trials` and `--minutes` may be given anew."""
    from drive.steering.search_space import find_study

    options = _training_options(args)
    options |= {n: True for n in ("epochs", "search") if getattr(args, n) is not None}
    if args.recordings or options:
        given = [*(["RECORDING"] if args.recordings else []), *(f"--{name}" for name in options)]
        raise InputError(
            "--resume goes on with what the search was asked, but for --trials and --minutes. "
            f"Leave out: {', '.join(given)}"
        )
    find_study(args.resume)
    study = _study().resume(args.resume, args.trials)
    args.out, args.overwrite = args.resume, True
    return study, context.run_folder()


def _training_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options given that `train-steering` takes too, by their long names without `--`."""
    parser = Parser()
    configure(parser)
    add_common_options(parser)
    options = {
        action.option_strings[-1].removeprefix("--"): getattr(args, action.dest)
        for action in parser._actions
        if action.option_strings
        and action.dest not in NOT_OF_A_TRAINING
        and getattr(args, action.dest, action.default) != action.default
    }
    for name in FILES:
        if name in options and Path(options[name]).is_file():
            options[name] = str(Path(options[name]).resolve())
    return options


def _usual_learning() -> dict[str, Any]:
    """What the learning options are when none is given."""
    parser = Parser()
    add_learning_options(parser.add_argument_group())
    return vars(parser.parse_args([]))


def _write(study: Study, folder: RunFolder) -> dict[str, Path]:
    """Write what the finished trials say; returns the files by what they are."""
    from drive.drawing.search_plot import Axis, Trial, plot_search
    from drive.steering.tune import FEWEST_FOR_IMPORTANCE

    results, best = study.results(), best_trial(study.results())
    space = study.search.space
    write_trials(folder.path / TRIALS, results, [parameter.name for parameter in space])
    files = {"table": folder.path / TRIALS}
    if best:
        _write_config(folder.path / BEST_CONFIG, best, study)
        files["config"] = folder.path / BEST_CONFIG
    plot_search(
        folder.path / SEARCH_PLOT,
        [Trial(r.number, r.outcome, r.val_loss, r.values) for r in results],
        [Axis(p.name, p.values, p.low, p.high, p.log) for p in space],
        study.importance() or f"not known before\n{FEWEST_FOR_IMPORTANCE} trials are complete",
        loss_axis=LOSS_AXIS,
    )
    return {**files, "plot": folder.path / SEARCH_PLOT, "study": folder.path / STUDY}


def _write_config(path: Path, best: TrialResult, study: Study) -> None:
    """The options of `train-steering` with which the best trial learnt, as TOML."""
    options = {**study.search.notes["options"], **_rounded(best.values)}
    lines = [
        f"# Trial {best.number}, the best of {len(study.results())} of tune-steering. Validation "
        f"loss: {best.val_loss:.{DIGITS}g} degrees squared; epochs: {study.search.settings.epochs}",
        f"# Use: python run.py train-steering RECORDING ... --config {path.name}",
        *(f"{name.replace('_', '-')} = {json.dumps(value)}" for name, value in options.items()),
    ]
    with atomic(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for name, value in values.items()
    }


def _line(result: TrialResult, study: Study) -> str:
    best = best_trial(study.results())
    values = ", ".join(f"{name} {value}" for name, value in _rounded(result.values).items())
    return (
        f"trial {result.number} ({len(study.results())} of {study.search.trials}): "
        f"{result.outcome}, validation loss {result.val_loss:.{DIGITS}g}"
        + (f" (best {best.val_loss:.{DIGITS}g}, trial {best.number})" if best else "")
        + f", {counted(result.epochs, 'epoch')}, {result.seconds:.0f} s: {values}"
    )


def _summary(
    study: Study, files: dict[str, Path], has_test: bool, context: Context
) -> dict[str, Any]:
    from drive.steering.tune import COMPLETE, OUTCOMES

    results = study.results()
    best, first = best_trial(results), results[0]
    if best is None:
        raise DriveError(
            f"None of {len(results)} trials learnt to its end: the loss of each is no longer a "
            "number. Look at the recordings with check-data, or give a small --learning-rate"
        )
    count = {name: sum(result.outcome == name for result in results) for name in OUTCOMES}
    usual = first.val_loss if first.outcome == COMPLETE else None
    if len(results) < study.search.trials:
        context.message(
            f"{len(results)} of {study.search.trials} trials have finished: the time is over; "
            f"go on with --resume {study.folder}"
        )
    outcomes = ", ".join(f"{number} {name}" for name, number in count.items() if number)
    context.message(
        f"best: trial {best.number} of {len(results)} ({outcomes}), validation loss "
        f"{best.val_loss:.{DIGITS}g} degrees squared"
        + (f"; with the usual settings {usual:.{DIGITS}g}" if usual is not None else "")
    )
    note = _honest(len(results), has_test)
    context.message(note)
    context.message(f"settings for train-steering --config, table and picture -> {study.folder}")
    return {
        "trials": len(results),
        **count,
        "epochs": study.search.settings.epochs,
        "best_trial": best.number,
        "val_loss": best.val_loss,
        "usual_val_loss": usual,
        "best": _rounded(best.values),
        "importance": study.importance(),
        "note": note,
        **files,
    }


def _honest(count: int, has_test: bool) -> str:
    """What the best validation loss does not say."""
    where = "its --test drives, which" if has_test else "drives held out by --test, which"
    return (
        f"This loss is optimistic: it is the least of {count} on the very frames that chose the "
        f"trial. Train with {BEST_CONFIG} and judge by {where} neither taught nor chose; whether "
        "the network keeps the road, no loss on recorded frames tells, but simulate does"
    )
