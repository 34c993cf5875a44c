"""Text from outside, made safe to show: in Markdown, on a terminal and in a workflow's log.

A value cannot leave its table cell or code block, and cannot add HTML. By GitHub Flavored Markdown
(https://github.github.com/gfm/): in a cell or paragraph, a value is the text of an HTML code element in which every
special character is a numeric character reference, which is never markup (sections 6.2 and 2.5); in a block, a value
stands in a fence that is longer than any run of backticks in it (section 4.5).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from unicodedata import category

from action.buildx.failures import ANSI

_PLAIN = re.compile(r"[^A-Za-z0-9 ./,=+-]")
_SPECIAL = re.compile(r"[^\x20-\x7e\n\t]")
# Unicode categories of invisible characters: control and format characters, surrogates, line and paragraph separators.
# A format character can reverse the text after it (U+202E), or split a name or secret without a trace (U+200B).
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Letters and marks that fonts draw as blank space; their category alone does not show that.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_BREAKS = re.compile(r"[\n\t]+")
_TICKS = re.compile(r"`+")
_MAX_LINE = 300
_ASCII_END = 0x80

# Parts of a long word, each with the character that it ends with.
_PARTS = re.compile(r".{4,19}?[/:@,=._-]|.{1,20}")
_MAX_WORD = 20

# A block of code in a summary of 900 pixels shows 105 characters.
_WIDTH = 100
_MAX_LABEL = 28
_MAX_BLOCKS = 5


def visible(text: str) -> str:
    """Return text without terminal sequences and invisible characters; newlines and tabs stay."""
    # A bare carriage return becomes a newline: GitHub's runner starts a line there (actions/runner 2.336,
    # src/Runner.Common/ActionCommand.cs), and a terminal would overwrite the beginning of the line.
    return _SPECIAL.sub(_if_visible, ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, max_length: int = _MAX_LINE) -> str:
    """Return text on one line, with invisible characters removed.

    Args:
        text: the text.
        max_length: the largest number of characters; a longer text ends with `…`.
    """
    # The text is cut before it is cleaned, so that the time does not grow with a very long text.
    line = " ".join(visible(text[: max_length * 4]).split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def log_line(text: str) -> str:
    """Return text on one line that GitHub's runner does not read as a workflow command.

    The runner reads a line as a command if it starts with `::`, or if it contains `##[` anywhere (actions/runner 2.336,
    src/Runner.Common/ActionCommand.cs).
    """
    shown = _BREAKS.sub(" ", visible(text)).replace("##[", "## [")
    return f": :{shown.lstrip()[2:]}" if shown.lstrip().startswith("::") else shown


def code(text: str, title: str = "") -> str:
    """Return a value as an HTML code element, for a Markdown paragraph or table cell.

    Args:
        text: the value.
        title: the text that a browser shows when the pointer rests on the value, or empty.
    """
    # Not backticks: in a table, `|` ends the cell inside a code span too (GitHub Flavored Markdown, section 4.10), and
    # a code span has no escapes.
    attribute = f' title="{_escaped(one_line(title))}"' if title else ""
    # A browser breaks a long name only where it may, and a table of names that it cannot break has to be scrolled.
    words = (_PARTS.findall(word) if len(word) > _MAX_WORD else [word] for word in one_line(text).split(" "))
    return f"<code{attribute}>{' '.join('<wbr>'.join(map(_escaped, parts)) for parts in words)}</code>"


def block(text: str, language: str = "") -> str:
    """Return text of several lines as a Markdown code block.

    Args:
        text: the text.
        language: the name of its language, such as `yaml`, or empty.
    """
    content = visible(text).strip("\n")
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in _TICKS.findall(content)), default=0))
    return f"{fence}{language}\n{content}\n{fence}\n"


def digest_blocks(digests: Sequence[tuple[str, str]]) -> str:
    """Return digests as Markdown, a few in a block each, which GitHub copies with one click, or many in one block.

    Args:
        digests: pairs of a label and a digest.
    """
    if len(digests) > _MAX_BLOCKS:
        return block("\n".join(f"{digest} {_end(label)}" for label, digest in digests), "text")
    return "\n".join(f"{code(label)}\n\n{block(digest, 'text')}" for label, digest in digests)


def _end(label: str) -> str:
    """Return the end of a label, which fits on a line with a digest."""
    return label if len(label) <= _MAX_LABEL else f"…{label[1 - _MAX_LABEL :]}"


def wrapped(text: str) -> str:
    """Return text with long lines broken, so that a block of it can be read without scrolling."""
    wrapper = textwrap.TextWrapper(_WIDTH, subsequent_indent="    ", drop_whitespace=False, break_on_hyphens=False)
    return "\n".join("\n".join(wrapper.wrap(line)) for line in visible(text).expandtabs(4).splitlines())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Args:
        header: the titles of the columns, in Markdown.
        rows: the cells of each row, in Markdown.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def details(title: str, content: str) -> str:
    """Return content that is hidden until the reader clicks its title.

    Args:
        title: the title, in Markdown.
        content: the content, in Markdown.
    """
    return f"<details><summary>{title}</summary>\n\n{content}\n</details>\n"


def _if_visible(match: re.Match[str]) -> str:
    character = match[0]
    return "" if category(character) in _INVISIBLE or character in _BLANK else character


def _escaped(text: str) -> str:
    # Outside ASCII no character has a meaning in Markdown or HTML.
    return _PLAIN.sub(lambda match: f"&#{ord(match[0])};" if ord(match[0]) < _ASCII_END else match[0], text)
