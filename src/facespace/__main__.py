"""`python -m facespace`."""

from facespace.cli import main

if __name__ == "__main__":
    main()
