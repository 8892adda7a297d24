"""What each thread did when, for chrome://tracing and ui.perfetto.dev.

The format is Google's "Trace Event Format": complete events ("ph": "X") in microseconds, and a
name for each thread. Knows spans; not what ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drive.results.run_folder import Span

PROCESS = 1
MICROSECONDS = 1e6


def chrome_trace(spans: Sequence[Span]) -> dict[str, Any]:
    """The spans as a Chrome trace, ready for JSON; time begins with the first of them."""
    threads = list(dict.fromkeys(span.thread for span in spans))
    first_s = min((span.began_s for span in spans), default=0.0)
    names = [
        {
            "name": "thread_name",
            "ph": "M",
            "pid": PROCESS,
            "tid": number,
            "args": {"name": thread},
        }
        for number, thread in enumerate(threads, start=1)
    ]
    events = [
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
