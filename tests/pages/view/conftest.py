"""A folder of results as commands leave them, made by hand, the server that shows it, a browser."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from drive.pages.app import make_app
from drive.pages.server import address_of, make_server, open_socket
from tests.conftest import VideoMaker
from tests.pages.report.conftest import browser

__all__ = ["browser"]

FRAMES, FPS = 160, 20
ADDRESS = "http://127.0.0.1:8137"
ORIGIN = {"origin": ADDRESS}


@dataclass(frozen=True)
class Results:
    """A folder of runs and the recording that two of them were made from."""

    root: Path
    recording: Path

    @property
    def toml(self) -> Path:
        return self.recording / "recording.toml"

    def add(self, name: str, command: str, started: str, **record: Any) -> Path:
        """Write the `run.json` of a run."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        content = {"command": ["python run.py", command, "x"], "started": started, "seconds": {}}
        content |= {"settings": {}, "inputs": [], "results": {}} | record
        (folder / "run.json").write_text(json.dumps(content))
        return folder


def write_steering(folder: Path, amplitude: float) -> None:
    rows = ["frame,time_s,angle_deg,truth_deg"]
    for frame in range(FRAMES):
        truth = 5 * math.sin(frame / 9)
        rows.append(f"{frame},{frame / FPS:.6f},{amplitude * truth:.4f},{truth:.4f}")
    (folder / "steering.csv").write_text("\n".join(rows) + "\n")


def write_history(folder: Path, epochs: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["epoch,loss,val_loss,learning_rate,seconds"]
    rows += [f"{n},{9 / n:.4f},{10 / n:.4f},0.001,1.5" for n in range(1, epochs + 1)]
    (folder / "history.csv").write_text("\n".join(rows) + "\n")


def write_search(results: Results, name: str) -> Path:
    """A search with a finished trial and another one under way."""
    folder = results.root / name
    for trial in ("000", "001"):
        write_history(folder / "trials" / trial, 2)
    (folder / "trials.csv").write_text(
        "trial,outcome,val_loss,best_epoch,epochs,seconds,dropout\n0,complete,5.0,2,2,3.0,0.1\n"
    )
    return folder


@pytest.fixture
def results(make_video: VideoMaker, make_recording: Callable[..., Path], tmp_path: Path) -> Results:
    """Two annotated runs of one recording, a detection, two trainings, of which one goes on."""
    recording = make_recording("town", np.sin(np.arange(FRAMES) / 9) * 5, fps=FPS, size=(320, 192))
    video = recording / "epoch01_front.mp4"
    made = Results(tmp_path / "outputs", recording)
    source = [{"path": str(video), "bytes": video.stat().st_size, "sha256": "x"}]
    for number, amplitude in ((1, 0.8), (2, 0.5)):
        folder = made.add(
            f"00{number}-annotate",
            "annotate",
            f"2026-11-2{number}T10:00:00+0000",
            inputs=source,
            settings={"source": str(video), "conf": 0.1 * number, "smooth": None},
            results={"frames": FRAMES, "boxes": 7 * number, "video": "epoch01_front.mp4"},
            seconds={"total": 4.2},
        )
        make_video(f"outputs/{folder.name}/epoch01_front.mp4", frames=FRAMES, size=(320, 192))
        write_steering(folder, amplitude)
    made.add("old/003-detect", "detect", "2026-11-20T10:00:00+0000", settings={"source": "a.jpg"})
    done = made.add(
        "004-train-steering",
        "train-steering",
        "2026-11-19T10:00:00+0000",
        inputs=source,
        results={"epochs": 3, "best_epoch": 3, "val_loss": 3.3333},
    )
    write_history(done, 3)
    write_history(made.root / "005-train-steering", 2)
    return made


@pytest.fixture
def client(results: Results) -> TestClient:
    """A client that asks as a page of the server's own does."""
    return TestClient(make_app(results.root), base_url=ADDRESS, follow_redirects=False)


@pytest.fixture
def address(results: Results) -> Iterator[str]:
    """Where a server shows the results."""
    server = make_server(make_app(results.root))
    with open_socket(0) as listening:
        sockets = {"sockets": [listening]}
        thread = threading.Thread(target=server.run, kwargs=sockets, name="view")
        thread.start()
        yield address_of(listening)
        server.should_exit = True
        thread.join()
