"""The probe: true size, rates, counted frames, sound."""

from __future__ import annotations

import pytest

from drive.video.probe import probe
from tests.conftest import VideoMaker


def test_constant_rate(make_video: VideoMaker) -> None:
    info = probe(make_video(frames=40, fps=20), count=True)
    assert (info.width, info.height) == (160, 96)
    assert info.frame_count == 40
    assert info.counted
    assert info.variable_rate is False
    assert info.nominal_fps == pytest.approx(20, abs=0.01)
    assert info.average_fps == pytest.approx(20, abs=0.01)
    assert info.duration_s == pytest.approx(2.0, abs=0.001)
    assert info.codec == "h264"
    assert not info.has_audio


def test_variable_rate_is_seen_only_by_counting(make_video: VideoMaker) -> None:
    path = make_video(times_ms=[0, 50, 100, 250, 300, 350, 700])
    assert probe(path).variable_rate is None
    info = probe(path, count=True)
    assert info.variable_rate is True
    assert info.average_fps == pytest.approx(6 / 0.7, rel=0.001)


def test_size_is_given_after_rotation(make_video: VideoMaker) -> None:
    info = probe(make_video(frames=3, rotation=90))
    assert (info.width, info.height) == (96, 160)
    assert info.rotation_deg == 270  # 90 counter-clockwise, as the container counts


def test_sound_is_noticed(make_video: VideoMaker) -> None:
    assert probe(make_video(frames=20, audio=True)).has_audio
