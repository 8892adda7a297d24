"""Write a network as a file for another runtime, load it again, and compare it with the original.

A file gets its final name after the comparison. `write_as` and `load_written` know the formats.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from drive.conversion.compare import Difference, compare
from drive.conversion.quantise import quantise
from drive.core.errors import InputError, MismatchError
from drive.core.types import Image
from drive.core.wording import counted
from drive.runtime import load_engine
from drive.runtime.base import Engine
from drive.runtime.int8_form import CALIBRATED_ON, INT8, INT8_MARK, PRECISION, is_int8

if TYPE_CHECKING:
    import keras

OPENVINO, ONNX, LITERT, SAVED_MODEL = "openvino", "onnx", "litert", "saved-model"
FORMATS = (OPENVINO, ONNX, LITERT, SAVED_MODEL)
INT8_FORMATS = (OPENVINO, ONNX, LITERT)
FROM_KERAS = (LITERT, SAVED_MODEL)  # TensorFlow writes them; they require float weights
FIXED_SIZE = (LITERT,)  # formats whose files have one fixed input size
ENDINGS = {  # after the network's name: files, or one folder; the first one is loaded
    OPENVINO: (".xml", ".bin"),
    ONNX: (".onnx",),
    LITERT: (".tflite",),
    SAVED_MODEL: ("_saved_model",),
}
Size = tuple[int, int]  # (height, width) in pixels


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A network to convert, and how images are prepared for it."""

    name: str  # of the files to write, without an ending
    onnx_path: Path  # of drive, input (N, H, W, 3) uint8, float or int8
    metadata: Mapping[str, str]  # of the written file
    size: Size | None  # of the input; None for any size
    prepare: Callable[[Image], Image]  # turns an RGB frame into the (h, w, 3) uint8 input
    load: Callable[[str], Engine]  # loads the original into the runtime of this name
    build: Callable[[], keras.Model]
    usual_spread: float = 0.0  # standard deviation of the angles of its training
    float_first: bool = False  # layers on the image itself stay float in int8 files


@dataclass(frozen=True, slots=True)
class Exported:
    """A written file and how its outputs differ from those of the original."""

    path: Path  # the file or folder to load
    format: str  # one of `FORMATS`
    precision: str  # "float" or "int8"
    size_bytes: int  # of all its files
    difference: Difference

    def as_text(self) -> str:
        """Return one line for the terminal."""
        of = self.difference
        kind = "RMS / standard deviation" if of.rounded else "largest / output"
        return (
            f"{self.format} {self.precision}: {self.path} ({self.size_bytes / 1e6:.1f} MB); "
            f"compared with the original on {counted(of.frames, 'frame')}: largest difference "
            f"{of.largest:.2g}, mean {of.mean:.2g}; {kind} {of.share:.2g} "
            f"(tolerance {of.tolerance:g})"
        )

    def as_json(self) -> dict[str, object]:
        """Return the values that `--json` prints."""
        of = self.difference
        return {
            "format": self.format,
            "precision": self.precision,
            "path": self.path,
            "bytes": self.size_bytes,
            "largest_difference": of.largest,
            "mean_difference": of.mean,
            "share": of.share,
            "tolerance": of.tolerance,
            "frames": of.frames,
        }


def check_request(formats: Sequence[str], int8: bool, metadata: Mapping[str, str]) -> None:
    """Raise `InputError` if a network with this metadata cannot be written in one of `FORMATS`."""
    if unwritable := [name for name in formats if int8 and name not in INT8_FORMATS]:
        raise InputError(
            f"--int8 supports {', '.join(INT8_FORMATS)}; got --format {' '.join(unwritable)}"
        )
    if not is_int8(metadata):
        return
    if int8:
        raise InputError(
            "--int8 requires float weights; got an int8 file. Leave --int8 out to keep these "
            "weights, or name the float file"
        )
    for name in FROM_KERAS:
        if name in formats:
            raise InputError(
                f"{name} requires float weights; got an int8 file. Name the float file, with "
                "--int8 if the result should be int8"
            )


def export(
    original: Original,
    target: str,
    place: Callable[[str], Path],
    checks: Sequence[Image],
    calibration: Sequence[Image] = (),
) -> Exported:
    """Write a network in one format; keep the file only if it computes what the original does.

    `place` returns the path of a file of this name. Images are (1, H, W, 3) uint8 each: `checks` to
    compare on, `calibration` to measure the ranges on if the file is to become int8. Raises
    `MismatchError` if the outputs or the metadata differ from the original's.
    """
    metadata = dict(original.metadata)
    if calibration:
        metadata |= {PRECISION: INT8, CALIBRATED_ON: str(len(calibration))}
    name = original.name + (INT8_MARK if calibration else "")
    finals = [place(name + ending) for ending in ENDINGS[target]]
    with TemporaryDirectory(dir=finals[0].parent, prefix=".part-export-") as folder:
        staged = [Path(folder) / final.name for final in finals]
        write_as(target, original, staged[0], metadata, calibration)
        difference = _check(original, target, staged[0], metadata, checks, bool(calibration))
        size_bytes = sum(_size_bytes(path) for path in staged)
        for path, final in zip(staged, finals, strict=True):
            if final.is_dir():
                shutil.rmtree(final)
            path.replace(final)
    precision = INT8 if is_int8(metadata) else "float"
    return Exported(finals[0], target, precision, size_bytes, difference)


