"""The pages of `view` in a browser: the list, a run, two in step, ranges that training skips."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drive.core.reporter import KeepingReporter
from drive.recordings.excluded import read_marks
from drive.steering.preprocess import ROAD
from drive.steering.training_data import TrainingData
from drive.steering.training_split import read_split
from drive.tasks._run import Run, RunConfig
from tests.pages.view.conftest import Results, write_history, write_search

pytestmark = pytest.mark.slow

WAIT_S = 20.0
FRAME_S = 0.05
SIDES = "[...document.querySelectorAll('#comparison video')]"
LEAD, OTHER = f"{SIDES}[0].currentTime", f"{SIDES}[1].currentTime"


class Page:
    """A page of the server in the browser."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address = browser, address
        browser.get_log("browser")

    def open(self, path: str, until: str) -> None:
        self.browser.get(self.address.rstrip("/") + path)
        self.wait(until)

    def value(self, expression: str) -> Any:
        return self.browser.execute_script(f"return ({expression})")

    def do(self, script: str) -> None:
        self.browser.execute_script(script)

    def wait(self, condition: str) -> Any:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if value := self.value(condition):
                return value
            time.sleep(0.05)
        times = self.value("[...document.querySelectorAll('video')].map((v) => v.currentTime)")
        raise AssertionError(f"still not so: {condition}\n{self.complaints()} {times}")

    def click(self, selector: str) -> None:
        self.do(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        self.browser.find_element("css selector", selector).click()

    def type(self, selector: str, text: str) -> None:
        self.browser.find_element("css selector", selector).send_keys(text)

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def texts(self, selector: str) -> list[str]:
        return self.value(f"[...document.querySelectorAll({selector!r})].map((e) => e.innerText)")

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def resize(self, width: int, height: int, scheme: str = "light") -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    yield Page(browser, address)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get("about:blank")


def names(page: Page) -> list[str]:
    return page.value("[...document.querySelectorAll('[data-run]')].map((e) => e.dataset.run)")


def test_the_list_is_filtered_and_two_are_chosen(page: Page, address: str) -> None:
    page.open("/", "document.querySelectorAll('.card').length === 5")
    assert names(page)[0] == "005-train-steering"
    page.wait("[...document.images].some((i) => i.naturalWidth === 320)")
    page.press("/")
    page.type("#filter", "annotate boxes")
    assert names(page) == ["002-annotate", "001-annotate"]
    assert page.texts("#count") == ["2 of 5 runs"]
    page.do("location.reload()")
    page.wait("document.querySelectorAll('.card').length === 2")
    page.click("[data-run='001-annotate'] input")
    page.click("[data-run='002-annotate'] input")
    page.click("#compare")
    page.wait("document.title.startsWith('001-annotate and 002-annotate')")
    assert page.complaints() == []


def test_a_damaged_run_says_why_in_the_list(page: Page, results: Results) -> None:
    (results.root / "001-annotate" / "run.json").write_text("{")
    page.open("/?q=damaged", "document.querySelectorAll('.card').length === 1")
    (text,) = page.texts(".card .text")
    assert "cannot be read" in text
    assert "run.json is not valid JSON: it is damaged or cut short at line 1" in text


def test_a_broken_video_is_a_word_in_the_list(page: Page, results: Results) -> None:
    video = results.root / "001-annotate" / "epoch01_front.mp4"
    video.write_bytes(video.read_bytes()[:500])
    page.open("/?q=annotate", "document.querySelectorAll('.card').length === 2")
    page.wait("document.querySelectorAll('.card img').length === 1")
    assert page.texts("[data-run='001-annotate'] .instead") == ["no image"]
    assert page.complaints() == []


def test_a_search_leads_to_its_trials_and_back(page: Page, results: Results) -> None:
    write_search(results, "006-tune-steering")
    page.open("/run/006-tune-steering", "document.querySelector('.trials .rows a')")
    assert page.value("document.querySelector('.excluded').hidden")
    page.click(".trials .rows a")
    page.wait("document.querySelector('#report canvas')")
    assert page.texts("#report h1")[0].startswith("trial 0, ")
    page.click("#name a")
    page.wait("document.querySelector('.trials .rows a')")
    assert page.complaints() == []


def test_a_training_has_nothing_to_exclude(page: Page) -> None:
    page.open("/run/004-train-steering", "document.querySelector('#report canvas')")
    assert page.value("document.querySelector('.excluded').hidden")


def test_a_run_opens_without_complaints_and_from_nowhere_else(page: Page, address: str) -> None:
    page.open("/run/001-annotate", "DriveView.report && DriveView.report.video")
    page.wait("DriveView.report.video.readyState >= 2")
    page.press("l")
    page.wait("!DriveView.report.paused && DriveView.report.time > 0.2")
    page.press("k")
    page.do("DriveView.report.seek(1.01)")
    page.press("\ue014")
    assert page.wait("DriveView.report.time > 1.05 && DriveView.report.time < 1.1")
    loaded = page.value("performance.getEntriesByType('resource').map((e) => e.name)")
    assert loaded
    assert all(each.startswith(address) for each in loaded)
    assert "002-annotate" in "".join(page.texts("#other optgroup option"))
    assert page.complaints() == []


def test_what_was_evaluated_plays_from_where_it_lies(page: Page, results: Results) -> None:
    video = results.recording / "epoch01_front.mp4"
    source = [{"path": str(video), "bytes": video.stat().st_size}]
    folder = results.add("deep/eval", "evaluate-steering", "2026-11-01", inputs=source)
    (folder / "steering.csv").write_text(
        (results.root / "001-annotate" / "steering.csv").read_text()
    )
    page.open("/run/deep/eval", "DriveView.report && DriveView.report.video")
    page.wait("DriveView.report.video.readyState >= 2 && DriveView.report.duration > 7")
    assert not page.value("document.querySelector('.excluded').hidden")
    assert page.complaints() == []


def test_names_of_all_kinds_lead_to_their_runs(page: Page, results: Results) -> None:
    odd = "ä b#c?d%2e&e=f+g"
    (results.root / "001-annotate").rename(results.root / odd)
    page.open("/?q=%C3%A4", "document.querySelectorAll('.card').length === 1")
    page.wait("document.querySelector('.card img').naturalWidth === 320")
    page.click(".card h2 a")
    page.wait("DriveView.report && DriveView.report.video.readyState >= 2")
    assert page.texts("#name") == [odd]
    page.open("/", "document.querySelectorAll('.card').length === 5")
    for name in (odd, "002-annotate"):
        page.do(f"document.querySelector('[data-run=\"{name}\"] input').click()")
    page.click("#compare")
    page.wait(f"{SIDES}.length === 2 && {SIDES}.every((v) => v.readyState >= 2)")
    assert page.complaints() == []


def test_pictures_are_compared_too(page: Page, results: Results) -> None:
    for number in (6, 7):
        folder = results.add(f"00{number}-detect", "detect", "2026-11-02T10:00:00+0000")
        (folder / "images").mkdir()
        for name in ("a", "b", "c"):
            image = np.full((90, 160, 3), 20 * number, np.uint8)
            cv2.imwrite(str(folder / "images" / f"{name}.jpg"), image)
    page.open("/compare?a=006-detect&b=007-detect", "DriveView.pair")
    page.wait("document.querySelectorAll('.screen img').length === 2")
    page.press("\ue014")
    shown = page.value("[...document.querySelectorAll('.screen img')].map((e) => e.src)")
    assert [each.rsplit("/files/")[1] for each in shown] == [
        "006-detect/images/b.jpg",
        "007-detect/images/b.jpg",
    ]
    assert page.complaints() == []


def test_a_damaged_table_is_named_over_the_rest_of_the_report(page: Page, results: Results) -> None:
    (results.root / "001-annotate" / "steering.csv").write_text("frame\nno number\n")
    page.open("/run/001-annotate", "document.querySelector('.damaged')")
    assert page.texts(".damaged") == ["steering.csv: missing column time_s; got frame"]
    assert page.texts("video") and page.texts("#problem") == [""]
    assert page.complaints() == []


def test_a_comparison_of_two_videos_plays(page: Page, results: Results) -> None:
    source = results.root / "001-annotate" / "epoch01_front.mp4"
    folder = results.add("006-compare", "compare", "2026-11-01T10:00:00+0000")
    (folder / "side_by_side.mp4").write_bytes(source.read_bytes())
    page.open("/run/006-compare", "DriveView.report && DriveView.report.video?.readyState >= 2")
    page.press("\ue014", "+")
    assert page.wait("DriveView.report.time > 0")
    assert page.value("document.querySelectorAll('#report .charts, #report .tables').length") == 0
    assert page.complaints() == []


def test_two_videos_stay_in_step(page: Page) -> None:
    page.open("/compare?a=001-annotate&b=002-annotate", "window.DriveView && DriveView.pair")
    page.wait(f"{SIDES}.length === 2 && {SIDES}.every((v) => v.readyState >= 3)")
    page.press(" ")
    page.wait("DriveView.pair.playing && DriveView.pair.time > 0.4")
    drifts = []
    for _ in range(20):
        drifts.append(abs(page.value(f"{LEAD} - {OTHER}")))
        time.sleep(0.05)
    assert np.median(drifts) < FRAME_S
    page.do(f"{SIDES}[1].currentTime += 0.9")  # far off: it is sought
    page.wait(f"!{SIDES}[1].seeking && Math.abs({LEAD} - {OTHER}) < {FRAME_S}")
    page.do(f"{SIDES}[1].currentTime -= 0.2")  # a little off: it catches up
    page.wait(f"!{SIDES}[1].seeking && Math.abs({LEAD} - {OTHER}) < {FRAME_S}")
    page.press("k")
    page.wait(f"{SIDES}.every((v) => v.paused && !v.seeking)")
    assert page.value(f"{LEAD} - {OTHER}") == pytest.approx(0, abs=2e-3)
    page.do("DriveView.pair.seek(3.01)")
    page.press("\ue014", "\ue014", "\ue012")
    page.wait(f"{SIDES}.every((v) => !v.seeking && v.currentTime > 3.05 && v.currentTime < 3.1)")
    begun = "window.begun = 0; VIDEO.addEventListener('seeking', () => window.begun++)"
    page.do(begun.replace("VIDEO", f"{SIDES}[1]"))
    page.do("[4, 5, 6].forEach((time) => DriveView.pair.seek(time))")
    page.wait(f"{SIDES}.every((v) => !v.seeking && v.currentTime > 5.9)")
    assert page.value("window.begun") == 2  # none overtakes another: the one to 5 s is left out
    page.press("j")
    page.wait("DriveView.pair.time < 5.8")
    page.press("k")
    assert page.value("DriveView.pair.playing") is False
    page.press("\ue010")
    page.wait(f"{SIDES}.every((v) => !v.seeking && v.currentTime > 7.9)")
    assert page.complaints() == []


def test_the_slider_seeks_even_without_the_focus(page: Page) -> None:
    page.open("/compare?a=001-annotate&b=002-annotate", "window.DriveView && DriveView.pair")
    slider = "document.querySelector('input[type=range]')"
    page.do(f"{slider}.value = {slider}.max / 2; {slider}.dispatchEvent(new Event('input'))")
    assert page.value("DriveView.pair.time") == pytest.approx(4, abs=0.1)


def test_curves_lie_over_each_other_and_settings_differ(page: Page) -> None:
    page.open("/compare?a=001-annotate&b=002-annotate", "document.querySelector('#settings')")
    page.wait("document.querySelectorAll('#chart-steering canvas').length")
    assert page.texts("#settings tbody tr") == ["conf\t0.1\t0.2"]
    assert "boxes\t7\t14" in [row.replace("\n", "") for row in page.texts("#numbers tbody tr")]
    legend = "".join(page.texts("#chart-steering .values"))
    assert [word in legend for word in ("A model", "B model", "recorded")] == [True] * 3
    label = page.value("document.querySelector('#chart-steering [aria-label]').ariaLabel")
    assert "A model: lowest \u22124.0°" in label
    assert "B model: lowest \u22122.5°" in label
    page.open(
        "/compare?a=004-train-steering&b=005-train-steering", "document.querySelector('.tables')"
    )
    page.wait("document.querySelector('.plot-card canvas')")
    label = page.value("document.querySelector('.plot-card [aria-label]').ariaLabel")
    assert "B (005-train-steering): lowest validation loss 5.000" in label
    page.open("/compare?a=001-annotate&b=absent", "!document.querySelector('#problem').hidden")
    assert "absent" in "".join(page.texts("#problem"))


HUMAN = (
    "DriveView.charts.panels[0].drawing.getOption()"
    ".series.find((each) => each.name === 'recorded').data"
)


def test_the_human_s_curve_covers_the_time_of_both_and_breaks_between(
    page: Page, results: Results
) -> None:
    """The second run is of the same source from second 10 on."""
    table = results.root / "002-annotate" / "steering.csv"
    head, *rows = [row.split(",") for row in table.read_text().splitlines()]
    for row in rows:
        row[1] = f"{float(row[1]) + 10:.6f}"
    table.write_text("\n".join(map(",".join, [head, *rows])) + "\n")
    page.open("/compare?a=001-annotate&b=002-annotate", "document.querySelector('#settings')")
    page.wait("document.querySelectorAll('#chart-steering canvas').length")
    known = f"{HUMAN}.filter(([time, value]) => Number.isFinite(value)).map((point) => point[0])"
    times = page.value(known)
    assert (times[0], times[-1]) == (0, pytest.approx(17.95, abs=0.01))
    assert all(not 8 < time < 9.99 for time in times)
    missing = f"{HUMAN}.filter(([time, value]) => !Number.isFinite(value)).map((point) => point[0])"
    assert page.value(missing) == [pytest.approx(10, abs=0.01)]
    assert page.texts("#chart-steering .value").count("recorded") <= 1


def trained_frames(recording: Path, cache: Path) -> int:
    """How many frames `train-steering` learns from."""
    data = TrainingData(
        recordings=(str(recording),), validation="epoch02", crop=str(ROAD), overrides={}
    )
    run = Run("train-steering", RunConfig(), KeepingReporter())
    return len(read_split(data, str(cache), run).training[0])


def test_a_range_is_excluded_and_included_again(
    page: Page, results: Results, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    make_recording("town", [1.0] * 40, epoch="epoch02")
    results.toml.write_text("# mine\nlag_s = 0.0\n")
    cache = tmp_path / "cache"
    before = trained_frames(results.recording, cache)
    page.open("/run/001-annotate", "DriveView.report && DriveView.report.video")
    page.wait("DriveView.report.duration > 7 && DriveView.report.video.readyState >= 2")
    page.click(".excluded .toggle")
    page.do("DriveView.report.seek(1.0); document.activeElement.blur()")
    page.press("i")
    page.do("DriveView.report.seek(99)")
    page.press("o")
    assert page.value("document.querySelector('#range-end').value") == "7.950"  # the last frame
    page.do("DriveView.report.seek(2.0)")
    page.press("o")
    assert page.value("document.querySelector('#range-start').value") == "1.000"
    page.type("#range-reason", "autopilot")
    page.click(".excluded .main")
    page.wait("document.querySelectorAll('.ranges li').length === 1")
    (mark,) = read_marks(results.recording)
    assert (mark.start_s, mark.end_s, mark.reason, mark.drive) == (1, 2, "autopilot", "epoch01")
    assert results.toml.read_text().startswith("# mine\nlag_s = 0.0\n")
    assert trained_frames(results.recording, cache) == before - 21
    page.do("location.reload()")
    page.wait("document.querySelector('.timeline .hatched')")
    page.click(".excluded .toggle")
    assert page.texts(".ranges .go") == ["0:01.00 to 0:02.00\nautopilot"]
    page.click(".ranges .undo")
    page.wait("!document.querySelector('.ranges li')")
    assert results.toml.read_text() == "# mine\nlag_s = 0.0\n"
    assert trained_frames(results.recording, cache) == before
    page.type("#range-start", "3")
    page.type("#range-end", "2")
    page.click(".excluded .main")
    page.wait("!document.querySelector('#range-form .problem').hidden")
    assert read_marks(results.recording) == []
    assert page.complaints() == []
    page.type("#range-end", "99")
    page.click(".excluded .main")
    page.wait(
        "document.querySelector('#range-form .problem').innerText.includes('must end by 8.0 s')"
    )
    assert read_marks(results.recording) == []


def test_a_range_is_in_the_time_of_the_recording_not_of_the_part(
    page: Page, results: Results
) -> None:
    """The run began at second 2 of its source: its video's second 1 is the source's third."""
    table = results.root / "001-annotate" / "steering.csv"
    head, *rows = table.read_text().splitlines()
    later = [row.split(",") for row in rows]
    moved = [",".join([frame, f"{float(time_s) + 2:.6f}", *rest]) for frame, time_s, *rest in later]
    table.write_text("\n".join([head, *moved]) + "\n")
    page.open("/run/001-annotate", "DriveView.report && DriveView.report.duration > 7")
    page.click(".excluded .toggle")
    page.do("DriveView.report.seek(1.0)")
    page.click(".excluded .set")
    assert page.value("document.querySelector('#range-start').value") == "3.000"
    page.open("/compare?a=001-annotate&b=001-annotate", f"{SIDES}[0]?.duration > 7")
    page.wait("document.querySelector('.controls .time').innerText.startsWith('0:02.00 / 0:10')")
    assert page.texts(".axis span")[0] == "0:02"


def test_the_loss_of_a_training_that_goes_on_grows(page: Page, results: Results) -> None:
    page.open("/run/005-train-steering", "document.querySelector('.badge.running')")
    page.wait("document.querySelector('#report canvas')")
    assert "epoch 2" in "".join(page.texts("#report .state"))
    page.do("window.stays = true")
    write_history(results.root / "005-train-steering", 4)
    page.wait("document.querySelector('#report .state').innerText.includes('epoch 4')")
    assert page.value("window.stays")
    results.add("005-train-steering", "train-steering", "2026-11-22T10:00:00+0000")
    page.wait("!document.querySelector('.badge.running')")
    assert page.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_wide_and_narrow_screens(page: Page, width: int, scheme: str) -> None:
    page.resize(width, 844, scheme)
    for path, ready in (
        ("/", "document.querySelectorAll('.card').length"),
        ("/run/001-annotate", "!document.querySelector('.excluded').hidden"),
        ("/run/004-train-steering", "document.querySelector('#report canvas')"),
        ("/compare?a=001-annotate&b=002-annotate", "document.querySelector('#settings')"),
    ):
        page.open(path, ready)
        if "run/001" in path:
            page.click(".excluded .toggle")
        assert page.value("document.documentElement.scrollWidth") <= width, path
        nameless = page.value(
            "[...document.querySelectorAll('button, a, input, select, img, video')].filter((e) => "
            "!(e.innerText || e.alt !== undefined || e.ariaLabel || e.title || e.labels?.length "
            "|| e.ariaHidden || e.type === 'search')).map((e) => e.outerHTML)"
        )
        assert nameless == []
    assert page.complaints() == []
