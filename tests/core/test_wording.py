"""Numbers and nouns that go together."""

from __future__ import annotations

import pytest

from drive.core.wording import are, counted, have


@pytest.mark.parametrize(
    ("number", "frames", "verb", "owns"),
    [(0, "0 frames", "are", "have"), (1, "1 frame", "is", "has"), (2, "2 frames", "are", "have")],
)
def test_one_of_a_thing_is_no_plural(number: int, frames: str, verb: str, owns: str) -> None:
    assert (counted(number, "frame"), are(number), have(number)) == (frames, verb, owns)
    assert counted(number, "box", "boxes") == f"{number} {'box' if number == 1 else 'boxes'}"
