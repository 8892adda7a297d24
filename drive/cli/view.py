"""`view`: serve the results to a browser on this machine until Ctrl-C."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from drive.cli.console import Console
from drive.core.errors import InputError, MissingFileError
from drive.core.options import Config, option
from drive.results.run_folder import OUTPUTS


@dataclass(frozen=True)
class ViewConfig(Config):
    """What is shown, and where."""

    summary = (
        "Open results in a browser: the list of runs, their reports, two runs side by side,\n"
        "excluded ranges of recordings."
    )
    example = "view outputs"

    folder: str = option(
        str(OUTPUTS), "folder with results, searched recursively", "DIR", positional=True
    )
    _: KW_ONLY
    port: int | None = option(
        None,
        "port of the server; 0 for any free one",
        "N",
        shown_default="8137, or any free one if it is taken",
    )
    browser: bool = option(True, "print the address, do not open a browser")


def view(config: ViewConfig, console: Console) -> None:
    """Serve the pages until Ctrl-C; print the address first.

    Raises:
        InputError: there is no such folder, or the port is taken or not valid.
    """
    folder = Path(config.folder)
    if not folder.exists():
        raise MissingFileError(f"there is no folder {folder}; name one that holds results")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder that holds results")
    try:
        _serve(folder, config, console)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the server has stopped") from None


def _serve(folder: Path, config: ViewConfig, console: Console) -> None:
    from drive.pages.app import make_app
    from drive.pages.server import address_of, open_browser, open_socket, serve

    listening = open_socket(config.port)
    address = address_of(listening)
    console.show(address, {"address": address, "folder": str(folder)})
    console.message(f"showing {folder}; stop with Ctrl-C")
    if config.browser:
        open_browser(address, lambda: console.message(f"no browser opened: go to {address}"))
    serve(make_app(folder), listening)
