"""The same tasks over a local Ray with two workers."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from drive.core.errors import DriveError, InputError
from drive.core.jobs import Task
from drive.pipeline import ray_cluster
from drive.pipeline.ray_cluster import run_on_ray
from tests.pipeline import light_work

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is absent: pip install ray, or requirements-dev.txt",
)


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@needs_ray
@pytest.mark.slow
def test_two_ray_workers_do_what_two_processes_do(tmp_path: Path, no_cluster: None) -> None:
    """One Ray for all of it: starting one takes seconds."""
    a, b = tmp_path / "a", tmp_path / "b"
    payloads: list[tuple[Callable, object]] = [
        (light_work.meet, (a, b)),  # these two end only side by side
        (light_work.meet, (b, a)),
        (light_work.misbehave, "wrong input"),
        (light_work.misbehave, "fault"),
        (light_work.misbehave, "exit"),
        (light_work.environment, "OMP_NUM_THREADS"),
    ]
    tasks = [Task(key, payload) for key, payload in enumerate(payloads)]
    found = {
        outcome.key: outcome
        for outcome in run_on_ray(light_work.call, tasks, 2, {"OMP_NUM_THREADS": "1"})
    }
    assert len(found) == len(tasks)
    assert [found[key].reason for key in (0, 1)] == [None, None]
    assert found[2].reason == "a.mp4 is empty (0 bytes). Expected a video"
    assert found[2].wrong_input
    assert found[3].reason.startswith("ZeroDivisionError")
    assert found[4].reason.startswith("the Ray worker ended")
    assert found[5].results == {"value": "1"}


@needs_ray
@pytest.mark.slow
def test_leaving_early_lets_ray_workers_clear_up(tmp_path: Path, no_cluster: None) -> None:
    payloads = [(light_work.begin_and_hang, tmp_path), (light_work.wait_for_begin, tmp_path)]
    tasks = [Task(key, payload) for key, payload in enumerate(payloads)]
    with closing(run_on_ray(light_work.call, tasks, 2)) as found:
        assert next(found).key == 1
    begun = {path.stem for path in tmp_path.glob("*.begun")}
    assert len(begun) == 1
    assert {path.stem for path in tmp_path.glob("*.cleared")} == begun


@needs_ray
@pytest.mark.slow
def test_a_ray_worker_that_cannot_be_interrupted_is_killed(
    tmp_path: Path, no_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "CLEAN_UP_S", 2.0)
    ray = ray_cluster.load_ray()
    ray_cluster._join(ray, jobs=1, threads=1)
    try:
        hanging = ray.remote(light_work.wait_in_native_code).options(max_retries=0).remote(tmp_path)
        light_work.wait_for_file(tmp_path / "begun")
        light_work.wait_until(lambda: (tmp_path / "begun").read_text())
        worker = int((tmp_path / "begun").read_text())
        assert light_work.is_running(worker)
        ray_cluster._cancel(ray, [hanging])
        light_work.wait_until(lambda: not light_work.is_running(worker))
    finally:
        ray.shutdown()


@needs_ray
def test_a_cluster_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(DriveError, match=r"127\.0\.0\.1:1 cannot be reached"):
        next(run_on_ray(light_work.square, [Task(0, 1)], 1))


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"Run: pip install \".*\[ray\]\""):
        next(run_on_ray(light_work.square, [Task(0, 1)], 1))


@pytest.mark.parametrize("numbers", [{"jobs": 0}, {"jobs": 1, "threads": 0}])
def test_numbers_below_one_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(InputError, match="=0"):
        next(run_on_ray(light_work.square, [Task(0, 1)], **numbers))


def test_the_workers_find_drive() -> None:
    assert (ray_cluster.ROOT / "drive" / "__init__.py").is_file()
