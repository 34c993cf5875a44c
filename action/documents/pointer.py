"""JSON pointers (RFC 6901) to places in a text that no parser accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r'["\[\]{}:,]')
_STRINGS = json.JSONDecoder(strict=False)
_SHOWN = 12
"""Segments of a pointer that are shown; the rest of a deep one tells nobody anything."""


def pointer(path: Sequence[str | int]) -> str:
    """The JSON pointer of a path of object keys and array indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def pointer_at(text: str) -> str:
    """The pointer to the value that a text stops in.

    Args:
        text: the beginning of a JSON document.
    """
    path: list[str | int | None] = []
    for path in _paths(text):  # noqa: B007
        pass
    return _shown(path)


def first_beyond(text: str, depth: int) -> str | None:
    """The pointer to the first value nested deeper than `depth` levels, or None."""
    for path in _paths(text):
        if len(path) > depth:
            return _shown(path)
    return None


def _paths(text: str) -> Iterator[list[str | int | None]]:
    """After each token, the path to where it stands: a key, an index, or None where an object's key is still to come.

    The list is one and the same each time. It ends where the text is no JSON: what comes after that has no place, and
    whoever wrote it could make it as long as he likes.
    """
    path: list[str | int | None] = []
    key: str | None = None
    place = 0
    while token := _TOKEN.search(text, place):
        symbol, place = token[0], token.end()
        if symbol == '"':
            if key is not None:
                return
            try:
                key, place = _STRINGS.raw_decode(text, token.start())
            except ValueError:
                return  # it is cut off, or escapes what cannot be escaped
            continue
        if symbol in {"{", "["}:
            path.append(None if symbol == "{" else 0)
        elif not path:
            return
        elif symbol in {"}", "]"}:
            path.pop()
        elif symbol == ",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif path[-1] is None:
            path[-1] = key or ""
        else:
            return
        key = None
        yield path


def _shown(path: Sequence[str | int | None]) -> str:
    parts = [part for part in path if part is not None]
    shown = pointer(parts[:_SHOWN]) + ("/…" if len(parts) > _SHOWN else "")
    return shown.encode("utf-8", "replace").decode()
