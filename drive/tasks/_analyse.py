"""What `detect`, `predict-steering` and `annotate` share: options, and putting a run together.

Imports nothing heavy at the top: help has to appear at once.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.wording import are, counted
from drive.tasks._common import (
    SHIPPED_STEERING_NOTE,
    Context,
    add_report_option,
    add_smooth_option,
    recording_overrides,
)
from drive.tasks._many import add_many_options

if TYPE_CHECKING:
    import numpy as np

    from drive.core.region import Region
    from drive.core.types import VideoInfo
    from drive.detection.detector import Detector
    from drive.detection.flicker import FlickerReport
    from drive.detection.tracker import Tracker
    from drive.pipeline.sinks import (
        AnnotatedImages,
        AnnotatedVideo,
        DetectionTable,
        Sink,
        SteeringTable,
    )
    from drive.recordings.recording import HumanAngles
    from drive.steering.explain import Explainer
    from drive.steering.predict import SteeringModel
    from drive.steering.shift_check import EvenSample
    from drive.steering.smooth import Smoother
    from drive.video.reader import FrameReader

ENGINES = ("auto", "openvino", "onnx", "keras")
DETECTIONS = "detections.csv"
STEERING = "steering.csv"
EXPLANATION, EXPLANATION_CHART = "explain.json", "explain_check.png"
EXPLAIN_FRAMES = 40
"""Frames of the shift check: seconds of work, and errors of the mean of a few per cent."""

STEERING_THREADS = 1
"""A second one would cost more than it helps: the network takes half a millisecond."""

NOT_COMPARED = "not compared with the human"
IMAGES = "images"
FALLBACK_RATE = 30.0


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add SOURCE, what part of it is used, and how several share the machine."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="*",
        help="video, image, folder or glob of images, camera index or stream URL; or several "
        "videos and globs of videos",
    )
    group = parser.add_argument_group("source options")
    group.add_argument("--start", type=float, default=0.0, metavar="S", help="first second to use")
    group.add_argument("--end", type=float, metavar="S", help="second to stop at")
    group.add_argument("--no-video", action="store_true", help="tables only, no annotated video")
    group.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the network")
    add_report_option(parser)
    add_many_options(parser)


def add_steering_options(parser: argparse.ArgumentParser) -> None:
    """Add what is done with the steering angle besides predicting it."""
    group = parser.add_argument_group("steering options")
    add_smooth_option(
        group,
        "steady the angle with a filter over time; slow turns come S seconds later (try 0.2; "
        "default: off)",
    )
    group.add_argument(
        "--explain",
        action="store_true",
        help="tint what the steering network looks at (VisualBackProp), and check it: "
        "shifting those pixels should move the angle, shifting the rest hardly",
    )
    group.add_argument(
        "--explain-frames",
        type=int,
        metavar="N",
        help=f"with --explain: evenly spread frames that are checked (default: {EXPLAIN_FRAMES})",
    )


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add what the detector looks for, and where."""
    group = parser.add_argument_group("detector options")
    group.add_argument("--conf", type=float, metavar="T", help="least score of a box, 0 to 1")
    group.add_argument(
        "--region",
        default="auto",
        metavar="auto|full|X1,Y1,X2,Y2",
        help="crop that the detector looks at, in source pixels (default: auto, the road)",
    )
    add_detail_option(group, "fast for video, fine for pictures")
    add_tiles_option(group)
    group.add_argument("--classes", metavar="car,bus,...", help="what to report (default: all)")
    group.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="run the network on every N-th frame and track between (default: 1)",
    )
    group.add_argument(
        "--exponent",
        type=float,
        metavar="P",
        help="power of tiny YOLO v1's box sizes: 2, the paper's (default), or 1.8, a known port's",
    )


