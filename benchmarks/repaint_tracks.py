"""Copies of TORCS tracks that look different: other textures and other widths, to record on.

A network that has seen thirteen tracks knows them by their asphalt, grass and walls, and with them
how wide each road is. Here every image that a track's model names is repainted (other light,
colours, contrast, noise) or exchanged for one of another track. With `--widths` the road is also
built anew, narrower or wider, by TORCS' own `trackgen`; the bends stay. Only tracks that may be
recorded.

    python -m benchmarks.repaint_tracks NAME[,NAME...] --copies 2 [--widths 8.5,16 --suffix width]

A copy is called NAME-paint1 (or by another suffix) and lies beside NAME, where TORCS looks for
tracks. `--widths` needs `xvfb-run` and TORCS' Debian package. With `--mirror` left and right are
exchanged as well: bends, slopes of the road, verges, walls and the pit lane; trees, whose places a
image holds, are left out. A car on the right still keeps right.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

TRACKS = Path("/usr/share/games/torcs/tracks/road")
COMMON = Path("/usr/share/games/torcs/data/textures")

EXCHANGE_SHARE = 0.35
"""Share of the images that become another one of the same kind."""

KEPT = ("background", "logo", "shadow")
"""Images left alone: the sky, signs, and the light that lies on everything."""

MAIN_WIDTH = re.compile(r'(name="Main Track">.*?name="width"[^>]*?val=")([\d.]+)(")', re.DOTALL)
MODEL = re.compile(r'(name="3d description"\s+val=")([^"]+)(")')

SIDED_SECTION = re.compile(r'(name=")(Left|Right)( (?:Side|Border|Barrier)")')
SIDED_VALUE = re.compile(r'(val=")(lft|rgt|left|right)(")')
BANKING = re.compile(r'(name="banking(?: start| end)?"[^>]*?val=")(-?[\d.]+)(")')
"""What a track's description says of left and right."""

GROUND = re.compile(r"asph|road|tar|concrete|grass|sand|grav|side|dirt|earth|snow|rock|kerb|curb")
"""Names of what lies on the ground or stands beside the road, by which images are exchanged."""


def main() -> None:
    """Make the copies that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tracks", help="names with commas between")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--widths", help="build roads anew: narrowest and widest, in metres")
    parser.add_argument("--mirror", action="store_true", help="exchange left and right")
    parser.add_argument("--suffix", default="paint", help="of the copies' names")
    arguments = parser.parse_args()
    names = arguments.tracks.split(",")
    widths = [float(text) for text in (arguments.widths or "").split(",") if text]
    others = [path for name in names for path in sorted((TRACKS / name).iterdir())]
    pool = [path for path in others if path.suffix in (".rgb", ".png") and GROUND.search(path.stem)]
    for name in names:
        for copy in range(1, arguments.copies + 1):
            new = f"{name}-{arguments.suffix}{copy}"
            rng = np.random.default_rng([*new.encode()])
            home = copy_track(name, new)
            if widths or arguments.mirror:
                width_m = rng.uniform(widths[0], widths[-1]) if widths else None
                rebuild(home, width_m, arguments.mirror)
            repaint(home, pool, rng)
            sys.stderr.write(f"{new}\n")


def copy_track(name: str, new: str) -> Path:
    """Copy a track under a new name; return its folder."""
    home = TRACKS / new
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(TRACKS / name, home)
    (home / f"{name}.xml").rename(home / f"{new}.xml")
    return home


def rebuild(home: Path, width_m: float | None, mirror: bool) -> None:
    """Give a copy's road another width, exchange left and right, and build its model."""
    if width_m is not None:
        set_width(home, width_m)
    if mirror:
        _edit(home, mirrored)
    build_model(home)


def set_width(home: Path, width_m: float) -> None:
    """Give the road of a track another width, in its description."""

    def widened(text: str) -> str:
        if not MAIN_WIDTH.search(text):
            raise ValueError(f"{home} states no width of the main track")
        return MAIN_WIDTH.sub(rf"\g<1>{width_m:.2f}\g<3>", text, count=1)

    _edit(home, widened)


def build_model(home: Path) -> None:
    """Build a track's model from its description."""
    _edit(home, lambda text: MODEL.sub(rf"\g<1>{home.name}.ac\g<3>", text))
    for model in home.glob("*.ac*"):
        model.unlink()
    build = ["xvfb-run", "-a", "/usr/games/trackgen", "-c", "road", "-n", home.name, "-a"]
    subprocess.run(build, check=True, capture_output=True)
    if not (home / f"{home.name}.ac").exists():
        raise FileNotFoundError(f"trackgen built no model in {home}")


def _edit(home: Path, change: Callable[[str], str]) -> None:
    description = home / f"{home.name}.xml"
    text = description.read_text(encoding="utf-8", errors="surrogateescape")
    description.write_text(change(text), encoding="utf-8", errors="surrogateescape")


def mirrored(description: str) -> str:
    """A track's description with left and right exchanged, without objects at fixed places."""
    exchange = {"left": "right", "Left": "Right", "lft": "rgt"}
    exchange |= {value: key for key, value in exchange.items()}
    for sided in (SIDED_SECTION, SIDED_VALUE):
        description = sided.sub(lambda m: m[1] + exchange[m[2]] + m[3], description)
    description = BANKING.sub(lambda m: f"{m[1]}{-float(m[2]):g}{m[3]}", description)
    return re.sub(r'"(Object Maps|relief file)"', r'"no \1"', description)


def repaint(home: Path, pool: list[Path], rng: np.random.Generator) -> None:
    """Repaint all images of a copy."""
    for image in sorted(textures(home)):
        source = home / image if (home / image).exists() else COMMON / image
        if source.exists() and not any(word in image for word in KEPT):
            repaint_picture(source, home / image, pool, rng)


def textures(home: Path) -> set[str]:
    """Names of all images that the models in a track's folder use."""
    found: set[str] = set()
    for model in (*home.glob("*.ac"), *home.glob("*.acc")):
        found |= set(re.findall(r'texture "([^"]+)"', model.read_text(errors="replace")))
    return found


def repaint_picture(source: Path, target: Path, pool: list[Path], rng: np.random.Generator) -> None:
    """Write another image of the same size, kind and transparency; leave unknown kinds alone."""
    try:
        image = Image.open(source)
        mode, alpha = image.mode, image.getchannel("A") if image.mode == "RGBA" else None
        rgb = np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError):
        return
    if pool and GROUND.search(source.stem) and rng.random() < EXCHANGE_SHARE:
        other = Image.open(pool[rng.integers(len(pool))]).convert("RGB")
        rgb = cv2.resize(np.array(other), rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
    painted = Image.fromarray(repaint_pixels(rgb, rng))
    if alpha is not None:
        painted.putalpha(alpha)
    painted.convert(mode).save(target, format="SGI" if target.suffix == ".rgb" else None)


def repaint_pixels(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light, contrast, colours and grain for a (H, W, 3) uint8 image."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-30, 30)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.3, 1.6) + rng.uniform(0, 25), 0, 255)
    mean = hsv[..., 2].mean()
    wanted = np.clip(mean * np.exp(rng.uniform(-0.6, 0.6)), 25, 235)
    hsv[..., 2] = wanted + (hsv[..., 2] - mean) * rng.uniform(0.4, 1.6)
    cells = rng.normal(0, rng.uniform(0, 18), (8, 8)).astype(np.float32)
    hsv[..., 2] += cv2.resize(cells, hsv.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    hsv[..., 2] += rng.normal(0, rng.uniform(0, 10), hsv.shape[:2])
    return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)


if __name__ == "__main__":
    main()
