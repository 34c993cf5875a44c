"""Modules of the standard library that are imported when they are first used.

Few steps need them before the build starts, and together they take as long to import as the interpreter to start.
Type checkers see the modules themselves (lazy.pyi).

Example: `from action.lazy import tempfile`, and later `tempfile.TemporaryFile()`.
"""

from __future__ import annotations

from importlib import import_module


class _LazyModule:
    """A module that is imported when one of its attributes is read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        return getattr(import_module(self._name), attribute)


difflib = _LazyModule("difflib")
hashlib = _LazyModule("hashlib")
http_client = _LazyModule("http.client")
shutil = _LazyModule("shutil")
tempfile = _LazyModule("tempfile")
urllib_request = _LazyModule("urllib.request")
