"""`manifest.json` and the summary: names, states, what is read again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from drive.core.errors import InputError, MissingFileError
from drive.core.jobs import Outcome
from drive.results.manifest import DONE, FAILED, PENDING, Manifest
from drive.results.names import MANIFEST
from drive.results.summary import as_text, totals, write_summary


def manifest_of(folder: Path, *sources: str) -> Manifest:
    found = Manifest(folder / MANIFEST, "detect", {"conf": 0.3})
    found.add([folder / source for source in sources])
    return found


def test_videos_of_the_same_name_get_folders_of_their_own(tmp_path: Path) -> None:
    found = manifest_of(
        tmp_path, "mon/0001.mp4", "tue/0001.mp4", "tue/0001-2.mp4", "B.mkv", "b.avi"
    )
    assert [entry.folder for entry in found.entries] == ["0001", "0001-2", "0001-2-2", "B", "b-2"]


def test_no_folder_leads_out_hides_or_takes_the_name_of_a_file_of_the_run(tmp_path: Path) -> None:
    sources = ("...mp4", ".mp4", "run.json.mp4", "manifest.json.mp4", " .mp4")
    names = [entry.folder for entry in manifest_of(tmp_path, *sources).entries]
    assert names == ["video", "mp4", "run.json-2", "manifest.json-2", "video-2"]


def test_a_video_is_in_it_once_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    found = manifest_of(tmp_path, "a.mp4", "./a.mp4", "link.mp4")
    assert [entry.source for entry in found.entries] == [str(tmp_path / "a.mp4")]
    assert [entry.folder for entry in found.add([tmp_path / "new.mp4"])] == ["new"]


def test_what_is_noted_is_in_the_file_at_once(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    found.note(Outcome(1, reason="b.mp4 is empty", wrong_input=True, seconds=0.5))
    found.note(Outcome(0, {"frames": 9, "video": tmp_path / "a" / "a.mp4"}, seconds=2))
    again = Manifest.read(tmp_path)
    assert [entry.status for entry in again.entries] == [DONE, FAILED, PENDING]
    assert again.entries[0].results["video"] == str(tmp_path / "a" / "a.mp4")
    assert again.entries[1].reason == "b.mp4 is empty"
    assert again.settings == {"conf": 0.3}
    assert again.with_status(PENDING, FAILED) == again.entries[1:]
    again.note(Outcome(1, {"frames": 3}))
    assert Manifest.read(tmp_path).entries[1].reason is None
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_missing_or_damaged_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no manifest\.json"):
        Manifest.read(tmp_path)
    manifest_of(tmp_path, "a.mp4").write()
    whole = (tmp_path / MANIFEST).read_text()
    for damaged in (whole[:40], "[]", whole.replace('"folder"', '"fodler"'), "\xff"):
        (tmp_path / MANIFEST).write_text(damaged)
        with pytest.raises(InputError, match=r"not a valid manifest: .{9,}\. Start the run again"):
            Manifest.read(tmp_path)
    content = json.loads(whole)
    (tmp_path / MANIFEST).write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(InputError, match="got 99"):
        Manifest.read(tmp_path)


def test_the_summary_has_a_row_a_video(tmp_path: Path) -> None:
    found = manifest_of(tmp_path, "long-name.mp4", "b.mp4", "c.mp4")
    counts = {"frames": 90, "frames_lost": 1, "boxes": 120, "tracks": 4}
    found.note(Outcome(0, counts, seconds=12.34))
    found.note(Outcome(1, reason="b.mp4 is empty, so", seconds=0.25))
    write_summary(tmp_path / "summary.csv", found.entries)
    with (tmp_path / "summary.csv").open(newline="") as file:
        done, failed, pending = csv.DictReader(file)
    assert done["source"].endswith("long-name.mp4")
    assert [done[name] for name in counts] == ["90", "1", "120", "4"]
    assert (failed["status"], failed["reason"]) == ("failed", "b.mp4 is empty, so")
    assert (pending["status"], pending["frames"], pending["seconds"]) == ("pending", "", "")
    assert as_text(found.entries).splitlines() == [
        "video      status   frames  boxes  tracks  seconds",
        "long-name  done         90    120       4     12.3",
        "b          failed        -      -       -      0.2",
        "c          pending       -      -       -        -",
    ]
    assert totals(found.entries) == {"videos": 3, "done": 1, "failed": 1, "frames": 90}
