"""What a bake that has ended comes to, from metadata as buildx writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from action.buildx.request import Request
from action.errors import (
    BuildDigestsError,
    BuildFailedError,
    EvidenceError,
    MissingDigestError,
    NoRecordsError,
    SlowEvidenceError,
)
from action.evidence.metadata_file import MetadataFile, TargetMetadata
from action.evidence.responses import Metadata, Response
from action.exporters.output import parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.pipeline.collect import Export, Sources, package_readers
from action.pipeline.conclude import conclude
from action.pipeline.run_result import RunResult
from tests.unit.evidence.records import record_of_two_images, write_records
from tests.unit.oci.layouts import digest_of, image, one_image, write_tar


def no_record(refs: Sequence[str]) -> Iterator[Path]:
    raise EvidenceError(str(refs))


def no_proof(*_: object) -> frozenset[str]:
    return frozenset()


def conclude_bake(
    targets: Mapping[str, Requested],
    failed: BuildDigestsError | None,
    read: MetadataFile,
    export: Export,
    folder: Path,
    *,
    require_digests: bool,
    begun: Mapping[str, str] | None = None,
) -> RunResult:
    request = Request(arguments=("bake",), targets=targets, bake=True)
    sources = Sources(export, no_proof, package_readers(), folder, begun or {})
    return conclude(request, failed, read, sources, require_digests=require_digests)


def test_a_target_that_exported_nothing_is_noticed_as_a_build_is() -> None:
    targets = {"web": requested_exporters(()), "asked": requested_exporters((), push=True)}
    files = {name: TargetMetadata(Metadata(f"b/n/{name}")) for name in targets}
    read = MetadataFile("{}", files)
    result = conclude_bake(targets, None, read, no_record, Path(), require_digests=False)
    assert [notice.partition(": nothing was exported")[0] for notice in result.notices] == ["target web"]


def test_the_record_of_what_a_called_targets_frontend_names_is_not_asked_for() -> None:
    outputs = parse_outputs(["type=image,name=a,push=true", "type=oci,dest=nowhere.tar"], source="outputs")
    targets = {"web": requested_exporters(outputs), "called": requested_exporters((), call="check")}
    files = {name: TargetMetadata(Metadata(f"b/n/{name}")) for name in targets}
    asked: list[str] = []

    def export(refs: Sequence[str]) -> Iterator[Path]:
        asked.extend(refs)
        raise EvidenceError("no record")

    read = MetadataFile("{}", files)
    result = conclude_bake(targets, None, read, export, Path(), require_digests=False)
    assert set(asked) == {"b/n/web"}
    assert result.builds is not None
    assert result.builds["called"].ref is None


def test_an_error_of_a_target_keeps_its_type_which_programs_catch() -> None:
    targets = {"web": requested_exporters((), push=True, tags=("a/web",))}
    read = MetadataFile("{}", {"web": TargetMetadata(Metadata("b/n/web"))})
    (error,) = conclude_bake(targets, None, read, no_record, Path(), require_digests=True).errors
    assert type(error) is MissingDigestError
    assert str(error).startswith("target web: require-digests is set, and these exporters have no digest: 0; ")


DIGESTS = {name: "sha256:" + letter * 64 for name, letter in {"web": "a", "api": "b", "docs": "c", "cli": "d"}.items()}
ENDED: dict[str, object] = {"CompletedAt": {"seconds": 1}}


def test_of_a_bake_that_failed_the_records_without_an_error_count(tmp_path: Path) -> None:
    targets = {name: requested_exporters((), push=True, tags=(f"a/{name}",)) for name in DIGESTS}
    more: dict[str, dict[str, object]] = {
        "web": ENDED,
        "api": {**ENDED, "error": {"code": 1, "message": "context canceled"}},
        "docs": {},
        "cli": {**ENDED, "error": {}},
    }
    records = {name: ([("image", {"push": "true"}, digest)], more[name]) for name, digest in DIGESTS.items()}
    file = write_records(tmp_path / "r", records)
    failed = BuildFailedError("target cli")
    begun = {name: f"b/n/{name}" for name in DIGESTS}
    read = MetadataFile(None, {})
    result = conclude_bake(targets, failed, read, lambda _: [file], tmp_path, require_digests=True, begun=begun)
    assert result.errors == (failed,)
    assert result.builds is not None
    assert {name: each.digests for name, each in result.builds.items()} == {"web": {"0": DIGESTS["web"]}}
    assert result.builds["web"].ref == "b/n/web"
    assert result.warnings == ("the bake failed; exported: web; not exported: api, docs, cli",)


def test_of_a_bake_that_failed_the_targets_in_the_metadata_file_count(tmp_path: Path) -> None:
    targets = {name: requested_exporters((), push=True) for name in ("web", "api")}
    response = Response({"containerimage.digest": DIGESTS["web"]})
    read = MetadataFile("{}", {"web": TargetMetadata(Metadata("b/n/web", response))})
    result = conclude_bake(targets, BuildFailedError("x"), read, no_record, tmp_path, require_digests=False)
    assert result.builds is not None
    assert {name: each.digest for name, each in result.builds.items()} == {"web": DIGESTS["web"]}


def test_of_a_bake_that_failed_nothing_is_said_without_a_record(tmp_path: Path) -> None:
    targets = {"web": requested_exporters((), push=True)}
    read, failed = MetadataFile(None, {}), BuildFailedError("x")
    begun = {"web": "b/n/web"}
    result = conclude_bake(targets, failed, read, no_record, tmp_path, require_digests=False, begun=begun)
    assert (result.builds, result.errors) == (None, (failed,))


@pytest.mark.parametrize("error", [SlowEvidenceError("late"), NoRecordsError("too old")])
def test_records_that_cannot_be_had_are_asked_for_once_and_only_those_that_a_digest_needs(
    error: EvidenceError,
) -> None:
    two = parse_outputs(("type=image,name=x,push=true", "type=image,name=y,push=true"))
    files = parse_outputs(("type=local,dest=out",))
    targets = {name: requested_exporters(files if name == "files" else two) for name in ("web", "api", "files")}
    read = MetadataFile("{}", {name: TargetMetadata(Metadata(f"b/n/{name}")) for name in targets})
    calls: list[Sequence[str]] = []

    def export(refs: Sequence[str]) -> Iterator[Path]:
        calls.append(refs)
        raise error

    result = conclude_bake(targets, None, read, export, Path(), require_digests=False)
    assert calls == [["b/n/web", "b/n/api"]]
    assert result.builds is not None
    assert {name: target.digests for name, target in result.builds.items()} == {name: {} for name in targets}
    assert sum(str(error) in warning for warning in result.warnings) >= 2


def test_records_that_came_before_the_time_was_over_give_their_digests(tmp_path: Path) -> None:
    _, file = record_of_two_images(tmp_path)
    outputs = parse_outputs(
        ("type=image,name=localhost:5000/app:1,push=true,id=release", f"type=oci,dest={tmp_path}/a.tar,id=archive")
    )
    targets = {name: requested_exporters(outputs) for name in ("web", "api")}
    refs = {"web": "b/n/build", "api": "b/n/other"}
    read = MetadataFile("{}", {name: TargetMetadata(Metadata(ref)) for name, ref in refs.items()})

    def export(_refs: Sequence[str]) -> Iterator[Path]:
        yield file
        raise SlowEvidenceError("late")

    result = conclude_bake(targets, None, read, export, tmp_path, require_digests=False)
    assert result.builds is not None
    images = {"release": image("amd64")[0], "archive": image("arm64")[0]}
    assert result.builds["web"].digests == {key: digest_of(data) for key, data in images.items()}
    assert result.builds["api"].digests == {}


def test_a_tar_that_two_outputs_write_proves_the_digest_of_neither(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", one_image()[0])
    outputs = parse_outputs(("type=oci,dest=a.tar,id=one", f"type=docker,dest={tmp_path}/./a.tar,id=two"))
    read = MetadataFile("{}", {"web": TargetMetadata(Metadata("b/n/web"))})
    result = conclude_bake(
        {"web": requested_exporters(outputs)}, None, read, no_record, tmp_path, require_digests=False
    )
    assert result.builds is not None
    assert result.builds["web"].digests == {}
    assert any("exporters web one, web two all write a.tar" in warning for warning in result.warnings)
