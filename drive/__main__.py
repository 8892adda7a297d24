"""`python -m drive`: the same program as `drive`."""

import sys

from drive.cli import main

if __name__ == "__main__":
    sys.exit(main())
