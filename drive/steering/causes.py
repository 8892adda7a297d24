"""The likely cause of poor predictions, in one line each, with the option or line to change."""

from __future__ import annotations

import math
from collections.abc import Callable

from drive.core.wording import counted
from drive.recordings.labels import NATURAL_LAG_S
from drive.steering.evaluate import STILL_DEG, SteeringMetrics
from drive.steering.evidence import LONGEST_SHIFT_S, Evidence

GOOD_SHARE = 0.5
"""Half of the variation: the error is then 0.7 of the spread, and bends show in the prediction."""

NOTHING_SHARE = 0.05
"""Below this the error is within 3 % of that of a constant angle."""

WRONG_SIGN = -0.4
"""A correlation from which predictions steer the other way, if `Response.is_clear`."""

FOLLOWS = 0.6
"""A correlation from which predictions follow the angle, so that their size can be compared."""

WRONG_UNIT = 3.0
"""A network that follows with this correlation predicts up to 1 / 0.6 = 1.7 times too little; more
than three times is another unit."""

OTHER_SIZE = 8.0
"""Our recordings of front wheels differ less than this in their spread: 0.37 to 2.6 degrees."""

RADIANS = (30.0, 120.0)
"""Ratios near 57.3, with room for predictions that are too small or too large by a factor of 2."""

TINY_DEG = 0.3
"""Angles that spread less than this are rare in degrees (0.37 on the straightest of our roads)."""

SHORTEST_LAG_S = 0.15
LAG_FOLLOWS = 0.9
"""The correlation at a shift that tells a lag. Weaker predictions agreed best at -0.35 to 1.15 s
with recordings that have none."""

LAG_GAIN = 0.1
"""A shift in time must raise the squared correlation by this: networks answer early or late by a
few frames, which gains less."""

BIAS_COST = 0.1
"""Share of the variation from which a constant offset of the predictions is worth a line."""

KNOWS = 0.5
"""Share of its own training frames that a network explains if it has learnt them."""

MEMORISED = 0.4
"""By so much more it explains its training frames than others, if it has memorised them."""

OTHER_ROAD = 2.0
"""Mean angles apart by a spread, or spreads by this factor: the recordings show other roads."""

ENOUGH_S = 180.0
"""Measured (docs/decisions/steering.md): three minutes of real road gave 78 to 89 %, 25 s nothing.
"""

FEWEST_SWINGS = 6
"""Changes of direction below which few bends were seen: a minute of our tracks has 1 to 8."""

JUMPS = 0.5
"""Mean change from frame to frame, in spreads. Rows in random order change by 1.1, our drivers by
0.01 to 0.08 at 10 to 30 frames per second, one with a keyboard by 0.24."""

WIDEST_STEP_S = 0.15
"""Frames further apart say nothing about jumps."""

MOST_CAUSES = 3


WRONG_COLUMN = (
    "Constant angles: the CSV holds one angle only. Name the column with the angles `steering`, "
    "or leave the recording out (--exclude in train-steering)"
)


def likely_causes(metrics: SteeringMetrics, known: Evidence) -> tuple[str, ...]:
    """Return the likely causes: labels first, since nothing else can be judged with wrong ones."""
    spread = known.training_spread_deg
    if spread is not None and spread < STILL_DEG:
        return (f"{WRONG_COLUMN}. The training data has one angle only, so nothing was learnt",)
    for group in (_LABELS, _LEARNING):
        if found := [text for cause in group if (text := cause(metrics, known))]:
            return tuple(found[:MOST_CAUSES])
    return (_UNKNOWN,)


def clear_gains(metrics: SteeringMetrics, known: Evidence) -> tuple[str, ...]:
    """Return what a good model would gain from better labels: a tenth of the variation or more."""
    return tuple(text for cause in (_lag, _bias) if (text := cause(metrics, known)))


_UNKNOWN = (
    "No single cause stands out. Run check-data on the recordings, and look at the frames with the "
    "largest errors in report.html"
)


def _jumping(metrics: SteeringMetrics, known: Evidence) -> str:
    jitter, spread = metrics.truth_jitter_deg or 0.0, metrics.truth_spread_deg
    step_s = known.response.step_s if known.response else 0.0
    if jitter < JUMPS * spread or step_s > WIDEST_STEP_S:
        return ""
    return (
        f"Angles that jump: the recorded angle changes by {jitter:.2f} degrees from frame to frame "
        f"(spread {spread:.2f}), as no driver steers. Rows and frames do not belong together: "
        "check the column `frame` (or `time_s`) of the CSV"
    )


