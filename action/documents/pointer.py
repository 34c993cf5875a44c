"""JSON pointers (RFC 6901), also to places in a text that is not valid JSON.

Python's decoder reports a line and a column. A user who did not write the file, such as the user of a metadata file,
finds a fault by its keys.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence

_TOKEN = re.compile(r'["\[\]{}:,]')
_SPACE = re.compile(r"\s*")
_STRINGS = json.JSONDecoder(strict=False)
_MAX_SEGMENTS = 12
"""Number of segments of a pointer that are shown: a longer pointer, such as one into 10,000 nested lists, is not
readable."""


def pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer of a path.

    Example: `pointer(["targets", "a/b", 0]) == "/targets/a~1b/0"`.

    Args:
        path: object keys and array indices, from the top of the document.
    """
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in path)


def pointer_at(text: str) -> str:
    """Return the pointer to the value in which a text ends.

    Example: `pointer_at('{"a": [1, ') == "/a/1"`.

    Args:
        text: the beginning of a JSON document.
    """
    places = deque(_paths(text), maxlen=1)
    return _shown(places[0][0]) if places else ""


def first_beyond(text: str, depth: int) -> str | None:
    """Return the pointer to the first value that is nested deeper than `depth` levels, or None.

    Args:
        text: a JSON document, valid or not.
        depth: the number of levels; the document itself is the first.
    """
    for path, _ in _paths(text):
        if len(path) > depth:
            return _shown(path)
    return None


def lines_of(text: str, pointers: Collection[str]) -> dict[str, int]:
    """Return the line on which each value begins, counted from 1; a pointer that leads to no value is left out.

    Example: of `{`, `"a": [` and `1]}` on three lines, `/a` begins on line 2 and `/a/0` on line 3.

    Args:
        text: a JSON document, valid or not. Of a key that an object has twice, the last value is found.
        pointers: JSON pointers.
    """
    wanted = {tuple(map(_unescaped, each.split("/")[1:])): each for each in pointers}
    lengths = {len(path) for path in wanted}
    offsets = {wanted[()]: 0} if () in wanted else {}
    for path, offset in _paths(text):
        # After a bracket that closes, the path is that of the value that ends there.
        if len(path) in lengths and text[offset - 1] not in "]}" and path and path[-1] is not None:
            found = wanted.get(tuple(map(str, path)))
            if found is not None:
                offsets[found] = offset
    lines: dict[str, int] = {}
    line, counted = 1, 0
    for found, offset in sorted(offsets.items(), key=lambda each: each[1]):
        space = _SPACE.match(text, offset)
        start = space.end() if space else offset
        line += text.count("\n", counted, start)
        lines[found], counted = line, start
    return lines


def _unescaped(segment: str) -> str:
    return segment.replace("~1", "/").replace("~0", "~")


def _paths(text: str) -> Iterator[tuple[list[str | int | None], int]]:
    """Yield the path to the current value after each token, and where the token ends.

    A path has keys, indices, and None for a key that has not come yet; it is the same list each time. The search ends
    where the text is not JSON: what follows has no path, and could make the search as long as its writer likes.
    """
    # Not Python's decoder: its errors have an offset in the text and no path, and it returns nothing of an invalid
    # document. Only tokens that change the path are searched for, since the text between two of them can have 30 MB.
    path: list[str | int | None] = []
    key: str | None = None
    offset = 0
    while token := _TOKEN.search(text, offset):
        symbol, offset = token[0], token.end()
        if symbol == '"':
            if key is not None:
                return
            try:
                key, offset = _STRINGS.raw_decode(text, token.start())
            except ValueError:
                return  # the string is cut off, or has an invalid escape
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
        yield path, offset


def _shown(path: Sequence[str | int | None]) -> str:
    segments = [segment for segment in path if segment is not None]
    shown = pointer(segments[:_MAX_SEGMENTS]) + ("/…" if len(segments) > _MAX_SEGMENTS else "")
    # A key can contain half a surrogate pair, which no stream can write.
    return shown.encode("utf-8", "replace").decode()
