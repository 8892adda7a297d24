"""Picks a command, runs its task, and turns errors into exit statuses.

Only the module of the command is imported, so that help appears at once.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from drive.cli.console import Console, shown_log, write_out
from drive.cli.parser import build, make_parser, parse
from drive.core.errors import DriveError, InputError, unknown_name
from drive.core.options import Config
from drive.core.version import VERSION
from drive.results.json_files import plain

if TYPE_CHECKING:
    from drive.tasks._run import TaskResult

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130

COMMANDS = {
    "demo": "train, predict, detect and render on the sample that ships",
    "detect": "find cars in a video, an image, a folder of images or a camera",
    "train-steering": "train the steering network on recordings",
    "tune-steering": "search for the hyper-parameters that suit your recordings",
    "predict-steering": "predict the steering angle of each frame; annotate the video",
    "evaluate-steering": "errors against the recorded angle, beside simple baselines",
    "simulate": "let the steering model drive along recordings: interventions, autonomy",
    "annotate": "detect cars and predict steering in one pass, one annotated MP4",
    "train-detector": "train or fine-tune the car detector on labelled images",
    "evaluate-detector": "average precision of the detector on labelled images",
    "check-data": "read recordings and report what is wrong with them",
    "crop-preview": "one image: the frame, the crop, what the network sees",
    "view": "open the results in a browser: list, reports, comparison",
    "compare": "two result videos side by side, and a short preview",
    "export": "convert a network for another runtime: OpenVINO, ONNX, LiteRT, SavedModel",
    "bench": "measure speed on this machine, beside other networks and runtimes",
}
"""Every command with the line that `--help` shows for it, in the order a newcomer meets them."""

HOMES = {"view": "drive.cli.view"}
"""Commands that are not tasks."""

AFTER_INTERRUPT = "no half-written result was kept"
"""What an interrupted task leaves, unless the interrupt that it passes on says otherwise."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default that of the process; return its exit status (`EXIT_...`)."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    name, rest = arguments[0], arguments[1:]
    try:
        with _one_interrupt():
            return _run(name, rest) if name in COMMANDS else _without_command(name)
    except InputError as error:
        return _fail(name, error, EXIT_WRONG_INPUT)
    except (DriveError, OSError) as error:
        return _fail(name, error, EXIT_FAILED)
    except KeyboardInterrupt as interrupt:
        return _fail(name, f"interrupted; {str(interrupt) or AFTER_INTERRUPT}", EXIT_INTERRUPTED)


def find_task(name: str) -> tuple[type[Config], Callable[..., Any]]:
    """Return the config class and the function of a command."""
    function = name.replace("-", "_")
    module = importlib.import_module(HOMES.get(name, f"drive.tasks.{function}"))
    config = "".join(word.title() for word in name.split("-")) + "Config"
    return getattr(module, config), getattr(module, function)


def program() -> str:
    """How the user called us: `drive`, or `python run.py` in a checkout."""
    return "python run.py" if Path(sys.argv[0]).name == "run.py" else "drive"


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Let the first Ctrl-C end the work; later ones must not disturb the clean-up.

    After one the process is about to end, so Ctrl-C stays ignored; else its handler is restored.
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


def _run(name: str, arguments: list[str]) -> int:
    config_class, task = find_task(name)
    settings = parse(make_parser(f"{program()} {name}", config_class), config_class, arguments)
    as_json, quiet = settings.pop("json", False), settings.pop("quiet", False)
    console = Console(quiet, as_json)
    try:
        with shown_log(console):
            result = task(build(config_class, settings), console)
    except DriveError as error:
        _print_result(getattr(error, "result", None), as_json)
        raise
    _print_result(result, as_json)
    return EXIT_DONE


def _print_result(result: TaskResult | None, as_json: bool) -> None:
    """Show a result on standard output: its text, then with `--json` one line of JSON."""
    if result is None:
        return
    if text := result.as_text():
        write_out(text.rstrip("\n") + "\n")
    if as_json:
        write_out(json.dumps(result.as_json(), default=plain, ensure_ascii=False) + "\n")


def _without_command(word: str) -> int:
    if word in ("-h", "--help", "--help-all", "help"):
        write_out(_overview())
    elif word == "--version":
        write_out(f"drive {VERSION}\n")
    else:
        return _fail("", unknown_name("command", word, COMMANDS), EXIT_WRONG_INPUT)
    return EXIT_DONE


def _overview() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return f"""usage: {program()} COMMAND ...

Turn dashcam video into steering predictions, car detections and annotated video.

commands:
{listed}

Help for a command: {program()} COMMAND --help
example:
  {program()} detect video.mp4
"""


def _fail(name: str, reason: object, status: int) -> int:
    """Say on one line of standard error what went wrong."""
    text = " ".join(str(reason).split())
    sys.stderr.write(f"{' '.join((program(), name)).strip()}: {text}\n")
    return status
