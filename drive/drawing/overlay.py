"""Draw on frames: boxes with tags, the steering gauge and a header line; sizes follow the frame.

Only the parts that change are touched: about a millisecond per frame at 1280x720.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.types import Box, Detection, Image
from drive.drawing.gauge import Gauge
from drive.drawing.palette import DARK, LIGHT, Colour, class_colour, ink_on, track_colour
from drive.drawing.shapes import drawable, veil
from drive.drawing.text import BOLD, fit, line_height, put_text, text_width
from drive.video.planes import Place

SMALLEST_FONT_PX = 10
FONT_BASE_PX, FONT_SHARE = 6.5, 0.0122
"""The font grows more slowly than the frame: 10 px at 320x180, 18 at 1280x720."""

SMALL_TAG = 0.8  # font size of the tags of small boxes, as a share of the usual one
TAG_OVERHANG = 2.2
"""A tag may be this many times as wide as its box; a wider one shrinks to the score."""

STROKE_BASE, STROKE_SHARE = 0.9, 1 / 720
"""Line width of boxes: 1 px at 320x180, 2 from 640x360 to 1280x720, 3 at 1920x1080."""

CORNER_SHARE = 0.22  # length of the bold corners of a box, as a share of its shorter side
SHORTEST_CORNER = 3  # in line widths; smaller boxes have plain corners
SMALLEST_BOX = 10  # in line widths; smaller boxes have a thin line, so that their car can be seen
BORDER_PX = 1  # width of the dark border around a box
REGION_GLOW = 40  # how much lighter the outline of the region is than the image under it


def font_px_of(width: int, height: int) -> int:
    """Return the size of text on frames of `width` x `height` pixels."""
    return max(SMALLEST_FONT_PX, round(FONT_BASE_PX + math.sqrt(width * height) * FONT_SHARE))


class Overlay:
    """Draws detections, the steering gauge and a header on frames.

    Example:
        >>> overlay = Overlay()
        >>> for frame in read_frames("video.mp4"):
        ...     image = overlay.draw(frame.image, angle_deg=5.0, header=f"{frame.time_s:.1f} s")

    Attributes:
        places: the rectangles that the last call of `draw` has changed.
    """

    def __init__(self, width: int | None = None, height: int | None = None) -> None:
        """Choose sizes of text and lines.

        Args:
            width, height: of the frames in pixels; None to follow the images.

        Raises:
            InputError: the size is invalid.
        """
        self.places: list[Place] = []
        self.width = self.height = 0
        self._follows = width is None or height is None
        if width is not None and height is not None:
            self._fit(width, height)

    def _fit(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise InputError(f"a frame must have at least one pixel; got {width}x{height}")
        if (width, height) == (self.width, self.height):
            return
        self.width, self.height = width, height
        self.font_px = font_px_of(width, height)
        self._stroke = max(1, round(STROKE_BASE + math.sqrt(width * height) * STROKE_SHARE))
        self._margin = max(2, round(self.font_px * 0.5))
        self._gauge = Gauge(self.font_px)

    def draw(
        self,
        image: Image,
        *,
        detections: Iterable[Detection] = (),
        angle_deg: float | None = None,
        smoothed_deg: float | None = None,
        truth_deg: float | None = None,
        header: str | None = None,
        region: Region | None = None,
    ) -> Image:
        """Draw on a frame.

        Args:
            image: (height, width, 3) uint8 RGB; drawn on in place unless it is read-only.
            detections: boxes in pixels of the frame; colours follow tracks, else classes.
            angle_deg: predicted steering angle in degrees, positive right; None or NaN for none.
            smoothed_deg: predicted angle after a filter over time, shown instead of the plain one.
            truth_deg: recorded angle.
            header: line at the top left.
            region: where the detector looks; outlined unless it is the whole frame.

        Returns:
            The image that was drawn on: the given one, or a copy of a read-only one.

        Raises:
            InputError: the image has another size or type.
        """
        canvas = self._canvas(image)
        self.places = []
        shown = {"model": angle_deg} if smoothed_deg is None else {"smoothed": smoothed_deg}
        angles = _finite({**shown, "recorded": truth_deg})
        text = fit(header or "", self.width - 4 * self._margin, self.font_px)
        panels = [place for place in (self._gauge_at(angles), self._header_at(text)) if place]
        if region is not None:
            self._draw_region(canvas, region)
        self._draw_detections(canvas, detections, panels)
        if place := self._gauge_at(angles):
            self.places.append(place)
            self._gauge.draw(canvas, (place.x1, place.y1), angles)
        if place := self._header_at(text):
            self.places.append(place)
            self._draw_header(canvas, text, place)
        return canvas

    def _canvas(self, image: Image) -> Image:
        if self._follows and image.ndim == 3:
            self._fit(image.shape[1], image.shape[0])
        if image.shape[2:] != (3,) or image.dtype != np.uint8:
            raise InputError(f"an image must be (H, W, 3) uint8; got {image.shape} {image.dtype}")
        if image.shape[:2] != (self.height, self.width):
            raise InputError(
                f"the overlay is for {self.width}x{self.height} pixels; got "
                f"{image.shape[1]}x{image.shape[0]}"
            )
        return drawable(image)

    def _draw_region(self, canvas: Image, region: Region) -> None:
        x1, y1 = max(region.x1, 0), max(region.y1, 0)
        x2, y2 = min(region.x2, self.width), min(region.y2, self.height)
        if (x1, y1, x2, y2) == (0, 0, self.width, self.height):
            return
        edges = [(x1, y1, x2, y1 + 1)] * (y1 > 0) + [(x1, y2 - 1, x2, y2)] * (y2 < self.height)
        edges += [(x1, y1, x1 + 1, y2)] * (x1 > 0) + [(x2 - 1, y1, x2, y2)] * (x2 < self.width)
        self.places += [Place(*edge) for edge in edges]
        for left, top, right, bottom in edges:
            strip = canvas[top:bottom, left:right]
            strip[...] = np.minimum(strip, 255 - REGION_GLOW) + REGION_GLOW

    def _gauge_at(self, angles: dict[str, float]) -> Place | None:
        """Return the place of the gauge, bottom left; None without angles or without room."""
        if not angles:
            return None
        width, height = self._gauge.size(tuple(angles))
        x, y = self._margin, self.height - self._margin - height
        fits = y >= 0 and x + width <= self.width
        return Place(x, y, x + width, y + height) if fits else None

    def _header_at(self, text: str) -> Place | None:
        """Return the place of the header, top left; None without a text or without room."""
        pad = self._margin
        width = text_width(text, self.font_px) + 2 * pad
        height = line_height(self.font_px) + pad
        fits = text and height + pad <= self.height
        return Place(pad, pad, pad + width, pad + height) if fits else None

    def _draw_header(self, canvas: Image, text: str, place: Place) -> None:
        veil(canvas, place.x1, place.y1, place.x2 - place.x1, place.y2 - place.y1)
        left_top = (place.x1 + self._margin, place.y1 + self._margin // 2)
        put_text(canvas, text, left_top, self.font_px, LIGHT)

    def _draw_detections(
        self, canvas: Image, detections: Iterable[Detection], taken: list[Place]
    ) -> None:
        """Draw boxes, highest scores on top; then tags, highest scores first."""
        shown = [
            (found, box)
            for found in sorted(detections, key=lambda found: found.score)
            if (box := self._clip(found.box)) is not None
        ]
        for found, box in shown:
            self.places.append(box.grown(BORDER_PX))
            _draw_box(canvas, box, _colour(found), self._stroke)
        for found, box in reversed(shown):
            self._draw_tag(canvas, found, box, taken)

    def _clip(self, box: Box) -> Place | None:
        """Return the box in whole pixels inside the frame; None if it is outside."""
        if not all(math.isfinite(edge) for edge in box):
            return None
        x1, y1 = max(round(box[0]), 0), max(round(box[1]), 0)
        x2, y2 = min(round(box[2]), self.width), min(round(box[3]), self.height)
        return Place(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

    def _draw_tag(self, canvas: Image, found: Detection, box: Place, taken: list[Place]) -> None:
        text, font_px = self._tag_text(found, box)
        pad = max(2, round(font_px * 0.3))
        width = text_width(text, font_px, BOLD) + 2 * pad
        height = line_height(font_px)
        if width > self.width or height > self.height:
            return
        spot = self._spot(box, width, height, taken)
        if spot is None:
            return
        taken.append(spot)
        self.places.append(spot)
        colour = _colour(found)
        canvas[spot.y1 : spot.y2, spot.x1 : spot.x2] = colour
        put_text(canvas, text, (spot.x1 + pad, spot.y1), font_px, ink_on(colour), BOLD)

    def _tag_text(self, found: Detection, box: Place) -> tuple[str, int]:
        """Return text and font size of a tag; a narrow box has its track or its score only."""
        score = f"{found.score:.2f}"
        track = "" if found.track_id is None else f" #{found.track_id}"
        full = f"{found.label}{track} {score}"
        room = (box.x2 - box.x1) * TAG_OVERHANG
        if text_width(full, self.font_px, BOLD) <= room:
            return full, self.font_px
        small_px = max(SMALLEST_FONT_PX - 1, round(self.font_px * SMALL_TAG))
        if text_width(full, small_px, BOLD) <= room:
            return full, small_px
        return track.strip() or score, small_px

    def _spot(self, box: Place, width: int, height: int, taken: list[Place]) -> Place | None:
        """Return a free place for a tag, nearest to its box first; None if there is none."""
        left = min(max(box.x1, 0), self.width - width)
        right = min(max(box.x2 - width, 0), self.width - width)
        above, below, inside = box.y1 - height, box.y2, box.y1
        places = [(left, above), (left, below), (right, above), (right, below), (left, inside)]
        for x, y in places:
            spot = Place(x, y, x + width, y + height)
            fits = y >= 0 and spot.y2 <= self.height
            if fits and not any(spot.overlaps(other) for other in taken):
                return spot
        return None


def _finite(angles: dict[str, float | None]) -> dict[str, float]:
    return {
        name: angle for name, angle in angles.items() if angle is not None and math.isfinite(angle)
    }


def _colour(found: Detection) -> Colour:
    if found.track_id is None:
        return class_colour(found.label)
    return track_colour(found.track_id)


def _draw_box(canvas: Image, box: Place, colour: Colour, stroke: int) -> None:
    """Draw a thin frame with bold corners and a dark border, visible on any background."""
    _draw_frame(canvas, box, -BORDER_PX, DARK, BORDER_PX)
    shorter = min(box.x2 - box.x1, box.y2 - box.y1)
    if shorter < SMALLEST_BOX * stroke:
        stroke = 1
    _draw_frame(canvas, box, 0, colour, stroke)
    reach = round(shorter * CORNER_SHARE)
    bold = 2 * stroke
    if reach < SHORTEST_CORNER * bold:
        return
    for left in (box.x1, box.x2 - reach):
        for top in (box.y1, box.y2 - bold):
            canvas[top : top + bold, left : left + reach] = colour
    for left in (box.x1, box.x2 - bold):
        for top in (box.y1, box.y2 - reach):
            canvas[top : top + reach, left : left + bold] = colour


def _draw_frame(canvas: Image, box: Place, inset: int, colour: Colour, stroke: int) -> None:
    """Draw the outline of a box, `stroke` pixels wide inwards from `inset` pixels inside it."""
    for step in range(inset, inset + stroke):
        top_left = (box.x1 + step, box.y1 + step)
        bottom_right = (box.x2 - 1 - step, box.y2 - 1 - step)
        if top_left[0] <= bottom_right[0] and top_left[1] <= bottom_right[1]:
            cv2.rectangle(canvas, top_left, bottom_right, colour)
