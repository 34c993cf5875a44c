"""The `build-digests` command, also started by `python -m action`."""

import signal
from typing import NoReturn

from action.process.streams import open_closed_streams


def main() -> NoReturn:
    """Run the command that the program's arguments name, and exit with its exit code."""
    # Ctrl-C during the import below ends the program at once and without a traceback, as it does later.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from action.cli import run  # noqa: PLC0415  # not before the signal is set

    open_closed_streams()
    run()


if __name__ == "__main__":
    main()
