"""Reads the parts of a run folder; one that is damaged is left out and named.

Knows files and errors; not what the parts are for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from drive.core.errors import DriveError
from drive.core.files import leads_out

Asked = ParamSpec("Asked")
Found = TypeVar("Found")

STRANGE = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What reading meets where a file holds something else than drive writes there."""

LEADS_OUT = "is a link out of the run's folder and is not read"


class Damage:
    """Reads parts of a run folder; `told` has a line for each that cannot be read."""

    def __init__(self, home: Path) -> None:
        self.told: list[str] = []
        self._home = home

    def tell(self, text: str) -> None:
        """Remember a line, once; files are named relative to the folder."""
        line = text.replace(f"{self._home}/", "")
        if line not in self.told:
            self.told.append(line)

    def holds(self, path: Path) -> bool:
        """Return whether the run has such a file; a link out of its folder is named, not read."""
        if not path.is_file():
            return False
        if leads_out(path, self._home):
            self.tell(f"{path} {LEADS_OUT}")
            return False
        return True

    def read(
        self, name: str, read: Callable[Asked, Found], *args: Asked.args, **options: Asked.kwargs
    ) -> Found | None:
        """Return what `read` returns; None if the part, in the file `name`, is damaged."""
        try:
            return read(*args, **options)
        except DriveError as error:
            self.tell(str(error))
        except STRANGE:
            self.tell(f"{name}: an entry is not as drive writes it; this part is left out")
        return None