def add_detail_option(group: argparse._ActionsContainer, default: str) -> None:
    """Add `--detail`."""
    group.add_argument(
        "--detail",
        choices=["fast", "fine"],
        help="size of the network's input: fine finds far cars in large pictures, for up to three "
        f"times the work (default: {default})",
    )


def add_tiles_option(group: argparse._ActionsContainer) -> None:
    """Add `--tiles`: nothing, `auto` where it stands alone, else what was written, checked."""
    group.add_argument(
        "--tiles",
        nargs="?",
        const="auto",
        type=_tiles,
        metavar="N|COLSxROWS",
        help="for far cars: look closer at tiles of the region as well, as many as the frame's "
        "size asks for, N in a row at the horizon, or COLSxROWS over the region; "
        "each takes about as long as the region itself",
    )


def _tiles(text: str) -> str:
    from drive.detection.tiles import Tiling

    try:
        return str(Tiling.parse(text))
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{error} (SOURCE stands before --tiles)") from None


def say_tiles(
    context: Context, detector: Detector, size: tuple[int, int], region: Region
) -> tuple[Region, ...]:
    """Say which tiles of a frame of `size` (width, height) the detector looks at; return them."""
    from drive.detection.tiles import TiledDetector

    if not isinstance(detector, TiledDetector):
        return ()
    width, height = size
    tiles = detector.tiles(width, height, region)
    context.record.extra["tiles"] = [[tile.x1, tile.y1, tile.x2, tile.y2] for tile in tiles]
    if tiles:
        context.message(
            f"tiles: {len(tiles)} of {tiles[0].width}x{tiles[0].height} pixels; the network runs "
            f"{len(tiles) + 1} times a picture"
        )
    else:
        context.message(
            f"tiles: none, {width}x{height} pixels hold no detail that they could show; "
            "the region is looked at as a whole"
        )
    return tiles


@dataclass
class _Sinks:
    """The sinks of one run, by what they hold; None where not wanted."""

    detections: DetectionTable | None = None
    steering: SteeringTable | None = None
    pictures: AnnotatedVideo | AnnotatedImages | None = None

    def all(self) -> list[Sink]:
        """Return those that are wanted."""
        return [sink for sink in (self.detections, self.steering, self.pictures) if sink]


def analyse_source(
    args: argparse.Namespace,
    context: Context,
    *,
    detector_weights: str | None = None,
    steering_weights: str | None = None,
    detects: bool = False,
    steers: bool = False,
) -> dict[str, Any]:
    """Run the wanted models over `args.source` and write tables, video and plots.

    Returns:
        Paths and counts, ready for `--json`.
    """
    from drive.pipeline.analyser import Analyser, run_pipeline
    from drive.video.reader import read_frames
    from drive.video.sources import Kind

    _check_numbers(args, detects)
    if steers:
        _settle_explanation(args, context)
    reader = read_frames(
        args.source,
        start_s=args.start,
        end_s=args.end,
        threads=args.threads or 0,
        planes=not args.no_video,
    )
    reader.check_start()
    if steers and args.smooth is not None and reader.source.kind is Kind.IMAGES:
        raise InputError(
            "--smooth works over time; pictures have none. Leave it out, or use a video"
        )
    if detects and reader.info:
        _check_region(args, reader.info)
    context.run_folder()  # whether it can be written shows before the networks load
    with context.record.stage("load"):
        pictures = reader.source.kind is Kind.IMAGES
        detector = _load_detector(args, context, detector_weights, pictures) if detects else None
        pilot = _load_pilot(args, context, steering_weights) if steers else None
        explainer = _load_explainer(args, steering_weights) if steers else None
    _say_region(args, context, reader, detector)
    context.record.add_input(args.source)
    members = pilot.members if pilot else 0
    sinks = _open_sinks(args, context, reader, detector is not None, members)
    moving = reader.source.kind is not Kind.IMAGES
    sample = _sample(args) if explainer else None
    truth = _truth(args, context, reader) if steers else None
    analyser = Analyser(
        detector=detector,
        tracker=_tracker(args, detector) if detector and moving else None,
        settings=_detection_settings(args) if detects else None,
        pilot=pilot,
        smoother=_smoother(args) if steers else None,
        explainer=explainer,
        sample=sample,
        truth=truth,
        record=context.record,
    )
    run_pipeline(
        reader,
        analyser,
        sinks.all(),
        context.record,
        context.progress,
        threads=args.threads or 0,
    )
    if truth:
        context.tell_marked(truth.name, truth.marked_bad, NOT_COMPARED)
        context.tell_left_out(truth.name, truth.left_out(), NOT_COMPARED)
    compared = {}
    if pilot and truth and sinks.steering:
        compared = _compare(context, pilot, truth.name, sinks.steering)
    results = _summary(context, reader, sinks, analyser.flicker) | compared
    if pilot and explainer and sample:
        results |= _check_explanation(context, pilot, explainer, sample)
    return results


