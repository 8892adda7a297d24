"""Speed on this machine: what is measured, how, and what it says side by side.

`measure` takes turns and keeps times; `stages` makes the things that are timed, `training` those
of training; `report` has the table, the ratios and `bench.json`.
"""
