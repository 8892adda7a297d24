"""The page as text: whole, small, and safe whatever a file is called."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from drive.cli import main
from drive.pages import SCRIPTS, LiveReport, read_report, write_report
from drive.pages.page import read_asset
from drive.tasks import train_steering
from drive.tasks._run import Run

MEGABYTE = 1_000_000


class Scripts(HTMLParser):
    """Collects what stands in script elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        if self._inside:
            self.found.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, before = self.found[-1]
            self.found[-1] = attributes, before + data


def data_of(page: Path) -> dict:
    parser = Scripts()
    parser.feed(page.read_text(encoding="utf-8"))
    (text,) = [text for attributes, text in parser.found if attributes.get("id") == "report-data"]
    return json.loads(text)


def test_a_report_is_one_file_of_less_than_two_megabytes(
    annotated_run: Callable[..., Path],
) -> None:
    folder = annotated_run()
    page = write_report(folder)
    assert page == folder / "report.html"
    assert page.stat().st_size < 2 * MEGABYTE
    assert not list(folder.glob("*.part*"))
    assert data_of(page) == read_report(folder) | {"files": data_of(page)["files"]}


def test_the_page_asks_the_network_for_nothing(annotated_run: Callable[..., Path]) -> None:
    text = write_report(annotated_run()).read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    own = "".join(read_asset(name) for name in SCRIPTS if not name.startswith("echarts"))
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|innerHTML|eval)\b", own)
    assert not re.search(r"(src|href)=\"?https?:", text)


def test_any_name_stands_as_text(annotated_run: Callable[..., Path]) -> None:
    name = "<\N{FRACTION SLASH}script>\"'&é日 #1%.mp4"
    folder = annotated_run(name=name)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["settings"]["source"] = record["command"][2] = "</script><img src=x onerror=alert(1)>"
    record["settings"]["weights"] = "<!--data--> <!--scripts-->\u2028"
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    page = write_report(folder)
    data = data_of(page)
    assert data["title"] == "script><img src=x onerror=alert(1)>"
    assert data["command_line"].endswith("</script><img src=x onerror=alert(1)>")
    assert ["weights", "<!--data--> <!--scripts-->\u2028"] in data["settings"]
    assert "<img src=x" not in page.read_text(encoding="utf-8")
    assert data["recordings"][0]["video"]["src"].endswith("%231%25.mp4")


def fresh_data(folder: Path) -> dict:
    """What a live report has written last."""
    text = (folder / "report-data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("liveReport(").removesuffix(");\n"))


def test_a_live_report_gives_signs_of_life_and_says_when_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drive.pages.live.BEAT_S", 0.01)
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss,learning_rate,seconds\n")
    record = {"command": ["python run.py", "train-steering"], "seconds": {"total": 2.0}}
    live = LiveReport(tmp_path, record)
    first = fresh_data(tmp_path)
    assert (first["live"], first["stopped"], first["facts"]) == (True, False, [])
    end = time.monotonic() + 10
    while fresh_data(tmp_path)["alive"] == first["alive"] and time.monotonic() < end:
        time.sleep(0.01)
    assert fresh_data(tmp_path)["alive"] > first["alive"]
    assert fresh_data(tmp_path)["written"] == first["written"]
    live.stop()
    for data in (fresh_data(tmp_path), data_of(tmp_path / "report.html")):
        assert (data["live"], data["stopped"]) == (False, True)
    last = fresh_data(tmp_path)["alive"]
    time.sleep(0.05)
    assert fresh_data(tmp_path)["alive"] == last


def test_a_command_that_is_interrupted_says_so_in_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(config: object, run: Run) -> None:
        (tmp_path / "history.csv").write_text("epoch,loss,val_loss,learning_rate,seconds\n")
        run.live_report()
        raise KeyboardInterrupt

    monkeypatch.setattr(train_steering, "_train", interrupted)
    assert main(["train-steering", "--out", str(tmp_path)]) == 130
    assert fresh_data(tmp_path)["stopped"]
    assert data_of(tmp_path / "report.html")["stopped"]


def test_a_live_report_keeps_its_data_beside_it_until_the_end(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text("epoch,loss,val_loss,learning_rate,seconds\n1,2.5,2,0.001,3\n")
    record = {"command": ["python run.py", "train-steering"], "settings": {}}
    live = LiveReport(tmp_path, record)
    assert data_of(tmp_path / "report.html")["live"]
    history.write_text(history.read_text() + "2,1.5,nan,0.001,3\n")
    live.update()
    assert len(fresh_data(tmp_path)["training"]["histories"][0]["rows"]) == 2
    live.close()
    write_report(tmp_path, record)
    assert not (tmp_path / "report-data.js").exists()
    assert not data_of(tmp_path / "report.html")["live"]


@pytest.mark.parametrize(
    "name", ["echarts-LICENSE.txt", "echarts-NOTICE.txt", "zrender-LICENSE.txt"]
)
def test_the_licences_of_what_ships_are_there(name: str) -> None:
    assert len(read_asset(name)) > 100
