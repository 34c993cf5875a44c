"""The start of a step: `python -I -S start.py build`, on a machine that has only Python, and either uv or pip.

It uses the standard library only, and must parse on Python 3.6, so that an old Python can find a newer one or report
that it is too old: `from __future__ import annotations` would be a syntax error there.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # A step that is cancelled while it still imports ends at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import importlib  # after the signal is set, as all that follow
import os
import re
import sys
from pathlib import Path

OLDEST = (3, 10)
"""The oldest Python version that the action supports."""

_ROOT = Path(__file__).resolve().parent.parent
_STEPS = {"build": "run_build_step", "bake": "run_bake_step", "merge": "run_merge_step"}
"""The function of each step, in the module `action.steps.STEP`."""


class StartError(Exception):
    """Reason why a step cannot be started; the message says what to do."""


def newer_python() -> "str | None":
    """Return the path of the newest supported Python in the tool cache of actions/setup-python, or None."""
    cache = Path(os.environ.get("RUNNER_TOOL_CACHE") or "/nowhere")
    found = []
    for pattern in ("Python/3.*/*/bin/python3", "Python/3.*/*/python.exe"):
        for path in cache.glob(pattern):
            version = re.search(r"[\\/]Python[\\/]3\.(\d+)", str(path))
            if version and (3, int(version.group(1))) >= OLDEST:
                found.append((int(version.group(1)), str(path)))
    return max(found)[1] if found else None


def main() -> int:
    """Run the step that the first argument names, and return its exit code.

    Raises:
        StartError: the step is unknown, this Python is too old, or the packages cannot be installed.
    """
    # With -I Python adds no folder of its own to the search path, so nothing of this package can be imported before.
    sys.path.insert(0, str(_ROOT))
    from action.process.streams import ignore_write_errors, open_closed_streams

    open_closed_streams()
    ignore_write_errors()
    if sys.argv[1:] not in [[step] for step in _STEPS]:
        raise StartError("usage: start.py " + "|".join(_STEPS))
    if sys.version_info < OLDEST:
        newer = newer_python()
        if newer is not None and sys.executable != newer:
            arguments = [newer, "-I", "-S", str(Path(__file__).resolve()), *sys.argv[1:]]
            os.execv(newer, arguments)  # noqa: S606  # nosec B606  # without a shell, and the path is the tool cache's
        found = ".".join(map(str, sys.version_info[:3]))
        rule = "3.10 or later is needed: run actions/setup-python before this step"
        raise StartError(f"{sys.executable} is Python {found}; {rule}")
    from action.errors import PackagesError
    from action.packages.sets import STEP, provide
    from action.process.signals import Interrupted, interrupt_on_signals

    try:
        # A signal during the installation must not leave half of it.
        with interrupt_on_signals():
            provide(STEP)
    except PackagesError as error:
        raise StartError(str(error)) from None
    except Interrupted as interrupted:
        return 128 + interrupted.number
    # One of the modules, by its name: each of the others would cost the step its imports.
    step = importlib.import_module("action.steps." + sys.argv[1])
    return int(getattr(step, _STEPS[sys.argv[1]])())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StartError as error:
        text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stdout.write("::error::" + text + "\n")
        sys.exit(1)
