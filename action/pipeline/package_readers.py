"""The readers of evidence, with the packages that they need: pydantic."""

from __future__ import annotations

from action.evidence.artifact_file import digests_in_folder, read_artifact
from action.evidence.record_file import read_records
from action.evidence.status_log import read_status_log
from action.pipeline.collect import Readers

READERS = Readers(read_records, read_artifact, digests_in_folder, read_status_log)
"""All readers."""
