"""The server of `view`: what it lists and serves, and what it refuses."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from drive.pages import LiveReport
from drive.pages.app import make_app
from drive.pages.runs import list_runs
from tests.pages.view.conftest import ADDRESS, ORIGIN, Results, write_history, write_search

VIDEO = "/files/001-annotate/epoch01_front.mp4"


def test_runs_are_listed_newest_first_with_their_numbers(client: TestClient) -> None:
    runs = client.get("/api/runs").json()["runs"]
    names = [run["run"] for run in runs]
    assert sorted(names) == [
        "001-annotate",
        "002-annotate",
        "004-train-steering",
        "005-train-steering",
        "old/003-detect",
    ]
    assert names[1:] == ["002-annotate", "001-annotate", "old/003-detect", "004-train-steering"]
    live, second = runs[0], runs[1]
    assert (live["run"], live["state"], live["command"]) == (
        "005-train-steering",
        "running",
        "training",
    )
    assert {"label": "epochs so far", "value": "2", "note": ""} in live["facts"]
    assert (second["title"], second["image"]) == ("epoch01_front.mp4", "epoch01_front.mp4")
    assert {fact["label"]: fact["value"] for fact in second["facts"]}["boxes"] == "14"


def test_a_training_without_a_word_for_long_has_stopped(results: Results) -> None:
    history = results.root / "005-train-steering" / "history.csv"
    old = time.time() - 3600
    os.utime(history, (old, old))
    states = {entry.run: entry.state for entry in list_runs(results.root)}
    assert states["005-train-steering"] == "stopped"


def test_a_training_that_was_interrupted_or_killed_has_stopped(results: Results) -> None:
    folder = results.root / "005-train-steering"

    def state() -> str:
        return {entry.run: entry.state for entry in list_runs(results.root)}[folder.name]

    live = LiveReport(folder, {})
    assert state() == "running"
    live.close()  # killed: no sign of life comes any more
    data = folder / "report-data.js"
    text = data.read_text()
    data.write_text(re.sub(r'"alive":\d+', f'"alive":{int(time.time() - 40)}', text))
    assert state() == "stopped"
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    report = client.get("/api/report/005-train-steering").json()["report"]
    assert (report["live"], report["stopped"]) == (False, True)
    live = LiveReport(folder, {})
    assert state() == "running"
    live.stop()
    assert state() == "stopped"


def test_trials_belong_to_their_search(results: Results) -> None:
    folder = write_search(results, "deep/006-tune-steering")
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert [name for name in runs if "tune" in name] == ["deep/006-tune-steering"]
    search = runs["deep/006-tune-steering"]
    assert (search["command"], search["state"]) == ("tune-steering", "running")
    assert search["facts"][0] == {
        "label": "best loss",
        "value": "5.000",
        "note": "degrees², trial 0",
    }
    results.add("deep/006-tune-steering", "tune-steering", "2026-11-22T10:00:00+0000", trials=1)
    data = client.get("/api/report/deep/006-tune-steering").json()
    (trial,) = data["report"]["search"]["trials"]
    page = urljoin("/files/deep/006-tune-steering/", trial["src"])
    assert page == "/run/deep/006-tune-steering/trials/000"
    data = client.get(page.replace("/run/", "/api/report/")).json()
    assert (data["state"], data["within"]) == ("done", "deep/006-tune-steering")
    assert data["report"]["command"] == "trial of tune-steering"
    assert data["report"]["title"].startswith("trial 0, ")
    assert data["report"]["settings"] == [["dropout", "0.1"]]
    (folder / "trials.csv").write_text("trial\n0\n")
    damaged = client.get("/api/report/deep/006-tune-steering").json()["report"]["damaged"]
    assert "trials.csv is damaged or cut short" in damaged[0]
    assert client.get("/api/runs").status_code == 200


def test_cards_have_the_numbers_of_the_report(client: TestClient) -> None:
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    for run in ("001-annotate", "004-train-steering"):
        assert runs[run]["facts"]
        assert runs[run]["facts"] == client.get(f"/api/report/{run}").json()["report"]["facts"]


def test_a_training_is_listed_from_its_beginning(results: Results) -> None:
    """Before its first epoch there is only the live report, which knows what was asked."""
    record = {
        "command": ["python run.py", "train-steering", "town"],
        "started": "2026-11-21T23:00:00+0000",
        "settings": {"recordings": ["town"], "epochs": 7},
    }
    folder = results.root / "006-train-steering"
    write_history(folder / "member1", 1)
    LiveReport(folder, record)
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert "006-train-steering/member1" not in runs
    live = runs["006-train-steering"]
    assert (live["command"], live["title"], live["state"]) == ("train-steering", "town", "running")
    report = client.get("/api/report/006-train-steering").json()["report"]
    assert (report["live"], report["title"]) == (True, "town")
    assert ["epochs", "7"] in report["settings"]


def test_strange_folders_are_listed_too(results: Results, tmp_path: Path) -> None:
    for name, content in (
        ("broken", "{"),
        ("list", "[]"),
        ("odd", json.dumps({"command": 3, "settings": [], "results": 7, "inputs": {}})),
        ("null", json.dumps({"command": None, "settings": {"source": None}, "results": None})),
    ):
        (results.root / name).mkdir()
        (results.root / name / "run.json").write_text(content)
    write_history(results.root / "member1", 1)
    (results.root / "006.part").mkdir()
    (results.root / "006.part" / "run.json").write_text("{}")
    (results.root / "outside").symlink_to(tmp_path)
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert runs["broken"]["state"] == runs["list"]["state"] == "damaged"
    assert "odd" in runs and "null" in runs
    assert not any(name.startswith(("006", "outside")) for name in runs)
    for name in ("broken", "list", "odd", "null"):
        assert client.get(f"/api/report/{name}").status_code == 200
        assert client.get(f"/run/{name}").status_code == 200


@pytest.fixture
def locked(results: Results, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose folder may be listed and not entered, also where the tests are root's."""
    folder = results.root / "002-annotate"
    stat = os.stat

    def refusing(path: str | os.PathLike[str], **options: Any) -> os.stat_result:
        if Path(path).parent == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refusing)
    return folder


