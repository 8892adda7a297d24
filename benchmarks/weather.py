"""What night, fog, rain, low sun and strongly compressed video do to an image, for training.

    python benchmarks/weather.py IMAGE SHEET.jpg

writes an image beside itself in each condition. The functions know numpy images and boxes; no
network, no files. Everything random comes from the generator that the caller passes. The aim is
not beauty: a network has to find cars by what remains of them.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

SHARES = {"none": 0.58, "night": 0.14, "fog": 0.12, "rain": 0.10, "glare": 0.06}
"""How often an image gets which condition; a dark one is left as it is."""

DARK = 55  # mean level below which an image already is one of the night
VIDEO_SHARE = 0.08  # of real H.264, at a rate that hurts
WIPER_SHARE = 0.3  # of rain


def weather(
    image: np.ndarray, boxes: np.ndarray, vehicles: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the image in a condition drawn by chance.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) x1 y1 x2 y2 in pixels.
        vehicles: (N,) bool, which of them have lamps.
        rng: of everything random.
    """
    name = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    if name == "none" or image.mean() < DARK:
        return image
    return in_condition(name, image, boxes, vehicles, rng)


def in_condition(
    name: str, image: np.ndarray, boxes: np.ndarray, vehicles: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the image in one condition of `SHARES`."""
    made: dict[str, Callable[[], np.ndarray]] = {
        "none": lambda: image,
        "night": lambda: night(image, boxes[vehicles], rng),
        "fog": lambda: fog(image, boxes, rng),
        "rain": lambda: rain(image, rng),
        "glare": lambda: glare(image, rng),
    }
    return made[name]()


def night(image: np.ndarray, vehicles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken, light the road ahead, and give the vehicles lamps that bloom."""
    height, width = image.shape[:2]
    x = image.astype(np.float32) / 255
    x = x ** np.float32(rng.uniform(1.2, 2.4))
    grey = x.mean(axis=2, keepdims=True)
    x += (grey - x) * np.float32(rng.uniform(0.2, 0.6))
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None]
    cone = np.exp(-((rows - rng.uniform(0.65, 0.95)) ** 2) / 0.06 - columns**2 / 0.35)
    light = rng.uniform(0.10, 0.30) + rng.uniform(0.2, 0.9) * cone
    tint = np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.6, 1.0)], np.float32)
    x *= light[..., None].astype(np.float32) * tint
    lamps = np.zeros((height, width, 3), np.float32)
    for box in vehicles:
        if rng.random() < 0.8:
            _lamps(lamps, box, rng)
    for _ in range(int(rng.integers(0, 7))):  # street lamps
        centre = (int(rng.integers(width)), int(rng.integers(max(1, int(0.5 * height)))))
        colour = (1.0, float(rng.uniform(0.6, 1.0)), float(rng.uniform(0.2, 1.0)))
        cv2.circle(lamps, centre, int(rng.integers(1, 4)), colour, -1)
    half = _quarter(lamps)
    bloom = cv2.GaussianBlur(half, (0, 0), rng.uniform(1.0, 3.0)) * rng.uniform(1.0, 4.0)
    x += lamps + cv2.resize(bloom, (width, height))
    noise = cv2.resize(
        rng.standard_normal((height // 2, width // 2, 3), np.float32), (width, height)
    )
    x += noise * np.float32(rng.uniform(0.004, 0.03))
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def _levels(x: np.ndarray) -> np.ndarray:
    levels: np.ndarray = np.clip(x, 0, 255).astype(np.uint8)
    return levels


def _quarter(field: np.ndarray) -> np.ndarray:
    """Return a field at a quarter of its height and width."""
    size = (max(1, field.shape[1] // 4), max(1, field.shape[0] // 4))
    return cv2.resize(field, size, interpolation=cv2.INTER_AREA)


def _lamps(lamps: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> None:
    """Draw two tail lamps, or two head lamps, where a vehicle has them."""
    x1, y1, x2, y2 = (float(v) for v in box)
    wide, high = x2 - x1, y2 - y1
    if wide < 3 or high < 3:
        return
    if rng.random() < 0.65:
        colour = (1.0, float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.05, 0.25)))
    else:
        colour = (1.0, 1.0, float(rng.uniform(0.7, 1.0)))
    radius = max(1, round(wide * rng.uniform(0.03, 0.08)))
    y = round(y1 + high * rng.uniform(0.45, 0.7))
    inset = rng.uniform(0.06, 0.2)
    strength = float(rng.uniform(0.5, 1.0))
    shade = tuple(strength * c for c in colour)
    for x in (x1 + inset * wide, x2 - inset * wide):
        axes = (radius, max(1, round(radius * rng.uniform(0.5, 1.0))))
        cv2.ellipse(lamps, (round(x), y), axes, 0, 0, 360, shade, -1)


def fog(image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Veil what is far: depth from the rows below a horizon, and whole objects by their foot."""
    height, width = image.shape[:2]
    if len(boxes):
        horizon = float(np.median(boxes[:, 1])) / height + rng.uniform(-0.05, 0.05)
    else:
        horizon = rng.uniform(0.3, 0.55)
    horizon = float(np.clip(horizon, 0.15, 0.7))
    rows = np.arange(height) / height
    depth = np.minimum(0.25 / np.maximum(rows - horizon, 0.008), 30.0)
    depth[rows <= horizon] = 30.0
    field: np.ndarray = np.repeat(depth[:, None], width, axis=1).astype(np.float32)
    for x1, y1, x2, y2 in boxes[np.argsort(boxes[:, 3])].astype(int) if len(boxes) else ():
        foot = depth[min(max(y2, 0), height - 1)]
        field[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = foot
    field = cv2.resize(cv2.blur(_quarter(field), (3, 3)), (width, height))
    kept = np.exp(-np.float32(np.exp(rng.uniform(np.log(0.05), np.log(0.7)))) * field)
    kept = np.maximum(kept, np.float32(rng.uniform(0.04, 0.15)))[..., None]
    veil = np.float32(rng.uniform(110, 235)) * np.array(
        [1.0, rng.uniform(0.97, 1.02), rng.uniform(0.95, 1.08)], np.float32
    )
    made = image * kept + veil * (1 - kept)
    return _levels(made)


def rain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey the scene, mirror it in the wet road, and put drops, and at times a wiper, before it."""
    height, width = image.shape[:2]
    x: np.ndarray = image.astype(np.float32)
    grey = x.mean(axis=2, keepdims=True)
    x += (grey - x) * np.float32(rng.uniform(0.1, 0.5))
    seam = int(height * rng.uniform(0.5, 0.65))
    below = height - seam
    above = x[max(0, seam - below) : seam][::-1]
    if len(above):
        blurred = cv2.blur(above, (3, max(1, 2 * (below // 12) + 1)))
        share = np.linspace(0.45, 0.1, len(above), dtype=np.float32)[:, None, None]
        share *= np.float32(rng.uniform(0.2, 0.9))
        part = x[seam : seam + len(above)]
        part += (blurred - part) * share
    veil = np.float32(rng.uniform(0.0, 0.35))
    x += (np.float32(rng.uniform(120, 190)) - x) * veil
    x *= np.float32(rng.uniform(0.55, 1.05))
    x = _drops(np.clip(x, 0, 255), rng)
    if rng.random() < WIPER_SHARE:
        foot = (int(rng.uniform(0, width)), int(height * rng.uniform(1.0, 1.3)))
        tip = (int(rng.uniform(-0.2, 1.2) * width), int(height * rng.uniform(-0.1, 0.5)))
        mask: np.ndarray = np.zeros((height, width), np.float32)
        cv2.line(mask, foot, tip, 1.0, max(2, int(width * rng.uniform(0.008, 0.03))))
        mask = cv2.blur(mask, (int(rng.integers(3, 15)),) * 2)[..., None]
        x = x * (1 - 0.9 * mask) + 12 * mask
    return _levels(x)


def _drops(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put drops on the glass: each shows the scene blurred, shifted and a little brighter."""
    height, width = x.shape[:2]
    small = cv2.resize(x, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(small, (width, height))[::-1] * np.float32(rng.uniform(0.9, 1.25))
    mask: np.ndarray = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(5, 90))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        radius = max(1, int(width * abs(rng.normal(0, 0.006)) + 1))
        axes = (radius, max(1, int(radius * rng.uniform(0.8, 1.6))))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, float(rng.uniform(0.4, 0.95)), -1)
    mask = cv2.blur(mask, (3, 3))[..., None]
    return x * (1 - mask) + soft * mask


def glare(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let a low sun shine into the lens: a bright spot, and a veil over everything."""
    height, width = image.shape[:2]
    x0, y0 = rng.uniform(0, width), rng.uniform(0, 0.5 * height)
    rows = (np.arange(height, dtype=np.float32)[:, None] - y0) / width
    columns = (np.arange(width, dtype=np.float32)[None] - x0) / width
    far = rows**2 + columns**2
    light = rng.uniform(0.5, 1.3) * np.exp(-far / rng.uniform(0.005, 0.03))
    light = light + rng.uniform(0.1, 0.5) * np.exp(-far / 0.3)
    tint = np.array([255, rng.uniform(220, 255), rng.uniform(170, 255)], np.float32)
    dark = np.float32(rng.uniform(0.5, 1.0))  # the camera closes its iris
    made = image * dark + light[..., None].astype(np.float32) * tint
    return _levels(made)


def as_video(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the image as H.264 leaves it at a low rate; an image of odd sides as it is."""
    import av

    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return image
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": str(int(rng.integers(26, 40)))}
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    file.seek(0)
    with av.open(file, "r") as made:
        for frame in made.decode(video=0):
            return np.asarray(frame.to_ndarray(format="rgb24"))
    return image


def main() -> None:
    """Write a sheet of one image in all conditions, and through H.264."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("sheet", type=Path)
    args = parser.parse_args()
    stored = cv2.imread(str(args.image))
    if stored is None:
        parser.error(f"{args.image} must be an image")
    image = np.asarray(stored)[:, :, ::-1]
    rng = np.random.default_rng(0)
    none = np.zeros((0, 4), np.float32)
    rows = [in_condition(name, image, none, np.zeros(0, bool), rng) for name in SHARES]
    cv2.imwrite(str(args.sheet), np.concatenate([*rows, as_video(image, rng)])[:, :, ::-1])


if __name__ == "__main__":
    main()
