"""Race tracks that nobody has seen: random bends and hills in the dress of a known TORCS track.

A network that has seen thirteen tracks, painted and widened in many ways, still knows their bends
by heart. Here the bends are drawn anew: a random polygon around a point, its corners rounded, with
random heights. Surfaces, verges, walls and the sky are a known track's, repainted
(`benchmarks.repaint_tracks`), in an order of their own; the road gets a random width.

    python -m benchmarks.invent_tracks NAME[,NAME...] --copies 2 [--first 3] [--tight]

Where a pit lane leaves the road, the same asphalt goes on beside it, and the road seems twice as
wide; so some stretches get such an apron. A track is called NAME-made1 and lies where TORCS looks
for tracks; with `--tight` it is called NAME-tight1, has more corners close together, and is
steeper. Needs `xvfb-run`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.repaint_tracks import GROUND, TRACKS, build_model, copy_track, repaint, set_width

UNEVEN = 0.4
"""How far corners lie from that radius and from even angles, as a share."""

ROOM = 0.46
"""Share of an edge that the rounding of one corner may take."""

WIDTHS_M = (8.5, 16.0)

APRON_SHARE, APRON_PIECES = 0.12, (1, 3)
"""Chance of each piece that an apron begins there, and fewest and most pieces that it lasts."""

APRON_LEFT_SHARE = 0.7
LINE_SHARE = 0.6
"""Chance of an apron to keep what borders the road there: a line, a kerb or nothing."""

APRON_M = (6.0, 15.0)
"""Narrowest and widest apron."""

SURFACE = re.compile(r'<attstr\s+name="surface"[^>]*?val="([^"]+)"')
SECTION = re.compile(r'<section name="[^"]*">|</section>')
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
GEOMETRY = re.compile(
    r'<att(?:num|str)\s+name="(?:type|lg|arc|radius|end radius|grade|marks|'
    r'(?:banking|z|profil)[^"]*)"[^>]*/>\s*'
)
"""What a piece says of its own shape."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is drawn at random.

    `corners`: fewest and most corners of the polygon; `size_m`: its mean radius; `bend_m`: radii of
    the bends, evenly on a logarithmic scale, as far as the corners leave room; `tightest_m`: a
    polygon with a narrower bend is drawn again; `slope`: steepest, as a share.
    """

    suffix: str
    corners: tuple[int, int]
    size_m: tuple[float, float]
    bend_m: tuple[float, float]
    tightest_m: float
    slope: float


LONG = Shape("made", (8, 14), (330.0, 520.0), (18.0, 120.0), 0.0, 0.045)
"""Laps of 2 to 4 km."""

TIGHT = Shape("tight", (12, 22), (170.0, 320.0), (14.0, 70.0), 13.0, 0.07)
"""Laps of 1 to 3 km, a bend every 80 m."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A straight (`turn_deg` 0) or a bend of one radius, to the left if positive."""

    length_m: float
    turn_deg: float = 0.0
    radius_m: float = 0.0


def main() -> None:
    """Make the tracks that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tracks", help="names with commas between, whose dress is taken")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first copy")
    parser.add_argument("--tight", action="store_true", help="tight bends, close together")
    arguments = parser.parse_args()
    shape = TIGHT if arguments.tight else LONG
    names = arguments.tracks.split(",")
    others = [path for name in names for path in sorted((TRACKS / name).iterdir())]
    pool = [path for path in others if path.suffix in (".rgb", ".png") and GROUND.search(path.stem)]
    for name in names:
        for copy in range(arguments.first, arguments.first + arguments.copies):
            new = f"{name}-{shape.suffix}{copy}"
            rng = np.random.default_rng([*new.encode()])
            home = copy_track(name, new)
            set_width(home, rng.uniform(*WIDTHS_M))
            pieces = random_pieces(rng, shape)
            redraw(home, pieces, rng, shape.slope)
            build_model(home)
            repaint(home, pool, rng)
            lap_m = sum(piece.length_m for piece in pieces)
            sys.stderr.write(f"{new}: {lap_m:.0f} m, {len(pieces)} pieces\n")


def random_pieces(rng: np.random.Generator, shape: Shape = LONG) -> list[Piece]:
    """A closed way: pieces that end where the first begins, in the same direction.

    It begins in the middle of the longest edge, so that the grid stands on a straight.
    """
    while True:
        pieces = rounded(random_corners(rng, shape), rng, shape.bend_m)
        if all(piece.radius_m >= shape.tightest_m for piece in pieces if piece.turn_deg):
            return pieces


def random_corners(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Corners of a random polygon around a point, (N, 2) metres, in either direction."""
    count = int(rng.integers(shape.corners[0], shape.corners[1] + 1))
    angle = (np.arange(count) + rng.uniform(-UNEVEN, UNEVEN, count)) * 2 * np.pi / count
    radius = rng.uniform(*shape.size_m) * (1 + rng.uniform(-UNEVEN, UNEVEN, count))
    corners = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return corners[::-1] if rng.random() < 0.5 else corners


