"""`check-data`: read recordings and report what is wrong with them; changes nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.wording import counted
from drive.tasks._common import Context, add_recording_options, recording_overrides

if TYPE_CHECKING:
    from drive.recordings.check import CheckReport, Finding

HELP = (
    "Read recordings frame by frame and row by row, and report what is wrong with them.\n"
    "Exit status: 0 all was read, whatever was found; 2 a recording cannot be read, or the\n"
    "arguments are wrong."
)
EXAMPLE = "check-data data/sample"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="folder or video")
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Check every recording; a report file is written only where `--out` asks for one.

    A recording that cannot be read makes the command fail, once the others are checked.
    """
    from drive.recordings.check import Finding, check_recording
    from drive.recordings.recording import open_recordings
    from drive.results.run_folder import write_json

    broken: list[dict[str, Any]] = []

    def note(place: Path, error: InputError) -> None:
        finding = Finding("unreadable", str(error))
        broken.append({"name": str(place), "findings": [_finding(finding)]})

    recordings = open_recordings(
        args.recordings,
        steering_csv=args.steering,
        overrides=recording_overrides(args),
        on_error=note,
    )
    reports = []
    for recording in recordings:
        try:
            report = check_recording(recording, context.progress)
        except InputError as error:
            note(recording.path, error)
            continue
        reports.append(report)
        sys.stdout.write(_as_text(report))
    for each in broken:
        sys.stdout.write(_unchecked(each, alone=len(broken) == 1))
    results = {"recordings": [*map(_as_json, reports), *broken]}
    context.failure = _failure(broken, len(reports) + len(broken))
    if args.out:
        write_json(context.run_folder().file("check.json"), results)
    return results


def _failure(broken: list[dict[str, Any]], count: int) -> InputError | None:
    """What the command ends with: which recordings cannot be read; None if all can.

    The reason is told once: here where one is broken, else with each in the report.
    """
    if not broken:
        return None
    reason = broken[0]["findings"][0]["text"]
    if count == 1:
        return InputError(reason)
    if len(broken) == 1:
        return InputError(f"1 of {count} recordings cannot be read: {reason}")
    names = ", ".join(each["name"] for each in broken)
    return InputError(
        f"{len(broken)} of {count} recordings cannot be read, for reasons that the report gives: "
        f"{names}"
    )


def _unchecked(recording: dict[str, Any], alone: bool) -> str:
    """The report on a recording that cannot be read."""
    reason = "" if alone else f"\n  - {recording['findings'][0]['text']}"
    return f"{recording['name']}: cannot be checked{reason}\n"


def _as_text(report: CheckReport) -> str:
    numbers = report.numbers
    frames = counted(numbers["frames"], "frame")
    lines = [
        f"{report.name}: {frames}, {counted(numbers['rows'], 'row')}, "
        f"{numbers['seconds']:.1f} s, angles {numbers['angle_min_deg']} to "
        f"{numbers['angle_max_deg']} degrees, {numbers['zeros_share'] or 0:.0%} zeros"
        if numbers["angle_min_deg"] is not None
        else f"{report.name}: {frames}, and not one usable angle"
    ]
    lines.append(f"  {_horizon(numbers['horizon'], numbers['horizon_is'])}")
    lines += [
        f"  - {'note: ' if finding.note else ''}{finding.text}" for finding in report.findings
    ] or ["  nothing stands out"]
    return "\n".join(lines) + "\n"


def _horizon(share: float, how: str) -> str:
    """Where the horizon is, how that is known, and what to write down."""
    if how == "given":
        return f"horizon at {share:g} of the height (given)"
    if how == "assumed":
        return f"horizon taken to be at {share:g} of the height: the motion does not tell"
    return (
        f"horizon at {share:g} of the height (estimated from motion); to keep it, write "
        f"horizon = {share:g} under [camera] in recording.toml"
    )


def _as_json(report: CheckReport) -> dict[str, Any]:
    return {
        "name": report.name,
        **report.numbers,
        "findings": [_finding(finding) for finding in report.findings],
    }


def _finding(finding: Finding) -> dict[str, str]:
    kind = "note" if finding.note else "problem"
    return {"code": finding.code, "kind": kind, "text": finding.text}
