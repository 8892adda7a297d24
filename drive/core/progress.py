"""How long work tells that it goes on: a callable that wraps an iterable, nothing more.

Libraries take a `Progress`; only the command line knows that it is drawn on standard error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps an iterable and shows how far it has come."""

    def __call__(
        self, iterable: Iterable[Item], total: int | None = None, description: str = ""
    ) -> Iterable[Item]:
        """Return an iterable over the same items."""
        ...


def no_progress(
    iterable: Iterable[Item], total: int | None = None, description: str = ""
) -> Iterable[Item]:
    """Return the iterable as it is: the silent `Progress`."""
    return iterable
