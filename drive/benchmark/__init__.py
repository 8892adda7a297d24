"""Speed on this machine.

`measure` times stages in turn; `stages`, `whole` and `training` make them; `report` has the table
and the ratios.
"""
