"""`export`: convert a network for another runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from drive.core.errors import DriveError, InputError
from drive.core.options import option
from drive.core.reporter import Reporter
from drive.core.shipped import SAMPLE
from drive.tasks._run import Run, RunConfig, TaskResult, run_task

if TYPE_CHECKING:
    from drive.conversion.export import Exported, Original, Size
    from drive.core.types import Image

FORMATS = ("openvino", "onnx", "litert", "saved-model")
SAMPLE_CHECKS = (str(SAMPLE / "epoch03_front.mp4"),)
SAMPLE_CALIBRATION = (str(SAMPLE / "epoch01_front.mp4"), str(SAMPLE / "epoch02_front.mp4"))
CHECKED, CALIBRATED = 20, 100
"""Maximum numbers of frames to compare on and to calibrate on."""


@dataclass(frozen=True)
class ExportConfig(RunConfig):
    """Which network is written, and how."""

    summary = (
        "Write a network as OpenVINO IR, ONNX, LiteRT or TensorFlow SavedModel. The file says how\n"
        "images go in and predictions come out, and its outputs are compared with the original's."
    )
    example = "export tiny-yolo-drive --format litert --int8 --calibrate video.mp4"
    group = "options"

    model: str = option(
        help="tiny-yolo-drive or steering (the float weights that ship), a .onnx or .keras file of "
        "drive, or yolo-tiny.weights",
        metavar="MODEL",
        positional=True,
    )
    _: KW_ONLY
    format: Sequence[str] | None = option(
        None,
        "formats to write",
        "FORMAT",
        choices=FORMATS,
        shown_default=f"{', '.join(FORMATS)}; with --int8 all but saved-model",
    )
    int8: bool = option(
        False,
        "store weights and activations of convolutions in 8 bits; the first layer of the steering "
        "network stays float, a LiteRT detector becomes int8 throughout",
    )
    calibrate: Sequence[str] | None = option(
        None,
        "videos or images, like those the network will see, from which --int8 measures ranges",
        "SOURCE",
        shown_default="two recordings of the sample, which is simulated",
    )
    frames: Sequence[str] | None = option(
        None,
        "videos or images on which the file is compared with the original",
        "SOURCE",
        shown_default="the third recording of the sample",
    )
    size: str | None = option(
        None,
        "fixed input size of the detector, in multiples of 32 pixels",
        "WIDTHxHEIGHT",
        shown_default="any size; 640x288 for litert, which needs one",
    )


@dataclass(frozen=True, kw_only=True)
class ExportResult(TaskResult):
    """What was written; `files` holds one entry per format."""

    files: tuple[Exported, ...]

    def as_text(self) -> str:
        """Return a line per file."""
        return "\n".join(each.as_text() for each in self.files)


def export(config: ExportConfig, reporter: Reporter | None = None) -> ExportResult:
    """Convert a network to other formats; compare each file with the original.

    Raises:
        InputError: the model is missing, is not one of drive's, or has no such form.
        MismatchError: a file does not compute what the original does; it is not kept.

    Example:
        >>> from drive import ExportConfig, export
        >>> result = export(ExportConfig("steering", format=["onnx"], out="exported"))
        >>> result.files[0].path
    """
    return run_task("export", _export, config, reporter)


def _export(config: ExportConfig, run: Run) -> ExportResult:
    from tempfile import TemporaryDirectory

    from drive.conversion.export import FIXED_SIZE, INT8_FORMATS, check_request, export
    from drive.tasks.originals import find_model, open_original, parse_size

    if config.calibrate and not config.int8:
        raise InputError("--calibrate requires --int8")
    path, size = find_model(config.model), parse_size(config.size)
    formats = list(dict.fromkeys(config.format or (INT8_FORMATS if config.int8 else FORMATS)))
    run.record.add_input(path)
    written: list[Exported] = []
    failures: list[DriveError] = []
    images: dict[Size | None, _Images] = {}
    with TemporaryDirectory() as work:
        for target in formats:
            original = open_original(path, Path(work), size, fixed=target in FIXED_SIZE)
            check_request(formats, config.int8, original.metadata)
            if original.size not in images:
                images[original.size] = _read_images(config, run, original)
            frames, folder = images[original.size], run.folder
            try:
                with run.record.stage(target):
                    written.append(export(original, target, folder.file, *frames))
            except DriveError as error:
                failures.append(error)
    if failures and not written:
        raise failures[0]
    for failure in failures[:-1]:
        run.warn(str(failure))
    run.failure = failures[-1] if failures else None
    return ExportResult(files=tuple(written))


_Images: TypeAlias = "tuple[Sequence[Image], Sequence[Image]]"
"""The frames to compare on, and those to calibrate on."""


def _read_images(config: ExportConfig, run: Run, original: Original) -> _Images:
    from drive.tasks.originals import prepared_frames

    checks = config.frames or SAMPLE_CHECKS
    calibration = (config.calibrate or SAMPLE_CALIBRATION) if config.int8 else ()
    how = (run.progress, "reading frames")
    with run.record.stage("read frames"):
        checked = prepared_frames(original, checks, CHECKED, *how)
        measured = prepared_frames(original, calibration, CALIBRATED, *how) if calibration else []
        return checked, measured
