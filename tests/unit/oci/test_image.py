from __future__ import annotations

import pytest

from action.errors import EvidenceError
from action.oci.image import Image, PlatformImage, with_known_imageids
from action.oci.models import Descriptor, Index, describe, parse
from tests.unit.oci.layouts import CONFIG, INDEX, MANIFEST, descriptor, digest_of, encode, image

AMD, AMD_CONFIG = image("amd64")
ARM, ARM_CONFIG = image("arm64")
BLOBS = {digest_of(blob): blob for blob in (AMD, AMD_CONFIG, ARM, ARM_CONFIG)}
ATTESTATION = descriptor(
    b"attestation",
    MANIFEST,
    platform={"os": "unknown", "architecture": "unknown"},
    annotations={"vnd.docker.reference.type": "attestation-manifest"},
)


def of(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(mediaType=media_type, digest=digest_of(data), size=len(data))


def test_a_manifest_has_its_configs_digest_as_image_id_and_its_configs_platform() -> None:
    described = describe(of(AMD, MANIFEST), BLOBS.get)
    assert (described.digest, described.imageid) == (digest_of(AMD), digest_of(AMD_CONFIG))
    assert described.platforms == (
        PlatformImage("linux/amd64", digest_of(AMD), digest_of(AMD_CONFIG), len(AMD_CONFIG)),
    )


def test_a_manifest_that_is_not_at_hand_has_a_digest_all_the_same() -> None:
    assert describe(of(AMD, MANIFEST), lambda _: None) == Image(digest_of(AMD), None, of(AMD, MANIFEST).plain)


def test_an_index_of_one_platform_has_no_config_of_its_own_and_attestations_do_not_count() -> None:
    index = encode(
        {"manifests": [descriptor(AMD, MANIFEST, platform={"os": "linux", "architecture": "amd64"}), ATTESTATION]}
    )
    described = describe(of(index, INDEX), {**BLOBS, digest_of(index): index}.get)
    assert (described.digest, described.imageid) == (digest_of(index), None)
    assert [each.platform for each in described.platforms] == ["linux/amd64"]


def test_an_index_of_several_platforms_has_the_image_of_each() -> None:
    platforms = [
        descriptor(AMD, MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        descriptor(ARM, MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
        ATTESTATION,
    ]
    index = encode({"manifests": platforms})
    described = describe(of(index, INDEX), {**BLOBS, digest_of(index): index}.get)
    assert (described.imageid, described.size) == (None, len(AMD_CONFIG) + len(ARM_CONFIG))
    assert described.platforms == (
        PlatformImage("linux/amd64", digest_of(AMD), digest_of(AMD_CONFIG), len(AMD_CONFIG)),
        PlatformImage("linux/arm64/v8", digest_of(ARM), digest_of(ARM_CONFIG), len(ARM_CONFIG)),
    )


@pytest.mark.parametrize("media_type", [CONFIG, "application/vnd.docker.container.image.v1+json"])
def test_a_descriptor_of_a_config_is_an_image_id_and_no_digest(media_type: str) -> None:
    assert describe(of(AMD_CONFIG, media_type), BLOBS.get) == Image(imageid=digest_of(AMD_CONFIG))


def test_a_media_type_that_nobody_knows_keeps_its_digest() -> None:
    assert describe(of(b"x", "application/x"), BLOBS.get).digest == digest_of(b"x")


def test_an_index_that_is_none_is_refused() -> None:
    with pytest.raises(EvidenceError, match="manifests"):
        describe(of(b"{}", INDEX), {digest_of(b"{}"): b"{}"}.get)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"manifests": [{}]}',
        b'{"manifests": [{"mediaType": "m", "digest": "sha256:1", "size": 1}]}',
        b'{"manifests": [{"mediaType": "m", "digest": "latest", "size": 1}]}',
        b'{"manifests": [{"mediaType": "m", "digest": "sha512:a\\n", "size": 1}]}',
        b'{"manifests": [{"mediaType": "m", "digest": "a:b", "size": -1}]}',
        b'{"manifests": [{"mediaType": "m", "digest": "a:b", "size": 1e400}]}',
        b"\xff",
        b'{"x": ' * 100_000,
        b'{"manifests": [], "x": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_index_is_a_plain_error(data: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"^source: "):
        parse(Index, data, "source")


def test_an_image_id_that_another_source_knows_is_taken_over_by_manifest_digest() -> None:
    bare = Image("a:index", None, None, (PlatformImage("linux/amd64", "a:manifest", None),))
    known = with_known_imageids(bare, {"a:manifest": "a:config"})
    assert (known.imageid, known.platforms[0].imageid) == (None, "a:config")
    assert with_known_imageids(Image("a:manifest"), {"a:manifest": "a:config"}).imageid == "a:config"
    assert with_known_imageids(bare, {"a:other": "a:config"}) == bare
