"""Target for the images of `compare`: the manifest and the config that a registry serves."""

from __future__ import annotations

import hashlib
import json

from action.oci.comparison import Comparison, compare_platforms
from action.oci.content import read_contents
from fuzz.reader import Reader, allowing_errors, input_of, parts, printable

_CONFIG = b"""{"architecture":"arm64","os":"linux","created":"2026-01-01T00:00:00Z","config":{"Env":["A=1"],"Labels":
{"org.opencontainers.image.created":"now","a":"b"}},"history":[{"created":"2026-01-01T00:00:00Z","created_by":"COPY /"},
{"created_by":"ENV A=1","empty_layer":true}],"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}""" % (b"1" * 64)
_LAYERS = b"""[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":7}]""" % (
    b"a" * 64
)
_PLATFORM = b"""{"os":"linux","architecture":"arm64","variant":"v8","os.version":"10.0.1"}"""


def _comparison(data: bytes) -> None:
    """Read an image, and compare it with itself and with an image whose times differ."""
    config, layers, platform = parts(data, 3)
    blobs: dict[str, bytes] = {}

    def put(blob: bytes) -> bytes:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        blobs[digest] = blob
        return b'"digest":"%s","size":%d' % (digest.encode(), len(blob))

    described = b'{"mediaType":"application/vnd.oci.image.config.v1+json",%s}' % put(config)
    manifest = put(b'{"config":%s,"layers":%s}' % (described, layers or b"[]"))
    media_type = b"application/vnd.oci.image.manifest.v1+json"
    entry = b'{"mediaType":"%s",%s,"platform":%s}' % (media_type, manifest, platform or b"null")
    put(b'{"manifests":[%s,%s]}' % (entry, entry))
    for digest in tuple(blobs)[1:]:
        with allowing_errors():
            contents = read_contents(digest, blobs.get, "app:1")
            same = compare_platforms(contents, contents)
            assert not any(each.changed or each.added or each.removed for each in same)
            alone = compare_platforms(contents, {})
            assert all(each.changed for each in alone)
            assert all(each.size is not None and each.size >= len(config) for each in alone)
            printable(
                json.dumps(Comparison("app:1", digest, changed=True, platforms=alone).document(), ensure_ascii=False)
            )


COMPARISON = Reader(
    "comparison",
    _comparison,
    (
        input_of(_CONFIG, _LAYERS, _PLATFORM),
        input_of(_CONFIG, b"[]", b"null"),
        # Numbers that one parser reads and another one does not.
        input_of(b'{"a":NaN,"rootfs":{"diff_ids":null}}', _LAYERS, b"null"),
        input_of(b'{"a":%s}' % (b"9" * 5000), _LAYERS, b"null"),
    ),
    (
        "history",
        "created_by",
        "empty_layer",
        "rootfs",
        "diff_ids",
        "variant",
        "os.version",
        "\\ud800",
        "NaN",
        "sha256:",
    ),
)
