"""Entry: hands over to `drive`. Try `python run.py --help`."""

import sys

from drive.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
