"""Target for the attestations of an image: the index and the attestation manifest that somebody built."""

from __future__ import annotations

import hashlib
import json

from action.oci.content import find_statements
from action.pipeline.attestations import statement_files
from fuzz.reader import Reader, allowing_errors, input_of, parts, printable

_LAYERS = b"""[{"mediaType":"application/vnd.in-toto+json","digest":"sha256:%s","size":7,
"annotations":{"in-toto.io/predicate-type":"https://spdx.dev/Document"}}]""" % (b"a" * 64)
_PLATFORM = b"""{"os":"linux","architecture":"arm64","variant":"v8"}"""
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def _attestations(data: bytes) -> None:
    """Find the statements of an index with two images, and name a file for each."""
    layers, platform, other = parts(data, 3)
    attached = b'{"layers":%s}' % (layers or b"[]")
    digest = f"sha256:{hashlib.sha256(attached).hexdigest()}".encode()
    entries = []
    for subject, of in ((b"1" * 64, platform), (b"2" * 64, other)):
        manifest = b'"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1'
        about = (
            b'"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"sha256:%s"' % subject
        )
        entries.append(b'{%s,"digest":"sha256:%s","platform":%s}' % (manifest, subject, of or b"null"))
        entries.append(b'{%s,"digest":"%s","annotations":{%s}}' % (manifest, digest, about))
    index = b'{"manifests":[%s]}' % b",".join(entries)
    blobs = {"index": index, digest.decode(): attached}
    with allowing_errors():
        statements = find_statements("index", blobs.get, "app:1")
        files = statement_files(statements)
        assert len(files) == len(statements)
        assert len({"/".join(each).lower() for each in files}) == len(files)
        for name in (part for file in files for part in file):
            assert name.strip(".")
            assert _SAFE.issuperset(name)
        printable(json.dumps(files))


ATTESTATIONS = Reader(
    "attestations",
    _attestations,
    (
        input_of(_LAYERS, _PLATFORM, b"null"),
        input_of(_LAYERS, _PLATFORM, _PLATFORM),
        input_of(_LAYERS, b'{"os":"..","architecture":"../.."}', b'{"os":"a\\\\b"}'),
    ),
    ("variant", "in-toto.io/predicate-type", "https://slsa.dev/provenance/v1", "\\ud800", "..", "sha256:", "unknown"),
)
