from __future__ import annotations

import hashlib

import pytest

from action.errors import RegistryError
from action.oci.reference import Reference, check_digest, full_name, parse_reference
from tests.unit.oci.layouts import digest_of

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", Reference("docker.io/library/app", None, None)),
        ("octo/app:1", Reference("docker.io/octo/app", "1", None)),
        ("ghcr.io/octo/app:v1.0_x-y", Reference("ghcr.io/octo/app", "v1.0_x-y", None)),
        ("localhost:5000/app", Reference("localhost:5000/app", None, None)),
        ("localhost/app:1", Reference("localhost/app", "1", None)),
        (f"ghcr.io/octo/app@{DIGEST}", Reference("ghcr.io/octo/app", None, DIGEST)),
        (f"ghcr.io/octo/app:1@{DIGEST}", Reference("ghcr.io/octo/app", "1", DIGEST)),
        ("index.docker.io/octo/app", Reference("docker.io/octo/app", None, None)),
        ("[::1]:5000/app:1", Reference("[::1]:5000/app", "1", None)),
        # The limit is for the path, without the registry (distribution/reference#9).
        ("ghcr.io/" + "x" * 255, Reference("ghcr.io/" + "x" * 255, None, None)),
    ],
)
def test_a_reference_is_read_as_distribution_reads_it(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "App", "ghcr.io/Octo/app", "ghcr.io/octo/app:", "ghcr.io/octo/app:-x", "ghcr.io/octo/app:a b"),
        *("--tag=x", "-t", "ghcr.io/octo/app:1\n", "ghcr.io/octo/app:1\n::error::x", "ghcr.io//app", "ghcr.io/"),
        *("ghcr.io/octo/app:" + "x" * 129, "ghcr.io/" + "x" * 256, "ghcr.io/octo/app@", "a=b", "ghcr.io/octo/app/"),
    ],
)
def test_what_is_no_reference_is_none(text: str) -> None:
    assert parse_reference(text) is None


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("app", "docker.io/library/app:latest"),
        ("octo/app:1", "docker.io/octo/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        (f"app@{DIGEST}", f"docker.io/library/app@{DIGEST}"),
    ],
)
def test_a_name_in_full_has_a_registry_and_a_tag_or_digest(name: str, full: str) -> None:
    assert full_name(name) == full


def test_bytes_are_held_against_the_digest() -> None:
    for algorithm in ("sha256", "sha512"):
        check_digest(b"x", f"{algorithm}:{hashlib.new(algorithm, b'x').hexdigest()}", "app@x")
    with pytest.raises(RegistryError, match=r"app@x: the registry serves sha256:.*, and not sha256:"):
        check_digest(b"x", digest_of(b"y"), "app@x")
    with pytest.raises(RegistryError, match="md5 cannot be checked"):
        check_digest(b"x", "md5:abc", "app@x")
