"""Records made by hand."""

from __future__ import annotations

import json
from pathlib import Path

from action.record.history import RECORD_TYPE
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
