"""A cache exporter has its own digest or none: entries are read as buildx reads them, digests given by elimination."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from action.errors import InputError
from action.evidence.metadata_file import read_metadata_file
from action.evidence.record import StatusLog, Step
from action.evidence.responses import Metadata, read_responses
from action.exporters.build_evidence import BuildEvidence
from action.exporters.caches import CacheEvidence, attribute_caches, missing_caches
from action.exporters.output import CacheEntry, parse_caches
from action.exporters.requested import requested_exporters
from action.pipeline.oci_folders import misleading_caches

DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": DIGEST, "size": 573}
RESPONSE = {"buildx.build.ref": "b/n/r", "cache.manifest": json.dumps(DESCRIPTOR)}
ONE = "type=registry,ref=h/a:c"


def evidence(response: object = RESPONSE, *, multi_node: bool = False) -> BuildEvidence:
    return BuildEvidence(read_responses(response), multi_node=multi_node)


def digests(*entries: str, response: object = RESPONSE, multi_node: bool = False) -> dict[str, str]:
    caches = attribute_caches(parse_caches(entries), evidence(response, multi_node=multi_node))
    return {cache.key: cache.digest for cache in caches if cache.digest}


def warnings(*entries: str, response: object = RESPONSE, multi_node: bool = False) -> list[str]:
    return list(missing_caches(parse_caches(entries), evidence(response, multi_node=multi_node)))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("type=registry,ref=h/a:c,mode=max,id=main", (CacheEntry(0, "main", "registry", "h/a:c"),)),
        ("type=local, DEST=c,ignore-error=true", (CacheEntry(0, None, "local", None, "c", ignores_error=True),)),
        ("type=local,dest=c,tag=t", (CacheEntry(0, None, "local", None, "c", tag="t"),)),
        ('type=registry,"ref=h/a:c"', (CacheEntry(0, None, "registry", "h/a:c"),)),
        ("h/a:c", (CacheEntry(0, None, "registry", "h/a:c"),)),
        ("h/a,h/b", (CacheEntry(0, None, "registry", "h/a"), CacheEntry(1, None, "registry", "h/b"))),
        ("type=inline,ref=", (CacheEntry(0, None, "inline"),)),
    ],
)
def test_an_entry_is_attributes_or_names(text: str, entries: tuple[CacheEntry, ...]) -> None:
    assert parse_caches([text]) == entries


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ((f"{ONE},id=a b",), "id 'a b' is malformed"),
        ((f"{ONE},id=7",), "id '7' is all digits"),
        ((f"{ONE},id=x", "type=inline", "type=gha,id=x"), "entries 0 and 2 have the same id 'x'"),
    ],
)
def test_the_rules_of_ids_are_those_of_outputs(texts: tuple[str, ...], problem: str) -> None:
    with pytest.raises(InputError, match=f"^cache-to: {problem}"):
        parse_caches(texts)


def test_a_cache_and_an_output_can_have_the_same_id() -> None:
    assert digests(f"{ONE},id=release") == {"release": DIGEST}


@pytest.mark.parametrize("entries", [(ONE,), ("type=local,dest=c",), ("type=later",), ("h/a",)])
def test_a_single_cache_has_the_digest_in_the_metadata_file(entries: tuple[str, ...]) -> None:
    assert digests(*entries) == {"0": DIGEST}
    assert digests(*entries, response={"cache.manifest": DESCRIPTOR}) == {"0": DIGEST}


@pytest.mark.parametrize("other", ["type=inline", "type=gha,scope=a", "type=s3,bucket=b", "type=azblob"])
def test_a_cache_without_a_manifest_is_nobodys_rival_and_has_no_digest(other: str) -> None:
    assert digests(other, ONE) == {"1": DIGEST}
    assert digests(other) == {}
    assert digests(other, f"{ONE},id=main") == {"main": DIGEST}


@pytest.mark.parametrize("other", [ONE, "type=local,dest=c", "type=later", "type=", "h/b"])
def test_of_several_that_have_a_manifest_none_gets_the_one_in_the_metadata_file(other: str) -> None:
    # It is the last one's, and which one ran last the file does not say.
    assert digests(ONE, other) == digests(other, ONE) == {}


OTHER = "sha256:" + "b" * 64
REGISTRY, LOCAL = "exporting cache to registry", "exporting cache to client directory"


def told_apart(*steps: tuple[str, str], held: frozenset[tuple[str, str]] = frozenset()) -> CacheEvidence:
    """Evidence with a step for each pair of its name and the digest that it wrote; empty digest: it failed."""
    made = [Step(name, caches=(digest,) if digest else (), error="" if digest else "refused") for name, digest in steps]
    return CacheEvidence(
        StatusLog("r", None, None, tuple(made)), lambda entry, digest: (str(entry.dest), digest) in held
    )


@pytest.mark.parametrize(
    ("entries", "several", "expected"),
    [
        ((ONE, "type=local,dest=c"), told_apart((LOCAL, OTHER), (REGISTRY, DIGEST)), {"0": DIGEST, "1": OTHER}),
        ((ONE, "type=local,dest=c", "type=gha"), told_apart((LOCAL, OTHER), (REGISTRY, "")), {"1": OTHER}),
        # Two of one type: only if both wrote the same.
        ((ONE, "h/b"), told_apart((REGISTRY, OTHER), (REGISTRY, DIGEST)), {}),
        ((ONE, "h/b"), told_apart((REGISTRY, DIGEST), (REGISTRY, DIGEST)), {"0": DIGEST, "1": DIGEST}),
        ((ONE, "h/b"), told_apart((REGISTRY, DIGEST)), {}),
        ((ONE, "h/b"), told_apart((REGISTRY, DIGEST), (REGISTRY, "")), {}),
        ((ONE, "type=later"), told_apart((REGISTRY, DIGEST), ("exporting cache to later", OTHER)), {"0": DIGEST}),
        # Folders tell local caches apart, unless one holds what another build left there.
        (
            ("type=local,dest=c", "type=local,dest=d"),
            told_apart((LOCAL, DIGEST), (LOCAL, OTHER), held=frozenset({("c", OTHER), ("d", DIGEST)})),
            {"0": OTHER, "1": DIGEST},
        ),
        (
            ("type=local,dest=c", "type=local,dest=d"),
            told_apart((LOCAL, DIGEST), (LOCAL, OTHER), held=frozenset({("c", OTHER), ("c", DIGEST), ("d", DIGEST)})),
            {"1": DIGEST},
        ),
    ],
)
def test_the_steps_of_a_build_tell_several_caches_apart(
    entries: tuple[str, ...], several: CacheEvidence, expected: dict[str, str]
) -> None:
    caches = attribute_caches(parse_caches(entries), evidence(), several)
    assert {cache.key: cache.digest for cache in caches if cache.digest} == expected
    assert {cache.evidence for cache in caches if cache.digest} <= {"record"}


def test_a_cache_that_failed_among_several_is_a_warning_if_its_errors_are_ignored() -> None:
    entries = parse_caches([f"{ONE},ignore-error=true", "type=local,dest=c"])
    (warning,) = missing_caches(entries, evidence(), told_apart((REGISTRY, ""), (LOCAL, DIGEST)))
    assert warning.startswith("cache 0 (registry) has no digest: BuildKit reports none, as of a cache that cannot be")


def test_the_cache_of_one_node_among_several_is_no_evidence() -> None:
    assert digests(ONE, multi_node=True) == {}


@pytest.mark.parametrize("value", [1, "latest", "{}", '{"digest": 1}', {**DESCRIPTOR, "digest": "sha256:abc"}, None])
def test_a_faulty_manifest_gives_no_digest(value: object) -> None:
    assert digests(ONE, response={**RESPONSE, "cache.manifest": value}) == {}


def test_a_build_that_only_calls_a_frontend_writes_no_cache() -> None:
    assert requested_exporters((), call="check", caches=parse_caches([ONE])).caches == ()
    assert requested_exporters((), call="", caches=parse_caches([ONE])).caches == parse_caches([ONE])


@pytest.mark.parametrize("bake", [False, True])
def test_the_file_is_read_with_the_manifest_if_the_key_is_there_once(tmp_path: Path, bake: bool) -> None:  # noqa: FBT001  # a parameter
    file, name = tmp_path / "m.json", "web" if bake else ""
    file.write_text(json.dumps({"web": RESPONSE} if bake else RESPONSE))
    assert read_metadata_file(file, bake=bake).targets[name].metadata.merged.cache_digest == DIGEST
    twice = f'{{"a": {{"cache.manifest": 1}}, {json.dumps(RESPONSE)[1:]}'
    file.write_text(f'{{"web": {twice}}}' if bake else twice)
    assert read_metadata_file(file, bake=bake).targets[name].metadata.merged.cache_digest in {DIGEST, None}


def test_a_cache_that_could_not_be_written_is_a_warning() -> None:
    (warning,) = warnings(f"{ONE},ignore-error=true", response={"buildx.build.ref": "b/n/r"})
    assert warning.startswith("cache 0 (registry) has no digest: BuildKit reports none")
    assert warnings(f"{ONE},ignore-error=true") == []
    assert warnings(ONE, response={"buildx.build.ref": "b/n/r"}) == []
    # Nothing was reported of the build at all: other messages say why.
    assert list(missing_caches(parse_caches([f"{ONE},ignore-error=true"]), BuildEvidence(Metadata("b/n/r")))) == []


@pytest.mark.parametrize(
    ("entries", "multi_node", "reason"),
    [
        (("type=gha,id=x",), False, "a cache of this type has none; leave out its id"),
        (
            (f"{ONE},id=x", "type=local,dest=c"),
            False,
            "2 caches of this build have one, and the record",
        ),
        ((f"{ONE},id=x",), True, "several nodes built it"),
    ],
)
def test_a_cache_with_an_id_has_a_digest_or_a_reason(
    entries: tuple[str, ...],
    multi_node: bool,  # noqa: FBT001  # a parameter
    reason: str,
) -> None:
    (warning,) = warnings(*entries, multi_node=multi_node)
    assert warning.startswith(f"cache x ({parse_caches(entries)[0].type}) has no digest: {reason}")
    assert warnings(*(entry.replace(",id=x", "") for entry in entries), multi_node=multi_node) == []


def local_cache(folder: Path, named: str, tag: str = "latest") -> None:
    data = b"a manifest"
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    (blobs / hashlib.sha256(data).hexdigest()).write_bytes(data)
    entry = {**DESCRIPTOR, "digest": named, "annotations": {"org.opencontainers.image.ref.name": tag}}
    (folder / "index.json").write_text(json.dumps({"manifests": [entry]}))


def test_a_local_cache_that_names_another_caches_manifest_is_a_warning(tmp_path: Path) -> None:
    own = f"sha256:{hashlib.sha256(b'a manifest').hexdigest()}"
    local_cache(tmp_path / "right", own)
    local_cache(tmp_path / "wrong", DIGEST)
    local_cache(tmp_path / "old", DIGEST, tag="old")
    (tmp_path / "faulty").mkdir()
    (tmp_path / "faulty/index.json").write_text("[")
    names = ("right", "wrong", "old", "faulty", "none")
    entries = parse_caches([f"type=local,dest={name}" for name in names])
    (warning,) = misleading_caches(entries, tmp_path)
    assert warning.startswith(f"wrong/index.json names {DIGEST}, which is not in that folder")
    # A single cache cannot have been given another one's.
    assert misleading_caches(entries[1:2], tmp_path) == []
