"""The start of a step: `python -I -S start.py build --launched`, on a machine with Python and either uv or pip.

With `--launched`, the launcher writes the inputs to standard input; without it, they are in the environment variable
INPUTS. This file uses the standard library only, and must parse on Python 3.6, so that an old Python can report that it
is too old: `from __future__ import annotations` would be a syntax error there.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # A step that is cancelled while it still imports ends at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import contextlib  # this import and the next ones take time, and the signal is set before
import functools
import gc
import importlib
import os
import sys
from pathlib import Path

OLDEST = (3, 10)
"""The oldest Python version that the action supports."""

TOO_OLD = 86
"""The exit code of an older Python, after which the launcher tries the next one (launcher/main.js); no step uses it."""

INCOMPLETE = 87
"""The same for a Python that lacks a part of its standard library."""

_OBJECTS_BEFORE_COLLECTION = 200_000

# While a thread imports modules, the main thread waits this long for Python's lock each time it has read a file or
# asked the engine: 0.005 s by default, and more than ten times after a build.
_LOCK_SECONDS = 0.0005

_ROOT = Path(__file__).resolve().parent.parent
_STEPS = {
    "build": "run_build_step",
    "bake": "run_bake_step",
    "matrix": "run_matrix_step",
    "merge": "run_merge_step",
    "promote": "run_promote_step",
    "validate": "run_validate_step",
}
"""The function of each step, in the module `action.steps.STEP`."""


class StartError(Exception):
    """Reason why a step cannot be started; the message says what to do."""


def main() -> int:
    """Run the step that the first argument names, and return its exit code.

    Raises:
        StartError: the step is unknown, this Python is too old, or the launcher passed no inputs.
    """
    # While modules are imported, garbage collections find nothing, and took a tenth of the time.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    sys.setswitchinterval(_LOCK_SECONDS)
    # With -I Python does not add the script's folder to the search path, so that this package cannot be imported yet.
    sys.path.insert(0, str(_ROOT))
    from action.process.streams import ignore_write_errors, open_closed_streams

    open_closed_streams()
    ignore_write_errors()
    launched = sys.argv[2:] == ["--launched"]
    installs = sys.argv[1:2] == ["install"]
    if not installs and ("".join(sys.argv[1:2]) not in _STEPS or (sys.argv[2:] and not launched)):
        raise StartError("usage: start.py " + "|".join(_STEPS) + " [--launched], or start.py install [SET...]")
    if sys.version_info < OLDEST:
        if launched:
            return TOO_OLD
        found = ".".join(map(str, sys.version_info[:3]))
        rule = "3.10 or later is needed: run actions/setup-python before this step, or install it"
        raise StartError(f"{sys.executable} is Python {found}; {rule}")
    try:
        run = _step(launched=launched)
    except ModuleNotFoundError as error:
        if error.name not in sys.stdlib_module_names:
            raise
        if launched:
            return INCOMPLETE
        rule = "install all of Python, for example Debian's package python3 beside python3-minimal"
        raise StartError(f"{sys.executable} lacks {error.name} of the standard library: {rule}") from None
    return run()


def _step(*, launched: bool) -> "functools.partial[int]":
    """Import a step and return the function that runs it, which returns the exit code."""
    name = sys.argv[1]
    if name == "install":
        from action.packages.sets import install_sets
        from action.steps.common import exit_code_of

        return functools.partial(exit_code_of, functools.partial(install_sets, sys.argv[2:]))
    launch = None
    if launched:
        from action.process.launcher import launch_from_launcher

        try:
            launch = launch_from_launcher()
        except EOFError:
            raise StartError("the launcher ended before it had passed the inputs") from None
    # Imported by its name, because the modules of the other steps would cost this step their imports.
    step = importlib.import_module("action.steps." + name)
    return functools.partial(getattr(step, _STEPS[name]), launch)


if __name__ == "__main__":
    try:
        code = main()
    except StartError as error:
        text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stdout.write("::error::" + text + "\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        # The stream may be closed, or its reader may have ended.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # Not sys.exit(): Python takes 0.03 s to free pydantic's classes one by one, and all files are closed by now.
    os._exit(code)
