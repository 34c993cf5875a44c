"""The size of each image: of config and layers, as the registry and the tars have them, without attestations."""

from __future__ import annotations

import html
import json
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.engine.conftest import Workplace, lines
from tests.engine.other_end import served


def _content(manifest: dict[str, Any]) -> int:
    return int(manifest["config"]["size"]) + sum(int(layer["size"]) for layer in manifest["layers"])


def _sizes_in_registry(image: str, tag: str) -> dict[str, int]:
    """Digest of each platform's manifest to the size of its config and layers."""
    digest, document = served(image, tag)
    if "manifests" not in document:
        return {digest: _content(document)}
    entries = [entry["digest"] for entry in document["manifests"] if entry["platform"]["os"] != "unknown"]
    return {entry: _content(served(image, entry)[1]) for entry in entries}


def _sizes_in_tar(file: Path) -> dict[str, int]:
    with tarfile.open(file) as tar:

        def read(digest: str) -> dict[str, Any]:
            member = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            assert member is not None
            return dict(json.load(member))

        index = tar.extractfile("index.json")
        assert index is not None
        (entry,) = json.load(index)["manifests"]
        document = read(entry["digest"])
        if "manifests" not in document:
            return {entry["digest"]: _content(document)}
        images = [each["digest"] for each in document["manifests"] if each["platform"]["os"] != "unknown"]
        return {each: _content(read(each)) for each in images}


def _results(outputs: Mapping[str, str]) -> dict[str, Any]:
    return dict(json.loads(Path(outputs["results"]).read_text()))


def test_each_of_several_outputs_has_the_size_of_each_platform(work: Workplace) -> None:
    outputs = (f"type=image,name={work.image}:1,push=true", "type=oci,dest=o.tar", "type=local,dest=out")
    step = work.step(outputs=lines(*outputs), platforms="linux/amd64,linux/arm64", summary="false")
    assert step.code == 0, step.log
    image, tar, local = _results(step.outputs)["exporters"]
    for exporter, sizes in ((image, _sizes_in_registry(work.image, "1")), (tar, _sizes_in_tar(work.folder / "o.tar"))):
        assert {each["digest"]: each["size"] for each in exporter["platforms"]} == sizes
        assert len(sizes) == 2
        assert exporter["size"] == sum(sizes.values())
    assert (local["size"], local["platforms"]) == (None, [])


def test_an_image_without_attestations_has_its_size(work: Workplace) -> None:
    outputs = (f"type=image,name={work.image}:1,push=true", "type=docker,dest=d.tar")
    step = work.step(outputs=lines(*outputs), provenance="false", summary="false")
    assert step.code == 0, step.log
    image, tar = _results(step.outputs)["exporters"]
    assert [image["size"]] == list(_sizes_in_registry(work.image, "1").values())
    assert [tar["size"]] == list(_sizes_in_tar(work.folder / "d.tar").values())


def test_the_size_of_a_single_output_is_known_once_its_summary_is_written(work: Workplace) -> None:
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = work.step(push="true", tags=f"{work.image}:1")
    assert step.code == 0, step.log
    sizes = _sizes_in_registry(work.image, "1")
    (image,) = _results(step.outputs)["exporters"]
    assert {each["digest"]: each["size"] for each in image["platforms"]} == sizes
    assert image["size"] == sum(sizes.values())
    (size,) = sizes.values()
    assert f" {size} B " in summary.read_text()
    step = work.step(push="true", tags=f"{work.image}:2", summary="false")
    (image,) = _results(step.outputs)["exporters"]
    assert image["size"] is None


def test_the_summary_lists_the_largest_layers_with_their_instructions(work: Workplace) -> None:
    for number in range(12):
        (work.folder / f"file{number}").write_bytes(os.urandom(1000 * (number + 1)))
    copies = "".join(f"COPY file{number} /\n" for number in range(12))
    (work.folder / "Dockerfile").write_text(f"FROM scratch\n{copies}LABEL a=b\n")
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    outputs = lines(f"type=image,name={work.image}:1,push=true", "type=oci,dest=o.tar")
    step = work.step(outputs=outputs, provenance="false")
    assert step.code == 0, step.log
    (part,) = re.findall(r"<summary>Largest layers</summary>\n\n(.*?)\n\n</details>", summary.read_text(), re.DOTALL)
    shown = [html.unescape(line) for line in part.splitlines()[2:]]
    layers = sorted(served(work.image, "1")[1]["layers"], key=lambda layer: -layer["size"])[:10]
    assert len(shown) == len(layers)
    for line, layer, number in zip(shown, layers, range(11, 1, -1), strict=True):
        assert f'title="{layer["digest"]}"' in line
        assert f"COPY file{number} /" in line


def test_the_classic_image_store_names_no_manifest_and_the_size_is_null(classic: Workplace) -> None:
    summary = classic.folder / "summary.md"
    classic.environment = {**classic.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = classic.step(outputs=lines(f"type=image,name={classic.image}:1,push=true", "type=tar,dest=o.tar"))
    assert step.code == 0, step.log
    image, tar = _results(step.outputs)["exporters"]
    assert image["digest"] == served(classic.image, "1")[0]
    assert (image["size"], tar["size"]) == (None, None)
    assert "Image ID | Platforms |" in summary.read_text()


def test_an_image_that_is_only_in_a_tar_has_its_layers_in_the_summary(work: Workplace) -> None:
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = work.step(outputs="type=oci,dest=o.tar")
    assert step.code == 0, step.log
    (manifest,) = _sizes_in_tar(work.folder / "o.tar")
    with tarfile.open(work.folder / "o.tar") as tar:
        member = tar.extractfile(f"blobs/sha256/{manifest.removeprefix('sha256:')}")
        assert member is not None
        layers = [layer["digest"] for layer in json.load(member)["layers"]]
    (part,) = re.findall(r"<summary>Largest layers</summary>(.*?)</details>", summary.read_text(), re.DOTALL)
    assert re.findall(r'title="([^"]*)"', html.unescape(part)) == layers
    assert len(layers) == 1
