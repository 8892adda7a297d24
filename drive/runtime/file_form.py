"""Whether a model file has the form that its name promises, and what an ONNX file says of itself.

Seen before any runtime looks at it: runtimes take their time to refuse a file, and say it in many
lines. Only the outermost form is read, so a model of any size is checked at once; knows no networks
and no runtime.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from drive.core.errors import WeightsError

VARINT, DELIMITED = 0, 2
"""Wire types of protocol buffers: all that an ONNX file's outermost message has."""

VARINT_BYTES = 10
GRAPH = 7
METADATA = 14
"""The fields `graph` and `metadata_props` of ONNX's ModelProto."""

KEY, VALUE = 1, 2
"""The fields of a StringStringEntryProto."""


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


def peek_metadata(path: Path) -> dict[str, str]:
    """What an `.onnx` file says about itself, text by text; nothing where it is no whole ONNX."""
    found = {}
    try:
        with path.open("rb") as file:
            for number, length in _fields(file, path.stat().st_size):
                if number == METADATA:
                    entry = BytesIO(file.read(length))
                    texts = {n: entry.read(size) for n, size in _fields(entry, length)}
                    found[texts[KEY].decode()] = texts.get(VALUE, b"").decode()
    except (ValueError, KeyError):
        return {}
    return found


def _is_onnx(path: Path) -> bool:
    """Whether the fields of a message follow one another to the end, a graph among them."""
    try:
        with path.open("rb") as file:
            return GRAPH in {number for number, _ in _fields(file, path.stat().st_size)}
    except ValueError:
        return False


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field of a message of `size` bytes, the file at its value.

    Raises:
        ValueError: the fields do not follow one another to the end.
    """
    while (place := file.tell()) < size:
        number, kind = divmod(_varint(file), 8)
        length = _varint(file)  # the value itself where the field is a plain number
        if number < 1 or length < 0 or kind not in (VARINT, DELIMITED):
            raise ValueError(f"no field at byte {place}")
        end = file.tell() + (length if kind == DELIMITED else 0)
        if end > size:
            raise ValueError(f"the field at byte {place} is not whole")
        yield number, length
        file.seek(end)


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
