"""Options that several tasks share, as bases of their configs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from drive.core.errors import InputError
from drive.core.options import Config, above, at_least, between, option
from drive.tasks._run import ReportConfig, SeedConfig, WeightsConfig

UNITS = ("degrees", "radians", "normalised")
SIDES = ("right", "left")
SPEED_UNITS = ("m/s", "km/h", "mph")
ENGINES = ("auto", "openvino", "onnx", "keras")
CLUSTERS = ("ray",)
SMOOTHING = above(0, 5.0)
"""Delays in seconds: an angle that comes later has nothing to do with the road in the image."""


@dataclass(frozen=True, kw_only=True)
class RecordingOptions(Config):
    """The options that override `recording.toml`; None leaves its value."""

    group, place = "recording options (they override recording.toml)", 1

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


def tiling(text: str) -> str | None:
    """Accept what `Tiling.parse` reads."""
    from drive.detection.tiles import MOST_TILES, Tiling

    try:
        Tiling.parse(text)
    except InputError:
        return f"must be auto, N or COLSxROWS with 2 to {MOST_TILES} tiles"
    return None


@dataclass(frozen=True, kw_only=True)
class EngineOptions(Config):
    """The option of a task that runs a network."""

    engine: str = option("auto", "runtime of the network", choices=ENGINES)


@dataclass(frozen=True)
class SourceOptions(EngineOptions):
    """What is read, which part of it, and whether a video is written."""

    source: str | Sequence[str] = option(
        (),
        "video, image, folder or glob of images, camera index, stream URL; or several videos",
        metavar="SOURCE",
        positional=True,
        resumable=True,
    )
    _: KW_ONLY
    start_s: float = option(0.0, "first second to use", flag="--start", metavar="S")
    end_s: float | None = option(None, "second to stop at", flag="--end", metavar="S")
    video: bool = option(True, "do not write an annotated video or images")

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources as they were named."""
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)

    def settings(self) -> dict[str, object]:
        """Return the values by field name; a single source as its name."""
        named = self.sources
        return {**super().settings(), "source": named[0] if len(named) == 1 else named}


@dataclass(frozen=True, kw_only=True)
class ManyOptions(Config):
    """How several videos share the machine, or several machines."""

    group, place = "several videos (A.mp4 B.mp4 'folder/*.mp4')", 2

    jobs: int | None = option(
        None,
        "videos at the same time, each in its own process",
        metavar="N",
        check=at_least(1),
        shown_default="one per core",
        resumable=True,
    )
    threads: int | None = option(
        None,
        "threads of each network, decoder and encoder; with 1 the stages take turns",
        metavar="N",
        check=at_least(1),
        shown_default="the cores, shared by the jobs",
        advanced=True,
        resumable=True,
    )
    resume: str | None = option(
        None, "resume the run in DIR and retry failed videos", metavar="DIR", resumable=True
    )
    engine_cluster: str | None = option(
        None,
        "spread the videos over a Ray cluster: that of RAY_ADDRESS, or a local one (requires the "
        "extra ray)",
        choices=CLUSTERS,
        advanced=True,
        resumable=True,
    )


@dataclass(frozen=True, kw_only=True)
class TilesOptions(Config):
    """Whether the detector looks closer at parts of the image."""

    group = "detector options"

    tiles: str | None = option(
        None,
        "for far cars: also look closer at overlapping tiles of the region; without a value, as "
        "many as suit the frame size. N tiles in a row at the horizon, or COLSxROWS over the "
        "region; each takes as long as the region itself",
        metavar="N|COLSxROWS",
        bare="auto",
        check=tiling,
        shown_default="none",
    )


@dataclass(frozen=True, kw_only=True)
class RegionOptions(TilesOptions):
    """Where the detector looks."""

    group = "detector options"

    region: str = option(
        "auto",
        "crop that the detector looks at, in source pixels",
        metavar="auto|full|X1,Y1,X2,Y2",
        shown_default="the road",
    )


@dataclass(frozen=True, kw_only=True)
class DetailOptions(Config):
    """The size of the detector's input."""

    group = "detector options"

    detail: str | None = option(
        None,
        "size of the network's input; fine finds far cars in large images and takes up to three "
        "times as long",
        choices=("fast", "fine"),
        shown_default="fast for video, fine for images",
    )


@dataclass(frozen=True, kw_only=True)
class DetectorOptions(RegionOptions, DetailOptions):
    """What the detector looks for, and where."""

    group = "detector options"

    conf: float | None = option(
        None,
        "minimum confidence (0 to 1)",
        metavar="T",
        check=between(0, 1),
        shown_default="that of each class",
    )
    classes: str | None = option(
        None, "classes to report", metavar="car,bus,...", shown_default="all"
    )
    every: int = option(
        1,
        "run the network on every N-th frame and track in between",
        metavar="N",
        check=at_least(1),
    )
    exponent: float | None = option(
        None,
        "exponent of the box sizes of tiny YOLO v1; 1.8 is that of a known port",
        metavar="P",
        shown_default="2, as in the paper",
        advanced=True,
    )


@dataclass(frozen=True, kw_only=True)
class SteeringOptions(Config):
    """What is done with the steering angle besides predicting it."""

    group = "steering options"

    smooth_s: float | None = option(
        None,
        "smooth the angle over time; it then comes S seconds late (at most 5; try 0.2)",
        flag="--smooth",
        metavar="S",
        check=SMOOTHING,
        shown_default="off",
    )
    explain: bool = option(
        False, "show where the steering network looks (VisualBackProp), and check it"
    )
    explain_frames: int | None = option(
        None,
        "with --explain: number of frames to check",
        metavar="N",
        check=at_least(1),
        shown_default="40",
        advanced=True,
    )


@dataclass(frozen=True, kw_only=True)
class AnalysisConfig(SourceOptions, ManyOptions, ReportConfig, WeightsConfig, SeedConfig):
    """The options of a task that runs models over sources."""


@dataclass(frozen=True, kw_only=True)
class DetectionConfig(DetectorOptions, AnalysisConfig):
    """The options of a task that detects."""


@dataclass(frozen=True, kw_only=True)
class SteeringConfig(SteeringOptions, RecordingOptions, AnalysisConfig):
    """The options of a task that predicts steering angles."""