def _check_numbers(args: argparse.Namespace, detects: bool) -> None:
    if detects and args.every < 1:
        raise InputError(f"--every is a whole number from 1. Received: {args.every}")
    if detects and args.conf is not None and not 0 <= args.conf <= 1:
        raise InputError(f"--conf is a score from 0 to 1. Received: {args.conf:g}")


def _settle_explanation(args: argparse.Namespace, context: Context) -> None:
    """Fill in how many frames the check of an explanation takes; say where there is none."""
    if args.explain_frames is not None and not args.explain:
        context.warn("--explain-frames does nothing without --explain")
    if args.explain and args.explain_frames is None:
        context.record.settings["explain_frames"] = args.explain_frames = EXPLAIN_FRAMES
    if args.explain and args.explain_frames < 1:
        raise InputError(
            f"--explain-frames is a whole number from 1. Received: {args.explain_frames}"
        )


def _check_region(args: argparse.Namespace, info: VideoInfo) -> None:
    """Refuse a wrong region before any work; what `auto` is, the detector knows later."""
    from drive.core.region import Region

    Region.parse(args.region, info.width, info.height)


def _load_detector(
    args: argparse.Namespace, context: Context, weights: str | None, pictures: bool
) -> Detector:
    from drive.detection.detector import load_detector, prefer_detail
    from drive.detection.tiles import with_tiles

    network: dict[str, Any] = {
        "exponent": args.exponent,
        "detail": args.detail,
        "threads": args.threads or 0,
        "classes": _wanted_classes(args.classes),
    }
    if weights:
        context.message(f"loading {weights}")
    detector = context.loaded(
        ("detector", weights, args.engine, *network.values()),
        lambda: load_detector(weights, args.engine, **network),
    )
    if pictures and args.detail is None:
        prefer_detail(detector, "fine")
    say_detector(context, detector)
    return with_tiles(detector, args.tiles)


def say_detector(context: Context, detector: Detector) -> None:
    """Say and record what finds the cars: network, precision, detail and engine."""
    said = {
        "name": detector.name,
        "precision": detector.engine.metadata.get("precision", "float"),
        "engine": detector.engine.name,
    }
    if hasattr(detector, "detail"):
        said["detail"] = detector.detail
    context.record.extra["detector"] = said | {"thresholds": dict(detector.thresholds)}
    kind = ", ".join(said[key] for key in ("precision", "detail") if key in said)
    context.message(f"detector: {detector.name} ({kind}) on {detector.engine.name}")


def _load_pilot(args: argparse.Namespace, context: Context, weights: str | None) -> SteeringModel:
    from drive.steering.predict import load_steering

    pilot = context.loaded(
        ("steering", weights, args.engine),
        lambda: load_steering(weights, args.engine, STEERING_THREADS),
    )
    precision = pilot.engine.metadata.get("precision", "float")
    context.record.extra["steering"] = {"precision": precision, "engine": pilot.engine.name}
    context.message(f"steering: {precision} on {pilot.engine.name}")
    if weights is None:
        context.note(SHIPPED_STEERING_NOTE)
    return pilot


