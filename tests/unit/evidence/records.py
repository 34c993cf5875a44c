"""Records made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from action.evidence.record_file import RECORD_TYPE
from tests.unit.oci.layouts import MANIFEST, descriptor, digest_of, encode, image, layout, write_tar


def record_of_two_images(folder: Path) -> tuple[Path, Path]:
    """Metadata file and record of a build with an image that is pushed (`release`) and an OCI tar (`archive`)."""
    made = {"release": image("amd64")[0], "archive": image("arm64")[0]}
    names = {"name": "localhost:5000/app:1", "push": "true"}
    record = encode(
        {
            "Ref": "build",
            "Exporters": [
                {"Type": "image", "Attrs": {**names, "id": "release"}},
                {"Type": "oci", "Attrs": {"id": "archive"}},
            ],
            "Result": {
                "Results": {
                    str(place): {"media_type": MANIFEST, "digest": digest_of(data), "size": len(data)}
                    for place, data in enumerate(made.values())
                }
            },
        }
    )
    manifest = encode(
        {
            "config": descriptor(record, RECORD_TYPE),
            "layers": [descriptor(data, "application/json") for data in made.values()],
        }
    )
    members = layout(descriptor(manifest, MANIFEST), blobs=(manifest, record, *made.values()))
    metadata = folder / "metadata.json"
    metadata.write_text(
        json.dumps({"buildx.build.ref": "default/default/build", "containerimage.digest": digest_of(made["archive"])})
    )
    return metadata, write_tar(folder / "record.dockerbuild", members)


Exporter = tuple[str, dict[str, str], str | None]
"""The type of an exporter, its attributes, and the digest of the manifest that it made."""


def write_record(file: Path, *exporters: Exporter) -> Path:
    """Write the record of a build `r`, without the manifests themselves."""
    return write_records(file, {"r": (exporters, {"CompletedAt": {"seconds": 1}})})


def write_records(file: Path, builds: Mapping[str, tuple[Sequence[Exporter], Mapping[str, object]]]) -> Path:
    """Write records: reference to the exporters of a build, and what else its record has."""
    blobs, manifests = [], []
    for ref, (exporters, more) in builds.items():
        results = {
            str(place): {"media_type": MANIFEST, "digest": digest, "size": 1}
            for place, (_, _, digest) in enumerate(exporters)
            if digest
        }
        asked = [{"Type": kind, "Attrs": attributes} for kind, attributes, _ in exporters]
        record = encode({"Ref": ref, "Exporters": asked, "Result": {"Results": results}, **more})
        manifest = encode({"config": descriptor(record, RECORD_TYPE), "layers": []})
        blobs += [record, manifest]
        manifests.append(descriptor(manifest, MANIFEST))
    return write_tar(file, layout(*manifests, blobs=tuple(blobs)))
