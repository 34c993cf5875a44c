"""Records from BuildKit's API: identified by the build's reference, within limits of bytes and time."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from action.buildx import live_records
from action.buildx.live_connection import LiveConnections
from action.buildx.live_records import LiveRecords
from action.errors import EvidenceError, NoRecordsError, SlowEvidenceError
from action.evidence.record import Record
from tests.unit.evidence.test_status_log import field, vertex

API = Path(__file__).resolve().parents[2] / "buildkit_api.py"
REF = "made/made0/first"
TYPES = "application/vnd.oci.image."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("history", "content", "status", "bin"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def opened() -> Iterator[list[LiveConnections]]:
    """Connections that are closed at the end."""
    every: list[LiveConnections] = []
    yield every
    for each in every:
        each.__exit__(None, None, None)


@pytest.fixture
def api(folder: Path, opened: list[LiveConnections], monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(folder, opened, monkeypatch)


class Api:
    def __init__(self, folder: Path, opened: list[LiveConnections], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._opened = opened
        self._monkeypatch = monkeypatch

    def records(self, mode: str = "good") -> LiveRecords:
        """Start buildx in the place of which the API in a mode is."""
        program = self.folder / "bin/docker-buildx"
        program.write_text(f'#!/bin/sh\necho "$@" >> "$BUILDKIT_API/started"\nexec {sys.executable} {API} {mode}\n')
        program.chmod(0o755)
        environment = {"PATH": "/usr/bin:/bin", "BUILDKIT_API": str(self.folder), "DOCKER_CONFIG": str(self.folder)}
        connections = LiveConnections(environment, wanted=False)
        self._opened.append(connections)
        return LiveRecords(connections, (str(program),))

    def blob(self, value: object) -> str:
        data = json.dumps(value).encode()
        encoded = hashlib.sha256(data).hexdigest()
        (self.folder / "content" / encoded).write_bytes(field(2, data))
        return f"sha256:{encoded}"

    def record(self, identifier: str, results: Mapping[int, tuple[str, str]], *, kind: int = 1, ref: str = "") -> None:
        """Keep an event about a build: its position to media type and digest of each result."""
        listed = b"".join(
            field(3, _number(1, position) + field(2, field(1, media_type) + field(2, digest) + _number(3, 7)))
            for position, (media_type, digest) in results.items()
        )
        exporters = b"".join(field(4, field(1, "image") + field(2, field(1, "id") + field(2, "web"))) for _ in results)
        record = field(1, ref or identifier) + exporters + field(7, _number(1, 5)) + field(10, listed)
        count = len(list((self.folder / "history").iterdir()))
        (self.folder / f"history/{identifier}-{count}").write_bytes(_number(1, kind) + field(2, record))

    @property
    def calls(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    @property
    def starts(self) -> list[str]:
        return (self.folder / "started").read_text().splitlines()


def _number(number: int, value: int) -> bytes:
    assert value < 128
    return bytes((number << 3, value))


def test_a_record_has_the_exporters_and_results_of_its_build(api: Api) -> None:
    config = {"mediaType": f"{TYPES}config.v1+json", "digest": f"sha256:{'c' * 64}", "size": 2}
    digest = api.blob({"config": config})
    api.record("first", {0: (f"{TYPES}manifest.v1+json", digest)})
    (record,) = api.records().read([REF]).values()
    assert isinstance(record, Record)
    assert (record.ref, record.succeeded) == ("first", True)
    assert [(each.type, each.attributes) for each in record.exporters] == [("image", {"id": "web"})]
    assert (record.images[0].digest, record.images[0].imageid) == (digest, f"sha256:{'c' * 64}")


def test_the_builder_and_its_first_node_are_named_to_buildx(api: Api) -> None:
    api.records().read([REF])
    assert api.starts == ["dial-stdio --builder made"]


def test_another_node_is_chosen_by_a_platform_that_no_earlier_node_has(api: Api) -> None:
    (api.folder / "buildx/instances").mkdir(parents=True)
    arm, arm64 = {"os": "linux", "architecture": "arm", "variant": "v7"}, {"os": "linux", "architecture": "arm64"}
    nodes = [{"Name": "made0", "Platforms": [arm64]}, {"Name": "made1", "Platforms": [arm64, arm]}, {"Name": "made2"}]
    (api.folder / "buildx/instances/made").write_text(json.dumps({"Nodes": nodes}))
    answers = api.records().read([REF, "made/made1/second", "made/made2/third"])
    assert api.starts == ["dial-stdio --builder made", "dial-stdio --builder made --platform linux/arm/v7"]
    assert "has no option that selects the node made2" in str(answers["made/made2/third"])


def test_a_record_of_another_build_is_not_taken(api: Api) -> None:
    api.record("first", {}, ref="second")
    (error,) = api.records().read([REF]).values()
    assert isinstance(error, EvidenceError)
    assert "has not ended" in str(error)


def test_of_several_events_about_a_build_the_last_counts(api: Api) -> None:
    first, last = (f"sha256:{letter * 64}" for letter in "ab")
    api.record("first", {}, kind=0)
    api.record("first", {0: ("some/thing", first)})
    api.record("first", {0: ("some/thing", last)})
    (record,) = api.records().read([REF]).values()
    assert isinstance(record, Record)
    assert record.images[0].digest == last


def test_a_build_that_has_begun_and_not_ended_has_no_record(api: Api) -> None:
    api.record("first", {}, kind=0)
    (error,) = api.records().read([REF]).values()
    assert "the build first has not ended" in str(error)
    assert not isinstance(error, NoRecordsError)


def test_without_history_the_error_names_the_setting(api: Api) -> None:
    (error,) = api.records().read([REF]).values()
    assert isinstance(error, NoRecordsError)
    assert "maxEntries in the section [history] of buildkitd.toml" in str(error)


def test_a_blob_with_other_bytes_than_its_digest_says_is_not_used(api: Api) -> None:
    digest = f"sha256:{'d' * 64}"
    (api.folder / "content" / ("d" * 64)).write_bytes(field(2, b'{"config": {}}'))
    api.record("first", {0: (f"{TYPES}manifest.v1+json", digest)})
    (record,) = api.records().read([REF]).values()
    assert isinstance(record, Record)
    assert (record.images[0].digest, record.images[0].imageid) == (digest, None)


def _index(api: Api, manifest: object) -> tuple[str, str]:
    """Keep an index of one manifest, and return the digests of both."""
    inner = api.blob(manifest)
    platform = {"os": "linux", "architecture": "amd64"}
    entry = {"mediaType": f"{TYPES}manifest.v1+json", "digest": inner, "size": 7, "platform": platform}
    outer = api.blob({"manifests": [entry]})
    api.record("first", {0: (f"{TYPES}index.v1+json", outer)})
    return outer, inner


def test_an_index_has_the_size_of_the_images_in_it(api: Api) -> None:
    config = {"mediaType": f"{TYPES}config.v1+json", "digest": f"sha256:{'c' * 64}", "size": 2}
    layers = [{"mediaType": f"{TYPES}layer.v1.tar+gzip", "digest": f"sha256:{'d' * 64}", "size": 40}]
    outer, inner = _index(api, {"config": config, "layers": layers})
    (record,) = api.records().read([REF]).values()
    assert isinstance(record, Record)
    assert (record.images[0].digest, record.images[0].size) == (outer, 42)
    assert [(each.digest, each.size) for each in record.images[0].platforms] == [(inner, 42)]


def test_a_manifest_that_cannot_be_read_costs_an_image_its_size_and_not_its_digest(api: Api) -> None:
    outer, inner = _index(api, {"config": "none"})
    (record,) = api.records().read([REF]).values()
    assert isinstance(record, Record)
    assert (record.images[0].digest, record.images[0].size) == (outer, None)
    assert [(each.digest, each.size) for each in record.images[0].platforms] == [(inner, None)]


def test_many_records_take_one_connection_and_each_blob_is_read_once(api: Api) -> None:
    digest = api.blob({"manifests": []})
    refs = [f"made/made0/build{number}" for number in range(100)]
    for ref in refs:
        api.record(ref.rpartition("/")[2], {0: (f"{TYPES}index.v1+json", digest), 1: (f"{TYPES}index.v1+json", digest)})
    records = api.records()
    answers = records.read(refs)
    assert all(isinstance(each, Record) and each.images[1].digest == digest for each in answers.values())
    assert records.read(refs) == answers
    assert len(api.starts) == 1
    assert sorted(api.calls) == ["ListenBuildHistory"] * 100 + ["Read"]


def test_a_damaged_record_does_not_affect_the_others(api: Api) -> None:
    api.record("first", {0: ("some/thing", "no digest")})
    api.record("second", {0: ("some/thing", f"sha256:{'e' * 64}")})
    (api.folder / "history/third").write_bytes(b"\x12\xff")
    answers = api.records().read([REF, "made/made0/second", "made/made0/third"])
    assert isinstance(answers["made/made0/second"], Record)
    assert "expected a digest" in str(answers[REF])
    assert "a record cannot be read" in str(answers["made/made0/third"])


def test_a_record_that_is_too_long_is_not_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("action.evidence.buildkit_api.MAX_EVENT", 100)
    api.record("first", dict.fromkeys(range(2), ("some/thing", f"sha256:{'e' * 64}")))
    (error,) = api.records().read([REF]).values()
    assert "more than the limit of 100" in str(error)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("nonsense", "does not speak HTTP/2"),
        ("absent", "unknown command: docker buildx dial-stdio"),
        ("cut-off", "cut off an answer"),
        ("http-error", "the HTTP status 503"),
        ("compressed", r"message of \d+ bytes \(compression 1\)"),
        ("flood", "sends more than the limit of 1000000 bytes"),
    ],
)
def test_a_server_with_a_fault_is_tried_twice_and_then_named(
    api: Api, mode: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_records, "MAX_BYTES", 1_000_000)
    api.record("first", {})
    records = api.records(mode)
    (error,) = records.read([REF]).values()
    assert re.search(said, str(error)), error
    assert not isinstance(error, NoRecordsError)
    assert records.read([REF]) == {REF: error}
    assert len(api.starts) == 2


def test_a_manifest_that_came_with_its_record_is_not_asked_for_again(api: Api) -> None:
    data = {"config": {"mediaType": f"{TYPES}config.v1+json", "digest": f"sha256:{'c' * 64}", "size": 2}}
    digest = api.blob(data)
    api.record("first", {0: (f"{TYPES}manifest.v1+json", digest)})
    records = api.records()
    records.read([REF])
    for file in (api.folder / "content").iterdir():
        file.unlink()
    found = records.blobs(REF, [digest, f"sha256:{'d' * 64}"], seconds=30)
    assert {name: json.loads(blob) for name, blob in found.items()} == {digest: data}


def test_a_silent_server_is_waited_for_once_and_not_for_long(api: Api) -> None:
    before = time.monotonic()
    records = api.records("silent")
    (error,) = records.read([REF], seconds=0.5).values()
    assert isinstance(error, SlowEvidenceError)
    records.read([REF])
    assert time.monotonic() - before < 30
    assert len(api.starts) == 1


def test_an_engine_without_records_is_named(api: Api) -> None:
    (error,) = api.records("unimplemented").read([REF]).values()
    assert isinstance(error, NoRecordsError)
    assert "update it to 0.14 or later" in str(error)


def test_the_status_log_of_a_build_comes_in_any_number_of_messages(api: Api) -> None:
    api.record("first", {})
    for place, name in enumerate(("one", "two")):
        (api.folder / f"status/first-{place}").write_bytes(field(1, vertex(name, name)))
    records = api.records()
    records.read([REF])
    (log,) = records.status_logs([REF, "made/made0/unknown"], seconds=30)
    assert (log.ref, [step.name for step in log.steps], log.completed) == ("first", ["one", "two"], 5.0)


def test_a_status_log_that_cannot_be_read_is_an_error(api: Api) -> None:
    api.record("first", {})
    (api.folder / "status/first").write_bytes(b"\x0a\xff")
    records = api.records()
    records.read([REF])
    with pytest.raises(EvidenceError, match="a message of the status log cannot be read"):
        records.status_logs([REF], seconds=30)
