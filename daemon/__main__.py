"""Runs the command line: ``python -m daemon``."""

from daemon.cli.app import main

if __name__ == "__main__":
    main()
