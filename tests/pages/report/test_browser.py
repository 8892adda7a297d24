"""The page in a browser: it plays, jumps, thins and stays quick; driven without a window."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.pages import LiveReport, write_report
from drive.results.training_notes import Notes
from tests.conftest import VideoMaker

pytestmark = pytest.mark.slow

Open = Callable[[Path], Any]
HOUR_FRAMES = 108_000
DETECTION_COLUMNS = "source,frame,time_s,track_id,class,score,x1,y1,x2,y2"
WAIT_S = 10.0


def wait_for(browser: Any, condition: str, *arguments: object) -> Any:
    """Wait until a JavaScript expression is true; return its value."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if value := browser.execute_script(f"return ({condition})", *arguments):
            return value
        time.sleep(0.05)
    raise AssertionError(f"still not so: {condition}")


def complaints(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def requests(browser: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [each for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [each["params"]["request"]["url"] for each in sent]


def click(browser: Any, selector: str, share: float = 0.5) -> None:
    """Click with the mouse at a share of an element's width."""
    from selenium.webdriver import ActionChains

    found = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    width = found.rect["width"]
    ActionChains(browser).move_to_element_with_offset(
        found, round((share - 0.5) * width), 0
    ).click().perform()


def press(browser: Any, key: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(key).perform()


READY = "DriveReport.report.video && DriveReport.report.video.readyState >= 2"
DRAWN = (
    "document.querySelectorAll('.plot canvas').length === DriveReport.report.charts.panels.length"
)


@pytest.fixture
def page(annotated_run: Callable[..., Path], open_page: Open) -> Any:
    """A report in the browser, its video loaded and its charts drawn."""
    browser = open_page(write_report(annotated_run(frames=60)))
    wait_for(browser, READY)
    wait_for(browser, DRAWN)
    return browser


def test_it_loads_without_a_complaint_and_without_the_network(page: Any) -> None:
    assert complaints(page) == []
    assert {url.split(":")[0] for url in requests(page)} <= {"file", "data", "blob"}
    assert page.execute_script("return DriveReport.report.video.duration") == pytest.approx(
        3, abs=0.1
    )


def test_space_plays_and_pauses(page: Any) -> None:
    press(page, " ")
    wait_for(page, "DriveReport.report.time > 0.3")
    press(page, " ")
    assert page.execute_script("return DriveReport.report.video.paused")


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_a_click_on_a_chart_moves_the_video_there(page: Any, share: float) -> None:
    click(page, "#chart-error .inner", share)
    wait_for(page, "!DriveReport.report.video.seeking")
    moved = page.execute_script("return DriveReport.report.video.currentTime")
    wanted = share * page.execute_script("return DriveReport.report.duration")
    assert moved == pytest.approx(wanted, abs=0.1)


def test_a_moment_moves_the_video_to_its_frame(page: Any) -> None:
    click(page, ".moment.difference")
    wait_for(page, "!DriveReport.report.video.seeking")
    moved = page.execute_script("return DriveReport.report.video.currentTime")
    assert 0.45 <= moved < 0.5  # frame 9, shown for 0.05 s
    assert (
        page.execute_script("return document.querySelector('.controls .frame').textContent")
        == "frame 9"
    )


def test_no_seek_overtakes_another(page: Any) -> None:
    video = "DriveReport.report.video"
    page.execute_script(f"window.begun = 0; {video}.addEventListener('seeking', () => begun++)")
    page.execute_script("[0.5, 1, 2].forEach((time) => DriveReport.report.player.seek(time))")
    wait_for(page, f"!{video}.seeking && {video}.currentTime > 1.9")
    assert page.execute_script("return begun") == 2  # the one to 1 s is left out


def test_a_row_moves_the_video(page: Any) -> None:
    page.execute_script("document.querySelector('.tables .rows .row:nth-child(5)').click()")
    wait_for(page, "!DriveReport.report.video.seeking")
    moved = page.execute_script("return DriveReport.report.video.currentTime")
    assert 0.35 <= moved < 0.4  # the fifth box is in frame 7


def test_arrows_step_one_frame_of_any_length(
    annotated_run: Callable[..., Path], open_page: Open
) -> None:
    times_ms = [0, 40, 95, 140, 260, 300, 340, 420, 700, 720, 800, 840]
    browser = open_page(write_report(annotated_run(times_ms)))
    wait_for(browser, READY)
    seen = []
    for _ in range(5):
        press(browser, "\ue014")  # right arrow
        wait_for(browser, "!DriveReport.report.video.seeking")
        seen.append(browser.execute_script("return DriveReport.report.video.currentTime"))
    for moment, begin, end in zip(seen, times_ms[1:], times_ms[2:], strict=False):
        assert begin / 1000 <= moment < end / 1000
    press(browser, "\ue012")  # left arrow
    wait_for(browser, "!DriveReport.report.video.seeking")
    assert 0.26 <= browser.execute_script("return DriveReport.report.time") < 0.3


def test_j_k_and_l(page: Any) -> None:
    press(page, "l")
    wait_for(page, "DriveReport.report.time > 0.2")
    press(page, "l")
    assert page.execute_script("return DriveReport.report.player.speed") == 2
    press(page, "k")
    before = page.execute_script(
        "return DriveReport.report.video.paused && DriveReport.report.time"
    )
    press(page, "j")
    wait_for(page, f"DriveReport.report.time < {before}")
    press(page, "k")
    assert page.execute_script("return DriveReport.report.paused")


def test_a_drag_looks_closer_and_a_button_goes_back(page: Any) -> None:
    from selenium.webdriver import ActionChains

    plot = page.find_element("css selector", "#chart-steering .inner")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    quarter = round(plot.rect["width"] / 4)
    ActionChains(page).move_to_element_with_offset(
        plot, -quarter, 0
    ).click_and_hold().move_by_offset(2 * quarter, 0).release().perform()
    shown = page.execute_script("return DriveReport.report.range")
    assert shown == pytest.approx([0.75, 2.25], abs=0.1)
    page.execute_script("DriveReport.report.range = null")
    assert page.execute_script("return DriveReport.report.range") is None


def test_columns_come_back_and_thinning_keeps_extremes(page: Any) -> None:
    found = page.execute_script(
        """
        const n = 100000, times = new Float64Array(n), values = new Float64Array(n);
        for (let i = 0; i < n; i++) { times[i] = i / 30; values[i] = Math.sin(i / 900); }
        values[12345] = 9; values[67890] = -9;
        values.fill(NaN, 40000, 45000);
        const points = DriveReport.thin(times, values, 0, times[n - 1], 1000);
        const known = points.filter(([, y]) => y === y);
        return {
            count: points.length,
            high: known.reduce((a, b) => (b[1] > a[1] ? b : a)),
            low: known.reduce((a, b) => (b[1] < a[1] ? b : a)),
            rises: points.every((p, k) => !k || p[0] > points[k - 1][0]),
            gaps: points.filter(([x, y]) => y !== y && x > 1333 && x < 1500).length,
            few: DriveReport.thin(times, values, 10, 11, 1000).length,
        };
        """
    )
    assert found["count"] <= 4000
    assert found["high"] == [pytest.approx(12345 / 30), 9]
    assert found["low"] == [pytest.approx(67890 / 30), -9]
    assert found["rises"]
    assert found["gaps"] > 40
    assert 30 <= found["few"] <= 34  # every frame of that second


def test_names_that_look_like_html_stay_text(
    annotated_run: Callable[..., Path], open_page: Open
) -> None:
    name = "<\N{FRACTION SLASH}script><img src=x onerror=hurt>\"'&é日 #1%.mp4"
    folder = annotated_run(name=name)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["settings"]["source"] = record["command"][2] = "<script>document.hurt=1</script>"
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    browser = open_page(write_report(folder))
    wait_for(browser, READY)
    assert complaints(browser) == []
    assert browser.execute_script("return document.hurt") is None
    title = browser.execute_script("return document.querySelector('h1').textContent")
    assert title == "script>"  # of a path its last part
    links = browser.execute_script(
        "return [...document.querySelectorAll('.files a')].map((a) => a.textContent)"
    )
    assert name in links


def test_a_moved_folder_keeps_its_video(
    annotated_run: Callable[..., Path], open_page: Open, tmp_path: Path
) -> None:
    folder = annotated_run()
    write_report(folder)
    moved = folder.rename(tmp_path / "moved")
    browser = open_page(moved / "report.html")
    wait_for(browser, READY)
    assert "/moved/" in browser.execute_script("return document.querySelector('video').currentSrc")


def test_without_its_video_charts_and_clock_go_on(
    annotated_run: Callable[..., Path], open_page: Open
) -> None:
    folder = annotated_run()
    page = write_report(folder)
    (folder / "clip.mp4").unlink()
    browser = open_page(page)
    wait_for(browser, "document.querySelector('.screen.empty')")
    click(browser, "#chart-steering .inner", 0.5)
    assert browser.execute_script("return DriveReport.report.time") == pytest.approx(1.5, abs=0.1)
    press(browser, " ")
    wait_for(browser, "DriveReport.report.time > 1.7")


def test_a_phone_has_no_sideways_scrolling(page: Any) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        wait_for(page, "innerWidth === 390")
        time.sleep(0.3)
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_excerpt_is_told_in_the_time_of_its_source(
    annotated_run: Callable[..., Path], open_page: Open
) -> None:
    """`--start 10`: the page's times are the CSV's, and still lead to the excerpt's own frames."""
    browser = open_page(write_report(annotated_run(frames=100, first_s=10)))
    wait_for(browser, READY)
    wait_for(browser, DRAWN)

    def text(selector: str) -> str:
        return browser.execute_script(f"return document.querySelector('{selector}').textContent")

    assert text(".controls .time") == "0:10.00 / 0:15.0"
    labels = browser.execute_script(
        "return [...document.querySelectorAll('.axis span')].map((tick) => tick.textContent)"
    )
    assert labels[:2] == ["0:10.0", "0:10.5"]
    assert len(set(labels)) == len(labels)
    assert text(".moment.difference b") == "0:10.45"
    assert text(".tables .rows .row:nth-child(5) button") == "0:10.35"
    click(browser, ".moment.difference")
    wait_for(browser, "!DriveReport.report.video.seeking")
    assert 0.45 <= browser.execute_script("return DriveReport.report.video.currentTime") < 0.5
    assert text(".controls .time").startswith("0:10.4")


def test_a_table_that_is_wider_than_a_phone_hints_at_more(page: Any) -> None:
    more = "document.querySelector('.tables .table:not([hidden])').classList.contains('more')"
    assert not page.execute_script(f"return {more}")
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        wait_for(page, more)
        page.execute_script("document.querySelector('.tables .scroll').scrollLeft = 2000")
        wait_for(page, f"!{more}")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_charts_say_in_words_what_they_show(page: Any) -> None:
    words = page.execute_script(
        "return document.querySelector('#chart-steering .canvas').getAttribute('aria-label')"
    )
    assert words.startswith("Steering angle from 0:00.0 to 0:03.0. model: lowest 0.0°, mean")


def test_an_hour_opens_in_two_seconds(tmp_path: Path, open_page: Open) -> None:
    folder = tmp_path / "hour"
    folder.mkdir()
    rng = np.random.default_rng(0)
    time_s = np.arange(HOUR_FRAMES) / 30
    angle = np.cumsum(rng.normal(0, 0.1, HOUR_FRAMES))
    with (folder / "steering.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", "time_s", "angle_deg", "truth_deg"])
        rows.writerows(
            [k, f"{t:.6f}", f"{a:.4f}", f"{a / 2:.4f}"]
            for k, (t, a) in enumerate(zip(time_s, angle, strict=True))
        )
    with (folder / "detections.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(DETECTION_COLUMNS.split(","))
        for k, t in enumerate(time_s):
            for car in range(3):
                box = (100.25 + car, 200.5, 150 + k % 100, 260)
                rows.writerow(["a.mp4", k, f"{t:.6f}", car + 1, "car", 0.5, *box])
    page = write_report(folder)
    assert page.stat().st_size < 12_000_000
    took = []
    for _ in range(2):
        browser = open_page(page)
        wait_for(browser, DRAWN)
        took.append(
            browser.execute_script(
                "return performance.getEntriesByName('report-shown')[0].startTime"
            )
        )
    assert min(took) < 2000
    rows_shown = browser.execute_script(
        "return document.querySelectorAll('.tables .rows .row').length"
    )
    assert rows_shown < 200
    scrolled = browser.execute_script(
        """
        const {table} = DriveReport.report.tables.chosen;
        const took = [], whole = table.scroll.scrollHeight;
        for (let k = 1; k <= 50; k++) {
          const began = performance.now();
          table.scroll.scrollTop = (whole * k) / 50;
          table.draw();
          table.body.offsetHeight;
          took.push(performance.now() - began);
        }
        return took.sort((a, b) => a - b)[25];
        """
    )
    assert scrolled < 33  # milliseconds; machines that run tests are busy
    last = browser.execute_script(
        "return DriveReport.report.tables.chosen.table.body.lastChild.dataset.row"
    )
    assert int(last) == 3 * HOUR_FRAMES - 1


def test_a_live_page_shows_new_epochs_and_in_the_end_the_whole_report(
    tmp_path: Path, open_page: Open
) -> None:
    history = tmp_path / "history.csv"
    history.write_text("epoch,loss,val_loss,learning_rate,seconds\n1,2.5,2,0.001,3\n")
    record = {"command": ["python run.py", "train-steering"], "settings": {}}
    live = LiveReport(tmp_path, record)
    browser = open_page(tmp_path / "report.html")
    wait_for(browser, "document.querySelector('.state').textContent.includes('epoch 1 ')")
    history.write_text(history.read_text() + "2,1.5,nan,0.0005,3\n")
    live.update()
    wait_for(browser, "document.querySelector('.state').textContent.includes('epoch 2 ')")
    assert complaints(browser) == []
    state = "return document.querySelector('.state').textContent"
    said = browser.execute_script(
        f"DriveReport.report.update({{...DriveReport.report.data, alive: 1e9}}); {state}"
    )
    assert said.startswith("Stopped early: epoch 2 ")
    live.stop()
    wait_for(browser, "DriveReport.report.data.stopped")
    assert browser.execute_script(state).startswith("Stopped early: epoch 2 ")
    live.stop("The training diverged")
    browser.refresh()
    wait_for(browser, "document.querySelector('.state').textContent.startsWith('Stopped early')")
    assert browser.execute_script(state).startswith("Stopped early: The training diverged")
    live = LiveReport(tmp_path, record)  # resumed: the page that is open goes on
    wait_for(browser, "document.querySelector('.state').textContent.startsWith('Training: ')")
    live.close()
    write_report(tmp_path, record)
    wait_for(
        browser, "JSON.parse(document.getElementById('report-data').textContent).live === false"
    )
    assert (
        browser.execute_script("return document.querySelectorAll('.plot-card canvas').length") == 2
    )


def test_a_search_shows_its_trials_and_goes_on(tmp_path: Path, open_page: Open) -> None:
    table = tmp_path / "trials.csv"
    table.write_text(
        "trial,outcome,val_loss,best_epoch,epochs,seconds,learning_rate,batch_norm\n"
        "0,complete,3.5,2,2,5.1,0.001,True\n1,pruned,9.25,1,1,2.0,0.00123456,False\n"
    )
    record = {"command": ["python run.py", "tune-steering"], "trials": 4}
    live = LiveReport(tmp_path, record)
    browser = open_page(tmp_path / "report.html")
    wait_for(browser, "document.querySelectorAll('.trials .rows .row').length === 2")
    cells = "[...document.querySelectorAll('.trials .rows [role=cell]')].map((e) => e.textContent)"
    assert browser.execute_script(f"return {cells}") == [
        *("0", "complete", "3.500", "2 of 2", "5 s", "0.001", "yes"),
        *("1", "pruned", "9.250", "1 of 1", "2 s", "0.001235", "no"),
    ]
    table.write_text(table.read_text() + "2,complete,2.125,1,2,5.1,0.002,True\n")
    live.update()
    wait_for(browser, "document.querySelector('.state').textContent.includes('3 of 4 trials')")
    assert "2.125" in browser.execute_script("return document.querySelector('.facts').textContent")
    browser.execute_script("document.querySelectorAll('.trials .head button')[2].click()")
    assert browser.execute_script(f"return {cells}")[0] == "2"
    assert browser.execute_script(
        "return document.querySelector('.trials .row.current').textContent"
    ).startswith("2complete")
    assert complaints(browser) == []
    live.close()
    write_report(tmp_path, record)
    wait_for(browser, "DriveReport.report.data.live === false")


POINTS = "DriveReport.report.charts.panels[0].drawing.getOption().series[0].data"


def test_curves_break_where_frames_are_missing(
    annotated_run: Callable[..., Path], open_page: Open
) -> None:
    times = [40 * k + (3000 if k >= 1200 else 0) + k % 3 for k in range(3000)]
    browser = open_page(write_report(annotated_run(times)))
    wait_for(browser, DRAWN)
    broken = f"{POINTS}.filter(([time, value]) => !Number.isFinite(value)).map((p) => p[0])"
    assert browser.execute_script(f"return {broken}") == [pytest.approx(51.0, abs=0.01)]
    browser.execute_script("DriveReport.report.range = [45, 55]")  # few points: none is left out
    wait_for(browser, f"{POINTS}.length < 260")
    assert browser.execute_script(f"return {broken}") == [pytest.approx(51.0, abs=0.01)]


def test_two_reports_stand_side_by_side(
    annotated_run: Callable[..., Path], open_page: Open
) -> None:
    browser = open_page(write_report(annotated_run()))
    browser.execute_script(
        """
        const second = document.createElement("div");
        document.body.append(second);
        const options = {keyboard: false, heading: false};
        window.second = mountReport(second, DriveReport.report.data, options);
        DriveReport.report.on("time", (t) => window.second.seek(t));
        DriveReport.report.seek(1.2);
        """
    )
    wait_for(browser, "Math.abs(window.second.time - 1.2) < 0.01")
    assert browser.execute_script("return DriveReport.report.time") == pytest.approx(1.2, abs=0.01)
    browser.execute_script("window.second.destroy()")


@pytest.fixture
def make_pictures(tmp_path: Path, make_video: VideoMaker) -> Path:
    """A run folder as `detect` leaves it of a folder of pictures."""
    import cv2

    folder = tmp_path / "pictures"
    (folder / "images").mkdir(parents=True)
    for name in ("a", "b é"):
        picture = np.full((60, 100, 3), 120, np.uint8)
        (folder / "images" / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    with (folder / "detections.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(DETECTION_COLUMNS.split(","))
        rows.writerow(["b é.png", 1, 1.0, "", "car", 0.7, 1, 2, 30, 40])
    return folder


def test_pictures_are_a_gallery(make_pictures: Path, open_page: Open) -> None:
    browser = open_page(write_report(make_pictures))
    loaded = (
        "[...document.querySelectorAll('.gallery img')].filter((i) => i.naturalWidth).length === 2"
    )
    wait_for(browser, loaded)
    row = browser.execute_script("return document.querySelector('.tables .rows .row').textContent")
    assert row.startswith("b é.jpg")
    assert complaints(browser) == []


def test_the_videos_of_a_run_are_listed_with_their_facts_in_words(
    tmp_path: Path, open_page: Open
) -> None:
    video = {"folder": "a", "status": "done", "results": {"frames": 30}, "seconds": 12.0}
    (tmp_path / "manifest.json").write_text(json.dumps({"videos": [video]}))
    (tmp_path / "metrics.json").write_text("{")
    browser = open_page(write_report(tmp_path))
    text = browser.find_element("tag name", "main").text
    assert "frames 30, took 12.0 s" in text
    assert "metrics.json is not valid JSON: it is damaged or cut short at line 1" in text


def test_the_loss_chart_says_why_the_training_loss_is_the_higher_one(
    tmp_path: Path, open_page: Open
) -> None:
    Notes(epochs=1, loss_note="Learnt from augmented pictures").write(tmp_path)
    (tmp_path / "history.csv").write_text(
        "epoch,loss,val_loss,learning_rate,seconds\n1,9,1,0.1,1\n"
    )
    browser = open_page(write_report(tmp_path))
    assert "Learnt from augmented pictures" in browser.find_element("tag name", "body").text
