"""A browser without a window, and run folders made by hand."""

from __future__ import annotations

import base64
import csv
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.pages.data import Column
from tests.conftest import VideoMaker

STEERING_COLUMNS = ("frame", "time_s", "angle_deg", "truth_deg")
DETECTION_COLUMNS = (
    *("source", "frame", "time_s", "track_id", "class", "score"),
    *("x1", "y1", "x2", "y2"),
)

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SIZE = (1280, 900)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; tests that need it are skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument("--autoplay-policy=no-user-gesture-required")
    options.add_argument(f"--window-size={SIZE[0]},{SIZE[1]}")
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.chrome.service.Service(driver)
    running = webdriver.Chrome(options=options, service=service)
    running.set_script_timeout(20)
    yield running
    running.quit()


@pytest.fixture
def open_page(browser: Any) -> Callable[[Path], Any]:
    """Open a page from disk; what it complains of is in `browser.get_log("browser")`."""

    def load(path: Path) -> Any:
        browser.get_log("browser")
        browser.get_log("performance")
        browser.get(path.as_uri())
        return browser

    return load


@pytest.fixture
def annotated_run(tmp_path: Path, make_video: VideoMaker) -> Callable[..., Path]:
    """A maker of run folders as `annotate` leaves them: `annotated_run(times_ms, name=...)`.

    The angle is the frame's number in tenths of a degree, the human's half of that, but for frame 9
    of which the human says -30; a box as many pixels wide as the frame's number stands in each but
    the first three.
    """

    def make(
        times_ms: Sequence[int] | None = None,
        name: str = "clip.mp4",
        frames: int = 60,
        first_s: float = 0.0,
        human: bool = True,
    ) -> Path:
        folder = tmp_path / "run"
        folder.mkdir()
        times = list(times_ms or [index * 50 for index in range(frames)])
        made = make_video("source.mp4", times_ms=times, frames=len(times), size=(320, 192))
        made.rename(folder / name)
        with (folder / "steering.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(STEERING_COLUMNS)
            for index, time in enumerate(times):
                truth = "" if not human else -30 if index == 9 else index / 20
                rows.writerow([index, first_s + time / 1000, index / 10, truth])
        with (folder / "detections.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(DETECTION_COLUMNS)
            for index, time in enumerate(times[3:], start=3):
                box = (10, 20, 10 + index, 20 + index)
                rows.writerow([name, index, first_s + time / 1000, 1, "car", 0.5, *box])
        record = {
            "command": ["python run.py", "annotate", name],
            "settings": {"source": name, "start": first_s},
            "results": {"video": str(folder / name), "frames": len(times), "boxes": len(times)},
            "frames": {
                "first": {"frame": 0, "time_s": first_s},
                "last": {"frame": len(times) - 1, "time_s": first_s + times[-1] / 1000},
            },
        }
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        return folder

    return make


def values_of(packed: Column) -> np.ndarray:
    """Return the values of a column, (N,) float64."""
    if packed["type"] == "linear":
        return packed["start"] + packed["step"] * np.arange(packed["n"], dtype=np.float64)
    kind = packed["type"]
    size = int(kind[1:]) // 8
    raw = np.frombuffer(base64.b64decode(packed["data"]), f"<{kind[0]}{size}")
    return raw.astype(np.float64) * packed["scale"]
