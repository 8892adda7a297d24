"""The program: `drive`, `python -m drive` and `python run.py`."""

import sys


def main() -> int:
    """Run the command line; a Ctrl-C while it is still loading ends it with one line, too."""
    try:
        from drive.cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("drive: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