def _load_explainer(args: argparse.Namespace, weights: str | None) -> Explainer | None:
    """What shows where the network looks, if `--explain` asks for it."""
    if not args.explain:
        return None
    from drive.steering.explain import load_explainer

    return load_explainer(weights, args.engine)


def _sample(args: argparse.Namespace) -> EvenSample:
    from drive.steering.shift_check import EvenSample

    return EvenSample(args.explain_frames)


def _smoother(args: argparse.Namespace) -> Smoother | None:
    if args.smooth is None:
        return None
    from drive.steering.smooth import Smoother

    return Smoother(args.smooth)


def _check_explanation(
    context: Context, pilot: SteeringModel, explainer: Explainer, sample: EvenSample
) -> dict[str, Any]:
    """Write and say whether what the network looks at is what steers it."""
    from drive.drawing.shift_chart import plot_shift_check
    from drive.results.run_folder import write_json
    from drive.steering.shift_check import (
        frames_in_words,
        in_one_line,
        in_words,
        shift_check,
    )

    folder = context.run_folder()
    numbers, chart = folder.file(EXPLANATION), folder.file(EXPLANATION_CHART)
    pictures = sample.pictures()
    with context.record.stage("check_explanation"):
        report = shift_check(
            pilot.predict_prepared,
            pictures,
            explainer.masks(pictures),
            context.args.seed,
            context.progress,
        )
    report["frames_seen"] = sample.seen
    write_json(numbers, report)
    curves = (report["shifts_px"], report["change_deg"], report["area_share"])
    plot_shift_check(chart, *curves, title=in_one_line(report), measured_on=frames_in_words(report))
    context.record.extra["explanation"] = report
    for line in in_words(report):
        context.message(line)
    if (report["salient_over_rest"] or 0) <= 1:
        context.warn(
            "shifting the pixels that the explanation marks moves the angle no further than "
            "shifting the rest: do not trust the explanation of this network here"
        )
    return {"explanation": numbers, "explanation_chart": chart, "explained": report}


def _tracker(args: argparse.Namespace, detector: Detector) -> Tracker:
    from drive.detection.tracker import Tracker

    return Tracker(detector.thresholds if args.conf is None else args.conf)


def _wanted_classes(text: str | None) -> tuple[str, ...] | None:
    """Read `--classes`; None where it was not given."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InputError(f"--classes names classes, as car,bus. Received: {text!r}")
    return names


def _detection_settings(args: argparse.Namespace) -> Any:
    from drive.pipeline.analyser import DetectionSettings

    return DetectionSettings(args.region, args.conf, args.every)


def _say_region(
    args: argparse.Namespace, context: Context, reader: FrameReader, detector: Detector | None
) -> None:
    """Say which pixels the detector looks at; of pictures, whose sizes differ, in the first one."""
    from drive.core.region import Region

    size = _first_size(reader)
    if detector is None or size is None:
        return
    width, height = size
    region = Region.parse(args.region, width, height, detector.default_region)
    context.record.extra["region"] = [region.x1, region.y1, region.x2, region.y2]
    context.message(f"region: pixels {region} of {width}x{height}")
    say_tiles(context, detector, size, region)


def _first_size(reader: FrameReader) -> tuple[int, int] | None:
    """(width, height) of the source's first picture; None of a camera, and where unreadable."""
    from drive.video.reader import read_image

    if reader.info is not None:
        return reader.info.width, reader.info.height
    image = read_image(reader.source.images[0]) if reader.source.images else None
    return None if image is None else (image.shape[1], image.shape[0])


