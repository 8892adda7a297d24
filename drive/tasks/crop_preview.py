"""`crop-preview`: one image of the frame, the crop and what the network sees."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.core.options import option
from drive.core.reporter import Reporter
from drive.tasks._options import EngineOptions, RegionOptions
from drive.tasks._run import Run, TaskResult, WeightsConfig, run_task

if TYPE_CHECKING:
    from drive.tasks.detect import DetectConfig

FILE = "crop_preview.png"


@dataclass(frozen=True)
class CropPreviewConfig(RegionOptions, EngineOptions, WeightsConfig):
    """Which frame is shown, and where the detector looks."""

    summary = "Save one image: the frame with the crop, the crop, and what the network sees."
    example = "crop-preview video.mp4 --region 0,200,1280,680"
    group = "options"

    source: str = option(help="video, image or folder of images", metavar="SOURCE", positional=True)
    _: KW_ONLY
    at_s: float = option(0.0, "second of the video", "S", flag="--at")


@dataclass(frozen=True, kw_only=True)
class CropPreviewResult(TaskResult):
    """What was written."""

    preview: Path


def crop_preview(config: CropPreviewConfig, reporter: Reporter | None = None) -> CropPreviewResult:
    """Save an image of what the detector sees of one frame.

    Raises:
        InputError: the source or an option is invalid, or there is no frame at that time.

    Example:
        >>> from drive import CropPreviewConfig, crop_preview
        >>> crop_preview(CropPreviewConfig("video.mp4", region="0,200,1280,680")).preview
    """
    return run_task("crop-preview", _crop_preview, config, reporter)


def _crop_preview(config: CropPreviewConfig, run: Run) -> CropPreviewResult:
    path = save_preview(config, run, config.source, config.at_s)
    run.message(f"wrote {path}")
    return CropPreviewResult(preview=path)


def save_preview(
    config: CropPreviewConfig | DetectConfig, run: Run, source: str, at_s: float
) -> Path:
    """Write the image for the first frame from `at_s` on into the run folder."""
    from drive.core.region import Region
    from drive.detection.detector import load_detector
    from drive.detection.tiles import with_tiles
    from drive.drawing.preview import crop_preview as draw
    from drive.tasks._detecting import say_tiles
    from drive.video.reader import read_frames
    from drive.video.writer import save_image

    path = run.folder.file(FILE)  # whether it can be written shows before the network loads
    with read_frames(source, start_s=at_s) as reader:
        frame = next(iter(reader), None)
    if frame is None:
        raise InputError(f"{source} has no frame from {at_s:g} s on. Choose an earlier time")
    detector = with_tiles(load_detector(config.weights, config.engine), config.tiles)
    height, width = frame.image.shape[:2]
    region = Region.parse(config.region, width, height, detector.default_region)
    run.message(f"region: pixels {region} of {width}x{height}")
    tiles = say_tiles(run, detector, (width, height), region)
    inputs = [detector.prepare(part.crop(frame.image))[0] for part in (region, *tiles)]
    save_image(path, draw(frame.image, region, inputs[0], detector.name, tiles, inputs[1:]))
    return path
