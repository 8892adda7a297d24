"""Build hook: puts the weights and the sample into the wheel, as `drive/_shipped/`.

An editable install reads them from the checkout (see `drive/core/shipped.py`), so it gets no copy.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("weights", "data/sample")
SCRIPTS = {".py"}


class ShippedFiles(BuildHookInterface[Any]):
    """Adds the files of `SHIPPED` to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; hatchling calls this before it builds."""
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        for folder in SHIPPED:
            for path in sorted((root / folder).iterdir()):
                if path.is_file() and path.suffix not in SCRIPTS:
                    build_data["force_include"][str(path)] = f"drive/_shipped/{folder}/{path.name}"