def test_a_folder_without_permission_takes_no_other_along(client: TestClient, locked: Path) -> None:
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert len(runs) == 5
    assert runs[locked.name]["state"] == "damaged"
    assert runs[locked.name]["problem"] == "This folder cannot be read: Permission denied"
    assert client.get(f"/run/{locked.name}").status_code == 404
    for page in ("api/report", "thumbnail"):
        answer = client.get(f"/{page}/{locked.name}")
        assert answer.status_code == 400
        assert "cannot be read: Permission denied" in answer.text


@pytest.mark.parametrize(
    ("content", "state", "problem"),
    [
        (r'{"command": ["p", "det\ud800ect"]}', "done", ""),
        ("\ufeff" + '{"command": ["p", "detect"]}', "done", ""),
        ("[" * 200_000, "damaged", "run.json is nested too deeply: it is damaged"),
        ("{", "damaged", "run.json is not valid JSON: it is damaged or cut short at line 1"),
        ("[]", "damaged", "run.json must hold an object; got a list"),
        (f'{{"seconds": {"1" * 5000}}}', "damaged", "run.json has a whole number with too many"),
        (f'{{"results": {{"frames": {"1" * 400}}}}}', "done", ""),
        (None, "damaged", "run.json is not a regular file"),
    ],
)
def test_an_odd_run_json_takes_no_other_run_along(
    client: TestClient, results: Results, content: str | None, state: str, problem: str
) -> None:
    odd = results.root / "odd"
    odd.mkdir()
    if content is None:
        os.mkfifo(odd / "run.json")
    else:
        (odd / "run.json").write_text(content)
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert len(runs) == 6
    assert runs["odd"]["state"] == state
    assert runs["odd"]["problem"].startswith(problem)
    assert bool(runs["odd"]["problem"]) == bool(problem)
    report = client.get("/api/report/odd").json()["report"]
    assert problem in " ".join(report["damaged"])


