"""What a bake that has ended comes to, from metadata as buildx writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from action.bake_conclusion import conclude_bake
from action.errors import EvidenceError
from action.metadata.file import BakeMetadataFile, MetadataFile
from action.metadata.responses import Metadata
from action.outputs.exporters import requested_exporters
from action.outputs.parse import parse_outputs


def no_record(refs: Sequence[str]) -> Path:
    raise EvidenceError(str(refs))


def test_a_target_that_exported_nothing_is_noticed_as_a_build_is() -> None:
    targets = {"web": requested_exporters(()), "asked": requested_exporters((), push=True)}
    files = {name: MetadataFile(None, Metadata(f"b/n/{name}")) for name in targets}
    read = BakeMetadataFile("{}", files)
    outcome = conclude_bake(targets, None, read, no_record, Path(), prove=lambda *_: frozenset(), require_digests=False)
    assert [notice.partition(": nothing was exported")[0] for notice in outcome.notices] == ["target web"]


def test_the_record_of_what_a_called_targets_frontend_names_is_not_asked_for() -> None:
    outputs = parse_outputs(["type=image,name=a,push=true", "type=oci,dest=nowhere.tar"], source="outputs")
    targets = {"web": requested_exporters(outputs), "called": requested_exporters((), call="check")}
    files = {name: MetadataFile(None, Metadata(f"b/n/{name}")) for name in targets}
    asked: list[str] = []

    def export(refs: Sequence[str]) -> Path:
        asked.extend(refs)
        raise EvidenceError("no record")

    read = BakeMetadataFile("{}", files)
    outcome = conclude_bake(targets, None, read, export, Path(), prove=lambda *_: frozenset(), require_digests=False)
    assert set(asked) == {"b/n/web"}
    assert outcome.results is not None
    assert outcome.results.targets["called"].ref is None
