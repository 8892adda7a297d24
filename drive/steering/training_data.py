"""Which recordings a training uses: the options, and the request kept beside its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from drive.core.options import Config, at_least, between, fields_of, option, rare_option
from drive.core.shipped import SAMPLE

Overrides = Mapping[str, float | str | None]
"""Values that replace those of `recording.toml`, by key."""

WIDEST_SMOOTHING_S = 5.0
KEYBOARD_S = 1.7
"""Width of the triangle over which a keyboard's angles are averaged. Its standard deviation is
0.35 s, better than none and than 0.25 s (docs/decisions/steering.md)."""

AUTO_CROP = "auto"
"""In place of a crop: one that suits the cameras; see `drive.steering.road_crop`."""

SIDE_CAMERAS = {None: "where there are any", True: "yes", False: "no"}
"""How the request says whether side cameras are used."""


@dataclass(frozen=True)
class TrainingDataOptions(Config):
    """Recordings to train on, and what is held out."""

    group = "data"

    recordings: Sequence[str] = option(
        (), "folders or videos", "RECORDING", positional=True, shown_default="the shipped sample"
    )
    _: KW_ONLY
    validation: str = option(
        "0.2",
        "recordings used to select the best epoch. A number is the share to take from the end; a "
        "single recording is split, with a gap",
        "NAME[,NAME]|SHARE",
    )
    test: str | None = option(
        None,
        "recordings (or the last share) that are held out from training and model selection, and "
        "evaluated at the end",
        "NAME[,NAME]|SHARE",
    )
    exclude: str | None = option(None, "recordings to leave out", "NAME[,NAME]")
    stride: int = rare_option(1, "use every N-th frame", "N", at_least(1))
    crop: str | None = option(
        None,
        "top and bottom of the part that shows the road, as fractions of the frame height. SIDE: "
        "fraction of the width to cut on each side; only moved cameras see it",
        "TOP,BOTTOM[,SIDE]",
        shown_default="from just above the horizon down, as far as the road of a dashcam",
    )
    auto_lag: bool = rare_option(
        False, "remove the lag of the angles where video and angles show one; see check-data"
    )
    smooth_labels_s: float | None = rare_option(
        None,
        "average the angles to learn over S seconds around each frame, without delay; validation "
        "and test keep the recorded ones",
        "S",
        between(0, WIDEST_SMOOTHING_S),
        flag="--smooth-labels",
        shown_default=f"{KEYBOARD_S:g} for steering with a keyboard, which is recognised",
    )
    raw_labels: bool = rare_option(
        False, "do not smooth the angles of a keyboard", flag="--no-smooth-labels"
    )
    side_cameras: bool | None = rare_option(
        None,
        "require side cameras, or do not use them",
        shown_default="use those that exist, as shifts that were recorded",
    )
    target: str = rare_option(
        "angle",
        "what the network learns: the recorded angle, or 1/r of the circle that it drives, which "
        "is the same for every car (see --wheelbase, --steering-ratio, --understeer); either way "
        "it predicts degrees",
        choices=("angle", "curvature"),
    )
    cache: str | None = rare_option(
        None, "folder for decoded frames", "DIR", shown_default="~/.cache/drive", resumable=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """A request for training data, with absolute paths; it gives the same split later.

    A field with the name of an option takes its value: every option but `cache` has one here.
    `side_cameras` is one of `SIDE_CAMERAS`; `ensemble` is None for a single network; `even` if the
    exposure of the images is to be evened.
    """

    recordings: tuple[str, ...]
    validation: str
    crop: str
    exclude: str | None = None
    test: str | None = None
    stride: int = 1
    steering: str | None = None
    overrides: Overrides
    auto_lag: bool = False
    smooth_labels_s: float | None = 0.0
    raw_labels: bool = False
    target: str = "angle"
    side_cameras: str = "no"
    ensemble: int | None = None
    even: bool = False

    @classmethod
    def from_options(
        cls, options: TrainingDataOptions, steering: str | None, overrides: Overrides
    ) -> Self:
        """Return what the options of a command ask for."""
        from drive.steering.preprocess import RoadCrop

        names = {each.name for each in fields(cls)}
        declared = (each.name for each in fields_of(TrainingDataOptions) if each.name in names)
        asked: dict[str, Any] = {name: getattr(options, name) for name in declared}
        asked |= {
            "recordings": absolute(options.recordings or (str(SAMPLE),)),
            "crop": str(RoadCrop.parse(options.crop)) if options.crop else AUTO_CROP,
            "side_cameras": SIDE_CAMERAS[options.side_cameras],
        }
        steering = str(Path(steering).resolve()) if steering else None
        return cls(**asked, steering=steering, overrides=overrides)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Read a request back, of this version or an earlier one."""
        return cls(**{**said, "recordings": tuple(said["recordings"])})

    def as_json(self) -> dict[str, object]:
        """Return what `from_json` reads."""
        return {name: value for name, value in asdict(self).items() if name != "ensemble" or value}


def absolute(paths: Sequence[str]) -> tuple[str, ...]:
    """Return absolute paths: a training may be resumed from another folder."""
    return tuple(str(Path(path).resolve()) for path in paths)
