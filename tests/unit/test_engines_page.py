"""The table of docs/engines.md says what the matrix of engines expects."""

from __future__ import annotations

from tests.matrix import table


def test_the_page_on_engines_has_the_results_that_the_matrix_expects() -> None:
    written, expected = table.written().splitlines(), table.table(table.expected()).splitlines()
    # An engine that could not be started when the page was written has no results there.
    assert [line for line in written if "?" not in line] == [
        line for line, there in zip(expected, written, strict=True) if "?" not in there
    ]