def test_a_name_that_is_no_text_takes_no_other_run_along(
    client: TestClient, results: Results
) -> None:
    folder = os.fsencode(results.root) + b"/bad\xffutf"
    try:
        os.mkdir(folder)  # noqa: PTH102 - a name of bytes
    except OSError:
        pytest.skip("this file system has no such names")
    shutil.copy(results.root / "001-annotate" / "run.json", os.fsdecode(folder))
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert len(runs) == 6
    assert runs["bad?utf"]["state"] == "damaged"
    assert "not valid UTF-8. Rename the folder" in runs["bad?utf"]["problem"]


def test_a_run_json_behind_a_link_out_of_its_folder_is_not_read(
    client: TestClient, results: Results, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text('{"command": ["p", "secret"]}')
    (results.root / "odd").mkdir()
    (results.root / "odd" / "run.json").symlink_to(tmp_path / "outside")
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert runs["odd"]["problem"] == "run.json is a link out of the run's folder and is not read"
    for page in ("runs", "report/odd"):
        assert "secret" not in client.get(f"/api/{page}").text


def test_what_nobody_foresaw_takes_no_other_run_along(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(folder: Path, record: dict[str, Any]) -> str:
        if folder.name == "002-annotate":
            raise AssertionError
        return ""

    monkeypatch.setattr("drive.pages.runs.image_of", failing)
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert len(runs) == 5
    assert runs["002-annotate"]["problem"] == "Its files hold what drive does not write there"


@pytest.mark.parametrize("alive", ["null", '"x"', "[]"])
def test_a_sign_of_life_that_is_none_is_passed_over(
    client: TestClient, results: Results, alive: str
) -> None:
    data = results.root / "005-train-steering" / "report-data.js"
    data.write_text(f'liveReport({{"live": true, "alive": {alive}}});')
    runs = {run["run"]: run for run in client.get("/api/runs").json()["runs"]}
    assert runs["005-train-steering"]["state"] == "running"
    assert len(runs) == 5


def test_a_folder_among_trials_that_is_none_is_a_training(results: Results) -> None:
    folder = write_search(results, "006-tune-steering")
    write_history(folder / "trials" / "xyz", 1)
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    data = client.get("/api/report/006-tune-steering/trials/xyz").json()
    assert (data["within"], data["report"]["title"]) == (None, "xyz")


def test_the_trial_of_a_search_without_a_title_has_the_folder_s(results: Results) -> None:
    folder = write_search(results, "006-tune-steering")
    (folder / "report-data.js").write_text('liveReport({"live": false});')
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    report = client.get("/api/report/006-tune-steering/trials/000").json()["report"]
    assert report["title"] == "trial 0, 006-tune-steering"


@pytest.mark.parametrize("name", ["back\\slash", "two\nlines", "end\n"])
def test_a_run_of_an_odd_name_opens(results: Results, name: str) -> None:
    results.add(name, "detect", "2026-11-01T10:00:00+0000")
    client = TestClient(make_app(results.root), base_url=ADDRESS)
    assert name in [run["run"] for run in client.get("/api/runs").json()["runs"]]
    for page in ("run", "api/report"):
        assert client.get(f"/{page}/{quote(name)}").status_code == 200
    assert client.get(f"/files/{quote(name)}/run.json").status_code == 200


def test_a_file_without_permission_is_told_before_it_is_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refusing)
    answer = client.get(VIDEO)
    assert (answer.status_code, answer.text) == (
        400,
        "epoch01_front.mp4 cannot be read: Permission denied\n",
    )


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"settings": 3}, "run.json: settings must be an object; got 3"),
        ({"command": "detect"}, 'run.json: command must be a list; got "detect"'),
        ({"seconds": {"total": "x"}}, 'run.json: seconds.total must be a number; got "x"'),
        ({"frames": {"first": [1]}}, "run.json: frames.first must be an object; got a list"),
        ({"results": {"boxes": []}}, "run.json: results.boxes must be a number; got a list"),
        (
            {"frames": {"first": {"frame": []}}},
            "run.json: frames.first.frame must be a number; got a list",
        ),
    ],
)
def test_what_is_wrong_in_a_run_json_is_told(
    tmp_path: Path, record: dict[str, object], told: str
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"command": ["run.py", "detect"]} | record))
    client = TestClient(make_app(tmp_path), base_url=ADDRESS)
    (folder / "detections.csv").write_text("source,frame,time_s,track_id,class,score,x1,y1,x2,y2\n")
    assert "odd" in [run["run"] for run in client.get("/api/runs").json()["runs"]]
    data = client.get("/api/report/odd").json()
    assert data["error"] == ""
    assert any(told in line for line in data["report"]["damaged"])
    assert [file["name"] for file in data["files"]] == ["detections.csv", "run.json"]


