"""The command line: each command parses, calls the library function of its name, and shows what came back."""

from facespace.cli.app import app, main

__all__ = ["app", "main"]
