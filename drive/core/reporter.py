"""What a task tells its caller while it works: messages, warnings, progress.

Tasks never print. The command line shows these on standard error; a library logs them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from drive.core.progress import Item, no_progress

LOGGER = logging.getLogger("drive")


class Reporter(Protocol):
    """Receives what a task has to say. Implement it to show progress in your own program.

    Example:
        >>> class Printer:
        ...     def message(self, text): print(text)
        ...     def warn(self, text): print("warning:", text)
        ...     def progress(self, iterable, total=None, description=""): return iterable
        >>> result = detect(DetectConfig("video.mp4"), Printer())
    """

    def message(self, text: str) -> None:
        """Receive one line of information."""
        ...

    def warn(self, text: str) -> None:
        """Receive one line that the user must know to read the results correctly."""
        ...

    def progress(
        self, iterable: Iterable[Item], total: int | None = None, description: str = ""
    ) -> Iterable[Item]:
        """Return an iterable over the same items that shows how far it has come."""
        ...


class LogReporter:
    """The default of the library: the logger `drive` receives messages (info) and warnings."""

    progress = staticmethod(no_progress)

    def message(self, text: str) -> None:
        """Log at level INFO."""
        LOGGER.info(text)

    def warn(self, text: str) -> None:
        """Log at level WARNING."""
        LOGGER.warning(text)


class KeepingReporter:
    """Keeps messages and warnings in their order instead of showing them."""

    progress = staticmethod(no_progress)

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def message(self, text: str) -> None:
        """Keep a message."""
        self.messages.append(text)

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self.warnings.append(text)
