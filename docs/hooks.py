"""Hooks of MkDocs and of its reader of docstrings, for the reference.

The options of each command come from the fields of its config; `Example:` in a docstring is shown
as code.
"""

from __future__ import annotations

import re
from dataclasses import MISSING
from typing import Any

import griffe

from drive.cli.commands import find_task
from drive.cli.parser import COMMON
from drive.core.options import OptionField, fields_of

MARKER = re.compile(r"^<!-- options of ([a-z-]+): (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each marker by a table; MkDocs calls this for every page."""
    return MARKER.sub(lambda found: table(found[1], found[2]), markdown)


def table(command: str, name: str) -> str:
    """Return the options of a command as a table."""
    config, _ = find_task(command)
    if config.__name__ != name:
        raise ValueError(f"the config of {command} is {config.__name__}, not {name}")
    head = f"#### {name} {{ #{name} }}\n\n{(config.__doc__ or '').splitlines()[0]}\n\n"
    rows = ["| field | command line | meaning |", "| --- | --- | --- |"]
    return head + "\n".join([*rows, *map(row, sorted(fields_of(config), key=place))]) + "\n"


def place(each: OptionField) -> tuple[bool, bool]:
    """Return the order in the table: arguments first, common options last."""
    return not each.option.positional, each.group == COMMON


def row(each: OptionField) -> str:
    """Return a row of the table."""
    flag = "" if each.option.positional else f"`{each.flag}`"
    kind = f"{each.kind.__name__}{', ...' if each.many else ''}"
    meaning = each.option.help.removeprefix("do not " if each.default is True else "")
    return f"| `{each.name}`: {kind} | {flag} | {escaped(meaning)}{default(each)} |"


def default(each: OptionField) -> str:
    """Return the default as the help shows it."""
    shown = each.option.shown_default
    if shown is None and each.default not in (MISSING, None, ()):
        shown = str(each.default)
    return f" (default: {escaped(shown)})" if shown else ""


def escaped(text: str) -> str:
    """Return text that is safe in a cell."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


class Examples(griffe.Extension):
    """Makes `Example:` the section of examples, as `Examples:` is."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change a docstring once it is read."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
