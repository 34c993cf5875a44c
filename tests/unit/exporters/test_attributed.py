from __future__ import annotations

import re

from action.dataclass import replace
from action.exporters.attributed import checksums, references
from action.oci.image import PlatformImage
from tests.unit.merging.jobs import digest_of, exporter

A, B = digest_of("a"), digest_of("b")
EXPORTERS = (
    exporter("one", names=("ghcr.io/octo/app:1", "ghcr.io/octo/app:latest", "octo/app"), digest="a"),
    exporter("again", names=("ghcr.io/octo/app:2",), digest="a"),
    exporter("two", names=("localhost:5000/app@sha256:" + "0" * 64,), digest="b"),
    exporter("kept", names=("ghcr.io/octo/kept:1",), digest="k", push=False),
    exporter("unknown", names=("ghcr.io/octo/unknown:1",), digest=None),
    exporter("nameless", names=(), digest="n"),
    exporter("odd", names=("a b\n",), digest="o"),
)


def test_everything_that_was_pushed_is_named_once_by_repository_and_digest() -> None:
    assert references(EXPORTERS) == [f"ghcr.io/octo/app@{A}", f"docker.io/octo/app@{A}", f"localhost:5000/app@{B}"]


def test_checksums_have_the_form_that_actions_attest_reads() -> None:
    lines = checksums(EXPORTERS).splitlines()
    # The hash, a space, the mode of reading, the name (actions/attest 4.2, README).
    assert all(re.fullmatch(r"[0-9a-f]{64} [ *]\S+", line) for line in lines)
    assert lines[0] == f"{A.removeprefix('sha256:')}  ghcr.io/octo/app"
    assert len(lines) == 3


def test_the_image_of_each_platform_follows_the_index_only_if_it_is_asked_for() -> None:
    platforms = (PlatformImage("linux/amd64", B, None), PlatformImage("linux/arm64", digest_of("c"), None))
    pushed = replace(exporter("one", names=("ghcr.io/octo/app:1",), digest="a"), platforms=platforms)
    assert references([pushed]) == [f"ghcr.io/octo/app@{A}"]
    every = references([pushed], platforms=True)
    assert every == [f"ghcr.io/octo/app@{each}" for each in (A, B, digest_of("c"))]
    assert len(checksums([pushed], platforms=True).splitlines()) == 3
    # An image without an index is its platform's image.
    single = replace(pushed, platforms=(PlatformImage("linux/amd64", A, None),))
    assert references([single], platforms=True) == [f"ghcr.io/octo/app@{A}"]


def test_nothing_pushed_is_nothing() -> None:
    assert references(()) == []
    assert checksums(()) == ""
