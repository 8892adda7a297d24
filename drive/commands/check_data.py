"""`check-data`: read recordings and report what is wrong with them; changes nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.commands._common import Context, add_recording_options, recording_overrides
from drive.errors import InputError

if TYPE_CHECKING:
    from drive.frames.check import CheckReport

HELP = "Read recordings frame by frame and row by row, and report what is wrong with them."
EXAMPLE = "check-data data/sample"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="folder or video")
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Check every recording; a report file is written only where `--out` asks for one."""
    from drive.frames.check import check_recording
    from drive.frames.recording import open_recordings
    from drive.runs import write_json

    broken: list[dict[str, Any]] = []

    def note(place: Path, error: InputError) -> None:
        broken.append(
            {"name": str(place), "findings": [{"code": "unreadable", "text": str(error)}]}
        )
        sys.stdout.write(f"{place}: cannot be checked\n  - {error}\n")

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
        reports.append(_as_json(report))
        sys.stdout.write(_as_text(report, recording.config.camera.horizon))
    if not reports:
        raise InputError("None of the recordings can be read: " + broken[0]["findings"][0]["text"])
    results = {"recordings": [*reports, *broken]}
    if args.out:
        write_json(context.run_folder().file("check.json"), results)
    return results


def _as_text(report: CheckReport, given_horizon: float | None) -> str:
    numbers = report.numbers
    lines = [
        f"{report.name}: {numbers['frames']} frames, {numbers['rows']} rows, "
        f"{numbers['seconds']:.1f} s, angles {numbers['angle_min_deg']} to "
        f"{numbers['angle_max_deg']} degrees, {numbers['zeros_share'] or 0:.0%} zeros"
        if numbers["angle_min_deg"] is not None
        else f"{report.name}: {numbers['frames']} frames, and not one usable angle"
    ]
    lines.append(f"  {_horizon(numbers, given_horizon)}")
    lines += [f"  - {finding.text}" for finding in report.findings] or ["  nothing stands out"]
    return "\n".join(lines) + "\n"


def _horizon(numbers: dict[str, Any], given: float | None) -> str:
    """Where the horizon is, how that is known, and what to write down."""
    share = numbers["horizon"]
    if given is not None:
        return f"horizon at {given:.2f} of the height (given)"
    if not numbers["horizon_trusted"]:
        return f"horizon taken to be at {share:.2f} of the height: the motion does not tell"
    return (
        f"horizon at {share:.2f} of the height (estimated from motion); to keep it, write "
        f"horizon = {share:.2f} under [camera] in recording.toml"
    )


def _as_json(report: CheckReport) -> dict[str, Any]:
    findings = [{"code": finding.code, "text": finding.text} for finding in report.findings]
    return {"name": report.name, **report.numbers, "findings": findings}
