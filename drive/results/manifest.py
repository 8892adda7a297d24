"""`manifest.json`: which videos a run has, which are done, which failed and why.

The file is whole at any time; a video that was in work when the run ended is pending again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drive.core.errors import InputError, MissingFileError
from drive.core.jobs import Outcome
from drive.results.json_files import write_json
from drive.results.names import MANIFEST, RUN, SUMMARY

FORMAT = 1
PENDING, DONE, FAILED = "pending", "done", "failed"

SECONDS_DIGITS = 3
NAMELESS = "video"


@contextmanager
def only_run_in(folder: str | Path) -> Iterator[None]:
    """Keep other runs out of a run folder during the block, where the system can lock folders."""
    try:
        import fcntl

        lock = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another run is writing to {folder}. Wait for its end") from None
        except OSError:
            pass
        yield
    finally:
        os.close(lock)


@dataclass(slots=True)
class Entry:
    """One video of a run; `seconds` and `reason` (of a failure) are of the last attempt.

    `wrong_input`: the input or the options are invalid; `traceback`: of an unforeseen error.
    """

    source: str = ""
    folder: str = ""
    status: str = PENDING
    seconds: float | None = None
    reason: str | None = None
    wrong_input: bool = False
    traceback: str | None = None
    results: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Manifest:
    """The videos of a run, and its settings; the run folder is that of `path`."""

    path: Path
    command: str
    settings: dict[str, object]
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """Read the manifest of a run folder."""
        path = Path(folder) / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] == FORMAT:
                entries = [Entry(**entry) for entry in content["videos"]]
                return cls(path, content["command"], content["settings"], entries)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFileError(
                f"there is no {MANIFEST} in {folder}; expected the folder of a run over several "
                "videos"
            ) from None
        except (KeyError, TypeError, OSError, ValueError) as error:
            wrong = isinstance(error, KeyError | TypeError)
            reason = "entries are missing or have another form" if wrong else error
            raise InputError(
                f"{path} is not a valid manifest: {reason}. Start the run again, without --resume"
            ) from None
        raise InputError(
            f"{path} is of another version of drive: format must be {FORMAT}; "
            f"got {content['format']}"
        )

    def write(self) -> None:
        """Write the file, whole or not at all."""
        run = {"format": FORMAT, "command": self.command, "settings": self.settings}
        write_json(self.path, run | {"videos": [asdict(entry) for entry in self.entries]})

    def add(self, sources: Iterable[str | Path]) -> list[Entry]:
        """Add the videos that are new, each with a folder name of its own; return them."""
        known = {Path(entry.source).resolve() for entry in self.entries}
        added = []
        for source in sources:
            path = Path(source).absolute()
            if path.resolve() in known:
                continue
            known.add(path.resolve())
            added.append(Entry(str(path), self._free_name(path)))
            self.entries.append(added[-1])
        return added

    def folder(self, entry: Entry) -> Path:
        """Return the folder for the results of a video."""
        return self.path.parent / entry.folder

    def note(self, outcome: Outcome) -> Entry:
        """Record the outcome of the video `outcome.key`, also in the file; return its entry."""
        entry = self.entries[outcome.key]
        entry.status = FAILED if outcome.results is None else DONE
        entry.seconds = round(outcome.seconds, SECONDS_DIGITS)
        entry.reason, entry.traceback = outcome.reason, outcome.traceback
        entry.wrong_input, entry.results = outcome.wrong_input, outcome.results or {}
        self.write()
        return entry

    def with_status(self, *statuses: str) -> list[Entry]:
        """Return the videos with one of these statuses."""
        return [entry for entry in self.entries if entry.status in statuses]

    def _free_name(self, source: Path) -> str:
        """The video's name without suffix and outer dots; numbered if taken, whatever its case."""
        taken = {entry.folder.casefold() for entry in self.entries}
        stem = source.stem.strip(". ") or NAMELESS
        if "." in stem:  # run.json.mp4
            taken |= {RUN, SUMMARY, MANIFEST}
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        return name
