"""`check-data`: read recordings and report what is wrong with them; change nothing."""

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
    from drive.recordings.check import CheckReport, Finding

REPORT_FILE = "check.json"


@dataclass(frozen=True)
class CheckDataConfig(RecordingOptions, RunConfig):
    """Which recordings are checked."""

    summary = (
        "Read recordings frame by frame and row by row, and report what is wrong with them.\n"
        "Exit status: 0 everything was read, whatever was found; 2 a recording cannot be read,\n"
        "or the arguments are wrong."
    )
    example = "check-data data/sample"
    group = "options"

    recordings: Sequence[str] = option(help="folder or video", metavar="RECORDING", positional=True)
    _: KW_ONLY
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
    """What was found in each recording that was read, and the other recordings."""

    reports: tuple[CheckReport, ...]
    unreadable: tuple[Unreadable, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return `recordings`: name, numbers and findings of each, and the paths."""
        recordings = [
            {"name": each.name, **asdict(each.numbers), "findings": _findings(*each.findings)}
            for each in self.reports
        ]
        broken = [{"name": e.name, "findings": _findings(e.finding)} for e in self.unreadable]
        return {"recordings": [*recordings, *broken], **self.run_files()}

    def as_text(self) -> str:
        """Return the report on every recording."""
        alone = len(self.unreadable) == 1
        broken = [each.as_text(alone) for each in self.unreadable]
        return "\n".join([*map(_as_text, self.reports), *broken])


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
    from drive.recordings.check import Finding, check_recording

    broken: list[Unreadable] = []

    def note(place: Path, error: InputError) -> None:
        broken.append(Unreadable(str(place), Finding("unreadable", str(error))))

    reports = []
    for recording in config.open_recordings(config.recordings, note):
        try:
            reports.append(check_recording(recording, run.progress))
        except InputError as error:
            note(recording.path, error)
    result = CheckDataResult(reports=tuple(reports), unreadable=tuple(broken))
    run.failure = _failure(broken, len(reports) + len(broken))
    if config.out:
        write_json(run.folder.file(REPORT_FILE), result.as_json())
    return result


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


def _findings(*findings: Finding) -> list[dict[str, str]]:
    return [
        {"code": each.code, "kind": "note" if each.note else "problem", "text": each.text}
        for each in findings
    ]
