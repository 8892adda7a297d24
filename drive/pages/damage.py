"""What of a run folder is damaged: that part is left out of the report, and named in it.

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
"""What reading meets where a JSON file holds something else than drive wrote there."""


LEADS_OUT = "is a link out of the run's folder, and is not read"


class Damage:
    """Reads the parts of a run folder, and remembers which cannot be read.

    Attributes:
        told: a line for each, with the file's name and what is wrong.
    """

    def __init__(self, home: Path) -> None:
        self.told: list[str] = []
        self._home = home

    def tell(self, text: str) -> None:
        """Remember a line, once; files are named as the folder has them."""
        line = text.replace(f"{self._home}/", "")
        if line not in self.told:
            self.told.append(line)

    def holds(self, path: Path) -> bool:
        """Whether there is such a file of the run; a link out of its folder is told, not read."""
        if not path.is_file():
            return False
        if leads_out(path, self._home):
            self.tell(f"{path} {LEADS_OUT}")
            return False
        return True

    def read(
        self,
        name: str,
        instead: Found,
        read: Callable[Asked, Found],
        *args: Asked.args,
        **options: Asked.kwargs,
    ) -> Found:
        """What `read` gives; `instead` where the part is damaged.

        Args:
            name: of the file, for the line about an entry that nobody foresaw.
            instead: of the part.
            read: reads it.
            *args: of `read`.
            **options: of `read`.
        """
        try:
            return read(*args, **options)
        except DriveError as error:
            self.tell(str(error))
        except STRANGE:
            self.tell(
                f"{name}: an entry is not of the kind that drive writes; its part is left out"
            )
        return instead
