"""JSON pointers (RFC 6901) to places in a text that no parser accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]', re.DOTALL)
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

    The list is one and the same each time.
    """
    path: list[str | int | None] = []
    last_string = ""
    for match in _TOKEN.finditer(text):
        symbol = match[0]
        if symbol == "{":
            path.append(None)
        elif symbol == "[":
            path.append(0)
        elif symbol in {"}", "]"}:
            if path:
                path.pop()
        elif symbol == ":":
            if path and path[-1] is None:
                path[-1] = _unquoted(last_string)
        elif symbol == ",":
            if path:
                place = path[-1]
                path[-1] = place + 1 if isinstance(place, int) else None
        else:
            last_string = symbol
            continue
        yield path


def _unquoted(symbol: str) -> str:
    try:
        value = json.loads(symbol)
    except ValueError:
        return symbol.strip('"')
    return str(value)


def _shown(path: Sequence[str | int | None]) -> str:
    parts = [part for part in path if part is not None]
    return pointer(parts[:_SHOWN]) + ("/…" if len(parts) > _SHOWN else "")
