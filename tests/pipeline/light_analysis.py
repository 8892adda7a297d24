"""A per-video function that imports nothing heavy: what the "video" says in words is what it does.

Stands in for a command's own, in this process and in workers.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.tasks._common import Context


def analyse(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    source = Path(args.source)
    with source.with_suffix(".log").open("a") as log:
        log.write(f"{os.getpid()}\n")
    words = source.read_text()
    table = context.run_folder().file("table.csv")
    part = table.with_name("table.part.csv")
    part.touch()
    if "hang" in words:
        for _ in range(60_000):
            time.sleep(0.01)
    if "crash" in words:
        os._exit(3)
    try:
        if "broken" in words:
            raise InputError(f"{source.name} is broken. Expected a video")
        if "fault" in words:
            raise ZeroDivisionError("division by zero")
        part.replace(table)
    finally:
        part.unlink(missing_ok=True)
    if "lossy" in words:
        context.warn(f"2 damaged frames of {source.name} were skipped")
    context.message("on the usual engine")
    loaded_by = context.loaded("model", lambda: source.name)
    counts = {"frames": 3, "frames_lost": 0, "boxes": 2, "tracks": 1}
    return {**counts, "table": table, "threads": args.threads, "loaded_by": loaded_by}
