"""Write what `check-data` found to `recording.toml`: the lines that are certain and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from drive.core.errors import InputError
from drive.core.files import atomic_or_refused
from drive.core.texts import BOM, as_written, parse_toml
from drive.core.wording import are, some
from drive.recordings.check import CheckReport
from drive.recordings.findings import Fix
from drive.recordings.recording_config import text_or_empty

SAME_LAG_S = 0.1  # recordings of a folder may differ by this much and share their mean
TABLE = re.compile(r"\s*\[")


@dataclass(frozen=True, slots=True)
class Repair:
    """What one `recording.toml` should say, after all recordings beside it."""

    file: Path
    sure: tuple[Fix, ...] = ()
    perhaps: tuple[Fix, ...] = ()
    conflicts: tuple[str, ...] = ()  # one line each
    replaced: dict[str, str] = field(default_factory=dict)  # present values of its own, by key

    @property
    def lines(self) -> list[str]:
        """The certain lines; a value that is there already is named behind its new one."""
        return [
            each.line + (f"  # was {self.replaced[each.key]}" if each.key in self.replaced else "")
            for each in self.sure
        ]

    def write(self) -> None:
        """Write the certain lines and keep all others; `InputError` if that cannot be done."""
        path = self.file.resolve()
        before = text_or_empty(path)
        text = with_values(before, self.sure)
        try:
            expected = parse_toml(before, path) | {each.key: each.value for each in self.sure}
            safe = parse_toml(text, path) == expected
        except InputError:
            safe = False
        if not safe:
            lines = ", ".join(each.line for each in self.sure)
            raise InputError(f"{self.file} cannot be edited safely; write {lines} by hand")
        with atomic_or_refused(path) as part:
            part.write_text(text, encoding="utf-8", newline="")


def repairs(reports: Sequence[CheckReport], given: Collection[str] = ()) -> list[Repair]:
    """Return what to write, by file; keys in `given` are left as they are."""
    files = dict.fromkeys(each.config_file for each in reports if each.config_file)
    found = [
        _repair(file, [each for each in reports if each.config_file == file], given)
        for file in files
    ]
    return [each for each in found if each.sure or each.perhaps or each.conflicts]


def _repair(file: Path, reports: list[CheckReport], given: Collection[str]) -> Repair:
    fixes: dict[str, list[Fix]] = {}
    for report in reports:
        for finding in report.findings:
            if finding.fix and finding.fix.key not in given:
                fixes.setdefault(finding.fix.key, []).append(finding.fix)
    sure, perhaps, conflicts = [], [], []
    for key, wanted in fixes.items():
        certain = [each for each in wanted if each.sure]
        reason = _disagree(key, certain or wanted, reports)
        if certain and reason:
            conflicts.append(reason)
        elif certain:
            sure.append(_common(certain))
        elif not reason:
            perhaps.append(_common(wanted))
    present = parse_toml(text_or_empty(file), file)
    replaced = {each.key: json.dumps(present[each.key]) for each in sure if each.key in present}
    return Repair(file, tuple(sure), tuple(perhaps), tuple(conflicts), replaced)


def _disagree(key: str, wanted: list[Fix], reports: list[CheckReport]) -> str:
    """Return why the recordings of a folder cannot share the key; empty if they can."""
    values = {each.value for each in wanted}
    right = [each.name for each in reports if key in each.confirmed]
    if len(values) > 1 and not _alike(key, values):
        told = " and ".join(f"{key} = {as_written(value)}" for value in sorted(values, key=str))
        return f"the recordings require {told}; put them in folders of their own"
    if right:
        told = f"{some(right)} {are(len(right))} right without {wanted[0].line}"
        return f"{told}, which others require; put them in folders of their own"
    return ""


def _alike(key: str, values: set[str | float]) -> bool:
    numbers = [value for value in values if isinstance(value, float)]
    return key == "lag_s" and max(numbers) - min(numbers) <= SAME_LAG_S


def _common(wanted: list[Fix]) -> Fix:
    numbers = [each.value for each in wanted if isinstance(each.value, float)]
    if len(set(numbers)) < 2:
        return wanted[0]
    return replace(wanted[0], value=round(sum(numbers) / len(numbers), 3))


def with_values(text: str, fixes: Sequence[Fix]) -> str:
    """Return the text of a TOML file with the values of some keys outside its tables."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    mark = BOM if text.startswith(BOM) else ""
    lines = text.removeprefix(BOM).splitlines()
    for each in fixes:
        _put(lines, each)
    return mark + line_end.join([*lines, ""])


def _put(lines: list[str], fix: Fix) -> None:
    """Replace the line of a key, or add one behind the last line before the tables."""
    key = re.compile(rf"\s*(?:{fix.key}|\"{fix.key}\"|'{fix.key}')\s*=[^#]*?(\s*#.*)?$")
    top = list(_before_tables(lines))
    for place in top:
        if found := key.match(lines[place]):
            lines[place] = fix.line + (found[1] or "")
            return
    written = [place for place in top if lines[place].strip()]
    at = written[-1] + 1 if written else 0
    between = [""] if at == 0 and lines and TABLE.match(lines[0]) else []
    lines[at:at] = [fix.line, *between]


def _before_tables(lines: list[str]) -> Iterator[int]:
    for place, line in enumerate(lines):
        if TABLE.match(line):
            return
        yield place
