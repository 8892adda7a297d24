"""What stands out in a recording, and the line of `recording.toml` that corrects it."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fix:
    """A value of a key of `recording.toml`."""

    key: str
    value: str | float
    sure: bool = True  # the data leave no other reading; `check-data --fix` writes it

    @property
    def line(self) -> str:
        """As TOML, whose strings and numbers are those of JSON."""
        return f"{self.key} = {json.dumps(self.value)}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stands out."""

    code: str  # stable name for scripts
    text: str  # one line for people
    note: bool = False  # information only, nothing to fix
    fix: Fix | None = None
