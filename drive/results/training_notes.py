"""`report_files/notes.json`: what a training leaves for its report besides its tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drive.results.json_files import write_json
from drive.results.names import NOTES, NOTES_FOLDER

if TYPE_CHECKING:
    import numpy as np

BINS = 61


@dataclass(frozen=True, slots=True)
class NotedImage:
    """An image in `report_files/`: its name there, and its title and note in the report."""

    name: str = ""
    title: str = ""
    note: str = ""


@dataclass(slots=True)
class Notes:
    """What a training leaves for its report."""

    epochs: int | None = None
    loss_unit: str = ""
    loss_note: str = ""
    edges: tuple[float, ...] = ()
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    worst: tuple[NotedImage, ...] = ()
    layers: tuple[NotedImage, ...] = ()

    def count(self, series: Mapping[str, np.ndarray]) -> None:
        """Note the distributions of these angles, in bins that are symmetric about 0."""
        import numpy as np

        angles = np.concatenate([each[np.isfinite(each)] for each in series.values()])
        widest = math.ceil(float(np.abs(angles).max(initial=0.0))) or 1
        self.edges = tuple(np.linspace(-widest, widest, BINS + 1).round(4).tolist())
        counts = {
            name: np.histogram(each, np.array(self.edges))[0] for name, each in series.items()
        }
        self.shares = {
            name: tuple((each / max(1, each.sum())).round(6).tolist())
            for name, each in counts.items()
        }

    def write(self, folder: Path) -> None:
        """Write them beside the images."""
        (folder / NOTES_FOLDER).mkdir(exist_ok=True)
        write_json(folder / NOTES_FOLDER / NOTES, asdict(self))
