from __future__ import annotations

import hashlib

import pytest

from action.errors import RegistryError
from action.oci.integrity import check_digest
from tests.unit.oci.layouts import digest_of


def test_bytes_are_held_against_the_digest() -> None:
    for algorithm in ("sha256", "sha512"):
        check_digest(b"x", f"{algorithm}:{hashlib.new(algorithm, b'x').hexdigest()}", "app@x")
    with pytest.raises(RegistryError, match=r"app@x: the registry serves sha256:.*, and not sha256:"):
        check_digest(b"x", digest_of(b"y"), "app@x")
    with pytest.raises(RegistryError, match="md5 cannot be checked"):
        check_digest(b"x", "md5:abc", "app@x")
