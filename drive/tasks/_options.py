"""Options that several tasks share, as bases of their configs."""

from __future__ import annotations

from dataclasses import dataclass

from drive.core.options import Config, option

UNITS = ("degrees", "radians", "normalised")
SIDES = ("right", "left")
SPEED_UNITS = ("m/s", "km/h", "mph")


@dataclass(frozen=True, kw_only=True)
class RecordingOptions(Config):
    """The options that override `recording.toml`; None leaves its value."""

    group = "recording options (they override recording.toml)"

    steering: str | None = option(None, "the CSV with the angles of a single video", metavar="CSV")
    unit: str | None = option(None, "unit of the angles", choices=UNITS)
    positive: str | None = option(None, "side of positive angles", choices=SIDES)
    full_scale_deg: float | None = option(
        None, "degrees of a normalised angle of 1.0", metavar="DEG"
    )
    lag_s: float | None = option(
        None, "seconds by which the angles trail the video", flag="--lag", metavar="S"
    )
    height_m: float | None = option(
        None,
        "height of the camera above the road in metres",
        flag="--camera-height",
        metavar="M",
        shown_default="1.2",
        advanced=True,
    )
    fov_deg: float | None = option(
        None,
        "horizontal field of view in degrees",
        flag="--fov",
        metavar="DEG",
        shown_default="70",
        advanced=True,
    )
    horizon: float | None = option(
        None,
        "position of the horizon as a share of the height from the top",
        metavar="SHARE",
        shown_default="estimated from the video, else the middle",
        advanced=True,
    )
    side_m: float | None = option(
        None,
        "metres from the front camera to the left and right ones",
        flag="--camera-side",
        metavar="M",
        shown_default="0.5",
        advanced=True,
    )
    lane_m: float | None = option(
        None,
        "metres from the middle of the road to the car; training then narrows roads and never "
        "mirrors images",
        flag="--lane",
        metavar="M",
        advanced=True,
    )
    wheelbase_m: float | None = option(
        None,
        "metres between the axles",
        flag="--wheelbase",
        metavar="M",
        shown_default="2.6",
        advanced=True,
    )
    steering_ratio: float | None = option(
        None,
        "recorded degrees per degree of the front wheels; 12 to 18 if the angle of the steering "
        "wheel was recorded",
        metavar="R",
        shown_default="1",
        advanced=True,
    )
    speed_mps: float | None = option(
        None,
        "speed in m/s where the recording has none",
        metavar="V",
        shown_default="20",
        advanced=True,
    )
    speed_unit: str | None = option(
        None, "unit of a recorded speed", choices=SPEED_UNITS, advanced=True
    )
    understeer: float | None = option(
        None,
        "understeer in s²/m²: at V m/s the circle is 1 + K V² times as wide",
        metavar="K",
        shown_default="0",
        advanced=True,
    )

    def overrides(self) -> dict[str, float | str | None]:
        """Return the overrides as `open_recordings` takes them; None where not given."""
        names = (
            *("unit", "positive", "full_scale_deg", "lag_s", "height_m", "fov_deg", "horizon"),
            *("side_m", "wheelbase_m", "lane_m", "steering_ratio", "speed_mps", "speed_unit"),
            "understeer",
        )
        return {name: getattr(self, name) for name in names}