def _sign(metrics: SteeringMetrics, known: Evidence) -> str:
    other = {"right": '"left"', "left": '"right"'}.get(known.positive or "", '"left" or "right"')
    line = f"Write positive = {other} in recording.toml (or --positive); check-data checks it"
    response, picture = known.response, known.picture
    if picture and picture.trusted and picture.correlation < 0:
        return (
            "Wrong sign: the image turns the other way than the recorded angle says (correlation "
            f"{picture.correlation:+.2f}). {line}"
        )
    if not response or response.correlation > WRONG_SIGN:
        return ""
    if not response.is_clear(response.correlation):
        return ""
    return (
        "Wrong sign: the model steers to the right where the recorded angle goes to the left "
        f"(correlation {response.correlation:+.2f}). {line}, or train again if the model was "
        "trained with the wrong one"
    )


def _unit(metrics: SteeringMetrics, known: Evidence) -> str:
    response, trained = known.response, known.training_spread_deg
    if response and response.correlation >= FOLLOWS and response.is_clear(response.correlation):
        return _as_unit(response.scale, WRONG_UNIT, known, "predicted angles")
    if trained:
        return _as_unit(
            metrics.truth_spread_deg / trained, OTHER_SIZE, known, "angles trained on"
        ) or _tiny(trained, known)
    return ""


def _as_unit(scale: float, limit: float, known: Evidence, than: str) -> str:
    """Return the line for recorded angles that are `scale` times the others."""
    if 1 / limit < scale < limit:
        return ""
    small = scale < 1
    times = 1 / scale if small else scale
    told = f"the recorded angles are {times:.0f} times as {'small' if small else 'large'} as the"
    near_radians = RADIANS[0] <= times <= RADIANS[1]
    if near_radians and small and known.unit in (None, "degrees"):
        remedy = 'They are probably in radians: write unit = "radians" in recording.toml (--unit)'
    elif near_radians and not small and known.unit == "radians":
        remedy = 'They are probably in degrees: write unit = "degrees" in recording.toml (--unit)'
    else:
        remedy = _CHECK_UNIT
    return f"Wrong unit: {told} {than}. {remedy}"


_CHECK_UNIT = (
    "Check unit and full_scale_deg in recording.toml (--unit, --full-scale-deg). If one car has "
    "angles of its steering wheel and the other of its front wheels, train on this car, or with "
    "--target curvature and the steering_ratio of each"
)


def _tiny(trained_deg: float, known: Evidence) -> str:
    if trained_deg >= TINY_DEG or known.unit not in (None, "degrees"):
        return ""
    return (
        f"Perhaps a wrong unit: the angles trained on spread by {trained_deg:.3f} degrees only. If "
        'they are in radians or in -1 to 1, write unit = "radians" or unit = "normalised" in '
        "recording.toml (--unit)"
    )


def _lag(metrics: SteeringMetrics, known: Evidence) -> str:
    response, picture = known.response, known.picture
    if picture and picture.trusted and not NATURAL_LAG_S[0] <= picture.lag_s <= NATURAL_LAG_S[1]:
        return _as_lag(picture.lag_s, "as the motion of the images shows")
    if not response or abs(response.shift_s) < SHORTEST_LAG_S:
        return ""
    gain = response.shifted**2 - max(0.0, response.correlation) ** 2
    follows = response.shifted >= LAG_FOLLOWS and abs(response.shift_s) < LONGEST_SHIFT_S
    if not follows or gain < LAG_GAIN or not response.is_clear(response.shifted):
        return ""
    agreement = f"correlation {response.shifted:.2f} instead of {response.correlation:.2f}"
    return _as_lag(response.shift_s, f"as the predictions show ({agreement})")


def _as_lag(lag_s: float, how: str) -> str:
    late = "after" if lag_s > 0 else "before"
    return (
        f"Lag: the angles are recorded about {abs(lag_s):.2f} s {late} the image that they belong "
        f"to, {how}. Add about {lag_s:+.2f} to lag_s in recording.toml (or --lag), or use "
        "--auto-lag in train-steering; check-data measures it in the images"
    )


def _bias(metrics: SteeringMetrics, known: Evidence) -> str:
    response, varying = known.response, metrics.explained_variance
    share = metrics.explained.model
    if response is None or varying is None or share is None:
        return ""
    if varying < GOOD_SHARE or varying - share < BIAS_COST:
        return ""
    side = "right" if response.bias_deg > 0 else "left"
    return (
        f"A constant offset: the predictions lie {abs(response.bias_deg):.2f} degrees to the "
        f"{side}; without it they would explain {percent(varying)}. Another camera position or "
        "another zero of the sensor does this: check [camera] in recording.toml, correct the "
        "angles of straight driving to 0, or train on this car"
    )


def _own_training(metrics: SteeringMetrics, known: Evidence) -> str:
    """The model was poor before it came here, or it was good on its own roads."""
    before, on = known.explained_before, known.where or "these recordings"
    if before is None:
        return ""
    if before < NOTHING_SHARE:
        return (
            f"A model that has learnt nothing: at the end of its own training it explained "
            f"{percent(before)}. Read the verdict of that training, and train again"
        )
    if before < GOOD_SHARE or before - (metrics.explained.model or 0.0) < MEMORISED / 2:
        return ""
    return (
        f"Another road, car or camera: at the end of its training the model explained "
        f"{percent(before)}. Train on recordings like {on} (train-steering)"
    )