def _open_sinks(
    args: argparse.Namespace,
    context: Context,
    reader: FrameReader,
    detects: bool,
    members: int,
) -> _Sinks:
    """Open what results go to; `members` of the steering network, 0 where none steers."""
    from drive.pipeline.sinks import AnnotatedImages, AnnotatedVideo, DetectionTable, SteeringTable
    from drive.video.sources import Kind

    folder = context.run_folder()
    sinks = _Sinks(
        DetectionTable(folder.file(DETECTIONS)) if detects else None,
        SteeringTable(folder.file(STEERING), args.smooth is not None, members > 1)
        if members
        else None,
    )
    if args.no_video:
        return sinks
    if reader.source.kind is Kind.IMAGES:
        path = folder.file(IMAGES)
        _protect_source(path, {image.parent for image in reader.source.images})
        sinks.pictures = AnnotatedImages(path)
        return sinks
    path = folder.file(f"{reader.source.stem}.mp4")
    _protect_source(path, {Path(reader.source.name)})
    sinks.pictures = AnnotatedVideo(path, _video_settings(args, reader))
    return sinks


def _protect_source(result: Path, sources: set[Path]) -> None:
    """Refuse to write a result over what it is made from, `--overwrite` or not."""
    if any(result.exists() and source.exists() and result.samefile(source) for source in sources):
        raise InputError(f"--out {result.parent} would replace the source itself. Choose another")


def _video_settings(args: argparse.Namespace, reader: FrameReader) -> Any:
    from drive.pipeline.sinks import VideoSettings

    info = reader.info
    if info is None:
        return None
    return VideoSettings(
        width=info.width,
        height=info.height,
        rate_hint=info.average_fps or info.nominal_fps or FALLBACK_RATE,
        audio_from=info.path if info.has_audio else None,
        audio_start_s=args.start,
        audio_end_s=args.end,
        threads=args.threads or 0,
    )


def _truth(args: argparse.Namespace, context: Context, reader: FrameReader) -> HumanAngles | None:
    """The human's angles, where a CSV is named or lies beside the video.

    One that only lies there is not needed: where it cannot be read, that is said.
    """
    from drive.recordings.recording import HumanAngles, find_steering_csv, open_recordings
    from drive.recordings.recording_config import RecordingConfig

    overrides = recording_overrides(args)
    RecordingConfig().with_overrides(**overrides)
    if reader.info is None:
        if args.steering:
            raise InputError("--steering gives the rows of a video file. Name one as SOURCE")
        return None
    csv = args.steering or find_steering_csv(reader.info.path)
    if csv is None:
        return None
    try:
        (recording,) = open_recordings([reader.info.path], steering_csv=csv, overrides=overrides)
    except InputError as error:
        if args.steering:
            raise
        context.warn(f"no comparison with the human: {error}")
        return None
    return HumanAngles(recording)


def _summary(
    context: Context, reader: FrameReader, sinks: _Sinks, flicker: FlickerReport | None
) -> dict[str, Any]:
    folder = context.run_folder().path
    counts = context.record.counts
    results: dict[str, Any] = {"frames": reader.frames_read, "frames_lost": reader.frames_lost}
    if sinks.pictures:
        counts["frames_written"] = sinks.pictures.frames_written
        key = "video" if reader.info or not reader.source.images else "images"
        results[key] = getattr(sinks.pictures, "path", folder / IMAGES)
    if sinks.detections:
        counts["boxes"] = sinks.detections.rows_written
        counts["frames_with_boxes"] = sinks.detections.frames_with_boxes
        results |= {"detections": sinks.detections.path, "boxes": sinks.detections.rows_written}
        results["frames_with_boxes"] = sinks.detections.frames_with_boxes
    if flicker:
        tracking = flicker.results()
        context.record.extra["tracking"] = tracking
        results |= tracking
    if sinks.steering:
        results["steering"] = sinks.steering.path
        results |= _plot_steering(context, sinks.steering)
    if reader.frames_lost:
        context.warn(_loss(reader))
    context.message(f"{counted(reader.frames_read, 'frame')} -> {folder}")
    return results


