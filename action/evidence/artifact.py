"""Which files are artifacts that can be read. Standard library only; `artifact_file` reads them."""

from __future__ import annotations

import stat
from pathlib import Path

ARTIFACT_TYPES = frozenset(("oci", "docker"))
"""Exporter types whose tar names the image's digest."""


def is_passed_on(path: Path) -> bool:
    """Tell whether a path is a pipe or a device, from which nothing can be read later; a pipe would block for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
