"""How good a steering model is, in words; kept in run folders and in model files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

GOOD, WEAK, NOTHING = "good", "weak", "nothing"
SENTENCE, LEVEL, CAUSES = "verdict", "verdict_level", "verdict_causes"
"""Entries of a model file."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good predictions are, and why not better.

    Attributes:
        sentence: what the model and the baselines explain.
        causes: one line each: the likely cause and what to change. A good model has one only if
            a lag or an offset costs it much.
        level: "good", "weak" or "nothing".
    """

    sentence: str = ""
    causes: tuple[str, ...] = ()
    level: str = GOOD

    @property
    def share(self) -> str:
        """The sentence without the baselines."""
        return self.sentence.split("; ")[0].rstrip(".")

    def as_text(self) -> str:
        """Return the sentence, and below it the causes."""
        return "\n".join([self.sentence, *(f"  - {cause}" for cause in self.causes)])

    def as_json(self) -> dict[str, object]:
        """Return the entries of `metrics.json`."""
        return asdict(self)

    def as_metadata(self) -> dict[str, str]:
        """Return the entries of a model file."""
        return {SENTENCE: self.sentence, LEVEL: self.level, CAUSES: "\n".join(self.causes)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Return the verdict in a model file; None if it has none, as those of version 0.1."""
        if SENTENCE not in metadata:
            return None
        causes = filter(None, metadata.get(CAUSES, "").split("\n"))
        return cls(metadata[SENTENCE], tuple(causes), metadata.get(LEVEL, GOOD))