def _loss(reader: FrameReader) -> str:
    """What of a source could not be read, in words."""
    name, lost = Path(reader.source.name).name, reader.frames_lost
    frames = f"{counted(lost, 'frame')} {are(lost)}"
    if reader.breaks_off_s is None:
        return f"{name}: {frames} damaged or missing and left out"
    lasts = f" of {reader.info.duration_s:.2f}" if reader.info and reader.info.duration_s else ""
    return (
        f"{name} breaks off after {reader.breaks_off_s:.2f}{lasts} s, as if its copy had been cut "
        f"short: {frames} missing or damaged"
    )


def _plot_steering(context: Context, table: SteeringTable) -> dict[str, Any]:
    from drive.drawing.plots import plot_steering_distribution, plot_steering_over_time

    folder = context.run_folder()
    steering = table.steering
    time_s, angle_deg, truth_deg = steering.time_s, steering.angle_deg, steering.truth_deg
    known = truth_deg == truth_deg
    over_time = folder.file("steering_over_time.png")
    distribution = folder.file("steering_distribution.png")
    truth = truth_deg if known.any() else None
    plot_steering_over_time(
        over_time, time_s, angle_deg, truth, steering.smoothed_deg, steering.spread_deg
    )
    series = {"model": angle_deg} | ({"human": truth_deg[known]} if known.any() else {})
    plot_steering_distribution(distribution, series)
    results = {"steering_over_time": over_time, "steering_distribution": distribution}
    return results | _say_smoothing(context, table)


def _compare(
    context: Context, pilot: SteeringModel, name: str, table: SteeringTable
) -> dict[str, Any]:
    """Say and record how far the model is from the human, beside the baselines.

    Of a smoothed angle the error is recorded too; the model is judged by its own.
    """
    from drive.steering.evaluate import (
        Answers,
        SteeringMetrics,
        evaluate,
        in_one_line,
        name_of_mean,
    )

    steering = table.steering
    truth_deg = steering.truth_deg
    known = truth_deg == truth_deg
    if not known.any():
        context.warn(f"{name}: no frame that was analysed has an angle of the human to compare")
        return {}
    mean_deg = pilot.training_mean_deg

    def measure(angles: np.ndarray) -> SteeringMetrics:
        columns = (steering.frame, steering.time_s, angles, truth_deg)
        return evaluate([Answers(name, *(each[known] for each in columns))], mean_deg)

    metrics, mean_of = measure(steering.angle_deg), name_of_mean(mean_deg)
    found = metrics.as_json() | {"mean_of": mean_of}
    context.message(f"{name}: {in_one_line(metrics, mean_of)}")
    if steering.smoothed_deg is not None:
        smoothed = measure(steering.smoothed_deg)
        errors = ("mae_deg", "rmse_deg", "jitter_deg")
        found["smoothed"] = {key: getattr(smoothed, key) for key in errors}
        context.message(
            f"{name}: smoothed: mean absolute error {smoothed.mae_deg:.3f}, RMSE "
            f"{smoothed.rmse_deg:.3f} degrees"
        )
    return {"against_human": found}


def _say_smoothing(context: Context, table: SteeringTable) -> dict[str, Any]:
    """Say and record the filter's delay, and how much calmer the angle is for it."""
    from drive.steering.smooth import jitter_deg

    smoothed_deg = table.steering.smoothed_deg
    before = jitter_deg(table.steering.angle_deg)
    if smoothed_deg is None or before is None:
        return {}
    after = jitter_deg(smoothed_deg)
    delay_s = context.args.smooth
    said = {"delay_s": delay_s, "jitter_deg": before, "smoothed_jitter_deg": after}
    context.record.extra["smoothing"] = said
    context.message(
        f"smoothing: delay {delay_s:g} s; jitter {before:.3f} -> {after:.3f} degrees from frame "
        "to frame"
    )
    return {"smoothing": said}
