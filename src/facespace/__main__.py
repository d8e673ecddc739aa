"""The first moment of the command line: Ctrl-C while it is still loading is one line too."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from facespace.cli import main as run
    except KeyboardInterrupt:
        print("facespace: error: stopped", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
