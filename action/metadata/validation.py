"""Validates files for people and for CI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from action.errors import DocumentError
from action.metadata.document import read_document
from action.metadata.schema import faults, guess_schema


def validate_file(file: Path, schema: str | None) -> Iterator[DocumentError]:
    """Every fault of a file.

    Args:
        file: a JSON file.
        schema: the schema to hold it against; None finds out which it is meant for.
    """
    document = read_document(file)
    if document.fault:
        yield document.fault
        return
    name = schema or guess_schema(document.value)
    if name is None:
        problem = "expected a metadata, bake, results or digests document, found another; name it with --schema"
        yield DocumentError(document.source, "", problem)
        return
    yield from faults(document.value, name, document.source)