def test_numbers_that_are_none_are_sent_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "run.json").write_text('{"settings": {"conf": NaN}}')
    client = TestClient(make_app(tmp_path), base_url=ADDRESS)
    assert client.get("/api/report/odd").json()["settings"] == {"conf": None}


def test_the_page_of_an_unknown_run_is_not_found(tmp_path: Path) -> None:
    client = TestClient(make_app(tmp_path), base_url=ADDRESS)
    answer = client.get("/run/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.get("/api/report/nowhere").json()["error"] == "'nowhere' is not among the results"


def test_videos_of_a_run_over_several_lead_to_their_pages(tmp_path: Path) -> None:
    results = Results(tmp_path, tmp_path / "none")
    client = TestClient(make_app(tmp_path), base_url=ADDRESS)
    folder = results.add("old/many", "detect", "2026-11-01T10:00:00+0000")
    results.add("old/many/a b", "detect", "2026-11-01T10:00:00+0000")
    videos = [{"folder": name, "status": "done"} for name in ("a b", "gone")]
    (folder / "manifest.json").write_text(json.dumps({"videos": videos}))
    runs = client.get("/api/report/old/many").json()["report"]["runs"]
    assert urljoin("/files/old/many/", runs[0]["src"]) == "/run/old/many/a%20b"
    assert runs[1]["src"] is None


def test_a_single_run_can_be_shown_by_itself(results: Results) -> None:
    client = TestClient(make_app(results.root / "001-annotate"), base_url=ADDRESS)
    (only,) = client.get("/api/runs").json()["runs"]
    assert only["run"] == ""
    assert client.get("/api/report/").json()["report"]["recordings"]
    assert client.get("/thumbnail/").status_code == 200
    assert client.get("/files/run.json").status_code == 200


def test_a_folder_without_runs_is_an_empty_list(tmp_path: Path) -> None:
    client = TestClient(make_app(tmp_path), base_url=ADDRESS)
    assert client.get("/api/runs").json()["runs"] == []


def test_the_report_of_a_run_without_one_is_made_in_memory(
    client: TestClient, results: Results
) -> None:
    data = client.get("/api/report/001-annotate").json()
    (drive,) = data["report"]["recordings"]
    assert drive["video"]["src"] == "epoch01_front.mp4"
    assert drive["recording"] == 0
    assert data["recordings"][0]["name"] == "town/epoch01"
    assert data["settings"]["conf"] == 0.1
    assert not (results.root / "001-annotate" / "report.html").exists()


def test_a_run_with_a_damaged_table_shows_the_rest(client: TestClient, results: Results) -> None:
    (results.root / "001-annotate" / "steering.csv").write_text("frame\nno number\n")
    data = client.get("/api/report/001-annotate").json()
    assert "steering.csv" in data["report"]["damaged"][0]
    assert data["report"]["recordings"][0]["video"]["src"] == "epoch01_front.mp4"
    assert "epoch01_front.mp4" in [file["name"] for file in data["files"]]


def test_thumbnails_are_small_pictures(client: TestClient) -> None:
    answer = client.get("/thumbnail/001-annotate")
    assert answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (192, 320, 3)
    assert client.get("/thumbnail/old/003-detect").status_code == 404


def test_a_broken_video_has_no_thumbnail_and_is_no_error(
    client: TestClient, results: Results
) -> None:
    video = results.root / "001-annotate" / "epoch01_front.mp4"
    video.write_bytes(video.read_bytes()[:500])
    answer = client.get("/thumbnail/001-annotate")
    assert (answer.status_code, answer.content) == (204, b"")


def test_what_was_evaluated_is_played_from_where_it_lies(
    client: TestClient, results: Results
) -> None:
    video = results.recording / "epoch01_front.mp4"
    source = [{"path": str(p), "bytes": p.stat().st_size} for p in (video,)]
    folder = results.add("eval", "evaluate-steering", "2026-11-01T10:00:00+0000", inputs=source)
    write_steering_of = results.root / "001-annotate" / "steering.csv"
    (folder / "steering.csv").write_text(write_steering_of.read_text())
    (drive,) = client.get("/api/report/eval").json()["report"]["recordings"]
    assert urljoin("/files/eval/", drive["video"]["src"]) == "/source/0/eval"
    assert client.get("/source/0/eval").content == video.read_bytes()
    for number in ("1", "1" * 5000):
        assert client.get(f"/source/{number}/eval").status_code == 404
    video.write_bytes(video.read_bytes() + b"changed")
    (drive,) = client.get("/api/report/eval").json()["report"]["recordings"]
    assert drive["video"] is None
    assert client.get("/source/0/eval").status_code == 404


def test_files_come_in_ranges(client: TestClient, results: Results) -> None:
    content = (results.root / "001-annotate" / "epoch01_front.mp4").read_bytes()
    size = len(content)
    whole = client.get(VIDEO)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"] == "video/mp4"
    for asked, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes=10-{size + 999}", 10, size),
    ):
        part = client.get(VIDEO, headers={"range": asked})
        assert part.status_code == 206
        assert part.content == content[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.headers["content-length"] == str(end - start)
    beyond = client.get(VIDEO, headers={"range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"


def test_a_range_of_what_has_changed_is_the_whole_file(client: TestClient) -> None:
    whole = client.get(VIDEO)
    for known in (whole.headers["etag"], whole.headers["last-modified"]):
        part = client.get(VIDEO, headers={"range": "bytes=0-9", "if-range": known})
        assert part.status_code == 206
    part = client.get(VIDEO, headers={"range": "bytes=0-9", "if-range": '"another"'})
    assert (part.status_code, part.content) == (200, whole.content)


def test_head_tells_the_size_and_sends_nothing(client: TestClient) -> None:
    answer = client.head(VIDEO)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == str(len(client.get(VIDEO).content))


@pytest.fixture
def secret(tmp_path: Path, results: Results) -> Path:
    """A file beside the folder that is shown, and links in there that lead to it."""
    path = tmp_path / "secret.txt"
    path.write_text("secret")
    (results.root / "link.txt").symlink_to(path)
    (results.root / "folder").symlink_to(tmp_path)
    (results.root / "loop").symlink_to(results.root / "loop")
    return path


OUTSIDE = (
    "../secret.txt",
    "%2e%2e/secret.txt",
    "..%2fsecret.txt",
    "%2e%2e%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "001-annotate/../../secret.txt",
    "001-annotate/%2e%2e/%2e%2e/secret.txt",
    "..%5csecret.txt",
    "..\\secret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "file:///etc/passwd",
    "link.txt",
    "folder/secret.txt",
    "loop",
    "run.json%00.txt",
    "./run.json",
    "%c0%ae%c0%ae/secret.txt",
    "",
    "x" * 5000,
)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("page", ["files", "thumbnail", "api/report", "source/0"])
def test_nothing_outside_the_folder_is_served(client: TestClient, page: str) -> None:
    for path in OUTSIDE:
        answer = client.get(f"{ADDRESS}/{page}/{path}")
        assert answer.status_code in (400, 404), path
        assert "secret" not in answer.text.replace("secret.txt", "")
        assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["001-annotate", "001-annotate/"])
def test_folders_are_not_listed(client: TestClient, path: str) -> None:
    assert client.get(f"/files/{path}").status_code == 404


def test_a_link_that_stays_inside_is_served(client: TestClient, results: Results) -> None:
    (results.root / "again.mp4").symlink_to(results.root / "001-annotate" / "epoch01_front.mp4")
    assert client.get("/files/again.mp4").content == client.get(VIDEO).content


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8137", "127.0.0.1.evil.example:8137", "192.168.0.9:8137", ""],
)
def test_foreign_hosts_are_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/api/runs", VIDEO, "/assets/view.css"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 403
        assert "address" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8137", "localhost:8137", "127.0.0.1"])
def test_the_machine_s_own_names_are_good(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"host": host}).status_code == 200


