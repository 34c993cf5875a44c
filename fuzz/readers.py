"""The list of all readers."""

from __future__ import annotations

from fuzz.api import API
from fuzz.attestations import ATTESTATIONS
from fuzz.comparison import COMPARISON
from fuzz.merge import MERGE
from fuzz.metadata import BAKE, METADATA
from fuzz.report import CHECKS, LOG, SUMMARY
from fuzz.tars import ARTIFACT, RAW, RECORD
from fuzz.user_input import COMMAND_LINE, DEFINITION, INPUTS, LISTS

READERS = {
    reader.name: reader
    for reader in (
        *(METADATA, BAKE, RAW, RECORD, ARTIFACT, API, ATTESTATIONS, COMPARISON, MERGE),
        *(INPUTS, LISTS, COMMAND_LINE, DEFINITION, CHECKS, LOG, SUMMARY),
    )
}
"""Name to reader."""
