"""`check-data`: read recordings and report what is wrong with them; changes nothing."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from drive.commands._common import Context, add_recording_options, recording_overrides

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

    recordings = open_recordings(
        args.recordings, steering_csv=args.steering, overrides=recording_overrides(args)
    )
    reports = []
    for recording in recordings:
        report = check_recording(recording, context.progress)
        reports.append(report)
        sys.stdout.write(_as_text(report))
    results = {"recordings": [_as_json(report) for report in reports]}
    if args.out:
        write_json(context.run_folder().file("check.json"), results)
    return results


def _as_text(report: CheckReport) -> str:
    numbers = report.numbers
    lines = [
        f"{report.name}: {numbers['frames']} frames, {numbers['rows']} rows, "
        f"{numbers['seconds']:.1f} s, angles {numbers['angle_min_deg']} to "
        f"{numbers['angle_max_deg']} degrees, {numbers['zeros_share'] or 0:.0%} zeros"
    ]
    lines += [f"  - {finding.text}" for finding in report.findings] or ["  nothing stands out"]
    return "\n".join(lines) + "\n"


def _as_json(report: CheckReport) -> dict[str, Any]:
    findings = [{"code": finding.code, "text": finding.text} for finding in report.findings]
    return {"name": report.name, **report.numbers, "findings": findings}
