"""Entry: hands over to `drive.cli`. Try `python run.py --help`."""

import sys

from drive.cli import main

if __name__ == "__main__":
    sys.exit(main())