def rounded(
    corners: np.ndarray, rng: np.random.Generator, bend_m: tuple[float, float]
) -> list[Piece]:
    """The way along a polygon, (N, 2) metres, whose corners are rounded by random radii."""
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(edges, axis=1)
    longest = int(np.argmax(lengths))
    edges, lengths = np.roll(edges, -longest, axis=0), np.roll(lengths, -longest)
    headings = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    turns = (np.roll(headings, -1) - headings + 180) % 360 - 180  # at the end of each edge
    taken = np.empty(len(turns))
    radii = np.empty(len(turns))
    for index, turn in enumerate(turns):
        half = np.tan(np.radians(abs(turn)) / 2)
        room = ROOM * min(lengths[index], lengths[(index + 1) % len(lengths)])
        widest = room / max(half, 1e-6)
        wanted = np.exp(rng.uniform(*np.log(bend_m)))
        radii[index] = min(wanted, widest)
        taken[index] = radii[index] * half
    pieces = [Piece(lengths[0] / 2 - taken[0])]
    for index, turn in enumerate(turns):
        pieces.append(Piece(radii[index] * np.radians(abs(turn)), turn, radii[index]))
        after = (index + 1) % len(turns)
        left = lengths[after] - taken[index] - taken[after]
        pieces.append(Piece(left if after else lengths[0] / 2 - taken[index]))
    return pieces


def redraw(
    home: Path, pieces: Sequence[Piece], rng: np.random.Generator, slope: float = LONG.slope
) -> None:
    """Write pieces into a track's description instead of its own.

    Each piece wears what some piece of the track wears: surface, verges, walls. Pits, cameras and
    objects, which belong to places of the old track, are left out.
    """
    description = home / f"{home.name}.xml"
    text = COMMENT.sub("", description.read_text(encoding="utf-8", errors="surrogateescape"))
    begin, end = _inside(text, "Track Segments")
    dresses = [GEOMETRY.sub("", block) for block in _blocks(text[begin:end])]
    worn = [dresses[rng.integers(len(dresses))] for _ in pieces]
    road = SURFACE.search(text, text.index('<section name="Main Track">'))
    if road is None:
        raise ValueError(f"{description} names no surface of the road")
    worn = with_aprons(worn, road[1], rng)
    drawn = [
        _as_section(f"piece {number}", piece, height_m, dress)
        for number, (piece, height_m, dress) in enumerate(
            zip(pieces, random_heights(pieces, rng, slope), worn, strict=True), start=1
        )
    ]
    text = text[:begin] + "\n".join(drawn) + text[end:]
    text = re.sub(r'"(Object Maps|relief file|Pits|Cameras)"', r'"no \1"', text)
    description.write_text(text, encoding="utf-8", errors="surrogateescape")


def with_aprons(dresses: Sequence[str], surface: str, rng: np.random.Generator) -> list[str]:
    """Lay the road's surface beside some stretches of it, often without anything in between."""
    found, left, apron, gone = [], 0, "", [""]
    for dress in dresses:
        if not left and rng.random() < APRON_SHARE:
            left = int(rng.integers(APRON_PIECES[0], APRON_PIECES[1] + 1))
            side = "Left" if rng.random() < APRON_LEFT_SHARE else "Right"
            width = f'<attnum name="width" unit="m" val="{rng.uniform(*APRON_M):.2f}"/>'
            apron = f'<attstr name="surface" val="{surface}"/>'
            apron = f'<section name="{side} Side">{width}{apron}</section>'
            gone = [f"{side} Side", f"{side} Border"]
            if rng.random() < LINE_SHARE:
                gone.pop()
        if left:
            left -= 1
            for name in gone:
                dress = _without(dress, name)
            dress += apron
        found.append(dress)
    return found


def _without(text: str, name: str) -> str:
    """The text without its sections of this name."""
    head = f'<section name="{name}">'
    while head in text:
        _, end = _inside(text, name)
        text = text[: text.index(head)] + text[end + len("</section>") :]
    return text


def random_heights(
    pieces: Sequence[Piece], rng: np.random.Generator, slope: float = LONG.slope
) -> np.ndarray:
    """(N,) metres at the end of each piece; the last is 0, where the first begins."""
    lengths = np.array([piece.length_m for piece in pieces])
    hilly = rng.uniform(0, slope)
    heights = np.cumsum(lengths * rng.uniform(-hilly, hilly, len(lengths)))
    result: np.ndarray = heights - heights[-1] * np.cumsum(lengths) / lengths.sum()
    return result


def _as_section(name: str, piece: Piece, height_m: float, dress: str) -> str:
    kind = "str" if not piece.turn_deg else "lft" if piece.turn_deg > 0 else "rgt"
    lines = [f'<section name="{name}">', f'<attstr name="type" val="{kind}"/>']
    if piece.turn_deg:
        lines.append(f'<attnum name="arc" unit="deg" val="{abs(piece.turn_deg):.6f}"/>')
        lines.append(f'<attnum name="radius" unit="m" val="{piece.radius_m:.6f}"/>')
    else:
        lines.append(f'<attnum name="lg" unit="m" val="{piece.length_m:.6f}"/>')
    lines.append(f'<attnum name="z end" unit="m" val="{height_m:.3f}"/>')
    return "\n".join([*lines, dress, "</section>"])


def _inside(text: str, name: str) -> tuple[int, int]:
    """Where the inside of the first section of this name begins and ends."""
    start = text.index(f'<section name="{name}">')
    depth = 0
    for match in SECTION.finditer(text, start):
        depth += -1 if match[0].startswith("</") else 1
        if depth == 0:
            return text.index(">", start) + 1, match.start()
    raise ValueError(f"the section {name} does not end")


def _blocks(text: str) -> list[str]:
    """What is inside each section of a list of sections."""
    found, place = [], 0
    while match := SECTION.search(text, place):
        name = re.search(r'"([^"]*)"', match[0])
        assert name is not None
        begin, end = _inside(text[match.start() :], name[1])
        found.append(text[match.start() + begin : match.start() + end])
        place = match.start() + end + len("</section>")
    return found


if __name__ == "__main__":
    main()
