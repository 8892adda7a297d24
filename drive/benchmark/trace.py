"""The work of each thread over time, for chrome://tracing and ui.perfetto.dev.

The format is Google's "Trace Event Format", in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from drive.results.record import Span

PROCESS = 1
MICROSECONDS = 1e6


def chrome_trace(spans: Sequence[Span]) -> dict[str, object]:
    """Return the spans as a Chrome trace, ready for JSON; time starts with the first one."""
    threads = list(dict.fromkeys(span.thread for span in spans))
    first_s = min((span.began_s for span in spans), default=0.0)
    names: list[dict[str, object]] = [
        {"name": "thread_name", "ph": "M", "pid": PROCESS, "tid": number, "args": {"name": thread}}
        for number, thread in enumerate(threads, start=1)
    ]
    events: list[dict[str, object]] = [
        {
            "name": span.stage,
            "ph": "X",
            "pid": PROCESS,
            "tid": threads.index(span.thread) + 1,
            "ts": round((span.began_s - first_s) * MICROSECONDS, 1),
            "dur": round((span.ended_s - span.began_s) * MICROSECONDS, 1),
        }
        for span in spans
    ]
    return {"traceEvents": [*names, *events], "displayTimeUnit": "ms"}
