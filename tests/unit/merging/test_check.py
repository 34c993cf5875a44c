from __future__ import annotations

import hashlib
import json
from typing import Any

from action.inputs.merge import merge_request
from action.merging.check import check_merged, platform_image
from action.merging.plan import PlannedImage, plan
from tests.unit.merging.jobs import digest_of, exporter, job

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def entry(owner: str, platform: str, *, version: str = "", attests: str = "") -> dict[str, Any]:
    system, architecture = platform.split("/")
    described = {"os": system, "architecture": architecture, **({"os.version": version} if version else {})}
    made = {"mediaType": MANIFEST, "digest": digest_of(owner), "size": 1, "platform": described}
    if attests:
        kind = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest_of(attests)}
        made["annotations"] = kind
    return made


def index(*entries: dict[str, Any], **annotations: str) -> bytes:
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": annotations}
    return json.dumps(document).encode()


AMD = index(entry("amd64", "linux/amd64"), entry("amd64 proof", "unknown/unknown", attests="amd64"))
ARM = index(entry("arm64", "linux/arm64"))
BOTH = index(
    entry("amd64", "linux/amd64"),
    entry("amd64 proof", "unknown/unknown", attests="amd64"),
    entry("arm64", "linux/arm64"),
)
SERVED = {digest_of("a"): AMD, digest_of("b"): ARM}


def planned_of(*owners: str) -> PlannedImage:
    jobs = [job(f"{owner}.json", exporter(digest=owner)) for owner in owners]
    (planned,), errors = plan(jobs, merge_request(results=".", tags=["ghcr.io/octo/app:1"]))
    assert errors == ()
    return planned


def faults(data: bytes, expect: tuple[str, ...] = (), annotations: tuple[str, ...] = ()) -> list[str]:
    return [str(error) for error in check_merged(planned_of("a", "b"), SERVED, data, expect, annotations)[1]]


def test_an_index_of_exactly_the_sources_has_no_errors() -> None:
    merged, errors = check_merged(planned_of("a", "b"), SERVED, BOTH, ("linux/amd64", "linux/arm64"), ())
    assert errors == ()
    assert merged.descriptor.digest == "sha256:" + hashlib.sha256(BOTH).hexdigest()
    assert [(platform, each.digest) for platform, each in merged.platforms] == [
        ("linux/amd64", digest_of("amd64")),
        ("linux/arm64", digest_of("arm64")),
    ]


def test_a_missing_attestation_is_an_error() -> None:
    (fault,) = faults(index(entry("amd64", "linux/amd64"), entry("arm64", "linux/arm64")))
    assert fault.startswith(
        f"exporter release: a.json has the manifest {digest_of('amd64 proof')}, but the index that buildx makes"
    )


def test_a_manifest_that_no_job_made_is_an_error() -> None:
    data = json.loads(BOTH)
    data["manifests"].append(entry("foreign", "linux/s390x"))
    (fault,) = faults(json.dumps(data).encode())
    assert f"the index that buildx makes contains the manifest {digest_of('foreign')}" in fault


def test_missing_and_unexpected_platforms_are_errors() -> None:
    missing, more = faults(BOTH, ("linux/amd64", "linux/riscv64"))
    assert "linux/riscv64 is expected" in missing
    assert "b.json has linux/arm64" in more


def test_two_images_of_one_platform_are_an_error_except_two_versions_of_windows() -> None:
    served = {
        digest_of("a"): index(entry("one", "windows/amd64", version="10.0.1")),
        digest_of("b"): index(entry("two", "windows/amd64", version="10.0.2")),
    }
    data = index(entry("one", "windows/amd64", version="10.0.1"), entry("two", "windows/amd64", version="10.0.2"))
    assert check_merged(planned_of("a", "b"), served, data, ("windows/amd64",), ())[1] == ()
    same = {digest: content.replace(b"10.0.2", b"10.0.1") for digest, content in served.items()}
    (fault,) = check_merged(planned_of("a", "b"), same, data.replace(b"10.0.2", b"10.0.1"), (), ())[1]
    assert all(part in str(fault) for part in ("a.json", "b.json", "windows/amd64", digest_of("one"), digest_of("two")))


def test_a_missing_annotation_is_an_error_unless_a_later_one_replaces_it() -> None:
    annotated = json.loads(BOTH)
    annotated["annotations"] = {"a": "2"}
    data = json.dumps(annotated).encode()
    assert faults(data, annotations=("index:a=1", "index:a=2", "manifest-descriptor:b=1")) == []
    (fault,) = faults(data, annotations=("index:c=1",))
    assert "no annotation c=1" in fault


def test_the_image_id_is_the_digest_of_an_images_config_and_the_size_that_of_config_and_layers() -> None:
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of("config"), "size": 1}
    layers = [{**config, "size": 20}, {**config, "size": 300}]
    image = platform_image("linux/amd64", "x", json.dumps({"config": config, "layers": layers}).encode())
    assert (image.imageid, image.size) == (digest_of("config"), 321)
    config["mediaType"] = "application/vnd.oci.empty.v1+json"
    assert platform_image(None, "x", json.dumps({"config": config}).encode()).imageid is None
