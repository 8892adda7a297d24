"""Whether a model file has the form that its name promises, seen before any runtime looks at it.

Runtimes take their time to refuse a file, and say it in many lines. Only the outermost form is
read, so a model of any size is checked at once; knows no networks and no runtime.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

from drive.errors import WeightsError

VARINT, DELIMITED = 0, 2
"""Wire types of protocol buffers: all that an ONNX file's outermost message has."""

VARINT_BYTES = 10
GRAPH = 7
"""The field `graph` of ONNX's ModelProto."""


def check_form(path: Path) -> None:
    """Refuse an `.onnx` file that is no ONNX, and a `.keras` file that is no archive of Keras.

    Raises:
        WeightsError: the file is something else, or a part of what it was.
    """
    suffix = path.suffix.lower()
    if suffix == ".onnx" and not _is_onnx(path):
        raise WeightsError(f"{path} is not an ONNX model, or not the whole of one")
    if suffix == ".keras" and not zipfile.is_zipfile(path):
        raise WeightsError(f"{path} is not a Keras model (a zip archive), or not the whole of one")


def _is_onnx(path: Path) -> bool:
    """Whether the fields of a message follow one another to the end, a graph among them."""
    size = path.stat().st_size
    fields = set()
    with path.open("rb") as file:
        while file.tell() < size:
            number, kind = divmod(_varint(file), 8)
            length = _varint(file)  # the value itself where the field is a plain number
            if number < 1 or length < 0 or kind not in (VARINT, DELIMITED):
                return False
            if kind == DELIMITED and file.seek(length, 1) > size:
                return False
            fields.add(number)
    return GRAPH in fields


def _varint(file: BinaryIO) -> int:
    """A number of variable length; -1 where there is none."""
    value = 0
    for place in range(VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return value
    return -1
