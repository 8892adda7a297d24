"""Entry: hands over to `drive.cli`. Try `python run.py --help`."""

import sys

if __name__ == "__main__":
    try:
        from drive.cli import main

        sys.exit(main())
    except KeyboardInterrupt:  # before the command line could take over
        sys.stderr.write("python run.py: interrupted\n")
        sys.exit(130)
