"""Steering with a keyboard is told from joysticks and steering wheels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drive.recordings.labels import is_keyboard
from drive.recordings.recording import open_recordings

SECONDS = 60.0
Signal = tuple[np.ndarray, np.ndarray]


def frame_times(rng: np.random.Generator, even: bool, rate: float = 20.0) -> np.ndarray:
    steps = np.full(int(SECONDS * rate), 1 / rate)
    return np.cumsum(steps if even else steps * rng.uniform(0.6, 1.4, len(steps)))


def keys(rng: np.random.Generator, up: float, down: float, even: bool = True) -> Signal:
    """Keys pressed now and then; the angle moves `up` degrees per second, and `down` back to 0."""
    fine_s = np.arange(0, SECONDS + 1, 0.002)
    pressed = np.zeros(len(fine_s))
    start = 0.5
    while start < SECONDS:
        held_s = rng.uniform(0.05, 0.5)
        pressed[(fine_s >= start) & (fine_s < start + held_s)] = rng.choice([-1, 1])
        start += held_s + rng.uniform(0.2, 2.0)
    angle, angles = 0.0, []
    for key in pressed:
        if key:
            angle = float(np.clip(angle + key * up * 0.002, -25, 25))
        else:
            angle -= np.sign(angle) * min(abs(angle), down * 0.002)
        angles.append(angle)
    times_s = frame_times(rng, even)
    return np.array(angles)[np.searchsorted(fine_s, times_s)], times_s


def smooth(rng: np.random.Generator, times_s: np.ndarray) -> np.ndarray:
    """Smooth steering with a spread of 1."""
    waves = sum(
        np.sin(2 * np.pi * f * times_s + rng.uniform(0, 6)) for f in (0.07, 0.15, 0.31, 0.53, 0.8)
    )
    return np.asarray(waves) / np.std(waves)


def with_dead_centre(rng: np.random.Generator) -> Signal:
    times_s = frame_times(rng, even=True)
    angles = 8 * smooth(rng, times_s)
    return np.sign(angles) * np.maximum(np.abs(angles) - 4, 0), times_s


def joystick(rng: np.random.Generator) -> Signal:
    """A stick that springs back, with a dead centre and an end stop, in steps of 1/128."""
    times_s = frame_times(rng, even=False)
    push = np.clip(2.5 * smooth(rng, times_s * 2.5), -1, 1) * 25
    push[np.abs(push) < 14] = 0
    return np.round(push * 128 / 25) * 25 / 128, times_s


def coarse_wheel(rng: np.random.Generator) -> Signal:
    """The sensor of a steering wheel on a motorway, in steps of half a degree."""
    times_s = frame_times(rng, even=True)
    return np.round(2 * 0.5 * smooth(rng, times_s)) / 2, times_s


def nothing(rng: np.random.Generator) -> Signal:
    times_s = frame_times(rng, even=True)
    return np.zeros(len(times_s)), times_s


def one_bend(rng: np.random.Generator) -> Signal:
    times_s = frame_times(rng, even=True)
    return np.where((times_s > 10) & (times_s < 11), 5.0, 0.0), times_s


def unknown(rng: np.random.Generator) -> Signal:
    times_s = frame_times(rng, even=True)
    return np.full(len(times_s), np.nan), times_s


def taps(rng: np.random.Generator) -> Signal:
    """Full left, nothing or full right."""
    angles, times_s = keys(rng, 1e6, 1e6)
    return angles, times_s


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "steer",
    [
        lambda rng: keys(rng, 60, 60),
        lambda rng: keys(rng, 40, 90),
        lambda rng: keys(rng, 60, 60, even=False),
        lambda rng: keys(rng, 30, 1e6),
        taps,
    ],
)
def test_keys_are_recognised(steer: Callable[[np.random.Generator], Signal], seed: int) -> None:
    angles, times_s = steer(np.random.default_rng(seed))
    assert is_keyboard(angles, times_s)
    angles[::9] = np.nan
    assert is_keyboard(angles, times_s)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "steer", [with_dead_centre, joystick, coarse_wheel, nothing, one_bend, unknown]
)
def test_hands_are_not(steer: Callable[[np.random.Generator], Signal], seed: int) -> None:
    assert not is_keyboard(*steer(np.random.default_rng(seed)))


def test_too_little_to_tell() -> None:
    assert not is_keyboard(np.zeros(0), np.zeros(0))
    assert not is_keyboard(np.array([0, 25.0, 0]), np.array([0, 0.1, 0.2]))


def test_the_shared_recordings(shared: Path) -> None:
    recordings = open_recordings([shared / "recordings", shared / "drives", "data/sample"])
    found = {each.name for each in recordings if is_keyboard(each.angle_deg, each.row_times_s())}
    assert found == {"udacity_sim/epoch01"}
    (simulator,) = (each for each in recordings if each.name in found)
    times_s = simulator.row_times_s()
    for start in range(0, 220, 40):
        part = (times_s >= start) & (times_s < start + 40)
        assert is_keyboard(simulator.angle_deg[part], times_s[part])
