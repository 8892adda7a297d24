"""`view`: the results in a browser, on this machine only."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from drive.core.errors import InputError, MissingFileError
from drive.results.run_folder import OUTPUTS
from drive.tasks._common import Context

HELP = "Open the results in a browser: list, reports, two runs compared, bad stretches marked."
EXAMPLE = "view outputs"

NO_USE_FOR = ("--out", "--overwrite", "--weights", "--seed")
AFTER_INTERRUPT = "the server has stopped"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "folder",
        nargs="?",
        metavar="DIR",
        help="the results to show, and what lies below (default: outputs)",
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="of the address; 0: any free one (default: 8137, or any free one)",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address and open nothing"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Serve the pages until Ctrl-C."""
    folder = Path(OUTPUTS if args.folder is None else args.folder)
    if not folder.exists():
        raise MissingFileError(f"There is no folder {folder}. Name the one that holds results")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file. Name the folder that holds results")
    from drive.pages.app import make_app
    from drive.pages.server import address_of, open_browser, open_socket, serve

    listening = open_socket(args.port)
    address = address_of(listening)
    said = json.dumps({"address": address, "folder": str(folder)}) if args.json else address
    sys.stdout.write(f"{said}\n")
    sys.stdout.flush()
    context.message(f"showing {folder}; Ctrl-C ends it")
    if not args.no_browser:
        open_browser(address, lambda: context.message(f"no browser opened: go to {address}"))
    serve(make_app(folder), listening)
    return {}
