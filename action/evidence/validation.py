"""Validates files against the JSON Schemas, for people and for CI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from action.documents.schema import faults, guess_schema
from action.documents.strict_json import MAX_WHOLE_BYTES, parse_bytes, read_file
from action.errors import DocumentError
from action.evidence.metadata_long import read_known, read_known_bake


def validate_file(file: Path, schema: str | None) -> Iterator[DocumentError]:
    """Yield every fault of a file.

    Args:
        file: a JSON file.
        schema: the name of its schema; None to detect it.
    """
    try:
        data = read_file(file)
    except DocumentError as fault:
        yield fault
        return
    if len(data) > MAX_WHOLE_BYTES and schema in {None, "metadata", "bake"}:
        # A file of this length is not parsed as a whole; if its known part is valid, the file counts as valid.
        readers = {"metadata": read_known, "bake": read_known_bake}
        known = [reader(data) for name, reader in readers.items() if schema in {None, name}]
        if any(each.is_valid for each in known if each):
            return
    document = parse_bytes(data, str(file))
    if document.fault:
        yield document.fault
        return
    name = schema or guess_schema(document.value)
    if name is None:
        problem = "expected a metadata, bake, results or digests document, found another; name it with --schema"
        yield DocumentError(document.source, "", problem)
        return
    yield from faults(document.value, name, document.source)
