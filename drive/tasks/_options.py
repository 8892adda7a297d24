"""Options that several tasks share, as bases of their configs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.options import Config, above, at_least, between, fields_of, option
from drive.tasks._run import ReportConfig, Run, SeedConfig, WeightsConfig

if TYPE_CHECKING:
    from pathlib import Path

    from drive.recordings.recording import Recording
    from drive.steering.predict import SteeringModel

UNITS = ("degrees", "radians", "normalised")
SIDES = ("right", "left")
SPEED_UNITS = ("m/s", "km/h", "mph")
ENGINES = ("auto", "openvino", "onnx", "keras")
CLUSTERS = ("ray",)
SMOOTHING = above(0, 5.0)
"""Delays in seconds: an angle that comes later has nothing to do with the road in the image."""


def _geometry(help: str, metavar: str, shown: str | None = None, flag: str = "") -> Any:  # noqa: A002
    """Declare an advanced option on the camera or the car, with the default that help shows."""
    return option(None, help, metavar, flag=flag, shown_default=shown, advanced=True)


@dataclass(frozen=True, kw_only=True)
class RecordingOptions(Config):
    """The options that override `recording.toml`; None leaves its value."""

    group, place = "recording options (they override recording.toml)", 1

    steering: str | None = option(None, "the CSV with the angles of a single video", "CSV")
    unit: str | None = option(None, "unit of the angles", choices=UNITS)
    positive: str | None = option(None, "side of positive angles", choices=SIDES)
    full_scale_deg: float | None = option(None, "degrees of a normalised angle of 1.0", "DEG")
    lag_s: float | None = option(
        None, "seconds by which the angles trail the video", "S", flag="--lag"
    )
    height_m: float | None = _geometry(
        "height of the camera above the road in metres", "M", "1.2", "--camera-height"
    )
    fov_deg: float | None = _geometry("horizontal field of view in degrees", "DEG", "70", "--fov")
    horizon: float | None = _geometry(
        "horizon as a share of the height from the top",
        "SHARE",
        "estimated from the video, else the middle",
    )
    side_m: float | None = _geometry(
        "metres from the front camera to the left and right ones", "M", "0.5", "--camera-side"
    )
    lane_m: float | None = _geometry(
        "metres from the middle of the road to the car; training then narrows roads and never "
        "mirrors images",
        "M",
        None,
        "--lane",
    )
    wheelbase_m: float | None = _geometry("metres between the axles", "M", "2.6", "--wheelbase")
    steering_ratio: float | None = _geometry(
        "recorded degrees per degree of the front wheels; of a steering wheel 12 to 18", "R", "1"
    )
    speed_mps: float | None = _geometry("speed in m/s where none is recorded", "V", "20")
    speed_unit: str | None = option(
        None, "unit of a recorded speed", choices=SPEED_UNITS, advanced=True
    )
    understeer: float | None = _geometry(
        "understeer in s²/m²: at V m/s the circle is 1 + K V² times as wide", "K", "0"
    )

    def overrides(self) -> dict[str, float | str | None]:
        """Return the overrides as `open_recordings` takes them; None where not given."""
        own = (each.name for each in fields_of(RecordingOptions) if each.name != "steering")
        return {name: getattr(self, name) for name in own}

    def open_recordings(
        self, places: Sequence[str], on_error: Callable[[Path, InputError], None] | None = None
    ) -> list[Recording]:
        """Open the recordings of folders and videos; see `drive.open_recordings`."""
        from drive.recordings.recording import open_recordings

        overrides = self.overrides()
        return open_recordings(
            places, steering_csv=self.steering, overrides=overrides, on_error=on_error
        )


def tiling(text: str) -> str | None:
    """Accept what `Tiling.parse` reads."""
    from drive.detection.tiles import TILES, Tiling

    try:
        Tiling.parse(text)
    except InputError:
        return TILES
    return None


@dataclass(frozen=True, kw_only=True)
class EngineOptions(Config):
    """The option of a task that runs a network."""

    engine: str = option("auto", "runtime of the network", choices=ENGINES)


@dataclass(frozen=True)
class DrivingConfig(EngineOptions, RecordingOptions, ReportConfig, WeightsConfig, SeedConfig):
    """The options of a task that runs the steering model along recordings."""

    recordings: Sequence[str] = option(
        help="folders or videos", metavar="RECORDING", positional=True
    )

    def load(self, run: Run) -> tuple[list[Recording], SteeringModel]:
        """Open the recordings and load the steering model, which the record then describes."""
        from drive.steering.predict import load_steering

        recordings = self.open_recordings(self.recordings)
        for recording in recordings:
            for text in recording.notes:
                run.note(f"{recording.name}: {text}")
        model = load_steering(self.weights, self.engine)
        run.record.extra["steering"] = {"engine": model.engine.name, **model.metadata}
        return recordings, model


@dataclass(frozen=True)
class SourceOptions(EngineOptions):
    """What is read, which part of it, and whether a video is written."""

    source: str | Sequence[str] = option(
        (),
        "video, image, folder or glob of images, camera index, stream URL; or several videos",
        "SOURCE",
        positional=True,
        resumable=True,
    )
    _: KW_ONLY
    start_s: float = option(0.0, "first second to use", "S", flag="--start")
    end_s: float | None = option(None, "second to stop at", "S", flag="--end")
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
        "N",
        at_least(1),
        shown_default="one per core",
        resumable=True,
    )
    threads: int | None = option(
        None,
        "threads of each network, decoder and encoder; with 1 the stages take turns",
        "N",
        at_least(1),
        shown_default="the cores, shared by the jobs",
        advanced=True,
        resumable=True,
    )
    resume: str | None = option(
        None, "resume the run in DIR and retry failed videos", "DIR", resumable=True
    )
    engine_cluster: str | None = option(
        None,
        "spread the videos over the Ray cluster of RAY_ADDRESS, or a local one (extra: ray)",
        choices=CLUSTERS,
        advanced=True,
        resumable=True,
    )


@dataclass(frozen=True, kw_only=True)
class TilesOptions(Config):
    """Whether the detector also runs on tiles of the region."""

    group = "detector options"

    tiles: str | None = option(
        None,
        "also run on overlapping tiles of the region, to find far cars. N: one row at the horizon. "
        "COLSxROWS: a grid over the region. No value: chosen from the frame size. Each tile takes "
        "as long as the region",
        "N|COLSxROWS",
        tiling,
        bare="auto",
        shown_default="none",
    )


@dataclass(frozen=True, kw_only=True)
class RegionOptions(TilesOptions):
    """Where the detector looks."""

    group = "detector options"

    region: str = option(
        "auto",
        "crop that the detector looks at, in source pixels",
        "auto|full|X1,Y1,X2,Y2",
        shown_default="the road",
    )


@dataclass(frozen=True, kw_only=True)
class DetailOptions(Config):
    """The size of the detector's input."""

    group = "detector options"

    detail: str | None = option(
        None,
        "input size; fine finds far cars in large images and takes up to three times as long",
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
        "T",
        between(0, 1),
        shown_default="one threshold per class",
    )
    classes: str | None = option(None, "classes to report", "car,bus,...", shown_default="all")
    every: int = option(
        1, "run the network on every N-th frame and track in between", "N", at_least(1)
    )
    exponent: float | None = option(
        None,
        "exponent of the box sizes of tiny YOLO v1; 1.8 is that of a known port",
        "P",
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
        "S",
        SMOOTHING,
        flag="--smooth",
        shown_default="off",
    )
    explain: bool = option(
        False, "show where the steering network looks (VisualBackProp), and check it"
    )
    explain_frames: int | None = option(
        None,
        "with --explain: number of frames to check",
        "N",
        at_least(1),
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
