from __future__ import annotations

import io

import pytest

from action.dataclass import replace
from action.exporters.attributed import AttributedBuild, AttributedCache, AttributedExporter
from action.report.table import print_table

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def exporter(key: str, digest: str | None, *names: str, dest: str | None = None) -> AttributedExporter:
    return AttributedExporter(
        key=key,
        index=0,
        id=None,
        type="image",
        names=names,
        push=False,
        dest=dest,
        digest=digest,
        imageid=None,
        descriptor=None,
        platforms=(),
        evidence="record" if digest else None,
    )


RESULTS = AttributedBuild(
    "b/n/r", (exporter("release", A, "ghcr.io/o/app:1", "b"), exporter("1", None, dest="out"), exporter("2", B))
)


def test_a_pipe_gets_one_line_for_each_exporter_of_any_length() -> None:
    file = io.StringIO()
    print_table(AttributedBuild(None, (exporter("x", A, "n" * 500),)), file)
    assert [line.split() for line in file.getvalue().splitlines()[2:]] == [["x", "image", "n" * 500, A, "record"]]


def cache(key: str, digest: str | None, *, ref: str | None = None, dest: str | None = None) -> AttributedCache:
    return AttributedCache(
        key=key,
        index=0,
        id=None,
        type="registry",
        ref=ref,
        dest=dest,
        digest=digest,
        evidence="response" if digest else None,
    )


def test_caches_have_a_table_of_their_own() -> None:
    file = io.StringIO()
    caches = (cache("main", A, ref="h/a:c"), cache("1", None, dest="folder\x1b[31m"))
    print_table(AttributedBuild(None, (exporter("x", B, "n"),), caches), file)
    rows = [line.split() for line in file.getvalue().splitlines() if line.strip("─ ")]
    assert rows[1] == ["x", "image", "n", B, "record"]
    assert rows[2] == ["CACHE", "TYPE", "REF", "OR", "DEST", "DIGEST", "EVIDENCE"]
    assert rows[3:] == [["main", "registry", "h/a:c", A, "response"], ["1", "registry", "folder", "-", "-"]]
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize("columns", ["40", "80", "120"])
def test_a_narrow_terminal_gets_each_digest_unbroken_on_its_own_line(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    print_table(RESULTS, file)
    text = file.getvalue()
    for word in (A, B, "release", "ghcr.io/o/app:1, b", "out"):
        assert any(word in line for line in text.splitlines()), text


def test_no_color_gives_text_without_control_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    texts = []
    for value in ("", "1"):
        monkeypatch.setenv("NO_COLOR", value)
        file = Terminal()
        print_table(RESULTS, file)
        texts.append(file.getvalue())
    assert ["\x1b" in text for text in texts] == [True, False]


def test_control_characters_of_a_name_are_not_printed() -> None:
    file = io.StringIO()
    print_table(AttributedBuild(None, (exporter("x", A, "a\x1b[31mb\x07[bold]c[/bold]"),)), file)
    assert "ab[bold]c[/bold]" in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_the_legacy_digest_is_that_of_the_first_image_and_never_falls_through_to_another() -> None:
    results = AttributedBuild(None, (exporter("0", None), exporter("1", B), exporter("2", A)))
    assert (results.digest, results.digests) == (None, {"1": B, "2": A})
    local = replace(exporter("0", None), type="local")
    image = replace(exporter("1", A), imageid=B)
    found = AttributedBuild(None, (local, image, exporter("2", B)))
    assert (found.digest, found.imageid) == (A, B)
