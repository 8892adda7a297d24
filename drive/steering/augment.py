"""Variations of a training picture that keep or mirror its angle: flip, tilt, light, colour.

Works on batches as the network sees them (YUV). Draws everything from the generator it is given, so
the same generator gives the same pictures. Knows no data sets; validation never comes here.
"""

from __future__ import annotations

import cv2
import numpy as np

from drive.steering.preprocess import NEUTRAL

FLIP_SHARE = 0.5
BRIGHTNESS = (0.5, 1.8)
"""Darkest and brightest factor; drawn evenly on a logarithmic scale."""

COLOUR = (0.0, 1.5)
"""Factors of the colours' strength, from grey to garish: another road has other colours."""

SHADOW_SHARE = 0.3
SHADOW = (0.4, 0.8)
"""Darkest and lightest factor inside a shadow."""

ROLL_DEG = 2.0
NOD_PIXELS = 4.0
ZOOM = 0.06
"""Largest tilt of the camera to the side, nod up or down, and change of the scale: what springs,
slopes and other mountings do to a picture. None of them changes where the road leads."""

SHEAR = 0.5
"""Largest sideways shift of the road, in pixels for each row below the horizon, as from a camera
up to 0.6 camera heights further left or right. The angle is kept: at 20 m/s, half a metre in two
seconds asks for 0.1 degrees. (A turned camera would ask for more, so pictures are not turned.)"""

HORIZON = 0.2
"""Share of the crop's height at which the horizon usually lies."""

PATCH_SHARE = 0.3
PATCH_SIDE = (0.1, 0.35)
"""Sides of a patch painted over, as shares of the picture's: a car, a building or a line alone
must not decide."""


def augment(
    images: np.ndarray, angle_deg: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Vary a batch.

    Args:
        images: (N, H, W, 3) uint8 YUV; left as they are.
        angle_deg: (N,) float32 degrees, positive right.
        rng: where chance comes from.

    Returns:
        New images of the same shape and type, and their angles: negated where flipped.
    """
    flipped = rng.random(len(images)) < FLIP_SHARE
    images, angle_deg = flip(images, angle_deg, flipped)
    for index, image in enumerate(images):
        varied = relight(tilt(image, rng), rng)
        if rng.random() < PATCH_SHARE:
            paint_patch(varied, rng)
        images[index] = varied
    return images, angle_deg


def flip(
    images: np.ndarray, angle_deg: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror the chosen pictures left to right and change the sign of their angles.

    Args:
        images: (N, H, W, 3).
        angle_deg: (N,).
        chosen: (N,) bool.
    """
    images, angle_deg = images.copy(), angle_deg.copy()
    images[chosen] = images[chosen, :, ::-1]
    angle_deg[chosen] *= -1
    return images, angle_deg


def tilt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Roll, nod, zoom and shift the camera a little; what comes into view repeats the edge."""
    height, width = image.shape[:2]
    centre = (width / 2, height / 2)
    matrix = cv2.getRotationMatrix2D(
        centre, rng.uniform(-ROLL_DEG, ROLL_DEG), 1 + rng.uniform(-ZOOM, ZOOM)
    )
    matrix[1, 2] += rng.uniform(-NOD_PIXELS, NOD_PIXELS)
    shear = rng.uniform(-SHEAR, SHEAR)
    matrix[0] += [0, shear, -shear * HORIZON * height]
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change the brightness and the strength of the colours; sometimes lay a shadow over it."""
    height, width = image.shape[:2]
    brightness = np.exp(rng.uniform(np.log(BRIGHTNESS[0]), np.log(BRIGHTNESS[1])))
    light = np.full((height, width), brightness, np.float32)
    if rng.random() < SHADOW_SHARE:
        light[shadow_mask(height, width, rng)] *= rng.uniform(*SHADOW)
    return scale_light(image, light, rng.uniform(*COLOUR))


def scale_light(image: np.ndarray, light: np.ndarray, colour: float = 1.0) -> np.ndarray:
    """Multiply the light that falls on each pixel, and the strength of the colours.

    Args:
        image: (H, W, 3) uint8 YUV.
        light: (H, W) factors.
        colour: 0 gives grey, 1 leaves the hue and strength as they are.
    """
    factors = np.array([1, colour, colour], np.float32)
    lit = (image - NEUTRAL) * light[..., None] * factors + NEUTRAL
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def shadow_mask(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A random shadow: all pixels on one side of a line from the top edge to the bottom edge.

    Returns:
        (height, width) bool.
    """
    top, bottom = rng.uniform(0, width, 2)
    edge = np.linspace(top, bottom, height)[:, None]
    left = np.arange(width)[None] < edge
    return left if rng.random() < 0.5 else ~left


def paint_patch(image: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a random rectangle of the picture over with one random colour, in place."""
    height, width = image.shape[:2]
    tall = int(height * rng.uniform(*PATCH_SIDE))
    wide = int(width * rng.uniform(*PATCH_SIDE))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    image[top : top + tall, left : left + wide] = rng.integers(0, 256, 3)
