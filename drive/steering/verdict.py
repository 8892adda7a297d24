"""Say in words how good predictions are and, where they are poor, the likely cause and its remedy.

The measure is `Explained`: 100 % is perfect, 0 % is what the best constant angle reaches. Nothing
here reads or writes files; what is known besides the errors is handed in as `Evidence`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from drive.steering.causes import (
    GOOD_SHARE,
    NOTHING_SHARE,
    WRONG_COLUMN,
    clear_gains,
    likely_causes,
    percent,
)
from drive.steering.evaluate import SteeringMetrics
from drive.steering.evidence import Evidence

GOOD, WEAK, NOTHING = "good", "weak", "nothing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good predictions are, and why not better.

    Attributes:
        sentence: what the model and the baselines explain.
        causes: one line each: the likely cause and what to change. A good model has one only if
            a lag or an offset costs it much.
        level: "good", "weak" or "nothing".
    """

    sentence: str
    causes: tuple[str, ...] = ()
    level: str = GOOD

    def as_text(self) -> str:
        """Return the sentence, and below it the causes."""
        return "\n".join([self.sentence, *(f"  - {cause}" for cause in self.causes)])

    def as_json(self) -> dict[str, object]:
        """Return the entries of `metrics.json`."""
        return asdict(self)


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


def _sentence(metrics: SteeringMetrics, known: Evidence, level: str) -> str:
    shares = metrics.explained
    model, on = shares.model or 0.0, f" on {known.where}" if known.where else ""
    ago = shares.persistence_1s
    behind = "" if ago is None else f", the driver's own angle of one second ago {percent(ago)}"
    baselines = (
        f"always straight ahead explains {percent(shares.zero)}, the mean angle "
        f"{percent(shares.mean)}{behind}"
    )
    if model < 0:
        return f"The model explains nothing of the steering{on} ({_worse(metrics)}); {baselines}."
    amount = f"only {percent(model)}" if level != GOOD else percent(model)
    return f"The model explains {amount} of the steering{on}; {baselines}."


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
