"""Markdown rendered by markdown-it-py: CommonMark with GitHub's tables."""

from __future__ import annotations

from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

_VOID = frozenset(("br", "hr", "img", "wbr"))


def html(markdown: str) -> str:
    return str(_renderer().render(markdown))


def tokens(markdown: str) -> list[Token]:
    return _renderer().parse(markdown)


def _renderer() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Page(HTMLParser):
    """A parsed HTML text.

    Attributes:
        elements: the elements' names, in order.
        attributes: the names of all attributes.
        cells: the text of each table cell.
        codes: the text of each code element.
        comments: the text of each comment.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self.codes: list[str] = []
        self._open: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # It only says where a line may be broken.
        if tag != "wbr":
            self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in {"td", "th"}:
            self.cells.append("")
        if tag == "code":
            self.codes.append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, data: str) -> None:
        if any(tag in {"td", "th"} for tag in self._open):
            self.cells[-1] += data
        if "code" in self._open:
            self.codes[-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)