def asked(results: Results, **mark: object) -> dict:
    table = {"start_s": 1.0, "end_s": 2.0, "reason": "autopilot"} | mark
    return {"run": "001-annotate", "recording": 0, "range": table}


def test_a_range_is_excluded_and_included_again(client: TestClient, results: Results) -> None:
    answer = client.post("/api/excluded", json=asked(results), headers=ORIGIN)
    assert answer.status_code == 200
    (mark,) = answer.json()["recordings"][0]["ranges"]
    assert mark == {"start_s": 1, "end_s": 2, "reason": "autopilot", "drive": "epoch01"}
    assert "[[bad]]" in results.toml.read_text()
    for run in ("001-annotate", "002-annotate", "004-train-steering"):
        told = client.get("/api/excluded", params={"run": run}).json()["recordings"][0]
        assert told["ranges"] == [mark]
    body = asked(results, **mark)
    answer = client.request("DELETE", "/api/excluded", json=body, headers=ORIGIN)
    assert answer.json()["recordings"][0]["ranges"] == []
    assert not results.toml.exists()
    answer = client.request("DELETE", "/api/excluded", json=body, headers=ORIGIN)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "Only the pages of"),
        ({"origin": "http://evil.example"}, "Only the pages of"),
        ({"origin": "null"}, "Only the pages of"),
        ({"origin": "https://127.0.0.1:8137"}, "Only the pages of"),
        ({"origin": "http://127.0.0.1:9999"}, "Only the pages of"),
        ({"origin": "http://localhost:8137"}, "Only the pages of"),
        ({**ORIGIN, "sec-fetch-site": "cross-site"}, "Only the pages of"),
        ({**ORIGIN, "content-type": "text/plain"}, "JSON"),
        ({"host": "evil.example:8137", "origin": "http://evil.example:8137"}, "address"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nobody_else_excludes_ranges(
    client: TestClient, results: Results, headers: dict, word: str, method: str
) -> None:
    headers = {"content-type": "application/json"} | headers
    body = json.dumps(asked(results))
    answer = client.request(method, "/api/excluded", content=body, headers=headers)
    assert answer.status_code == 403
    assert word in answer.text
    assert not results.toml.exists()


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"range": {"start_s": 2, "end_s": 1}}, 400, "end_s must be after start_s"),
        ({"range": {"start_s": "a", "end_s": 1}}, 400, "start_s"),
        ({"range": {"start_s": None, "end_s": 1}}, 400, "start_s"),
        ({"range": {"start_s": 1, "end_s": int("9" * 400)}}, 400, "hundreds of digits"),
        ({"range": {"start_s": 3, "end_s": 999}}, 400, "town/epoch01: the range must end by 8.0 s"),
        (
            {"range": {"start_s": 500, "end_s": 999}},
            400,
            "town/epoch01: the range must end by 8.0 s",
        ),
        ({"range": {"start_s": 1, "end_s": 2, "reason": "two\nlines"}}, 400, "one line"),
        ({"range": None}, 400, "start_s"),
        ({"recording": 1}, 404, "recording"),
        ({"recording": -1}, 404, "recording"),
        ({"recording": "0"}, 400, "number"),
        ({"recording": True}, 400, "number"),
        ({"run": "../town"}, 404, "../town"),
        ({"run": "old/003-detect"}, 404, "recording"),
        ({"run": 7}, 400, "run"),
    ],
)
def test_wrong_ranges_are_refused(
    client: TestClient, results: Results, body: dict, status: int, word: str
) -> None:
    answer = client.post("/api/excluded", json=asked(results) | body, headers=ORIGIN)
    assert answer.status_code == status
    assert word in answer.json()["error"]
    assert not results.toml.exists()


