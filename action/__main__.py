"""`python -m action`: the `build-digests` command."""

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the command."""
    # Ctrl-C during the imports below ends the program at once, as it does later, and without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from action.cli import run  # noqa: PLC0415  # the same
    from action.process.streams import open_closed_streams  # noqa: PLC0415  # not before the line above

    open_closed_streams()
    run()


if __name__ == "__main__":
    main()
