"""What a task reports, shown on standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from drive.core.errors import EncodeError
from drive.core.progress import Item
from drive.core.reporter import LOGGER

MINIMUM_INTERVAL_S = 0.5


def write_out(text: str) -> None:
    """Write to standard output; end with status 1 if nobody reads it any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # else the end of Python writes the rest, and fails
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        raise EncodeError(f"standard output cannot be written: {error.strerror}") from error


class Console:
    """A `Reporter` for the terminal; with `quiet` it shows warnings only."""

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json

    def show(self, text: str, values: Mapping[str, str]) -> None:
        """Print a result on standard output before the command ends: as text or as JSON."""
        said = json.dumps(values, ensure_ascii=False) if self.as_json else text
        write_out(said + "\n")

    def message(self, text: str) -> None:
        """Show a line, unless quiet."""
        if not self.quiet:
            sys.stderr.write(text + "\n")

    def warn(self, text: str) -> None:
        """Show a warning, even if quiet."""
        sys.stderr.write(f"warning: {text}\n")

    def progress(
        self, iterable: Iterable[Item], total: int | None = None, description: str = ""
    ) -> Iterable[Item]:
        """Show a progress bar, unless quiet."""
        if self.quiet:
            return iterable
        from tqdm import tqdm

        how = {"file": sys.stderr, "mininterval": MINIMUM_INTERVAL_S, "dynamic_ncols": True}
        shown: Iterable[Item] = tqdm(iterable, total=total, desc=description, **how)
        return shown


@contextmanager
def shown_log(console: Console) -> Iterator[None]:
    """Show what the library logs at level INFO as messages, until the block ends."""
    handler = _Messages(console)
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


class _Messages(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        self._console.message(record.getMessage())
