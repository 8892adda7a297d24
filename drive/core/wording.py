"""Small words that messages and pictures share. Knows English; nothing of what is counted."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """How many there are of a thing: "1 frame", "0 frames", "2 boxes".

    Args:
        number: how many.
        thing: the name of one.
        things: the name of several, where it is not the one with an s.
    """
    return f"{number} {noun(number, thing, things)}"


def noun(number: int, thing: str, things: str = "") -> str:
    """The name that goes with so many: "frame" or "frames"; see `counted`."""
    return thing if number == 1 else things or f"{thing}s"


def have(number: int) -> str:
    """The verb that goes with so many: "has" or "have"."""
    return "has" if number == 1 else "have"


def are(number: int) -> str:
    """The verb that goes with so many: "is" or "are"."""
    return "is" if number == 1 else "are"
