"""`python -m action`: the `build-digests` command."""

from action.terminal.cli import run

if __name__ == "__main__":
    run()