def _unlearnable(metrics: SteeringMetrics, known: Evidence) -> str:
    share = known.learnable
    if share is None or share >= NOTHING_SHARE or _is_little(known):
        return ""
    return (
        f"Images that do not go with the angles: a linear model explains {percent(share)} of the "
        "training data, too. Are CSV and video of the same drive, and is it the right column? "
        "check-data shows it"
    )


def _little(metrics: SteeringMetrics, known: Evidence) -> str:
    if not _is_little(known) or _was_good(known):
        return ""
    seconds, swings, share = known.training_seconds, known.training_swings, known.learnable
    amount = "" if seconds is None else f"{_duration(seconds)} of driving"
    frames = "" if known.training_frames is None else counted(known.training_frames, "frame")
    bends = "" if swings is None else f"{counted(swings, 'change')} from left to right or back"
    seen = ", ".join(filter(None, (amount, frames, bends)))
    linear = (
        f" A linear model explains {percent(share)} of it, too."
        if share is not None and share < NOTHING_SHARE
        else ""
    )
    return (
        f"Too little data: trained on {seen}.{linear} In our trials three minutes of real road "
        "were enough, and 25 seconds were not. Record at least three minutes, with many bends in "
        "both directions"
    )


def _was_good(known: Evidence) -> bool:
    """Whether the model was good on held-out data of its own training."""
    return known.explained_before is not None and known.explained_before >= GOOD_SHARE


def _is_little(known: Evidence) -> bool:
    seconds, swings = known.training_seconds, known.training_swings
    short = seconds is not None and seconds < ENOUGH_S
    return short or (swings is not None and swings < FEWEST_SWINGS)


def _unlearnt(metrics: SteeringMetrics, known: Evidence) -> str:
    own, learnable, epochs = known.explained_in_training, known.learnable, known.epochs
    if own is None or own >= KNOWS or epochs is None:
        return ""
    if learnable is not None and learnable < NOTHING_SHARE:
        return ""
    linear = "" if learnable is None else f", a linear model {percent(learnable)}"
    return (
        f"Not learnt yet: the network explained {percent(own)} of its own training frames{linear}. "
        f"Train longer with --epochs (this training: {counted(epochs, 'epoch')}), with the rate of "
        "--find-lr, and without --from-scratch"
    )


def _memorised(metrics: SteeringMetrics, known: Evidence) -> str:
    own, share = known.explained_in_training, metrics.explained.model or 0.0
    if own is None or own < KNOWS or own - share < MEMORISED or _was_good(known):
        return ""
    held = known.training_recordings
    count = "" if held is None else f" (now: {counted(held, 'recording')})"
    return (
        f"Memorised: the network explained {percent(own)} of the frames it was trained on, but not "
        f"these. Record more roads, as different as possible{count}"
    )


def _other_road(metrics: SteeringMetrics, known: Evidence) -> str:
    mean, spread = known.training_mean_deg, known.training_spread_deg
    if mean is None or not spread:
        return ""
    there = metrics.truth_spread_deg
    here_mean = _recorded_mean(metrics, mean)
    apart = here_mean > max(spread, there)
    ratio = max(there / spread, spread / there)
    if not apart and ratio < OTHER_ROAD:
        return ""
    on = known.where or "these recordings"
    return (
        f"Another road or another car: the angles of {on} spread by {there:.2f} degrees, their "
        f"mean is {here_mean:.2f} away from that of the training; those trained on spread by "
        f"{spread:.2f}. Train on both kinds of roads, of one car (--validation NAME chooses what "
        "train-steering validates on)"
    )


def _recorded_mean(metrics: SteeringMetrics, training_mean_deg: float) -> float:
    """Return how far the mean of the recorded angle lies from the training data's.

    The baseline `mean` is the RMSE of that constant: its square is the variance and that distance's
    square together.
    """
    return math.sqrt(max(0.0, metrics.baselines.mean**2 - metrics.truth_spread_deg**2))


def _keyboard(metrics: SteeringMetrics, known: Evidence) -> str:
    if not known.keyboard:
        return ""
    return (
        "Keyboard steering: the angle jumps between a few values, which no image shows. Average it "
        "with --smooth-labels 1.7"
    )


_Cause = Callable[[SteeringMetrics, Evidence], str]
_LABELS: tuple[_Cause, ...] = (_jumping, _sign, _unit, _lag, _bias)
_LEARNING: tuple[_Cause, ...] = (
    _own_training,
    _unlearnable,
    _unlearnt,
    _memorised,
    _little,
    _other_road,
    _keyboard,
)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < ENOUGH_S else f"{seconds / 60:.1f} minutes"


def percent(share: float | None) -> str:
    """Return whole percent; what is worse than a constant explains 0 %."""
    return f"{100 * max(0.0, share or 0.0):.0f} %"
