"""Run folders and whole files: numbered, never overwritten, never half written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.files import atomic, atomic_folder
from drive.results import run_folder as runs
from drive.results.json_files import write_json
from drive.results.record import RunRecord
from drive.results.run_folder import open_run_folder


def test_folders_are_numbered_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "OUTPUTS", tmp_path / "outputs")
    names = [open_run_folder("detect", None, False).path.name for _ in range(2)]
    (tmp_path / "outputs" / "041-other").mkdir()
    names.append(open_run_folder("detect", None, False).path.name)
    assert names == ["001-detect", "002-detect", "042-detect"]


def test_a_finished_run_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="--overwrite"):
        open_run_folder("detect", str(tmp_path), False)
    assert open_run_folder("detect", str(tmp_path), True).file("run.json").exists()


def test_an_existing_result_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_text("mine")
    folder = open_run_folder("detect", str(tmp_path), False)
    with pytest.raises(InputError, match=r"video\.mp4"):
        folder.file("video.mp4")


def test_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        open_run_folder("detect", str(tmp_path / "file"), True)


def test_out_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place, why in (
        (tmp_path / "file" / "below", "file is a file"),
        (Path("/proc/nowhere"), "/proc is not writable"),
    ):
        with pytest.raises(
            InputError, match=rf"cannot be created: .*{why}\. Choose another with --out"
        ):
            open_run_folder("detect", str(place), False)

    def refuse(**arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runs.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"is not writable: Permission denied"):
        open_run_folder("detect", str(tmp_path), False)


def test_atomic_files_are_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(RuntimeError), atomic(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with atomic(path) as part:
        assert part.suffix == ".csv"
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_the_record_holds_inputs_versions_and_seconds(tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(b"abc")
    record = RunRecord(["run.py", "detect"], {"conf": 0.3})
    record.add_input(source)
    record.add_input("0")
    with record.stage("decode"):
        pass
    record.counts["frames_read"] = np.int64(3)
    record.write(tmp_path / "run.json")
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["inputs"][0]["bytes"] == 3
    # FIPS 180-2, example B.1: the SHA-256 of "abc".
    assert saved["inputs"][0]["sha256"].startswith("ba7816bf8f01cfea")
    assert saved["inputs"][1] == {"path": "0"}
    assert saved["settings"] == {"conf": 0.3}
    assert saved["counts"] == {"frames_read": 3}
    assert "decode" in saved["seconds"]
    assert "numpy" in saved["versions"]


def test_json_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_atomic_folders_take_the_place_of_the_old_one_only_when_whole(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "old.jpg").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(folder) as part:
        (part / "new.jpg").write_text("half")
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["old.jpg"]
    with atomic_folder(folder) as part:
        (part / "new.jpg").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["new.jpg"]
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
