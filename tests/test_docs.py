"""README and guides are true: examples run, commands and options exist, links resolve."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import drive
from drive.cli import COMMANDS, main
from tests.conftest import VideoMaker

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted((ROOT / "docs" / "guide").glob("*.md"))
USER_PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", *GUIDES]
PAGES = [
    *USER_PAGES,
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs" / "decisions").glob("*.md"),
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "weights" / "README.md",
    ROOT / "data" / "sample" / "README.md",
]
WRITTEN_FILES = {"recording.toml", "detections.csv", "compare.py", "report-data.js"}
LONGEST_README = 100
LARGEST_IMAGE = 200_000
TRAINS = re.compile(r"\b(train_|tune_)\w+\(")
FRAMES = 40


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def command_lines(page: Path) -> list[str]:
    """Lines of code and inline code that call drive."""
    text = page.read_text()
    found = re.findall(r"^ {4,}(.*)$", text, re.MULTILINE) + re.findall(r"`([^`\n]+)`", text)
    return [line for line in found if re.match(r"(drive|python run\.py|python -m drive) \S", line)]


@cache
def options(command: str) -> frozenset[str]:
    """The options that the full help of a command names."""
    for flag in ("--help-all", "--help"):
        said = io.StringIO()
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.suppress(SystemExit),
        ):
            main([command, flag])
        if said.getvalue():
            return frozenset(re.findall(r"--[a-z0-9][a-z0-9-]*", said.getvalue())) | {"--help-all"}
    raise AssertionError(f"no help of {command}")


def slug(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return re.sub(r"[\s]+", "-", plain.strip())


def headings(page: Path) -> set[str]:
    return {slug(line) for line in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)}


def examples() -> list[object]:
    with_python = [page for page in USER_PAGES if blocks(page, "python")]
    slow = {page for page in with_python if any(map(TRAINS.search, blocks(page, "python")))}
    return [
        pytest.param(page, id=page_id(page), marks=[pytest.mark.slow] if page in slow else [])
        for page in with_python
    ]


@pytest.fixture
def workplace(tmp_path: Path, make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the examples name, all small."""
    make_video("video.mp4", frames=FRAMES)
    for folder in ("drives", "my_recordings"):
        for name in ("epoch01", "epoch02"):
            make_video(f"{folder}/{name}_front.mp4", frames=FRAMES)
            rows = [f"{frame},{3 * math.sin(frame / 7):.3f}" for frame in range(FRAMES)]
            table = tmp_path / folder / f"{name}_steering.csv"
            table.write_text("\n".join(["frame,wheel", *rows, ""]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # of the cache of decoded frames
    return tmp_path


@pytest.mark.parametrize("page", examples())
def test_the_examples_run_as_written(page: Path, workplace: Path) -> None:
    names: dict[str, object] = {}
    found = list(blocks(page, "python"))
    assert found
    for number, code in enumerate(found, start=1):
        exec(compile(code, f"{page_id(page)}, example {number}", "exec"), names)


@pytest.mark.parametrize("page", USER_PAGES, ids=page_id)
def test_commands_and_their_options_exist(page: Path) -> None:
    for line in command_lines(page):
        words = shlex.split(re.sub(r"^(drive|python run\.py|python -m drive) ", "", line))
        if words[0] in ("COMMAND", "--help", "[DIR]"):
            continue
        assert words[0] in COMMANDS, line
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options(words[0]), line


@pytest.mark.parametrize("page", USER_PAGES, ids=page_id)
def test_options_named_alone_exist(page: Path) -> None:
    """In a guide, an option is one of a command that the guide names."""
    inline = re.findall(r"`(-[^`\n]+)`", page.read_text())
    named = {word for code in inline for word in code.split() if word.startswith("--")}
    text = page.read_text()
    commands = [command for command in COMMANDS if re.search(rf"`{command}\b|\b{command} ", text)]
    known = frozenset[str]().union(*map(options, commands))
    assert named <= known, f"{page_id(page)}: {sorted(named - known)} of {commands}"


def test_every_command_has_a_place_in_the_guides() -> None:
    overview = (ROOT / "docs" / "guide" / "command-line.md").read_text()
    assert [name for name in COMMANDS if f"`{name}" not in overview] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), f"{page_id(page)}: {target}"
        if anchor and not anchor.startswith("drive."):
            assert anchor in headings(linked), f"{page_id(page)}: {target}"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_the_architecture_names_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    for path in re.findall(r"`([\w./]+\.(?:py|md|toml|csv|js))`", text):
        places = [ROOT / path, ROOT / "drive" / path, ROOT / "drive" / "pages" / "assets" / path]
        written = path in WRITTEN_FILES
        assert written or any(place.exists() for place in places), f"{name}: {path}"
    for room in re.findall(r"^  (\w+)/", text, re.MULTILINE):
        assert (ROOT / "drive" / room).is_dir(), room


def test_every_room_is_in_the_architecture() -> None:
    rooms = {path.parent.name for path in (ROOT / "drive").glob("*/__init__.py")}
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert rooms == set(re.findall(r"^  (\w+)/", text, re.MULTILINE))


def test_every_public_name_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference.md").read_text()
    missing = [name for name in drive.__all__ if not re.search(rf"\b{name}\b", text)]
    assert missing == []


def test_the_reference_names_nothing_else() -> None:
    text = (ROOT / "docs" / "reference.md").read_text()
    named = {name.rpartition(".")[2] for name in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)}
    named |= set(re.findall(r"^<!-- options of [a-z-]+: (\w+) -->$", text, re.MULTILINE))
    assert named <= set(drive.__all__)


def test_the_readme_is_short_and_begins_with_an_image() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) < LONGEST_README
    assert lines[2].startswith("![")
    for image in (ROOT / "docs" / "images").iterdir():
        assert image.stat().st_size < LARGEST_IMAGE, image.name


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra docs; .ci/run builds the site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = re.findall(r'(?:src|href)="https?://[^"]+', (tmp_path / "index.html").read_text())
    assert [link for link in loaded if "src=" in link or ".css" in link] == []
    reference = (tmp_path / "reference" / "index.html").read_text()
    assert "<code>--tiles</code>" in reference and "&lt;!-- options of" not in reference


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    client(notebook, resources={"metadata": {"path": str(tmp_path)}}, timeout=300).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert sum("image/png" in out.get("data", {}) for out in outputs) == 2
    assert (tmp_path / "notebook_results" / "detection" / "report.html").is_file()


def test_the_notebook_is_kept_without_outputs() -> None:
    text = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())
    assert not any(cell.get("outputs") for cell in text["cells"])


def test_every_image_is_shown_somewhere() -> None:
    text = "".join(page.read_text() for page in PAGES)
    images = (path.name for path in (ROOT / "docs" / "images").iterdir())
    assert [name for name in images if f"images/{name}" not in text] == []
