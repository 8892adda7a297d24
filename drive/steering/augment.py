"""Augmentation of training images in YUV, with the right angle for each; repeatable by its seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from drive.recordings.camera import View, moved_rays
from drive.recordings.vehicle import Car, aim_distance_m, corrected_angle
from drive.steering.preprocess import INPUT_WIDTH

FLIP_SHARE = 0.5
"""Share of mirror images, if asked for. The paper has none, and they harm a car that keeps to one
side of the road."""

RETURN_S = 2.0
"""Seconds in which the angle of a moved camera leads back to the path (the paper's section 5.2)."""

SHIFT_M, WIDEST_SHIFT_M = 0.6, 1.4
TURN_DEG, WIDEST_TURN_DEG = 2.5, 7.0
"""Standard deviation and limit of the car's distance from its path, and of its heading. The paper
uses a normal distribution too; more than a metre beside the path is an intervention."""

FULL_SHIFT_AIM_M = 15.0
"""A car that aims nearer than this (20 m/s at the paper's two seconds) is moved less in proportion:
a slow one would need angles that no recording has."""

WIDEN = (0.85, 1.1)
"""Smallest and largest factor on the width of the road, on a logarithmic scale. Where the lane is
given by its distance from the middle, a network overfits to the few widths of its training roads
unless they vary. Race tracks of simulators are wide: widened further, narrow roads were driven too
far from their edge."""

GAMMA = (0.75, 1.35)
"""Exponents of the brightness, after the factor."""

SHADOW = (0.4, 0.8)
"""Darkest and lightest factor inside a shadow."""

TONE_POINTS, TONE = 6, 0.5
"""Other tones: a random curve through six levels, mixed in by up to 0.5."""

STAIN, STAIN_CELLS = 0.5, (4, 12)
"""Stains, each pixel by up to a factor of 1.5, at most four down and twelve across."""

WIDEST_BLUR = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How far the looks of an image vary. Shares are of the images.

    Roads may be lighter or darker than their verges, tyre marks identify a road, fine texture a
    place.
    """

    brightness: tuple[float, float] = (0.35, 2.8)  # darkest and brightest, on a logarithmic scale
    colour: tuple[float, float] = (0.0, 1.5)  # factors of the saturation
    noise: float = 0.0  # largest standard deviation, in levels
    shadow_share: float = 0.3
    patch_share: float = 0.4
    hue_deg: float = 15.0
    tone_share: float = 0.0
    stain_share: float = 0.0
    blur_share: float = 0.0


LOOKS = {
    "gentle": Looks(
        brightness=(0.7, 1.5),
        colour=(0.2, 1.4),
        noise=6.0,
        shadow_share=0.0,
        patch_share=0.0,
        hue_deg=0.0,
    ),
    "mild": Looks(),
    "wild": Looks(hue_deg=90.0, tone_share=0.5, stain_share=0.5, blur_share=0.3),
}
"""`gentle` is best for minutes of one road; `wild` for many recordings on many roads and long
trainings: fewer roads are recognised by their looks (docs/decisions/steering.md)."""

ROLL_DEG = 2.0
NOD_PIXELS = 4.0
ZOOM = 0.06
"""Largest roll, pitch and change of scale, as from suspension, slopes and mountings."""

EDGE_SHARE, WIDEST_EDGE = 0.5, 0.2
"""Beyond the recorded image, a moved camera sees the repeated edge, from which a network could read
the angle. So half of the moved images lose an edge of up to a fifth of the width."""

MOST_PATCHES = 2
PATCH_SIDE = (0.1, 0.35)
"""Sides of a painted patch, as shares of the image's."""


FULL_SHIFT_CAMERA_M = 1.2
"""A lower camera is moved less in proportion: the ground near it moves by shift over height."""

CORRECTION_SHARE = 0.5
"""Moves are so small that the angles that lead back spread by at most this share of the recorded
ones, which they would drown otherwise."""

PROBES = 200
"""Random moves that show how far these angles spread."""


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Camera and car of one image; a side camera is `offset_m` right of the recorded path.

    `reach` is the share of the usual moves that suits the recordings; see `reach_of_moves`.
    """

    view: View
    car: Car
    speed_mps: float
    offset_m: float = 0.0
    reach: float = 1.0


@dataclass(frozen=True, slots=True)
class Move:
    """Where a camera is put: metres and degrees to the right of the recorded path."""

    shift_m: float = 0.0
    yaw_deg: float = 0.0


def augment(
    images: np.ndarray,
    angle_deg: np.ndarray,
    rng: np.random.Generator,
    viewpoints: Sequence[Viewpoint] | None = None,
    return_s: float = RETURN_S,
    flip_share: float | np.ndarray = 0.0,
    moves: Sequence[Move] | None = None,
    looks: Looks = LOOKS["mild"],
) -> tuple[np.ndarray, np.ndarray]:
    """Vary a batch; return new (N, 66, 200, 3) uint8 YUV images and their angles.

    `images` are (N, 66, 200 + 2 M, 3): the M columns on each side lie beside what the network sees,
    for cameras that move. Without `viewpoints` the cameras stay where they are; without `moves`
    they are put anywhere. The angle of a moved one leads back to the path in `return_s`.
    `flip_share` is the chance of each image to be mirrored: one number, or (N,).
    """
    angle_deg = angle_deg.copy()
    margin = (images.shape[2] - INPUT_WIDTH) // 2
    varied_images = np.empty((*images.shape[:2], INPUT_WIDTH, 3), np.uint8)
    for index, image in enumerate(images):
        move, widen, viewpoint = Move(), 1.0, viewpoints[index] if viewpoints else None
        if viewpoint:
            car = viewpoint.car
            aim_m = aim_distance_m(viewpoint.speed_mps, return_s, car.wheelbase_m)
            move = moves[index] if moves else random_move(rng, aim_m, viewpoint.reach)
            widen = random_width(rng) if viewpoint.car.lane_m is not None else 1.0
            angle = float(angle_deg[index])
            angle_deg[index] = angle_after(move, angle, viewpoint, return_s, widen)
            move = in_the_image(move, viewpoint, widen)
        view = viewpoint.view if viewpoint else None
        drawn = redraw(image, view, move, rng, widen, margin)
        varied = relight(drawn, rng, looks)
        if rng.random() < looks.patch_share:
            for _ in range(rng.integers(1, MOST_PATCHES + 1)):
                paint_patch(varied, rng)
        varied_images[index] = varied
    flipped = rng.random(len(images)) < flip_share
    return flip(varied_images, angle_deg, flipped)


def random_move(
    rng: np.random.Generator, aim_m: float = FULL_SHIFT_AIM_M, reach: float = 1.0
) -> Move:
    """Return a random move of the camera, for a car that aims this far ahead; `reach` scales it."""
    share = reach * min(1.0, aim_m / FULL_SHIFT_AIM_M)
    shift_m = share * float(np.clip(rng.normal(0, SHIFT_M), -WIDEST_SHIFT_M, WIDEST_SHIFT_M))
    yaw_deg = float(np.clip(rng.normal(0, TURN_DEG), -WIDEST_TURN_DEG, WIDEST_TURN_DEG))
    return Move(shift_m, reach * yaw_deg)


def reach_of_moves(
    angle_deg: np.ndarray,
    car: Car,
    speed_mps: float,
    camera_m: float,
    return_s: float,
    speed_known: bool = False,
) -> float:
    """Return the share of the usual moves that suits recorded angles (N,) in degrees.

    Where the speed is known, the angles that lead back are right, and on a nearly straight road
    nothing else teaches to keep the lane; otherwise they must not drown the recorded ones. A
    camera low above the ground sees even small shifts.
    """
    in_the_picture = min(1.0, camera_m / FULL_SHIFT_CAMERA_M)
    if speed_known:
        return in_the_picture
    rng, aim_m = np.random.default_rng(0), aim_distance_m(speed_mps, return_s, car.wheelbase_m)
    moves = [random_move(rng, aim_m) for _ in range(PROBES)]
    back_deg = [
        corrected_angle(0.0, move.shift_m, move.yaw_deg, speed_mps, car, return_s) for move in moves
    ]
    in_proportion = CORRECTION_SHARE * float(np.std(angle_deg)) / float(np.std(back_deg))
    return min(in_proportion, in_the_picture)


def random_width(rng: np.random.Generator) -> float:
    """Return a random factor on the width of the road."""
    return float(np.exp(rng.uniform(np.log(WIDEN[0]), np.log(WIDEN[1]))))


def angle_after(
    move: Move, angle_deg: float, viewpoint: Viewpoint, return_s: float, widen: float = 1.0
) -> float:
    """Return the angle in degrees that leads a moved car back to its path in `return_s`.

    On a road `widen` times as wide, the path is the one at the recorded distance from its middle.
    """
    return corrected_angle(
        angle_deg, move.shift_m, move.yaw_deg, viewpoint.speed_mps, viewpoint.car, return_s, widen
    )


def in_the_image(move: Move, viewpoint: Viewpoint, widen: float = 1.0) -> Move:
    """Return the move of the camera of an image to the position of `move` beside the path.

    Widening an image moves the path too, in proportion to its distance from the middle of the road.
    """
    taken_along_m = (viewpoint.car.lane_m or 0.0) * (widen - 1)
    beside_m = viewpoint.offset_m * widen
    return Move(move.shift_m - beside_m - taken_along_m, move.yaw_deg)


def flip(
    images: np.ndarray, angle_deg: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror the chosen (N,) images left to right and change the sign of their angles."""
    images, angle_deg = images.copy(), angle_deg.copy()
    images[chosen] = images[chosen, :, ::-1]
    angle_deg[chosen] *= -1
    return images, angle_deg


def redraw(
    image: np.ndarray,
    view: View | None,
    move: Move,
    rng: np.random.Generator,
    widen: float = 1.0,
    margin: int = 0,
) -> np.ndarray:
    """Widen the road, move the camera, and roll, nod and zoom it a little, in one pass.

    `image` is (H, W + 2 * margin, 3), the result (H, W, 3) uint8. `view` is the geometry of what
    the network sees, the middle; None for no move. All becomes `widen` times as wide around the
    camera that recorded it.
    """
    height, width = len(image), image.shape[1] - 2 * margin
    x, y = _tilted(height, width, rng)
    if view is not None:
        right = (x + (0.5 - view.centre_x)) / view.focal_x
        below = (y + (0.5 - view.horizon_y)) / view.focal_y
        across, down = moved_rays(right, below, view.camera_m, move.shift_m, move.yaw_deg)
        x, y = view.pixels(across / np.float32(widen), down)
    if view is not None and rng.random() < EDGE_SHARE:
        x = _without_edges(x, margin, rng)
    x += np.float32(margin)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _tilted(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the source x and y, float32, of each pixel of a rolled, pitched and zoomed image."""
    angle = np.radians(rng.uniform(-ROLL_DEG, ROLL_DEG))
    scale = 1 / (1 + rng.uniform(-ZOOM, ZOOM))
    nod = rng.uniform(-NOD_PIXELS, NOD_PIXELS)
    across = np.arange(width, dtype=np.float32)[None] - width / 2
    down = np.arange(height, dtype=np.float32)[:, None] - height / 2
    cosine, sine = np.float32(scale * np.cos(angle)), np.float32(scale * np.sin(angle))
    x = across * cosine - down * sine + np.float32(width / 2)
    y = across * sine + down * cosine + np.float32(height / 2 + nod)
    return x, y


def _without_edges(x: np.ndarray, margin: int, rng: np.random.Generator) -> np.ndarray:
    """Remove random edges, wider below; `x` is where pixels come from, 0 at the crop's left."""
    height, width = x.shape
    lost = rng.uniform(0, WIDEST_EDGE * width, 2) * rng.integers(0, 2, 2)
    left, right = np.where(lost > 0, lost, -margin).astype(np.float32)
    grow = np.linspace(rng.uniform(0, 1), 1, height, dtype=np.float32)[:, None]
    result: np.ndarray = np.clip(x, left * grow, np.float32(width - 1) - right * grow)
    return result


def relight(
    image: np.ndarray, rng: np.random.Generator, looks: Looks = LOOKS["mild"]
) -> np.ndarray:
    """Change light and colours of a (H, W, 3) uint8 YUV image; sometimes add a shadow or blur.

    Light falls on red, green and blue, each of which saturates; so it is changed there.
    """
    height, width = image.shape[:2]
    brightness = np.exp(rng.uniform(*np.log(looks.brightness)))
    curve = light_curve(brightness, rng.uniform(*GAMMA))
    if rng.random() < looks.tone_share:
        curve = curve[random_tones(rng)]
    rgb = cv2.cvtColor(image, cv2.COLOR_YUV2RGB)
    lit = cv2.LUT(rgb, curve)
    if rng.random() < looks.shadow_share:
        shadow = shadow_mask(height, width, rng)
        lit[shadow] = cv2.LUT(lit, light_curve(rng.uniform(*SHADOW)))[shadow]
    yuv = cv2.cvtColor(lit, cv2.COLOR_RGB2YUV)
    if rng.random() < looks.stain_share:
        stain(yuv, rng)
    if rng.random() < looks.blur_share:
        size = rng.integers(1, WIDEST_BLUR + 1, 2)
        yuv = cv2.blur(yuv, (int(size[0]), int(size[1])))
    hue_deg = rng.uniform(-looks.hue_deg, looks.hue_deg)
    turned = turn_colours(yuv, rng.uniform(*looks.colour), hue_deg)
    return add_noise(turned, rng.uniform(0, looks.noise), rng) if looks.noise else turned


def add_noise(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Return a uint8 YUV image with normal noise of this standard deviation in its brightness."""
    noise = rng.standard_normal(image.shape[:2], np.float32) * np.float32(level)
    noisy = image.copy()
    noisy[..., 0] = cv2.add(image[..., 0], noise, dtype=cv2.CV_8U)
    return noisy


def stain(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add soft lighter and darker stains to a (H, W, 3) uint8 YUV image, in place."""
    height, width = image.shape[:2]
    cells = rng.integers(2, STAIN_CELLS[0] + 1), rng.integers(2, STAIN_CELLS[1] + 1)
    strength = rng.uniform(0, STAIN)
    light = np.exp(rng.uniform(-strength, strength, cells)).astype(np.float32)
    field = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    image[..., 0] = cv2.multiply(image[..., 0], field, dtype=cv2.CV_8U)


def light_curve(factor: float, gamma: float = 1.0) -> np.ndarray:
    """Return the (256,) uint8 curve of `factor` times the light and an exponent."""
    levels = np.arange(256) / 255
    return np.rint(np.clip(levels * factor, 0, 1) ** gamma * 255).astype(np.uint8)


def random_tones(rng: np.random.Generator) -> np.ndarray:
    """Return a (256,) uint8 curve of other tones, not necessarily monotonic."""
    levels = np.arange(256)
    points = np.linspace(0, 255, TONE_POINTS)
    other = np.interp(levels, points, rng.uniform(0, 255, TONE_POINTS))
    share = rng.uniform(0, TONE)
    return np.rint(levels * (1 - share) + other * share).astype(np.uint8)


def turn_colours(image: np.ndarray, strength: float, hue_deg: float = 0.0) -> np.ndarray:
    """Strengthen the colours of a YUV image (0: grey, 1: unchanged), and turn their hue."""
    cosine = strength * np.cos(np.radians(hue_deg))
    sine = strength * np.sin(np.radians(hue_deg))
    turn = [
        [1, 0, 0, 0],
        [0, cosine, -sine, 128 * (1 - cosine + sine)],
        [0, sine, cosine, 128 * (1 - sine - cosine)],
    ]
    return cv2.transform(image, np.array(turn, np.float32))


def shadow_mask(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random (height, width) bool shadow, on one side of a line from top to bottom."""
    top, bottom = rng.uniform(0, width, 2)
    edge = np.linspace(top, bottom, height)[:, None]
    left = np.arange(width)[None] < edge
    return left if rng.random() < 0.5 else ~left


def paint_patch(image: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a random rectangle of the image over with one random colour, in place."""
    height, width = image.shape[:2]
    tall = int(height * rng.uniform(*PATCH_SIDE))
    wide = int(width * rng.uniform(*PATCH_SIDE))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    image[top : top + tall, left : left + wide] = rng.integers(0, 256, 3)
