"""Files that are whole or absent, also if several writers are at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from drive.core.files import atomic, atomic_folder


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    final = tmp_path / "table.csv"
    with atomic(final) as first:
        with atomic(final) as second:
            assert first != second and first.suffix == second.suffix == ".csv"
            assert first.match("table.part*.csv")
            first.write_text("first")
            second.write_text("second")
        assert final.read_text() == "second"
    assert final.read_text() == "first"
    assert list(tmp_path.iterdir()) == [final]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    final = tmp_path / "images"
    final.mkdir()
    (final / "old").touch()
    with pytest.raises(KeyError), atomic_folder(final) as part:
        (part / "new").touch()
        raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["images", "old"]
