"""`train-steering --find-lr`: the learning-rate range test instead of a training.

Knows how a search is reported; the search is in `drive.training.find_rate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drive.tasks._common import Context

if TYPE_CHECKING:
    import keras

    from drive.results.run_folder import RunFolder
    from drive.steering.split import Split
    from drive.steering.training_settings import TrainingSettings

TABLE, PLOT = "learning_rate_finder.csv", "learning_rate_finder.png"


def search_rate(
    split: Split,
    settings: TrainingSettings,
    start: keras.Model | None,
    epochs: int,
    folder: RunFolder,
    context: Context,
    loss_axis: str,
) -> dict[str, Any]:
    """Search, write table and picture, say what was found; nothing that was trained is kept."""
    import keras

    from drive.drawing.rate_plot import plot_rate_search
    from drive.steering.train import SteeringCourse
    from drive.training.find_rate import RATES, find_rate, write_search

    table, plot = folder.file(TABLE), folder.file(PLOT)
    keras.utils.set_random_seed(settings.seed)
    course = SteeringCourse(split, settings, start)
    model = course.compiled(frozen=course.frozen_epochs > 0)
    with context.record.stage("search"):
        found = find_rate(
            model,
            course.batches,
            *RATES[settings.optimizer],
            epochs=epochs,
            progress=context.progress,
        )
    write_search(table, found)
    suggested = found.suggested and float(f"{found.suggested:.2g}")
    least = float(f"{found.rate[found.smoothed.argmin()]:.2g}")
    plot_rate_search(plot, found.rate, found.loss, found.smoothed, suggested, loss_axis=loss_axis)
    if suggested is None:
        context.warn(
            "the loss fell by no more than chance: search over more steps, with --epochs N, and "
            "look at the recordings with check-data"
        )
    else:
        context.message(
            f"the loss is least at a learning rate of {least:g}; train with a tenth of it: "
            f"--learning-rate {suggested:g}"
        )
    context.message(f"table and picture of the search -> {folder.path}")
    return {
        "suggested_learning_rate": suggested,
        "least_loss_learning_rate": least,
        "steps": len(found.rate),
        "diverged": found.diverged,
        "table": table,
        "plot": plot,
    }
