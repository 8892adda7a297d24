"""Three threads, one order: what happens when a stage is slow, fails or is interrupted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from drive.pipeline.stages import Lane, run_in_turn, run_stages


def test_every_item_arrives_once_and_in_order_each_stage_in_its_thread() -> None:
    threads: dict[str, set[str]] = {"read": set(), "work": set(), "write": set()}
    written: list[int] = []

    def source() -> Iterator[int]:
        for number in range(200):
            threads["read"].add(threading.current_thread().name)
            yield number

    def work(number: int) -> int:
        threads["work"].add(threading.current_thread().name)
        return number * 2

    def sink(number: int) -> None:
        threads["write"].add(threading.current_thread().name)
        written.append(number)

    run_stages(source(), work, sink)
    assert written == [number * 2 for number in range(200)]
    assert threads == {"read": {"read"}, "work": {"MainThread"}, "write": {"write"}}


def test_a_slow_sink_holds_the_source_back() -> None:
    given: list[int] = []
    ahead: list[int] = []

    def source() -> Iterator[int]:
        for number in range(40):
            given.append(number)
            yield number

    def sink(number: int) -> None:
        time.sleep(0.002)
        ahead.append(len(given) - number)

    run_stages(source(), lambda number: number, sink, depth=3)
    assert max(ahead) <= 2 * 3 + 4  # two lanes, and one item in each hand


def fails(at: int) -> Callable[[int], int]:
    def step(number: int) -> int:
        if number == at:
            raise RuntimeError(f"at {number}")
        return number

    return step


def test_a_source_that_fails_ends_all_and_what_came_before_is_written() -> None:
    written: list[int] = []
    with pytest.raises(RuntimeError, match="at 5"):
        run_stages(map(fails(5), range(100)), lambda number: number, written.append)
    assert written == [0, 1, 2, 3, 4]
    assert not _stages_alive()


def test_work_that_fails_ends_all() -> None:
    written: list[int] = []
    with pytest.raises(RuntimeError, match="at 5"):
        run_stages(iter(range(10**9)), fails(5), written.append)
    assert written == [0, 1, 2, 3, 4]
    assert not _stages_alive()


def test_a_sink_that_fails_ends_all() -> None:
    with pytest.raises(RuntimeError, match="at 5"):
        run_stages(iter(range(10**9)), lambda number: number, fails(5))
    assert not _stages_alive()


def test_ctrl_c_in_the_work_still_writes_what_was_worked_on() -> None:
    worked: list[int] = []
    written: list[int] = []

    def work(number: int) -> int:
        if len(worked) == 7:
            raise KeyboardInterrupt
        worked.append(number)
        return number

    with pytest.raises(KeyboardInterrupt):
        run_stages(iter(range(10**9)), work, written.append, live=True)
    assert written == worked
    assert len(written) == 7
    assert not _stages_alive()


def test_in_turn_every_item_goes_all_the_way_before_the_next_one() -> None:
    seen: list[str] = []

    def source() -> Iterator[int]:
        for number in range(3):
            seen.append(f"read {number}")
            yield number

    with pytest.raises(RuntimeError, match="at 2"):
        run_in_turn(source(), fails(2), lambda number: seen.append(f"written {number}"))
    assert seen == ["read 0", "written 0", "read 1", "written 1", "read 2"]
    assert not _stages_alive()


def test_a_live_source_drops_what_is_late() -> None:
    seen: list[int] = []

    def camera() -> Iterator[int]:
        for number in range(60):
            time.sleep(0.002)
            yield number

    def slow(number: int) -> int:
        time.sleep(0.02)
        return number

    run_stages(camera(), slow, seen.append, live=True)
    assert seen == sorted(seen)
    assert len(seen) < 30
    assert seen[-1] == 59


def test_a_stream_that_hangs_does_not_hold_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drive.pipeline.stages.PATIENCE_S", 0.05)
    release = threading.Event()

    def stream() -> Iterator[int]:
        yield 1
        release.wait(10)

    def work(number: int) -> int:
        raise KeyboardInterrupt

    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_stages(stream(), work, print, live=True)
    assert time.perf_counter() - began < 2
    release.set()


def test_a_lane_that_was_left_takes_nothing() -> None:
    lane: Lane[int] = Lane(1)
    assert lane.put(1)
    lane.leave()
    assert not lane.put(2)


def _stages_alive() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name in ("read", "write")]
