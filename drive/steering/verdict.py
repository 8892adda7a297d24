"""Say in words how good predictions are and, where they are poor, the likely cause and its remedy.

The measure is `Explained`: 100 % is perfect, 0 % is what the best constant angle reaches. Nothing
here reads or writes files; what is known besides the errors is handed in as `Evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drive.results.verdict import GOOD, NOTHING, WEAK, Verdict
from drive.steering.causes import (
    GOOD_SHARE,
    NOTHING_SHARE,
    WRONG_COLUMN,
    clear_gains,
    likely_causes,
    percent,
)
from drive.steering.evaluate import Predictions, SteeringMetrics, TrainingMetrics
from drive.steering.evidence import Evidence, measure_response


def judge(metrics: SteeringMetrics, evidence: Evidence | None = None) -> Verdict:
    """Judge predictions by their errors and by what else is known.

    Example:
        >>> print(judge(evaluate([predictions])).sentence)
        The model explains 61 % of the steering; always straight ahead explains 0 %, ...
    """
    known = evidence or Evidence()
    share = metrics.explained.model
    if share is None:
        return Verdict(_still(metrics, known), (WRONG_COLUMN,), NOTHING)
    level = GOOD if share >= GOOD_SHARE else WEAK if share >= NOTHING_SHARE else NOTHING
    causes = clear_gains(metrics, known) if level == GOOD else likely_causes(metrics, known)
    return Verdict(_sentence(metrics, known, level), causes, level)


def judge_predictions(
    metrics: SteeringMetrics, recordings: Sequence[Predictions], known: Evidence, where: str
) -> Verdict:
    """Judge predictions of recordings, also by how they follow the angle; `where` names them."""
    return judge(metrics, replace(known, where=where, response=measure_response(recordings)))


def judge_training(
    metrics: TrainingMetrics,
    validated: Sequence[Predictions],
    tested: Sequence[Predictions],
    known: Evidence,
) -> Verdict:
    """Judge a trained network by the test data, or by the validation data if none was held out."""
    if metrics.test:
        return judge_predictions(metrics.test, tested, known, "the test data")
    return judge_predictions(metrics.validation, validated, known, "the validation data")


def _sentence(metrics: SteeringMetrics, known: Evidence, level: str) -> str:
    shares = metrics.explained
    model, on = shares.model or 0.0, f" on {known.where}" if known.where else ""
    on += ", which it was trained on" if known.seen else ""
    only = "" if level == GOOD else "only "
    amount = f"{only}{percent(model)} of the steering{on}"
    if model < 0:
        amount = f"nothing of the steering{on} ({_worse(metrics)})"
    told = _before(known) + _flat(metrics)
    return f"The model explains {amount}; {_baselines(metrics)}.{told}"


def _before(known: Evidence) -> str:
    """What the model explained at the end of its training: data that was new to it."""
    if known.explained_before is None:
        return ""
    share = percent(known.explained_before)
    return f" At the end of its training it explained {share} of data that it was not trained on."


def _baselines(metrics: SteeringMetrics) -> str:
    shares = metrics.explained
    ago = shares.persistence_1s
    behind = "" if ago is None else f", the driver's own angle of one second ago {percent(ago)}"
    zero, mean = percent(shares.zero), percent(shares.mean)
    return f"always straight ahead explains {zero}, the mean angle {mean}{behind}"


def _flat(metrics: SteeringMetrics) -> str:
    if not metrics.hardly_varies:
        return ""
    predicted, recorded = metrics.prediction_spread_deg, metrics.truth_spread_deg
    return (
        " It predicts almost the same angle everywhere "
        f"(spread {predicted:.2f} degrees, recorded {recorded:.2f})."
    )


def _worse(metrics: SteeringMetrics) -> str:
    rmse, zero = metrics.rmse_deg, metrics.baselines.zero
    if rmse > zero:
        than, least = "always straight ahead", zero
    else:
        than, least = "the best constant angle", metrics.truth_spread_deg
    return f"worse than {than}: RMSE {rmse:.2f} degrees instead of {least:.2f}"


def _still(metrics: SteeringMetrics, known: Evidence) -> str:
    on = f" of {known.where}" if known.where else ""
    return (
        f"The recorded angle{on} never changes (spread {metrics.truth_spread_deg:.3f} degrees): "
        "there is nothing to explain."
    )
