"""A network as a file for another runtime: written, loaded again, and compared with the original.

One writer for each format; a file gets its final name only when it has answered as the original
does. Knows nothing of what a network is for: `Original` says how it is loaded, what its file has to
say and at which size it runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from drive.conversion.compare import Difference, compare
from drive.conversion.quantise import CALIBRATED_ON, INT8, PRECISION, is_int8, quantise
from drive.core.errors import InputError, MismatchError
from drive.core.wording import counted
from drive.runtime.base import Engine

if TYPE_CHECKING:
    import keras

OPENVINO, ONNX, LITERT, SAVED_MODEL = "openvino", "onnx", "litert", "saved-model"
FORMATS = (OPENVINO, ONNX, LITERT, SAVED_MODEL)
INT8_FORMATS = (OPENVINO, ONNX, LITERT)
FROM_KERAS = (LITERT, SAVED_MODEL)
"""Formats that TensorFlow writes, from the Keras network; so the weights have to be float."""

FIXED_SIZE = (LITERT,)
"""Formats whose files take one input size only."""

ENDINGS = {
    OPENVINO: (".xml", ".bin"),
    ONNX: (".onnx",),
    LITERT: (".tflite",),
    SAVED_MODEL: ("_saved_model",),
}
"""What is put behind a network's name: a file each, or a folder. The first is what is loaded."""

INT8_MARK = "-int8"
STAGE = ".part-export-"
PICTURE_AXES = (1, 2)  # rows and columns of an (N, H, W, C) input

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A network to be written, and how pictures get into it.

    Attributes:
        name: of the files to be written, without an ending.
        onnx_path: the network as an ONNX file of ours, (N, H, W, 3) uint8 in, float or int8.
        metadata: what a written file says about itself, text by text.
        size: (height, width) in pixels of the input; None leaves it free.
        prepare: (H, W, 3) uint8 RGB frame to (h, w, 3) uint8, as the network takes it.
        load: the original in the runtime of this name.
        build: the original as a Keras model.
        usual_spread: standard deviation of the answers that the network was trained to give; 0
            where it is not known.
        float_first: the layers that see the picture itself stay float in an int8 file.
    """

    name: str
    onnx_path: Path
    metadata: Mapping[str, str]
    size: Size | None
    prepare: Callable[[np.ndarray], np.ndarray]
    load: Callable[[str], Engine]
    build: Callable[[], keras.Model]
    usual_spread: float = 0.0
    float_first: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: the file or folder to load.
        format: one of `FORMATS`.
        precision: "float" or "int8".
        size_bytes: of all that belongs to it.
        difference: of its answers from the original's.
    """

    path: Path
    format: str
    precision: str
    size_bytes: int
    difference: Difference

    def as_text(self) -> str:
        """One line for people."""
        of = self.difference
        kind = "RMS / standard deviation" if of.rounded else "largest / answer"
        return (
            f"{self.format} {self.precision}: {self.path} ({self.size_bytes / 1e6:.1f} MB); "
            f"against the original on {counted(of.frames, 'frame')}: largest difference "
            f"{of.largest:.2g}, mean {of.mean:.2g}; {kind} {of.share:.2g} "
            f"(tolerance {of.tolerance:g})"
        )

    def as_json(self) -> dict[str, Any]:
        """The same as values."""
        return {
            "format": self.format,
            "precision": self.precision,
            "path": self.path,
            "bytes": self.size_bytes,
            "largest_difference": self.difference.largest,
            "mean_difference": self.difference.mean,
            "share": self.difference.share,
            "tolerance": self.difference.tolerance,
            "frames": self.difference.frames,
        }


def check_request(formats: Sequence[str], int8: bool, metadata: Mapping[str, str]) -> None:
    """Raise `InputError` where a format cannot be had of this network.

    Args:
        formats: of `FORMATS`.
        int8: whether int8 files are asked for.
        metadata: of the original.
    """
    unwritable = [name for name in formats if int8 and name not in INT8_FORMATS]
    if unwritable:
        raise InputError(
            f"int8 is written as {', '.join(INT8_FORMATS)}; received: --format "
            f"{' '.join(unwritable)} with --int8"
        )
    if not is_int8(metadata):
        return
    if int8:
        raise InputError(
            "--int8 begins from float weights; leave it out to write int8 weights as they are, or "
            "name the float file that they were made from; received: an int8 file"
        )
    for name in formats:
        if name in FROM_KERAS:
            raise InputError(
                f"{name} is written from float weights (with --int8 it becomes int8 again); name "
                "the float file that the int8 one was made from; received: an int8 file"
            )


def export(
    original: Original,
    target: str,
    place: Callable[[str], Path],
    checks: Sequence[np.ndarray],
    calibration: Sequence[np.ndarray] = (),
) -> Exported:
    """Write a network in one format, whole and checked or not at all.

    Args:
        original: the network; with a size where `target` is of `FIXED_SIZE`.
        target: one of `FORMATS`.
        place: the path under which a file of this name is to lie.
        checks: (1, H, W, 3) uint8 each: pictures that both networks are run on.
        calibration: (1, H, W, 3) uint8 each: where there are any, the file becomes int8 in the
            ranges that these show.

    Raises:
        InputError: there is no picture to check with.
        MismatchError: the written file answers otherwise than the original, or has lost its
            metadata; nothing is kept then.
    """
    metadata = dict(original.metadata)
    if calibration:
        metadata |= {PRECISION: INT8, CALIBRATED_ON: str(len(calibration))}
    name = original.name + (INT8_MARK if calibration else "")
    finals = [place(name + ending) for ending in ENDINGS[target]]
    with TemporaryDirectory(dir=finals[0].parent, prefix=STAGE) as folder:
        staged = [Path(folder) / final.name for final in finals]
        WRITERS[target](original, staged[0], metadata, calibration)
        difference = _check(original, target, staged[0], metadata, checks, bool(calibration))
        size_bytes = sum(_size_bytes(path) for path in staged)
        for path, final in zip(staged, finals, strict=True):
            if final.is_dir():
                shutil.rmtree(final)
            path.replace(final)
    precision = INT8 if is_int8(metadata) else "float"
    return Exported(finals[0], target, precision, size_bytes, difference)


