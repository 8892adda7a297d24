"""Speed on this machine: `measure` times stages in turn, `report` has the table and the ratios."""
