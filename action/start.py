"""Starts a step of the action: `python -I -S start.py build`, with nothing installed but Python and either uv or pip.

Standard library only, and written so that an old Python, 3.6 even, gets as far as finding a newer one, or the message
that it is too old: `from __future__ import annotations` would stop it.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # A step that is cancelled while it still imports ends at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os  # not before the line above
import re  # the same
import sys  # the same
from pathlib import Path  # the same

OLDEST = (3, 10)
"""The oldest Python that the action runs on."""

_ROOT = Path(__file__).resolve().parent.parent
_STEPS = ("build", "bake", "merge")


class StartError(Exception):
    """The step cannot be started; the message says what to do."""


def newer_python() -> "str | None":
    """The newest Python that is new enough in the tool cache, where actions/setup-python keeps them; or None."""
    cache = Path(os.environ.get("RUNNER_TOOL_CACHE") or "/nowhere")
    found = []
    for pattern in ("Python/3.*/*/bin/python3", "Python/3.*/*/python.exe"):
        for path in cache.glob(pattern):
            version = re.search(r"[\\/]Python[\\/]3\.(\d+)", str(path))
            if version and (3, int(version.group(1))) >= OLDEST:
                found.append((int(version.group(1)), str(path)))
    return max(found)[1] if found else None


def main() -> int:
    """Run the step named by the first argument; the exit code is the step's."""
    sys.path.insert(0, str(_ROOT))
    from action.process.streams import drop_what_cannot_be_written, open_closed_streams  # noqa: PLC0415  # not importable before

    open_closed_streams()
    drop_what_cannot_be_written()
    if sys.argv[1:] not in [[step] for step in _STEPS]:
        raise StartError("usage: start.py " + "|".join(_STEPS))
    if sys.version_info < OLDEST:
        newer = newer_python()
        if newer is not None and sys.executable != newer:
            arguments = [newer, "-I", "-S", str(Path(__file__).resolve()), *sys.argv[1:]]
            os.execv(newer, arguments)  # noqa: S606  # nosec B606
        found = ".".join(map(str, sys.version_info[:3]))
        rule = "3.10 or later is needed: run actions/setup-python before this step"
        raise StartError(f"{sys.executable} is Python {found}; {rule}")
    from action.errors import PackagesError  # noqa: PLC0415  # not importable before
    from action.packages.sets import STEP, provide  # noqa: PLC0415  # not importable before
    from action.process.signals import Interrupted, ending_on_signals  # noqa: PLC0415  # not importable before

    try:
        # Nothing half done is left by an install that a signal ends.
        with ending_on_signals():
            provide(STEP)
    except PackagesError as error:
        raise StartError(str(error)) from None
    except Interrupted as interrupted:
        return 128 + interrupted.number
    if sys.argv[1] == "build":
        from action.steps.build import run_build_step  # noqa: PLC0415  # not importable before

        return run_build_step()
    if sys.argv[1] == "bake":
        from action.steps.bake import run_bake_step  # noqa: PLC0415  # not importable before

        return run_bake_step()
    from action.steps.merge import run_merge_step  # noqa: PLC0415  # not importable before

    return run_merge_step()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StartError as error:
        text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stdout.write("::error::" + text + "\n")
        sys.exit(1)
