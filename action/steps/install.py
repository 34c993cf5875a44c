"""The installation of packages before the first step, for machines on which a step reaches no package index.

`python3 -I -S action/start.py install` fills RUNNER_TOOL_CACHE, or the cache folder of the user, for this Python.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from action.errors import InputError
from action.packages.sets import SETS, install_set
from action.steps.common import exit_code_of


def run_install_step(names: Sequence[str] = ()) -> int:
    """Install the packages that are missing, print a line for each set, and return the exit code.

    Args:
        names: the names of the sets; all sets if there are none.
    """
    return exit_code_of(lambda: _install(names))


def _install(names: Sequence[str]) -> int:
    known = {packages.name: packages for packages in SETS}
    for name in names:
        if name not in known:
            raise InputError("install", f"there is no set {name!r}", f"name some of: {', '.join(known)}")
    for name in names or known:
        # Not `provide`: steps run without the packages of this Python (-S), so a package that it has is installed too.
        sys.stdout.write(f"{name}: {install_set(known[name])}\n")
        sys.stdout.flush()
    return 0