@pytest.mark.parametrize(("end_s", "status"), [(7.95, 200), (8.0, 200), (8.05, 400), (8.9, 400)])
def test_a_range_ends_with_the_last_frame(
    client: TestClient, results: Results, end_s: float, status: int
) -> None:
    answer = client.post("/api/excluded", json=asked(results, end_s=end_s), headers=ORIGIN)
    assert answer.status_code == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"x" * 20_000, b'"\xff"', b"[" * 9000])
def test_what_is_no_json_object_is_refused(client: TestClient, body: bytes) -> None:
    headers = ORIGIN | {"content-type": "application/json"}
    assert client.post("/api/excluded", content=body, headers=headers).status_code == 400


def test_the_range_of_another_recording_stays(client: TestClient, results: Results) -> None:
    results.toml.write_text('[[bad]]\ndrive = "epoch02"\nstart_s = 1\nend_s = 2\n')
    (results.recording / "epoch02_front.mp4").touch()
    body = asked(results, reason="", drive="epoch02")
    assert client.request("DELETE", "/api/excluded", json=body, headers=ORIGIN).status_code == 404
    assert "epoch02" in results.toml.read_text()


def test_a_wrong_recording_toml_is_told_and_left_alone(
    client: TestClient, results: Results
) -> None:
    results.toml.write_text("[[bad]]\nstop_s = 3\n")
    told = client.get("/api/report/001-annotate").json()["recordings"][0]
    assert "stop_s" in told["error"]
    assert client.post("/api/excluded", json=asked(results), headers=ORIGIN).status_code == 400
    assert results.toml.read_text() == "[[bad]]\nstop_s = 3\n"


def test_other_methods_and_addresses_are_unknown(client: TestClient) -> None:
    headers = ORIGIN | {"content-type": "application/json"}
    assert client.put("/api/excluded", content="{}", headers=headers).status_code == 405
    assert client.post(VIDEO, content="{}", headers=headers).status_code == 405
    assert client.get("/nothing").status_code == 404
    assert client.get("/assets/../app.py").status_code == 404


def test_pages_load_nothing_from_elsewhere(client: TestClient, results: Results) -> None:
    for path in ("/", "/run/001-annotate", "/compare?a=001-annotate&b=002-annotate"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "//" not in page.text.replace("http://www.w3.org", "")
    (results.root / "001-annotate" / "report.html").write_text("<script>1</script>")
    page = client.get("/files/001-annotate/report.html")
    assert page.headers["content-security-policy"].startswith("sandbox")
    assert page.headers["x-content-type-options"] == "nosniff"
