"""Progress of long work: a callable that wraps an iterable."""

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
    """Return the iterable unchanged: the `Progress` that shows nothing."""
    return iterable
