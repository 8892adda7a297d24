"""Entry: hands over to `drive.cli`. Try `python run.py --help`."""

import sys

from drive.cli import start

if __name__ == "__main__":
    sys.exit(start())