def load_written(target: str, path: Path) -> Engine:
    """Load a file that `export` wrote into its own runtime."""
    if target in (OPENVINO, ONNX):
        return load_engine(path, target)
    if target == LITERT:
        from drive.conversion.litert import LiteRtEngine

        return LiteRtEngine(path)
    from drive.conversion.saved_model import SavedModelEngine

    return SavedModelEngine(path)


def _check(
    original: Original,
    target: str,
    path: Path,
    metadata: Mapping[str, str],
    checks: Sequence[Image],
    rounded: bool,
) -> Difference:
    """Load a written file, compare its metadata and outputs; raise `MismatchError`."""
    written = load_written(target, path)
    if written.metadata != metadata:
        raise MismatchError(
            f"{path.name}: the metadata must read back as {dict(metadata)}; got {written.metadata}"
        )
    # another runtime than the file's reveals its faults, but would round int8 at other places
    other = OPENVINO if target == ONNX else ONNX
    reference = original.load(target if is_int8(original.metadata) else other)
    difference = compare(
        reference, written, checks, rounded=rounded, usual_spread=original.usual_spread
    )
    if not difference.accepted:
        kind = "RMS difference / standard deviation" if rounded else "largest difference / output"
        hint = _advice(target, difference) if rounded else ""
        raise MismatchError(
            f"{path.name} does not compute what the original does, and was not kept: {kind} must "
            f"be at most {difference.tolerance:g} on {counted(difference.frames, 'frame')}; "
            f"got {difference.share:.3g} (largest difference {difference.largest:.3g}, mean "
            f"{difference.mean:.3g}){hint}"
        )
    return difference


def _advice(target: str, difference: Difference) -> str:
    """Say what to do if int8 outputs differ too much from the float ones."""
    if difference.hardly_varies:
        return (
            ". The outputs hardly vary on these frames (standard deviation "
            f"{difference.spread:.2g}), so the comparison means little: give --frames with varied "
            "driving, train the network longer, or leave --int8 out"
        )
    other = ", try --format onnx" if target == LITERT else ""
    return f". Use --calibrate with more varied frames{other}, or leave --int8 out"


def _write_onnx(
    original: Original, path: Path, metadata: Mapping[str, str], calibration: Sequence[Image]
) -> None:
    import onnx
    from onnx import helper

    from drive.runtime.onnx_file import read_model

    source = original.onnx_path
    if calibration:
        quantise(source, path, calibration, float_first=original.float_first)
        source = path
    model = read_model(source)
    helper.set_model_props(model, dict(metadata))
    if original.size:
        axes = model.graph.input[0].type.tensor_type.shape.dim
        for axis, pixels in zip(axes[1:3], original.size, strict=True):
            axis.dim_value = pixels
    onnx.save(model, str(path))


def write_as(
    target: str,
    original: Original,
    path: Path,
    metadata: Mapping[str, str],
    calibration: Sequence[Image],
) -> None:
    """Write a network in one format; int8 if there are images to calibrate on."""
    if target == ONNX:
        _write_onnx(original, path, metadata, calibration)
    elif target == OPENVINO:  # keeps the metadata as the runtime info `framework`
        import openvino

        with TemporaryDirectory() as folder:
            onnx_path = Path(folder) / "network.onnx"
            _write_onnx(original, onnx_path, metadata, calibration)
            model = openvino.Core().read_model(str(onnx_path))
            openvino.save_model(model, str(path), compress_to_fp16=False)
    elif target == LITERT:
        from drive.conversion.litert import write_litert

        if original.size is None:
            raise InputError("a LiteRT file requires one input size; got size=None")
        model, first = original.build(), original.float_first
        write_litert(model, path, metadata, original.size, calibration, float_first=first)
    else:
        from drive.conversion.saved_model import write_saved_model

        shape = (None, *(original.size or (None, None)), 3)
        write_saved_model(original.build(), path, metadata, shape)


def describe_input(
    *,
    sizes: Sequence[Size],
    colours: str,
    crop: Mapping[str, object],
    resize: str,
    interpolation: str,
) -> str:
    """Return the metadata entry `preprocessing`: JSON that says how to prepare a frame.

    `interpolation` is OpenCV's name, `crop` the used part of the frame, which is then resized.
    """
    entries = {
        "input": "NHWC, uint8",
        "pixel_range": [0, 255],
        "scaling": "inside the network; pixels go in as they are",
        "sizes_height_width": [list(size) for size in sizes],
        "colours": colours,
        "crop": dict(crop),
        "resize": resize,
        "interpolation": interpolation,
    }
    return json.dumps(entries)


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