def load_written(target: str, path: Path) -> Engine:
    """Load what `export` wrote into its own runtime."""
    if target == OPENVINO:
        from drive.runtime.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(path)
    if target == ONNX:
        from drive.runtime.onnx_engine import OnnxEngine

        return OnnxEngine(path)
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
    checks: Sequence[np.ndarray],
    rounded: bool,
) -> Difference:
    """Load a written file, compare its metadata and its answers; raise `MismatchError`."""
    written = load_written(target, path)
    if written.metadata != metadata:
        raise MismatchError(
            f"{path.name}: the metadata that was written does not come back; "
            f"expected: {dict(metadata)}; received: {written.metadata}"
        )
    reference = original.load(_reference(target, original.metadata))
    difference = compare(
        reference, written, checks, rounded=rounded, usual_spread=original.usual_spread
    )
    if not difference.accepted:
        kind = "RMS difference / standard deviation" if rounded else "largest difference / answer"
        hint = _advice(target, difference) if rounded else ""
        raise MismatchError(
            f"{path.name} does not compute what the original does, and was not kept; expected "
            f"{kind} up to {difference.tolerance:g} on {counted(difference.frames, 'frame')}; "
            f"received: {difference.share:.3g} (largest difference {difference.largest:.3g}, mean "
            f"{difference.mean:.3g}){hint}"
        )
    return difference


def _advice(target: str, difference: Difference) -> str:
    """What helps where int8 answers lie too far from the float ones."""
    if difference.hardly_varies:
        return (
            "; the network's answers hardly vary on these frames (standard deviation "
            f"{difference.spread:.2g}), so they cannot tell: name frames of varied driving with "
            "--frames, train the network longer, or leave --int8 out"
        )
    other = ", or try --format onnx" if target == LITERT else ""
    return (
        "; calibrate on more frames such as these, in all their variety"
        f"{other}; else leave --int8 out"
    )


def _reference(target: str, metadata: Mapping[str, str]) -> str:
    """The runtime for the original: another than the written file's, so that a fault of one shows.

    Int8 networks are run in the same one: runtimes round at different places.
    """
    if is_int8(metadata):
        return target
    return OPENVINO if target == ONNX else ONNX


def _write_onnx(
    original: Original,
    path: Path,
    metadata: Mapping[str, str],
    calibration: Sequence[np.ndarray],
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
        for axis, pixels in zip(PICTURE_AXES, original.size, strict=True):
            axes[axis].dim_value = pixels
    onnx.save(model, str(path))


def _write_openvino(
    original: Original,
    path: Path,
    metadata: Mapping[str, str],
    calibration: Sequence[np.ndarray],
) -> None:
    """Write IR, by way of ONNX: OpenVINO keeps its metadata as the runtime info `framework`."""
    import openvino

    with TemporaryDirectory() as folder:
        onnx_path = Path(folder) / "network.onnx"
        _write_onnx(original, onnx_path, metadata, calibration)
        model = openvino.Core().read_model(str(onnx_path))
        openvino.save_model(model, str(path), compress_to_fp16=False)


def _write_litert(
    original: Original,
    path: Path,
    metadata: Mapping[str, str],
    calibration: Sequence[np.ndarray],
) -> None:
    from drive.conversion.litert import write_litert

    if original.size is None:
        raise InputError("a LiteRT file takes one input size; received: size=None")
    write_litert(
        original.build(),
        path,
        metadata,
        original.size,
        calibration,
        float_first=original.float_first,
    )


def _write_saved_model(
    original: Original,
    path: Path,
    metadata: Mapping[str, str],
    calibration: Sequence[np.ndarray],
) -> None:
    from drive.conversion.saved_model import write_saved_model

    rows, columns = original.size or (None, None)
    write_saved_model(original.build(), path, metadata, (None, rows, columns, 3))


Writer = Callable[[Original, Path, Mapping[str, str], Sequence[np.ndarray]], None]
WRITERS: dict[str, Writer] = {
    OPENVINO: _write_openvino,
    ONNX: _write_onnx,
    LITERT: _write_litert,
    SAVED_MODEL: _write_saved_model,
}


def describe_input(
    *,
    sizes: Sequence[Size],
    colours: str,
    crop: Mapping[str, object],
    resize: str,
    interpolation: str,
) -> str:
    """How a frame becomes the network's input, as the JSON text of the entry `preprocessing`.

    Args:
        sizes: (height, width) in pixels that the network was made for.
        colours: the channels' order, or colour space.
        crop: which part of the frame is cut out.
        resize: how that part gets its size.
        interpolation: of the resizing, as OpenCV names it.
    """
    return json.dumps(
        {
            "input": "NHWC, uint8",
            "pixel_range": [0, 255],
            "scaling": "inside the network; pixels go in as they are",
            "sizes_height_width": [list(size) for size in sizes],
            "colours": colours,
            "crop": dict(crop),
            "resize": resize,
            "interpolation": interpolation,
        }
    )


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
