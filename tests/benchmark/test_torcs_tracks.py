"""The makers of training tracks, without TORCS: ways that close, descriptions that stay whole."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from benchmarks import invent_tracks
from benchmarks.invent_tracks import (
    TIGHT,
    Piece,
    random_heights,
    random_pieces,
    redraw,
    with_aprons,
)
from benchmarks.repaint_tracks import mirrored, set_width

DESCRIPTION = """<params name="old">
<section name="Main Track">
 <attnum name="width" unit="m" val="12.0"/><attstr name="surface" val="tar"/>
 <section name="Left Side"><attnum name="width" val="7"/></section>
 <section name="Pits"><attstr name="side" val="left"/></section>
 <section name="Track Segments">
  <!-- <section name="lost"> -->
  <section name="s1"><attstr name="type" val="str"/><attnum name="lg" unit="m" val="300"/>
   <section name="Right Border"><attstr name="style" val="wall"/></section></section>
  <section name="t1"><attstr name="type" val="rgt"/><attnum name="arc" val="90"/>
   <attnum  name="radius" val="50"/><attnum name="banking end" unit="deg" val="-2.5"/>
   <attstr name="surface" val="asphalt-left"/></section>
 </section>
</section>
<section name="Cameras"><section name="c"><attstr name="segment" val="t1"/></section></section>
</params>"""


@pytest.fixture
def track(tmp_path: Path) -> Path:
    """The folder of a small track."""
    home = tmp_path / "old"
    home.mkdir()
    (home / "old.xml").write_text(DESCRIPTION)
    return home


def end_of(pieces: list[Piece]) -> tuple[complex, float]:
    """Where a way that begins at 0 in direction 0 ends, and in which direction, in radians."""
    place, heading = 0j, 0.0
    for piece in pieces:
        ahead = np.exp(1j * heading)
        if piece.turn_deg:
            turn = np.radians(piece.turn_deg)
            side = 1j * np.sign(turn) * piece.radius_m * ahead
            place += side - side * np.exp(1j * turn)
            heading += turn
        else:
            place += piece.length_m * ahead
    return place, heading


@pytest.mark.parametrize("seed", range(20))
def test_an_invented_way_closes(seed: int) -> None:
    pieces = random_pieces(np.random.default_rng(seed))
    place, heading = end_of(pieces)
    assert abs(place) < 1e-6
    assert abs(heading) == pytest.approx(2 * np.pi)
    assert all(piece.length_m > 0 for piece in pieces)
    assert not pieces[0].turn_deg and not pieces[-1].turn_deg
    heights = random_heights(pieces, np.random.default_rng(seed))
    assert heights[-1] == pytest.approx(0)


@pytest.mark.parametrize("seed", range(20))
def test_a_tight_way_closes_and_has_tight_bends_close_together(seed: int) -> None:
    pieces = random_pieces(np.random.default_rng(seed), TIGHT)
    place, heading = end_of(pieces)
    assert abs(place) < 1e-6
    assert abs(heading) == pytest.approx(2 * np.pi)
    radii = [piece.radius_m for piece in pieces if piece.turn_deg]
    assert TIGHT.tightest_m <= min(radii) < 30
    long = random_pieces(np.random.default_rng(seed))
    assert metres_per_bend(pieces) < 160 < metres_per_bend(long)


def metres_per_bend(pieces: list[Piece]) -> float:
    """Length of a way over its number of bends."""
    return sum(one.length_m for one in pieces) / sum(bool(one.turn_deg) for one in pieces)


def test_an_invented_track_keeps_the_dress_and_nothing_of_the_shape(track: Path) -> None:
    pieces = [Piece(100.0), Piece(20.0, 40.0, 28.6), Piece(50.0)]
    redraw(track, pieces, np.random.default_rng(0))
    root = ET.fromstring((track / "old.xml").read_text())
    segments = root.find(".//section[@name='Track Segments']")
    assert segments is not None
    kinds = [one.find("attstr[@name='type']") for one in segments]
    assert [kind.get("val") for kind in kinds if kind is not None] == ["str", "lft", "str"]
    text = ET.tostring(segments, encoding="unicode")
    assert 'val="40.000000"' in text and "banking" not in text and "300" not in text
    assert "Right Border" in text or "asphalt-left" in text
    names = {section.get("name") for section in root.iter("section")}
    assert {"no Pits", "no Cameras", "Left Side"} <= names


@pytest.mark.parametrize("line_share", [0.0, 1.0])
def test_aprons_replace_the_verge_on_one_side_and_the_border_if_no_line_is_to_stay(
    monkeypatch: pytest.MonkeyPatch, line_share: float
) -> None:
    monkeypatch.setattr(invent_tracks, "LINE_SHARE", line_share)
    monkeypatch.setattr(invent_tracks, "APRON_SHARE", 1.0)
    monkeypatch.setattr(invent_tracks, "APRON_LEFT_SHARE", 1.0)
    dress = (
        '<section name="Left Border"><b/></section><section name="Left Side"><c/></section>'
        '<section name="Right Side"><a/></section>'
    )
    worn = with_aprons([dress] * 4, "tarmac", np.random.default_rng(0))
    for one in worn:
        assert ("Left Border" in one) == bool(line_share) and 'name="Right Side"><a/>' in one
        assert (
            one.count('<section name="Left Side">') == 1
            and "<c/>" not in one
            and 'val="tarmac"' in one
        )
    monkeypatch.setattr(invent_tracks, "APRON_SHARE", 0.0)
    assert with_aprons([dress], "tarmac", np.random.default_rng(0)) == [dress]


def test_a_mirrored_track_bends_and_banks_the_other_way() -> None:
    text = mirrored(DESCRIPTION)
    assert 'name="Right Side"' in text and 'name="Left Border"' in text
    assert '<attstr name="type" val="lft"/>' in text
    assert 'name="banking end" unit="deg" val="2.5"' in text
    assert '<attstr name="side" val="right"/>' in text
    assert "asphalt-left" in text  # the name of a surface
    assert mirrored(text) == DESCRIPTION


def test_a_road_gets_another_width(track: Path) -> None:
    set_width(track, 9.25)
    text = (track / "old.xml").read_text()
    assert 'name="width" unit="m" val="9.25"' in text
    assert text.count("9.25") == 1


def test_a_description_that_breaks_off_is_told(track: Path) -> None:
    with pytest.raises(ValueError, match="does not end"):
        invent_tracks._inside('<section name="Track Segments"><section name="a">', "Track Segments")
