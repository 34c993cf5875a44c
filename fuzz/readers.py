"""All readers by name."""

from __future__ import annotations

from fuzz.asked import COMMAND_LINE, DEFINITION, INPUTS, LISTS
from fuzz.joining import JOINING
from fuzz.metadata import BAKE, METADATA
from fuzz.shown import CHECKS, LOG, SUMMARY
from fuzz.tars import ARTIFACT, RAW, RECORD

READERS = {
    reader.name: reader
    for reader in (
        *(METADATA, BAKE, RAW, RECORD, ARTIFACT, JOINING),
        *(INPUTS, LISTS, COMMAND_LINE, DEFINITION, CHECKS, LOG, SUMMARY),
    )
}
"""The readers."""
