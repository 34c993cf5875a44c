"""The results of a bake of many targets, from files on disk: what they cost, and that it grows in proportion."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from action.buildx.request import Request
from action.evidence.metadata_file import read_metadata_file
from action.evidence.record_file import RECORD_TYPE
from action.exporters.attributed import AttributedBuild
from action.exporters.output import parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.pipeline.collect import Sources, package_readers
from action.pipeline.conclude import conclude
from tests.measured import measured
from tests.unit.oci.layouts import INDEX, MANIFEST, descriptor, digest_of, encode, image, layout, tar_bytes, write_tar
from tests.work import work

SECONDS, MEBIBYTES = 2.0, 256
"""Processor time and memory for a bake of 1000 targets."""

RATIO = 2.1
"""Work for twice as many targets. What grows with the square of their number has a ratio of up to 4."""


@dataclass(frozen=True)
class Bake:
    """What a bake left on disk, and the digests that it must be given."""

    metadata: Path
    records: Path
    targets: dict[str, Requested]
    digests: dict[str, dict[str, str]]

    def conclude(self) -> Mapping[str, AttributedBuild]:
        request = Request(arguments=("bake",), targets=self.targets, bake=True)
        sources = Sources(self._export, _no_proof, package_readers(), self.metadata.parent)
        read = read_metadata_file(self.metadata, bake=True)
        result = conclude(request, None, read, sources, require_digests=True)
        assert result.errors == ()
        assert result.builds is not None
        return result.builds

    def _export(self, refs: Sequence[str]) -> Iterator[Path]:
        assert len(refs) == len(self.targets)
        yield self.records


def _no_proof(*_arguments: object) -> frozenset[str]:
    raise AssertionError("no registry was asked by tag")


def _requested(folder: Path, count: int) -> dict[str, Requested]:
    """Three exporters for each of many targets."""
    return {
        f"target-{number}": requested_exporters(
            parse_outputs(
                (
                    f"type=image,name=localhost:5000/target-{number}:1,push=true,id=release",
                    f"type=oci,dest={folder}/target-{number}.tar,id=archive",
                    f"type=image,name=localhost:5000/target-{number}-debug:1,push=true,id=debug",
                )
            )
        )
        for number in range(count)
    }


def _bake(folder: Path, count: int) -> Bake:
    folder.mkdir()
    metadata, digests = {}, {}
    blobs: list[bytes] = []
    manifests = []
    for number in range(count):
        name = f"target-{number}"
        made = {key: _image_index(f"{name} {key}") for key in ("release", "archive", "debug")}
        digests[name] = {key: digest_of(data[0]) for key, data in made.items()}
        names = {"release": f"localhost:5000/{name}:1", "debug": f"localhost:5000/{name}-debug:1"}
        exporters = [
            {"Type": "image", "Attrs": {"name": names["release"], "push": "true", "id": "release"}},
            {"Type": "oci", "Attrs": {"id": "archive"}},
            {"Type": "image", "Attrs": {"name": names["debug"], "push": "true", "id": "debug"}},
        ]
        results = {
            str(place): {"media_type": INDEX, "digest": digest_of(data[0]), "size": len(data[0])}
            for place, data in enumerate(made.values())
        }
        record = encode({"Ref": f"ref{number}", "Exporters": exporters, "Result": {"Results": results}})
        layers = [descriptor(blob, "application/json") for data in made.values() for blob in data]
        manifest = encode({"config": descriptor(record, RECORD_TYPE), "layers": layers})
        blobs += [record, manifest, *(blob for data in made.values() for blob in data)]
        manifests.append(descriptor(manifest, MANIFEST))
        index, image_manifest = made["archive"]
        write_tar(folder / f"{name}.tar", layout(descriptor(index, INDEX), blobs=(index, image_manifest)))
        last = digests[name]["debug"]
        metadata[name] = {
            "buildx.build.ref": f"default/default/ref{number}",
            "buildx.build.provenance": {"materials": [{"uri": "pkg:docker/x", "digest": {"sha256": "0" * 64}}] * 20},
            "containerimage.digest": last,
            "containerimage.descriptor": {"mediaType": INDEX, "digest": last, "size": len(made["debug"][0])},
            "image.name": names["debug"],
        }
    file = folder / "metadata.json"
    file.write_text(json.dumps(metadata), encoding="utf-8")
    whole = encode({"manifests": manifests})
    members = layout(descriptor(whole, INDEX), blobs=(whole, *blobs))
    records = folder / "records.dockerbuild"
    records.write_bytes(gzip.compress(tar_bytes(members), compresslevel=1))
    return Bake(file, records, _requested(folder, count), digests)


def _image_index(seed: str) -> tuple[bytes, bytes]:
    """An index of one platform, with its manifest."""
    manifest, _ = image(seed)
    platform = {"os": "linux", "architecture": "amd64"}
    return encode({"manifests": [descriptor(manifest, MANIFEST, platform=platform)]}), manifest


def test_every_target_of_many_is_given_its_own_digests(tmp_path: Path) -> None:
    bake = _bake(tmp_path / "bake", 200)
    results = bake.conclude()
    assert {name: target.digests for name, target in results.items()} == bake.digests
    assert {each.evidence for target in results.values() for each in target.exporters} == {"record"}


def test_twice_as_many_targets_are_twice_the_work(tmp_path: Path) -> None:
    few, many = (_bake(tmp_path / str(count), count) for count in (100, 200))
    assert work(many.conclude) <= RATIO * work(few.conclude)


def conclude_on_disk(folder: Path, count: int) -> int:
    """Conclude a bake whose files are on disk; return the number of targets with results."""
    bake = Bake(folder / "metadata.json", folder / "records.dockerbuild", _requested(folder, count), {})
    return len(bake.conclude())


def test_1000_targets_with_three_exporters_take_under_2_s_and_256_mib(tmp_path: Path) -> None:
    _bake(tmp_path / "bake", 1000)
    found = measured(
        "from pathlib import Path; from tests.unit.test_scale import conclude_on_disk",
        f"print(conclude_on_disk(Path({str(tmp_path / 'bake')!r}), 1000))",
    )
    assert found.said == "1000"
    assert found.seconds < SECONDS
    assert found.memory < MEBIBYTES
