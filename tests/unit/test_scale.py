"""The results of a bake of many targets, from files on disk: how long they take, and that it grows in proportion."""

from __future__ import annotations

import gc
import gzip
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from action.bake_conclusion import conclude_bake
from action.metadata.file import read_bake_metadata_file
from action.outputs.exporters import Requested, requested_exporters
from action.outputs.parse import parse_outputs
from action.record.history import RECORD_TYPE
from action.results.models import BakeResults
from tests.unit.oci.layouts import INDEX, MANIFEST, descriptor, digest_of, encode, image, layout, tar_bytes

SECONDS = 0.5
RATIO = 2.2
ROUNDS = range(5, 16)
"""At least, and at most: the shortest of several rounds is what the work itself takes."""


@dataclass(frozen=True)
class Bake:
    """What a bake left on disk, and the digests that it must be given."""

    metadata: Path
    records: Path
    targets: dict[str, Requested]
    digests: dict[str, dict[str, str]]

    def conclude(self) -> BakeResults:
        outcome = conclude_bake(
            self.targets,
            None,
            read_bake_metadata_file(self.metadata),
            self._export,
            self.metadata.parent,
            require_digests=True,
        )
        assert outcome.errors == ()
        assert outcome.results is not None
        return outcome.results

    def _export(self, refs: Sequence[str]) -> Path:
        assert len(refs) == len(self.targets)
        return self.records


def _bake(folder: Path, count: int) -> Bake:
    folder.mkdir()
    targets, metadata, digests = {}, {}, {}
    blobs: list[bytes] = []
    manifests = []
    for number in range(count):
        name = f"target-{number}"
        outputs = (
            f"type=image,name=localhost:5000/{name}:1,push=true,id=release",
            f"type=local,dest={name}",
            f"type=image,name=localhost:5000/{name}-debug:1,push=true,id=debug",
        )
        targets[name] = requested_exporters(parse_outputs(outputs))
        made = [_image_index(f"{name} {output}") for output in ("release", "debug")]
        digests[name] = {"release": digest_of(made[0][0]), "debug": digest_of(made[1][0])}
        record = encode(
            {
                "Ref": f"ref{number}",
                "Exporters": [
                    {"Type": "image", "Attrs": {"name": f"localhost:5000/{name}:1", "push": "true", "id": "release"}},
                    {"Type": "local", "Attrs": {}},
                    {
                        "Type": "image",
                        "Attrs": {"name": f"localhost:5000/{name}-debug:1", "push": "true", "id": "debug"},
                    },
                ],
                "Result": {
                    "Results": {
                        place: {"media_type": INDEX, "digest": digest_of(data[0]), "size": len(data[0])}
                        for place, data in zip(("0", "2"), made, strict=True)
                    }
                },
            }
        )
        layers = [descriptor(blob, "application/json") for data in made for blob in data]
        manifest = encode({"config": descriptor(record, RECORD_TYPE), "layers": layers})
        blobs += [record, manifest, *(blob for data in made for blob in data)]
        manifests.append(descriptor(manifest, MANIFEST))
        metadata[name] = {
            "buildx.build.ref": f"default/default/ref{number}",
            "containerimage.digest": digests[name]["debug"],
            "containerimage.descriptor": {
                "mediaType": INDEX,
                "digest": digests[name]["debug"],
                "size": len(made[1][0]),
            },
            "image.name": f"localhost:5000/{name}-debug:1",
        }
    file = folder / "metadata.json"
    file.write_text(json.dumps(metadata), encoding="utf-8")
    index = encode({"manifests": manifests})
    members = layout(descriptor(index, INDEX), blobs=(index, *blobs))
    records = folder / "records.dockerbuild"
    records.write_bytes(gzip.compress(tar_bytes(members)))
    return Bake(file, records, targets, digests)


def _image_index(seed: str) -> tuple[bytes, bytes]:
    """An index of one platform, with its manifest."""
    manifest, _ = image(seed)
    platform = {"os": "linux", "architecture": "amd64"}
    return encode({"manifests": [descriptor(manifest, MANIFEST, platform=platform)]}), manifest


def test_every_target_of_many_is_given_its_own_digests(tmp_path: Path) -> None:
    bake = _bake(tmp_path / "bake", 200)
    assert {name: target.digests for name, target in bake.conclude().targets.items()} == bake.digests


@pytest.mark.timeout(120)
def test_200_targets_take_less_than_half_a_second_and_400_twice_as_long(tmp_path: Path) -> None:
    small, large = _bake(tmp_path / "small", 200), _bake(tmp_path / "large", 400)
    shortest = {200: float("inf"), 400: float("inf")}
    for done in range(ROUNDS.stop):
        for count, bake in ((200, small), (400, large)):
            shortest[count] = min(shortest[count], _seconds(bake))
        if done >= ROUNDS.start and shortest[400] <= RATIO * shortest[200]:
            break
    assert shortest[200] < SECONDS
    assert shortest[400] <= RATIO * shortest[200]


def _seconds(bake: Bake) -> float:
    """Processor time, so that other work on the machine does not count."""
    gc.collect()
    begun = time.process_time()
    bake.conclude()
    return time.process_time() - begun
