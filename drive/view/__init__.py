"""The results of all runs in a browser: a list, a run's report, two runs compared, marks.

A server for one person on one machine: it listens on 127.0.0.1, shows what lies below one folder
and writes one thing, marks in `recording.toml`. Knows what runs leave behind, through
`drive.report`; takes no part in making them.
"""
