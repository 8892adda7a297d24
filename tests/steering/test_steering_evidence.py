"""What a training knows of itself, and what of it a model file keeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from drive.results.verdict import Verdict
from drive.steering.cache import CachedRecording
from drive.steering.evidence import describe_evidence, read_evidence, training_evidence
from drive.steering.split import Part

Maker = Callable[..., CachedRecording]


def whole(recording: CachedRecording) -> Part:
    return Part(recording, np.arange(len(recording)))


def test_a_training_knows_its_amount_and_its_angles(make_drive: Maker) -> None:
    wave = 3 * np.sin(np.arange(200) * 2 * np.pi / 50) + 1
    recording = make_drive("a/epoch01", wave)
    other = make_drive("b/epoch01", [1.0] * 50)
    parts = [Part(recording, np.arange(100)), Part(recording, np.arange(120, 200)), whole(other)]
    known = training_evidence(parts, explained=0.4, epochs=7, learnable=0.2)
    assert (known.training_frames, known.training_recordings) == (230, 2)
    assert known.training_seconds == pytest.approx(23)
    assert known.training_mean_deg == pytest.approx(1, abs=0.2)
    assert known.training_swings == 3 + 3  # of each part of the first; the second is straight
    assert known.keyboard is False
    assert (known.explained_in_training, known.epochs, known.learnable) == (0.4, 7, 0.2)


def test_every_second_frame_lasts_as_long(make_drive: Maker) -> None:
    recording = make_drive(angles=np.linspace(-1, 1, 100))
    known = training_evidence([Part(recording, np.arange(0, 100, 2))])
    assert known.training_seconds == pytest.approx(10)


def test_a_model_file_keeps_what_evaluations_compare_with(make_drive: Maker) -> None:
    parts = [whole(make_drive(angles=np.linspace(-4, 4, 90)))]
    known = training_evidence(parts, explained=0.9, epochs=12, learnable=-0.1)
    said = read_evidence(describe_evidence(known, 0.61), mean_deg=0.5)
    assert said.explained_before == pytest.approx(0.61)
    assert said.training_mean_deg == 0.5
    assert (said.epochs, said.learnable, said.explained_in_training) == (12, -0.1, 0.9)
    amount = ("training_seconds", "training_frames", "training_recordings")
    for name in (*amount, "training_swings", "training_spread_deg"):
        assert getattr(said, name) == getattr(known, name)


def test_files_of_version_0_1_tell_the_spread_alone() -> None:
    said = read_evidence({"scale_deg": "2.5"}, None)
    assert said.training_spread_deg == 2.5
    assert said.training_seconds is said.explained_before is None
    assert (
        read_evidence({"scale_deg": "2.5", "target": "curvature"}, None).training_spread_deg is None
    )


def test_a_model_file_keeps_the_verdict_with_all_its_causes() -> None:
    for causes in ((), ("one",), ("one: a, b", "two")):
        verdict = Verdict("The model explains 6 %.", causes, "weak")
        assert Verdict.from_metadata(verdict.as_metadata()) == verdict
    assert Verdict.from_metadata({"network": "steering"}) is None
