"""The folder of a run. A result is never overwritten unless the user says so."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from drive.core.errors import InputError
from drive.results.names import RUN

OUTPUTS = Path("outputs")  # default parent of run folders, in the working directory


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder that one run writes into."""

    path: Path
    overwrite: bool = False

    def file(self, name: str) -> Path:
        """Return the path of a result; raise `InputError` if it exists and `overwrite` is off."""
        path = self.path / name
        if path.exists() and not self.overwrite:
            raise InputError(
                f"{path} exists already. Choose another --out, or allow it with --overwrite"
            )
        return path


def open_run_folder(command: str, out: str | None, overwrite: bool) -> RunFolder:
    """Create the folder of a run; without `out`, a new one under `outputs/`."""
    if out is None:
        return RunFolder(_next_folder(command), overwrite)
    if not out.strip():
        raise InputError("--out must name a folder; got an empty name. Omit it for a new folder")
    path = Path(out)
    if path.exists() and not path.is_dir():
        raise InputError(f"--out must name a folder; {path} is a file")
    if (path / RUN).exists() and not overwrite:
        raise InputError(
            f"{path} has the results of an earlier run. "
            "Choose another --out, or allow it with --overwrite"
        )
    _make(path)
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"{path} is not writable: {error.strerror}. Choose another folder"
        ) from error
    return RunFolder(path, overwrite)


def _next_folder(command: str) -> Path:
    """Create the next numbered folder under `outputs/`; safe if runs start at the same time."""
    _make(OUTPUTS)
    numbers = [
        int(match[1]) for entry in OUTPUTS.iterdir() if (match := re.match(r"(\d+)-", entry.name))
    ]
    number = max(numbers, default=0) + 1
    while True:
        path = OUTPUTS / f"{number:03d}-{command}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        above = next(parent for parent in path.absolute().parents if parent.exists())
        why = f"{above} is not writable" if above.is_dir() else f"{above} is a file"
        raise InputError(
            f"the folder {path} cannot be created: {why}. Choose another with --out"
        ) from error
