"""Markdown of which no value from outside can break out: not of its cell, its block, nor into HTML.

GitHub Flavored Markdown (https://github.github.com/gfm): in a table cell or paragraph a value is the text of an HTML
code element, with every character that could mean anything as a numeric character reference, which is never markup
(6.2, 2.5); in a block it is fenced by more backticks than it has in a row (4.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from unicodedata import category

from action.buildx.failures import ANSI

_PLAIN = re.compile(r"[^A-Za-z0-9 ./,=+-]")
_ODD = re.compile(r"[^\x20-\x7e\n\t]")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Control characters, what turns the direction of text or joins it, halves of characters, separators of lines."""

_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters that are not seen."""

_TICKS = re.compile(r"`+")
_LONGEST = 300


def code(text: str, title: str = "") -> str:
    """A value as code in a line or cell.

    Args:
        text: the value.
        title: what a pointer that rests on it shows, or empty.
    """
    shown = one_line(text)
    attribute = f' title="{_escaped(one_line(title))}"' if title else ""
    return f"<code{attribute}>{_escaped(shown)}</code>"


def one_line(text: str, longest: int = _LONGEST) -> str:
    """A value on one line, without what is not seen, cut where it is very long."""
    line = " ".join(seen(text[: longest * 4]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def seen(text: str) -> str:
    """A text without terminal sequences and characters that are not seen; newlines and tabs stay."""
    return _ODD.sub(_if_seen, ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def block(text: str, language: str = "") -> str:
    """A text of several lines as a block."""
    content = seen(text).strip("\n")
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in _TICKS.findall(content)), default=0))
    return f"{fence}{language}\n{content}\n{fence}\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def folded(title: str, content: str) -> str:
    """Content that is shown when its title is clicked."""
    return f"<details><summary>{title}</summary>\n\n{content}\n</details>\n"


def _if_seen(match: re.Match[str]) -> str:
    character = match[0]
    return "" if category(character) in _UNSEEN or character in _BLANK else character


def _escaped(text: str) -> str:
    return _PLAIN.sub(lambda match: f"&#{ord(match[0])};" if ord(match[0]) < 128 else match[0], text)  # noqa: PLR2004
