"""`check-data`: read recordings, report what is wrong with them, and correct it if asked to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.core.options import option
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.results.json_files import write_json
from drive.tasks._options import RecordingOptions
from drive.tasks._run import Run, RunConfig, TaskResult, run_task

if TYPE_CHECKING:
    from drive.recordings.check import CheckReport
    from drive.recordings.findings import Finding
    from drive.recordings.repair import Repair

REPORT_FILE = "check.json"
MOST_ROUNDS = 3  # a line may show what the next one is: times first, then signs and units


@dataclass(frozen=True)
class CheckDataConfig(RecordingOptions, RunConfig):
    """Which recordings are checked."""

    summary = (
        "Read recordings frame by frame and row by row, and report what is wrong with them and\n"
        "the lines of recording.toml that correct it. Only --fix changes anything.\n"
        "Exit status: 0 everything was read, whatever was found; 2 a recording cannot be read,\n"
        "or the arguments are wrong."
    )
    example = "check-data data/sample"
    group = "options"

    recordings: Sequence[str] = option(help="folder or video", metavar="RECORDING", positional=True)
    _: KW_ONLY
    fix: bool = option(False, "write the lines that are certain to recording.toml, and check again")
    out: str | None = option(
        None, f"folder for {REPORT_FILE}", "DIR", shown_default="it is not written"
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A recording that cannot be read; `finding` says why."""

    name: str
    finding: Finding

    def as_text(self, alone: bool) -> str:
        """Return the report; without the reason if the command ends with it."""
        return f"{self.name}: cannot be checked" + ("" if alone else f"\n  - {self.finding.text}")


