"""Worker processes: side by side, one task's failure its own, ended with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drive.core.errors import InputError
from drive.core.jobs import Outcome, Task, Work
from drive.pipeline import processes
from drive.pipeline.processes import run_in_processes
from tests.pipeline import light_work
from tests.pipeline.light_work import PATIENCE_S, is_running, wait_until

ROOT = Path(__file__).resolve().parents[2]


def outcomes(work: Work, payloads: list, jobs: int, **options: object) -> dict[int, Outcome]:
    tasks = [Task(key, payload) for key, payload in enumerate(payloads)]
    return {found.key: found for found in run_in_processes(work, tasks, jobs, **options)}


def test_every_task_is_done_once_and_workers_are_used_again() -> None:
    found = list(run_in_processes(light_work.square, [Task(n, n) for n in range(7)], 1))
    assert [outcome.results["square"] for outcome in found] == [n * n for n in range(7)]
    assert len({outcome.results["process"] for outcome in found}) == 1
    assert found[0].results["process"] != os.getpid()


def test_two_jobs_run_side_by_side(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    found = outcomes(light_work.meet, [(a, b), (b, a)], jobs=2)
    assert [found[key].reason for key in (0, 1)] == [None, None]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_what_fails_or_crashes_does_not_stop_the_others() -> None:
    kinds = ["wrong input", "fine", "crash", "full disk", "exit", "fault", "fine"]
    found = outcomes(light_work.misbehave, kinds, jobs=2)
    assert len(found) == len(kinds)
    assert found[1].results == found[6].results == {"how": "fine"}
    assert found[0].reason == "a.mp4 is empty (0 bytes). Expected a video"
    assert [found[key].wrong_input for key in range(7)] == [True] + [False] * 6
    assert "SIGKILL" in found[2].reason
    assert "No space left" in found[3].reason
    assert "exit status 3" in found[4].reason
    assert found[5].reason.startswith("ZeroDivisionError: division by zero (light_work.py:")
    assert "Traceback" in found[5].traceback
    assert found[0].traceback is None


def test_workers_get_the_variables_before_anything_is_imported() -> None:
    found = outcomes(
        light_work.environment, ["OMP_NUM_THREADS"], 1, environment={"OMP_NUM_THREADS": "1"}
    )
    assert found[0].results == {"value": "1"}


def test_no_jobs_are_refused() -> None:
    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        next(run_in_processes(light_work.square, [Task(0, 1)], 0))


def test_leaving_early_interrupts_the_workers_and_waits_for_them(tmp_path: Path) -> None:
    quick, slow = Task(0, (tmp_path / "a", tmp_path)), Task(1, (tmp_path / "b", tmp_path / "never"))
    with closing(run_in_processes(light_work.meet, [quick, slow], 2)) as found:
        assert next(found).key == 0
    assert children() == []


def test_a_worker_that_cannot_be_interrupted_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "CLEAN_UP_S", 0.5)
    tasks = [Task(0, "fine"), Task(1, tmp_path)]
    with closing(run_in_processes(one_fine_one_hanging, tasks, 2)) as found:
        assert next(found).key == 0
        light_work.wait_for_file(tmp_path / "begun")
    assert children() == []


def one_fine_one_hanging(payload: str | Path) -> dict:
    return {} if payload == "fine" else light_work.hang_in_native_code(Path(payload))


def children() -> list[int]:
    """Processes of this one that serve tasks."""
    import multiprocessing

    return [child.pid for child in multiprocessing.active_children()]


PARENT = """
import signal
import sys
from contextlib import closing
from pathlib import Path
from drive.pipeline.processes import run_in_processes
from drive.core.jobs import Task
from tests.pipeline.light_work import begin_and_hang

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    tasks = [Task(n, Path(sys.argv[1])) for n in range(5)]
    try:
        with closing(run_in_processes(begin_and_hang, tasks, 2)) as found:
            list(found)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A process with two busy workers, in a process group of its own as a terminal makes it."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
    yield process
    process.kill()
    process.wait()


def pids(folder: Path, what: str) -> set[int]:
    return {int(path.stem) for path in folder.glob(f"*.{what}")}


@pytest.mark.skipif(os.name == "nt", reason="no process groups")
def test_ctrl_c_ends_all_workers_without_a_word(tmp_path: Path, parent: subprocess.Popen) -> None:
    os.killpg(parent.pid, signal.SIGINT)  # a terminal sends it to the workers as well
    complaint = parent.communicate(timeout=PATIENCE_S)[1]
    assert parent.returncode == 130
    assert complaint == ""
    assert pids(tmp_path, "cleared") == pids(tmp_path, "begun")
    assert not any(map(is_running, pids(tmp_path, "begun")))


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path, parent: subprocess.Popen) -> None:
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    wait_until(lambda: pids(tmp_path, "cleared") == pids(tmp_path, "begun"))
    wait_until(lambda: not any(map(is_running, pids(tmp_path, "begun"))))
    assert len(pids(tmp_path, "begun")) == 2


def test_a_script_without_the_main_guard_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from drive.core.jobs import Task\n"
        "from drive.pipeline.processes import run_in_processes\n"
        "from tests.pipeline import light_work\n"
        "list(run_in_processes(light_work.square, [Task(0, 1), Task(1, 2)], 2))\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("drive.core.errors.DriveError: a worker process could not start.")
    assert 'if __name__ == "__main__":' in last
