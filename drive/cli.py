"""The command line: picks a command, runs it, turns errors into exit statuses.

Each command is a file in `drive.commands`; only the one that was asked for is imported, so that
help appears at once. Knows nothing of what a command does.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, ModuleType

from drive.commands._common import (
    EXIT_WRONG_INPUT,
    PROGRAM,
    Context,
    Parser,
    add_common_options,
    apply_config_file,
)
from drive.errors import DriveError, InputError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

AFTER_INTERRUPT = "no half-written result was kept"
"""What an interrupted command leaves, unless its module says otherwise under the same name, or the
interrupt that it passes on does."""

COMMANDS = {
    "demo": "the main job on the sample that ships: train, predict, detect, render",
    "detect": "find cars in a video, an image, a folder of images or a camera",
    "train-steering": "train the steering network on recordings",
    "tune-steering": "search for the settings with which the steering network learns best",
    "predict-steering": "steering angle for each frame, and an annotated video",
    "evaluate-steering": "errors against the human driver, beside the baselines",
    "simulate": "the steering network drives along recordings; interventions and autonomy",
    "annotate": "both models in one pass over the video, one annotated MP4",
    "train-detector": "train or fine-tune the car detector on labelled images",
    "evaluate-detector": "average precision of the detector on labelled images",
    "check-data": "read recordings and report what is wrong with them",
    "crop-preview": "one picture: the frame, the crop, what the network is given",
    "view": "open the results in a browser: list, reports, comparison, marks",
    "compare": "two result videos side by side, and a short preview",
    "export": "a network as a file for another runtime: OpenVINO, ONNX, LiteRT, SavedModel",
    "bench": "measure speed on this machine, beside other networks and runtimes",
}
"""Every command with the line that `--help` shows for it, in the order a newcomer meets them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status.

    Args:
        argv: the arguments after the program's name; those of the process by default.

    Returns:
        0 done; 2 the input or the arguments are wrong; 1 anything else; 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in COMMANDS:
        return _without_command(arguments)
    name, rest = arguments[0], arguments[1:]
    module = importlib.import_module(f"drive.commands.{name.replace('-', '_')}")
    try:
        with _one_interrupt():
            return _run(name, module, rest)
    except InputError as error:
        return _fail(name, error, EXIT_WRONG_INPUT)
    except (DriveError, OSError) as error:
        return _fail(name, error, EXIT_FAILED)
    except KeyboardInterrupt as interrupt:
        left = str(interrupt) or getattr(module, "AFTER_INTERRUPT", AFTER_INTERRUPT)
        return _fail(name, f"interrupted; {left}", EXIT_INTERRUPTED)


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Let the first Ctrl-C end the work; the next ones must not disturb the clearing up.

    After one the process is about to end, so Ctrl-C stays ignored; else its handler is put back.
    """

    def interrupt(number: int, stack: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, before)


def _run(name: str, module: ModuleType, arguments: list[str]) -> int:
    parser = _parser(name, module)
    apply_config_file(parser, arguments)
    args = parser.parse_args(arguments)
    context = Context(name, args, [PROGRAM, name, *arguments])
    try:
        results = module.run(args, context)
    except BaseException as error:
        context.abandon(error)
        raise
    context.finish(results)
    if context.failure is not None:
        raise context.failure
    return EXIT_DONE


def _parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"{PROGRAM} {name}",
        description=module.HELP,
        epilog=f"example:\n  {PROGRAM} {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    add_common_options(parser, without=getattr(module, "NO_USE_FOR", ()))
    return parser


def _without_command(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_overview())
        return EXIT_DONE
    known = ", ".join(COMMANDS)
    return _fail(
        arguments[0], f"there is no such command. Expected one of: {known}", EXIT_WRONG_INPUT
    )


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND ...",
            "",
            "Dashcam video in; steering predictions, car detections and annotated video out.",
            "",
            "commands:",
            *lines,
            "",
            f"Every command explains itself: {PROGRAM} COMMAND --help",
            f"example:\n  {PROGRAM} detect video.mp4",
            "",
        ]
    )


def _fail(name: str, reason: object, status: int) -> int:
    """Say on one line of standard error what went wrong."""
    text = " ".join(str(reason).split())
    sys.stderr.write(f"{PROGRAM} {name}: {text}\n")
    return status
