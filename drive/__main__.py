"""`python -m drive`: the same program as `drive` and `python run.py`."""

import sys

from drive.cli import start

if __name__ == "__main__":
    sys.exit(start())