@dataclass(frozen=True, kw_only=True)
class CheckDataResult(TaskResult):
    """What was found in each recording that was read, and the other recordings.

    `repairs` says what each `recording.toml` should hold; `written` are those of `fix`, after which
    everything was read again.
    """

    reports: tuple[CheckReport, ...]
    unreadable: tuple[Unreadable, ...] = ()
    repairs: tuple[Repair, ...] = ()
    written: tuple[Repair, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return `recordings`: name, numbers and findings of each, and the paths."""
        recordings = [
            {"name": each.name, **asdict(each.numbers), "findings": _findings(*each.findings)}
            for each in self.reports
        ]
        broken = [{"name": e.name, "findings": _findings(e.finding)} for e in self.unreadable]
        return {
            "recordings": [*recordings, *broken],
            "repairs": [_repair_json(each) for each in self.repairs],
            "written": [_repair_json(each) for each in self.written],
            **self.run_files(),
        }

    def as_text(self) -> str:
        """Return the report on every recording."""
        alone = len(self.unreadable) == 1
        broken = [each.as_text(alone) for each in self.unreadable]
        written = [_written_text(each) for each in self.written]
        to_write = [_repair_text(each) for each in self.repairs]
        return "\n".join([*written, *map(_as_text, self.reports), *broken, *to_write])


def check_data(config: CheckDataConfig, reporter: Reporter | None = None) -> CheckDataResult:
    """Read every frame and every row of recordings and report what stands out.

    Raises:
        InputError: a recording cannot be read. The others are checked first; the error's
            attribute `result` holds all that was found.

    Example:
        >>> from drive import CheckDataConfig, check_data
        >>> result = check_data(CheckDataConfig(["data/sample"]))
        >>> [finding.text for finding in result.reports[0].problems]
    """
    return run_task("check-data", _check_data, config, reporter)


def _check_data(config: CheckDataConfig, run: Run) -> CheckDataResult:
    from drive.recordings.repair import repairs

    given = [key for key, value in config.overrides().items() if value is not None]
    written: list[Repair] = []
    for rounds_left in range(MOST_ROUNDS if config.fix else 0, -1, -1):
        reports, broken = _read_all(config, run)
        proposed = repairs(reports, given)
        certain = [each for each in proposed if each.sure]
        if not (certain and rounds_left):
            break
        for each in certain:
            each.write()
        written += certain
    result = CheckDataResult(
        reports=tuple(reports),
        unreadable=tuple(broken),
        repairs=tuple(proposed),
        written=tuple(written),
    )
    run.failure = _failure(broken, len(reports) + len(broken))
    if config.out:
        write_json(run.folder.file(REPORT_FILE), result.as_json())
    return result


def _read_all(config: CheckDataConfig, run: Run) -> tuple[list[CheckReport], list[Unreadable]]:
    """Check every recording; return the reports, and what cannot be read."""
    from drive.recordings.check import check_recording
    from drive.recordings.findings import Finding

    broken: list[Unreadable] = []

    def note(place: Path, error: InputError) -> None:
        broken.append(Unreadable(str(place), Finding("unreadable", str(error))))

    reports = []
    for recording in config.open_recordings(config.recordings, note):
        try:
            reports.append(check_recording(recording, run.progress))
        except InputError as error:
            note(recording.path, error)
    return reports, broken


def _failure(broken: list[Unreadable], count: int) -> InputError | None:
    """Return the error that names what cannot be read; a reason is here only if there is one."""
    if not broken:
        return None
    reason = broken[0].finding.text
    if count == 1:
        return InputError(reason)
    if len(broken) == 1:
        return InputError(f"1 of {count} recordings cannot be read: {reason}")
    names = ", ".join(each.name for each in broken)
    told = f"{len(broken)} of {count} recordings cannot be read, for reasons given in the report"
    return InputError(f"{told}: {names}")


def _as_text(report: CheckReport) -> str:
    found = report.numbers
    frames = counted(found.frames, "frame")
    lines = [
        f"{report.name}: {frames}, {counted(found.rows, 'row')}, {found.seconds:.1f} s, "
        f"angles {found.angle_min_deg} to {found.angle_max_deg} degrees, "
        f"{found.zeros_share or 0:.0%} zeros"
        if found.angle_min_deg is not None
        else f"{report.name}: {frames}, and no usable angle"
    ]
    lines.append(f"  {_horizon(found.horizon, found.horizon_is)}")
    lines += [f"  - {'note: ' if each.note else ''}{each.text}" for each in report.findings]
    return "\n".join(lines if report.findings else [*lines, "  nothing to report"])


def _repair_text(repair: Repair) -> str:
    """Return what a `recording.toml` should say."""
    lines = [f"  {line}" for line in repair.lines]
    lines += [f"  # perhaps: {each.line}" for each in repair.perhaps]
    lines += [f"  # {reason}" for reason in repair.conflicts]
    how = " (--fix writes it)" if repair.sure else ""
    return "\n".join([f"{repair.file} should say{how}:", *lines])


def _written_text(repair: Repair) -> str:
    return "\n".join([f"written to {repair.file}:", *(f"  {line}" for line in repair.lines)])


def _repair_json(repair: Repair) -> dict[str, object]:
    return {
        "file": str(repair.file),
        "lines": [each.line for each in repair.sure],
        "perhaps": [each.line for each in repair.perhaps],
        "conflicts": list(repair.conflicts),
        "replaced": repair.replaced,
    }


def _horizon(share: float, how: str) -> str:
    """Say where the horizon is, how that is known, and which line keeps it."""
    if how == "given":
        return f"horizon at {share:g} of the height (given)"
    if how == "assumed":
        return f"horizon assumed at {share:g} of the height: the motion does not show it"
    return (
        f"horizon at {share:g} of the height (estimated from motion); to keep it, write "
        f"horizon = {share:g} under [camera] in recording.toml"
    )


def _findings(*findings: Finding) -> list[dict[str, object]]:
    return [
        {
            "code": each.code,
            "kind": "note" if each.note else "problem",
            "text": each.text,
            **({"line": each.fix.line, "certain": each.fix.sure} if each.fix else {}),
        }
        for each in findings
    ]
