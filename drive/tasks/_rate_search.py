"""`--find-lr`: the learning-rate range test instead of a training, for both networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.drawing.rate_plot import plot_rate_search
from drive.results.names import RATE_PLOT, RATE_TABLE
from drive.results.run_folder import RunFolder
from drive.tasks._run import Run
from drive.training.batches import Batches
from drive.training.find_rate import RATES, find_rate, write_search

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class FoundRate:
    """What a search found; no rate is suggested if the loss fell by no more than chance.

    `diverged` says whether the search ended because the loss climbed.
    """

    suggested_learning_rate: float | None
    least_loss_learning_rate: float
    steps: int
    diverged: bool
    table: Path
    plot: Path


def search_rate(
    model: keras.Model,
    batches: Batches,
    optimizer: str,
    epochs: int,
    folder: RunFolder,
    run: Run,
    loss_axis: str = "loss",
) -> FoundRate:
    """Search, write table and plot, report what was found; nothing that was trained is kept.

    The weights of the compiled model are useless afterwards.
    """
    table, plot = folder.file(RATE_TABLE), folder.file(RATE_PLOT)
    with run.record.stage("search"):
        found = find_rate(model, batches, *RATES[optimizer], epochs=epochs, progress=run.progress)
    write_search(table, found)
    suggested = found.suggested and float(f"{found.suggested:.2g}")
    least = float(f"{found.rate[found.smoothed.argmin()]:.2g}")
    plot_rate_search(plot, found.rate, found.loss, found.smoothed, suggested, loss_axis=loss_axis)
    if suggested is None:
        run.warn(
            "the loss fell by no more than chance. Search over more steps with --epochs N, and "
            "check the data with check-data"
        )
    else:
        run.message(
            f"the loss is lowest at a learning rate of {least:g}; train with a tenth of it: "
            f"--learning-rate {suggested:g}"
        )
    run.message(f"table and plot of the search -> {folder.path}")
    return FoundRate(suggested, least, len(found.rate), found.diverged, table, plot)
