"""Verdicts on synthetic predictions: what is said, and which cause is named with its remedy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drive.recordings.motion import LagEstimate
from drive.results.verdict import Verdict
from drive.steering.evaluate import Predictions, SteeringMetrics, evaluate, explained_share
from drive.steering.evidence import Evidence, count_swings, measure_response
from drive.steering.verdict import judge

FPS = 20
SECONDS = 120


def road(
    seconds: float = SECONDS, seed: int = 1, spread_deg: float = 2.0, width: int = 30
) -> np.ndarray:
    """Angles of a winding road: random, smooth over `width` frames."""
    rng = np.random.default_rng(seed)
    kernel = np.exp(-0.5 * (np.arange(-4 * width, 4 * width + 1) / width) ** 2)
    noise = rng.standard_normal(int(seconds * FPS) + 8 * width)
    angle = np.convolve(noise, kernel, "valid")
    return spread_deg * (angle - angle.mean()) / angle.std()


def noisy(angle: np.ndarray, share: float, seed: int = 2) -> np.ndarray:
    """Angles with an error that leaves about this share explained."""
    error = road(len(angle) / FPS, seed)[: len(angle)]
    return angle + error / error.std() * angle.std() * np.sqrt(1 - share)


def predictions(angle: np.ndarray, truth: np.ndarray) -> Predictions:
    frames = np.arange(len(truth))
    return Predictions("d", frames, frames / FPS, np.asarray(angle), np.asarray(truth))


def judged(
    angle: np.ndarray, truth: np.ndarray, mean_deg: float | None = 0.0, **known: object
) -> Verdict:
    found = [predictions(angle, truth)]
    evidence = Evidence(response=measure_response(found), **known)  # type: ignore[arg-type]
    return judge(evaluate(found, mean_deg), evidence)


def metrics_of(angle: list[float], truth: list[float]) -> SteeringMetrics:
    return evaluate([predictions(np.array(angle, float), np.array(truth, float))], 0.0)


def test_the_shares_are_those_worked_out_by_hand() -> None:
    # truth 0, 2, 4, 2: mean 2, variance 2; errors 1, -1, 0, 2: mean square 1.5
    metrics = metrics_of([1, 1, 4, 4], [0, 2, 4, 2])
    shares = metrics.explained
    assert shares.model == pytest.approx(1 - 1.5 / 2)
    assert shares.zero == pytest.approx(1 - 6 / 2)  # its bias counts
    assert shares.persistence_1s is None
    assert metrics.as_json()["explained"] == {
        "model": shares.model, "zero": shares.zero, "mean": shares.mean, "persistence_1s": None,
    }  # fmt: skip


def test_a_bias_counts_although_the_explained_variance_ignores_it() -> None:
    metrics = metrics_of([2, 3, 2, 1], [1, 2, 1, 0])
    assert metrics.explained_variance == pytest.approx(1)
    assert metrics.explained.model == pytest.approx(1 - 1 / 0.5)


def test_nothing_is_explained_where_nothing_varies() -> None:
    assert explained_share(1.0, 0.0) is None
    assert explained_share(None, 1.0) is None


def test_a_good_model_is_told_in_one_sentence_without_causes() -> None:
    truth = road()
    verdict = judged(noisy(truth, 0.8), truth, where="the validation data")
    assert verdict.level == "good"
    assert verdict.causes == ()
    assert verdict.as_text() == verdict.sentence
    assert verdict.sentence.startswith(
        "The model explains 80 % of the steering on the validation data; always straight ahead "
        "explains 0 %, the mean angle 0 %, the driver's own angle of one second ago "
    )


@pytest.mark.parametrize(
    ("share", "level", "said"), [(0.3, "weak", "only 30 %"), (0.02, "nothing", "only 2 %")]
)
def test_a_poor_model_is_weak_or_nothing(share: float, level: str, said: str) -> None:
    truth = road()
    verdict = judged(noisy(truth, share), truth)
    assert verdict.level == level
    assert f"The model explains {said} of the steering" in verdict.sentence
    assert verdict.causes


def test_worse_than_straight_ahead_explains_nothing() -> None:
    truth = road()
    verdict = judged(noisy(truth, -0.5), truth)
    assert verdict.level == "nothing"
    said = "explains nothing of the steering (worse than always straight ahead: RMSE 2.45 degrees"
    assert said in verdict.sentence


def test_better_than_straight_ahead_and_worse_than_a_constant_is_told_apart() -> None:
    truth = road() - 6.0
    verdict = judged(np.full(len(truth), -3.0), truth)
    assert verdict.level == "nothing"
    assert "(worse than the best constant angle: RMSE 3.61 degrees instead of 2.00)" in (
        verdict.sentence
    )


def test_a_wrong_sign_is_named_with_the_line_to_write() -> None:
    truth = road()
    (cause,) = judged(-noisy(truth, 0.8), truth, positive="right").causes
    assert cause.startswith("Wrong sign:")
    assert 'positive = "left" in recording.toml (or --positive)' in cause
    (back,) = judged(-noisy(truth, 0.8), truth, positive="left").causes
    assert 'positive = "right"' in back


def test_a_sign_is_not_told_from_a_single_bend() -> None:
    truth = np.sin(np.linspace(-1.5, 1.5, 500))
    angle = -0.5 * truth + 0.4 * np.sin(np.linspace(0, 30, 500))
    response = measure_response([predictions(angle, truth)])
    assert response
    assert response.swings == 1
    assert response.correlation < -0.7
    assert "Wrong sign" not in str(judged(angle, truth).causes)


def test_the_motion_of_the_image_shows_a_wrong_sign() -> None:
    truth = road()
    picture = LagEstimate(0.0, -0.8)
    (cause,) = judged(noisy(truth, 0.1), truth, picture=picture).causes
    assert cause.startswith("Wrong sign: the image turns the other way")
    unsure = LagEstimate(0.0, -0.2)
    assert "Wrong sign" not in str(judged(noisy(truth, 0.1), truth, picture=unsure).causes)


@pytest.mark.parametrize(
    ("factor", "unit", "said"),
    [
        (1 / 57.3, "degrees", 'unit = "radians"'),
        (57.3, "radians", 'unit = "degrees"'),
        (1 / 15, "degrees", "full_scale_deg"),
        (15, "degrees", "steering wheel"),
    ],
)
def test_a_wrong_unit_is_named_with_the_line_to_write(factor: float, unit: str, said: str) -> None:
    truth = road()
    (cause,) = judged(noisy(truth, 0.8), truth * factor, unit=unit).causes
    assert cause.startswith("Wrong unit: the recorded angles are ")
    assert said in cause


def test_a_wrong_unit_shows_in_the_spread_if_nothing_is_followed() -> None:
    truth = road(spread_deg=0.035)
    (cause,) = judged(road(seed=9), truth, unit="degrees", training_spread_deg=2.0).causes
    assert 'write unit = "radians"' in cause
    assert "57 times as small as the angles trained on" in cause


def test_tiny_angles_may_be_another_unit() -> None:
    truth = road(spread_deg=0.035)
    known = {"unit": "degrees", "training_spread_deg": 0.035}
    (cause,) = judged(road(seed=9, spread_deg=0.01), truth, **known).causes
    assert cause.startswith("Perhaps a wrong unit: ")
    assert 'unit = "normalised"' in cause


@pytest.mark.parametrize("lag_s", [0.4, -0.4])
def test_a_lag_is_named_with_its_seconds(lag_s: float) -> None:
    late = road(width=8)  # bends of under a second, where a lag costs a lot
    shift = round(lag_s * FPS)
    truth, angle = late[20:-20], late[20 + shift : len(late) - 20 + shift]
    verdict = judged(0.8 * angle, truth)
    assert verdict.level == "good"  # and yet much is to be gained
    assert f"Add about {lag_s:+.2f} to lag_s in recording.toml (or --lag)" in verdict.causes[0]


def test_weak_predictions_tell_no_lag() -> None:
    late = road(width=8)
    truth, angle = late[20:-20], late[30:-10]
    wave = 0.8 * np.sin(np.arange(len(truth)) / 4) * angle.std()
    causes = judged(0.5 * (angle + wave), truth).causes
    assert causes
    assert "Lag" not in str(causes)


def test_a_recording_that_was_trained_on_is_named_as_such() -> None:
    truth = road()
    sentence = judged(noisy(truth, 0.8), truth, where="town", seen=True).sentence
    assert "explains 80 % of the steering on town, which it was trained on; always" in sentence


def test_the_motion_of_the_image_shows_a_lag() -> None:
    truth = road()
    (cause,) = judged(noisy(truth, 0.1), truth, picture=LagEstimate(0.5, 0.8)).causes
    assert "Lag: the angles are recorded about 0.50 s after the image" in cause
    usual = LagEstimate(-0.2, 0.8)
    assert "Lag" not in str(judged(noisy(truth, 0.1), truth, picture=usual).causes)


def test_a_constant_offset_is_named() -> None:
    truth = road()
    (cause,) = judged(noisy(truth, 0.9) + 3.0, truth).causes
    assert cause.startswith("A constant offset: the predictions lie 3.0")
    assert "to the right; without it they would explain 90 %" in cause


def test_constant_recorded_angles_are_nothing_to_explain() -> None:
    verdict = judged(road(), np.full(SECONDS * FPS, 1.5))
    assert verdict.level == "nothing"
    assert verdict.sentence.startswith("The recorded angle never changes")
    assert "Name the column with the angles `steering`" in verdict.causes[0]


def test_constant_training_angles_are_the_cause() -> None:
    truth = road()
    (cause,) = judged(0 * truth, truth, training_spread_deg=0.0, training_seconds=20.0).causes
    assert cause.startswith("Constant angles:")
    assert "training data" in cause


def test_shuffled_rows_are_seen_in_the_jumps() -> None:
    truth = np.random.default_rng(3).permutation(road())
    (cause,) = judged(0.05 * road(), truth, training_seconds=66.0).causes
    assert cause.startswith("Angles that jump:")
    assert "column `frame`" in cause


def test_angles_that_no_image_shows_are_told_by_the_linear_model() -> None:
    truth = road()
    known = {"training_seconds": 600.0, "learnable": -0.03, "explained_in_training": 0.02}
    (cause,) = judged(0.05 * road(seed=5), truth, **known).causes
    assert cause.startswith("Images that do not go with the angles: a linear model explains 0 %")


def test_too_little_data_says_how_much_and_how_much_is_needed() -> None:
    truth = road()
    known = {"training_seconds": 20.0, "training_frames": 600, "training_swings": 1}
    verdict = judged(0.05 * road(seed=5), truth, learnable=-0.1, **known)
    assert verdict.level == "nothing"
    (cause,) = verdict.causes
    assert "trained on 20 s of driving, 600 frames, 1 change from left to right or back" in cause
    assert "A linear model explains 0 % of it, too" in cause
    assert "three minutes" in cause


def test_not_learnt_and_memorised_are_told_apart() -> None:
    truth, guess = road(), 0.05 * road(seed=5)
    plenty = {"training_seconds": 600.0, "training_swings": 60, "training_recordings": 2}
    (cause,) = judged(guess, truth, explained_in_training=0.03, epochs=3, **plenty).causes
    assert cause.startswith("Not learnt yet: the network explained 3 % of its own training frames")
    assert "--epochs (this training: 3 epochs)" in cause
    (cause,) = judged(guess, truth, explained_in_training=0.93, **plenty).causes
    assert cause.startswith("Memorised: the network explained 93 %")
    assert "(now: 2 recordings)" in cause


@pytest.mark.parametrize(
    "known",
    [
        {"training_mean_deg": 6.0, "training_spread_deg": 2.0},
        {"training_mean_deg": 0.0, "training_spread_deg": 0.8},
    ],
)
def test_another_road_is_seen_in_the_angles(known: dict[str, float]) -> None:
    truth = road()
    guess = 0.05 * road(seed=5)
    causes = judged(guess, truth, known["training_mean_deg"], **known).causes
    assert any(cause.startswith("Another road or another car:") for cause in causes)
    same = {"training_mean_deg": 0.1, "training_spread_deg": 1.8}
    assert "Another road" not in str(judged(guess, truth, 0.1, **same).causes)


def test_a_keyboard_is_named() -> None:
    truth = road()
    (cause,) = judged(noisy(truth, 0.2), truth, keyboard=True).causes
    assert "--smooth-labels 1.7" in cause


def test_what_the_model_was_worth_in_its_training_is_compared() -> None:
    truth, guess = road(), 0.05 * road(seed=5)
    known = {"explained_before": 0.61, "explained_in_training": 0.9, "training_seconds": 66.0}
    verdict = judged(guess, truth, where="town", **known)
    said = "At the end of its training it explained 61 % of data that it was not trained on."
    assert said in verdict.sentence
    (cause,) = verdict.causes
    assert "at the end of its training the model explained 61 %" in cause
    assert "Train on recordings like town" in cause
    (cause,) = judged(guess, truth, explained_before=0.01).causes
    assert cause.startswith("A model that has learnt nothing")


def test_without_a_cause_the_next_step_is_told() -> None:
    truth = road()
    (cause,) = judge(evaluate([predictions(noisy(truth, 0.2), truth)])).causes
    assert "check-data" in cause


def test_causes_are_at_most_three_lines() -> None:
    truth = road()
    verdict = judged(
        0.05 * road(seed=5),
        truth,
        6.0,
        training_seconds=20.0,
        training_swings=1,
        training_mean_deg=6.0,
        training_spread_deg=2.0,
        explained_in_training=0.9,
        keyboard=True,
    )
    assert len(verdict.causes) == 3
    assert verdict.as_text().count("\n  - ") == 3
    assert verdict.as_json()["level"] == "nothing"


def test_swings_ignore_noise_around_the_middle() -> None:
    wave = np.sin(np.arange(400) * 2 * np.pi / 100)
    jitter = 0.05 * np.random.default_rng(0).standard_normal(400)
    assert count_swings(wave) == count_swings(wave + jitter) == 7
    assert count_swings(np.full(9, 2.0)) == 0


def test_a_response_needs_two_angles_that_vary() -> None:
    truth = road()
    assert measure_response([predictions(0 * truth, truth)]) is None
    response = measure_response([predictions(0.5 * truth + 1, truth)])
    assert response
    assert (response.scale, response.bias_deg) == pytest.approx((2.0, 1.0))
    assert (response.shift_s, response.step_s) == pytest.approx((0.0, 1 / FPS))
    assert replace(response, swings=1).is_clear(0.9) is False
