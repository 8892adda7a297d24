"""Check the format of a model file and read the metadata of an ONNX file, without a runtime.

Runtimes are slow to refuse a file, and do so in many lines. Only the outermost level is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from drive.core.errors import WeightsError

VARINT, DELIMITED = 0, 2  # wire types of protocol buffers at the outermost level of an ONNX file
GRAPH, METADATA = 7, 14  # the fields `graph` and `metadata_props` of ONNX's ModelProto
KEY, VALUE = 1, 2  # the fields of a StringStringEntryProto


def check_form(path: Path) -> None:
    """Raise `WeightsError` unless an `.onnx` file is ONNX and a `.keras` file a zip archive."""
    suffix = path.suffix.lower()
    if suffix == ".onnx" and not _is_onnx(path):
        raise WeightsError(f"{path} is not an ONNX model, or is incomplete")
    if suffix == ".keras" and not zipfile.is_zipfile(path):
        raise WeightsError(f"{path} is not a Keras model (a zip archive), or is incomplete")


def peek_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an `.onnx` file; empty if the file is not valid ONNX."""
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


def has_qlinear(path: Path) -> bool:
    """Return whether an `.onnx` file has int8 operators, such as QLinearConv, of other programs."""
    return b"QLinear" in path.read_bytes()  # names are stored as plain text


def _is_onnx(path: Path) -> bool:
    """Return whether the file is a sequence of whole fields with a graph among them."""
    try:
        with path.open("rb") as file:
            return GRAPH in {number for number, _ in _fields(file, path.stat().st_size)}
    except ValueError:
        return False


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field, with the file at its value; `ValueError` if broken."""
    while (place := file.tell()) < size:
        number, kind = divmod(_varint(file), 8)
        length = _varint(file)  # of a plain number: the value itself
        if number < 1 or length < 0 or kind not in (VARINT, DELIMITED):
            raise ValueError(f"no field at byte {place}")
        end = file.tell() + (length if kind == DELIMITED else 0)
        if end > size:
            raise ValueError(f"the field at byte {place} is not whole")
        yield number, length
        file.seek(end)


def _varint(file: BinaryIO) -> int:
    """Read a number of variable length; return -1 if there is none."""
    value = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return value
    return -1
