"""The files of `attestations`, from tars that were made by hand: hostile ones too never lead out of the folder."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from action.buildx.imagetools import Registries
from action.dataclass import replace
from action.errors import SlowEvidenceError
from action.exporters.attributed import AttributedBuild
from action.inputs.policy import NO_RETRIES
from action.oci import content as reader
from action.oci import layout as layouts
from action.pipeline.attestations import with_attestations
from action.pipeline.run_result import RunResult
from action.process.log import Log
from tests.unit.merging.jobs import exporter
from tests.unit.oci.layouts import INDEX, MANIFEST, descriptor, digest_of, encode, image, layout, write_tar

SPDX, CYCLONEDX = "https://spdx.dev/Document", "https://cyclonedx.org/bom"
SLSA, VEX = "https://slsa.dev/provenance/v1", "https://openvex.dev/ns/v0.2.0"
_STATEMENT = "application/vnd.in-toto+json"


def _statement(text: str) -> bytes:
    return encode({"_type": "https://in-toto.io/Statement/v0.1", "subject": [], "predicate": text})


def _members(*images: tuple[dict[str, str], tuple[tuple[str, bytes], ...]]) -> tuple[dict[str, bytes], str]:
    """The members of a layout, and the digest of its index: a platform and its statements for each image."""
    entries, blobs = [], []
    for place, (platform, statements) in enumerate(images):
        manifest, config = image(f"a{place}")
        about = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": digest_of(manifest),
        }
        layers = [
            descriptor(data, _STATEMENT, annotations={"in-toto.io/predicate-type": kind}) for kind, data in statements
        ]
        attached = encode({"schemaVersion": 2, "config": descriptor(config, "x"), "layers": layers})
        unknown = {"os": "unknown", "architecture": "unknown"}
        entries += [
            descriptor(manifest, MANIFEST, platform=platform),
            descriptor(attached, MANIFEST, platform=unknown, annotations=about),
        ]
        blobs += [manifest, config, attached, *(data for _, data in statements)]
    index = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    return layout(descriptor(index, INDEX), blobs=(index, *blobs)), digest_of(index)


def _registries(lines: list[str]) -> Registries:
    """Registries that no test asks, with a log."""
    log = Log(captured=True, stream=io.BytesIO(), write_line=lines.append)
    return Registries(("/nowhere",), {}, "", NO_RETRIES, log)


def _run(folder: Path, members: Mapping[str, bytes], digest: str, **more: str) -> tuple[RunResult, dict[str, str]]:
    """Write the attestations of a tar; return the result, and the predicate in each file."""
    write_tar(folder / "a.tar", dict(members))
    made = replace(exporter(more.get("key", "0"), kind="oci", push=False), digest=digest, dest="a.tar")
    target = more.get("target", "")
    result = RunResult({target: AttributedBuild(None, (made,))}, None, bake=bool(target))
    lines: list[str] = []
    done = with_attestations(result, folder, "out", None, _registries(lines))
    out = folder / "out"
    files = {
        file.relative_to(out).as_posix(): json.loads(file.read_bytes())["predicate"]
        for file in out.rglob("*")
        if file.is_file()
    }
    assert len(lines) == len(files)
    return done, files


def test_each_platform_and_each_kind_has_its_file(tmp_path: Path) -> None:
    statements = tuple((kind, _statement(kind)) for kind in (SLSA, SPDX, CYCLONEDX, VEX))
    arm = {"os": "linux", "architecture": "arm", "variant": "v7"}
    members, digest = _members(({"os": "linux", "architecture": "amd64"}, statements), (arm, statements[:1]))
    done, files = _run(tmp_path, members, digest)
    assert files == {
        "0/linux-amd64/provenance.json": SLSA,
        "0/linux-amd64/sbom.json": SPDX,
        "0/linux-amd64/sbom-2.json": CYCLONEDX,
        "0/linux-amd64/other.json": VEX,
        "0/linux-arm-v7/provenance.json": SLSA,
    }
    assert (done.warnings, done.notices) == ((), ())


def test_two_images_of_one_platform_have_a_folder_each(tmp_path: Path) -> None:
    platform = {"os": "windows", "architecture": "amd64"}
    images = [({**platform, "os.version": version}, ((SLSA, _statement(version)),)) for version in ("10.0.1", "10.0.2")]
    _, files = _run(tmp_path, *_members(*images))
    assert sorted(files.values()) == ["10.0.1", "10.0.2"]
    assert "0/windows-amd64/provenance.json" in files


@pytest.mark.parametrize("name", ["..", ".", "../../x", "/etc/x", "a\\b", "a\0b", "", ".git", "x" * 300, "é"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "work/inner"
    folder.mkdir(parents=True)
    hostile = {"os": name, "architecture": name}
    members, digest = _members((hostile, ((SLSA, _statement("a")),)))
    _, files = _run(folder, members, digest, key=name or "k", target=name or "t")
    assert list(files.values()) == ["a"]
    (file,) = files
    parts = file.split("/")
    assert len(parts) == 4
    assert all(part not in {"", ".", ".."} and len(part) <= 120 and part.isascii() for part in parts)
    everything = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert sorted(everything) == sorted([folder / "a.tar", folder / "out" / file])


def test_a_statement_with_other_bytes_than_its_digest_says_is_not_written(tmp_path: Path) -> None:
    data = _statement("a")
    members, digest = _members(({"os": "linux", "architecture": "amd64"}, ((SLSA, data),)))
    members["blobs/" + digest_of(data).replace(":", "/")] = _statement("b")
    done, files = _run(tmp_path, members, digest)
    assert files == {}
    (warning,) = done.warnings
    assert "exporter 0 (oci) are not all written" in warning
    assert f"the blob {digest_of(data)} has other content than its digest says" in warning


def test_what_is_too_long_or_too_much_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linux = {"os": "linux", "architecture": "amd64"}
    members, digest = _members((linux, ((SLSA, _statement("a" * 5000)),)))
    monkeypatch.setattr(layouts, "MAX_LONG_BYTES", 4000)
    monkeypatch.setattr(reader, "MAX_LONG_BYTES", 10_000)
    done, files = _run(tmp_path, members, digest)
    assert (files, "more than the limit of 4000 bytes" in done.warnings[0]) == ({}, True)
    monkeypatch.setattr(reader, "MAX_LONG_BYTES", 4000)
    done, files = _run(tmp_path, members, digest)
    assert (files, "bytes, more than the limit of 4000" in done.warnings[0]) == ({}, True)
    monkeypatch.setattr(reader, "MAX_STATEMENTS", 1)
    members, digest = _members((linux, ((SLSA, _statement("a")), (SPDX, _statement("b")))))
    done, files = _run(tmp_path, members, digest)
    assert (files, "more than the limit of 1 attestations" in done.warnings[0]) == ({}, True)


def test_a_link_of_a_files_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    members, digest = _members(({"os": "linux", "architecture": "amd64"}, ((SLSA, _statement("a")),)))
    place = tmp_path / "out/0/linux-amd64"
    place.mkdir(parents=True)
    other = tmp_path / "other"
    other.write_text("mine")
    (place / "provenance.json").symlink_to(other)
    _, files = _run(tmp_path, members, digest)
    assert (list(files.values()), other.read_text()) == (["a"], "mine")
    assert not (place / "provenance.json").is_symlink()
    assert [each.name for each in place.iterdir()] == ["provenance.json"]


def test_an_image_that_is_nowhere_any_more_is_a_warning_that_says_what_helps(tmp_path: Path) -> None:
    gone = digest_of(b"gone")
    result = RunResult({"": AttributedBuild("b/n/r", (replace(exporter("a", push=False), digest=gone),))}, None)
    done = with_attestations(result, tmp_path, "out", None, _registries([]))
    (warning,) = done.warnings
    assert warning.startswith(f"attestations: those of exporter a (image) are not all written: image {gone}: {gone} ")
    assert "add an output type=oci with dest" in warning
    assert not (tmp_path / "out").exists()


class _SlowSource:
    """BuildKit that does not answer."""

    def __init__(self) -> None:
        self.asked = 0

    def blob(self, ref: str, digest: str) -> bytes | None:
        self.asked += 1
        raise SlowEvidenceError(f"{ref} is slow, {digest}")


def test_a_builder_that_does_not_answer_is_waited_for_once(tmp_path: Path) -> None:
    made = replace(exporter("a", push=False), digest=digest_of(b"a"))
    builds = {name: AttributedBuild("b/n/r", (made,)) for name in ("one", "two", "three")}
    source = _SlowSource()
    result = RunResult(builds, None, bake=True)
    done = with_attestations(result, tmp_path, "out", source, _registries([]))  # type: ignore[arg-type]
    assert source.asked == 1
    assert [warning.partition(":")[2].partition(":")[0] for warning in done.warnings] == [
        f" those of target {name}" for name in builds
    ]
