"""The detector of a task: load it, and report what it is and where it looks."""

from __future__ import annotations

from drive.core.errors import InputError
from drive.core.region import Region
from drive.detection.detector import load_detector, prefer_detail
from drive.detection.network_detector import Detector
from drive.detection.tiles import TiledDetector, with_tiles
from drive.detection.tracker import Tracker
from drive.pipeline.analyser import Detecting
from drive.tasks._options import AnalysisConfig, DetectionConfig
from drive.tasks._run import Run
from drive.video.reader import FrameReader, read_image
from drive.video.sources import Kind


def load(config: AnalysisConfig, run: Run, reader: FrameReader) -> Detecting | None:
    """Load the detector, if the config has one; report what it is and where it looks."""
    if not isinstance(config, DetectionConfig):
        return None
    images = reader.source.kind is Kind.IMAGES
    detector = _load_detector(config, run, images)
    _say_region(config, run, reader, detector)
    limits = detector.thresholds if config.conf is None else config.conf
    tracker = None if images else Tracker(limits)
    return Detecting(detector, tracker, config.region, config.conf, config.every)


def _load_detector(config: DetectionConfig, run: Run, images: bool) -> Detector:
    """The detector; for `images` in fine detail unless the config names one."""
    classes, threads = _wanted_classes(config.classes), config.threads or 0
    if config.weights:
        run.message(f"loading {config.weights}")
    network = (config.weights, config.engine, config.exponent, config.detail)
    detector = run.loaded(
        ("detector", *network, threads, classes),
        lambda: load_detector(
            config.weights,
            config.engine,
            threads=threads,
            classes=classes,
            exponent=config.exponent,
            detail=config.detail,
        ),
    )
    if images and config.detail is None:
        prefer_detail(detector, "fine")
    say_detector(run, detector)
    return with_tiles(detector, config.tiles)


def say_detector(run: Run, detector: Detector) -> None:
    """Report and record the detector: network, precision, detail and engine."""
    said = {
        "name": detector.name,
        "precision": detector.engine.metadata.get("precision", "float"),
        "engine": detector.engine.name,
    }
    if hasattr(detector, "detail"):
        said["detail"] = detector.detail
    run.record.extra["detector"] = said | {"thresholds": dict(detector.thresholds)}
    kind = ", ".join(said[key] for key in ("precision", "detail") if key in said)
    run.message(f"detector: {detector.name} ({kind}) on {detector.engine.name}")


def _say_region(config: DetectionConfig, run: Run, reader: FrameReader, detector: Detector) -> None:
    """Report the pixels that the detector looks at; of images, those of the first one."""
    size = _first_size(reader)
    if size is None:
        return
    width, height = size
    region = Region.parse(config.region, width, height, detector.default_region)
    run.record.extra["region"] = [region.x1, region.y1, region.x2, region.y2]
    run.message(f"region: pixels {region} of {width}x{height}")
    say_tiles(run, detector, size, region)


def say_tiles(
    run: Run, detector: Detector, size: tuple[int, int], region: Region
) -> tuple[Region, ...]:
    """Report the tiles of a frame of `size` (width, height), and return them."""
    if not isinstance(detector, TiledDetector):
        return ()
    width, height = size
    tiles = detector.tiles(width, height, region)
    run.record.extra["tiles"] = [[tile.x1, tile.y1, tile.x2, tile.y2] for tile in tiles]
    if tiles:
        of = f"{len(tiles)} of {tiles[0].width}x{tiles[0].height} pixels"
        run.message(f"tiles: {of}; the network runs {len(tiles) + 1} times per frame")
    else:
        told = f"none; {width}x{height} pixels have no detail for them to show"
        run.message(f"tiles: {told}. The detector looks at the whole region")
    return tiles


def _wanted_classes(text: str | None) -> tuple[str, ...] | None:
    """Split `car,bus`; None if it was not given."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InputError(f"--classes must name classes, such as car,bus; got {text!r}")
    return names


def _first_size(reader: FrameReader) -> tuple[int, int] | None:
    """(width, height) of the first image; None for a camera, and if it cannot be read."""
    if reader.info is not None:
        return reader.info.width, reader.info.height
    image = read_image(reader.source.images[0]) if reader.source.images else None
    return None if image is None else (image.shape[1], image.shape[0])
