"""Which faults of a metadata file cost what: a digest is derived from few places, and the others are only reported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.documents.schema import faults
from action.evidence.metadata_file import read_metadata_file
from action.evidence.metadata_places import judge
from action.evidence.responses import read_responses
from action.evidence.validation import validate_file
from action.oci.image import DIGEST_PATTERN

FOLDER = Path(__file__).parents[1] / "documents"
ROOT = FOLDER.parents[2]
FILES = sorted(FOLDER.glob("*valid/metadata/*.json"))
DIGEST, CONFIG = "sha256:" + "a" * 64, "sha256:" + "b" * 64
INDEX = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": DIGEST, "size": 855}
MANIFEST = {**INDEX, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
GOOD = {
    "buildx.build.ref": "b/n/r",
    "buildx.build.provenance": {"a": 1},
    "containerimage.config.digest": CONFIG,
    "containerimage.descriptor": MANIFEST,
    "containerimage.digest": DIGEST,
    "image.name": "a",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cache.manifest", "latest"),
        ("cache.manifest", '{"mediaType": "x", "digest": "latest", "size": 1}'),
        ("cache.manifest", ["x"]),
        ("buildx.build.provenance", []),
        ("buildx.build.provenance/linux/amd64", None),
        ("buildx.build.warnings", "none"),
        ("image.name", ["a", "b"]),
        ("exporter.type", 1),
        ("CacheExporterResponses", [{"data": {"cache.manifest": 1}}]),
        ("CacheExporterResponses", {"0": {}}),
    ],
)
def test_a_deviation_that_no_digest_is_derived_from_costs_none_and_is_named(
    tmp_path: Path, key: str, value: object
) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps({**GOOD, key: value}, indent=2))
    read = read_metadata_file(file)
    assert read.faults == ()
    assert read.text == file.read_text()
    assert (read.build.metadata.ref, read.build.metadata.merged.image.digest) == ("b/n/r", DIGEST)
    assert read.build.metadata.merged.image.imageid == CONFIG
    place = "/" + key.replace("/", "~1")
    assert [each[: len(place)] for each in read.deviations] == [place]
    found = list(validate_file(file, "metadata"))
    assert found
    assert all(fault.pointer.startswith(place) for fault in found)
    bake = tmp_path / "bake.json"
    bake.write_text(json.dumps({"api": GOOD, "web": {**GOOD, key: value}}))
    targets = read_metadata_file(bake, bake=True)
    assert targets.faults == ()
    assert [target.metadata.merged.image.digest for target in targets.targets.values()] == [DIGEST] * 2
    assert [each[: len(place) + 4] for each in targets.deviations] == [f"/web{place}"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"containerimage.digest": "latest"}, "/containerimage.digest"),
        ({"containerimage.config.digest": 1}, "/containerimage.config.digest"),
        ({"containerimage.descriptor": {**MANIFEST, "size": -1}}, "/containerimage.descriptor/size"),
        ({"containerimage.descriptor": "x"}, "/containerimage.descriptor"),
        ({"ExporterResponses": {"release": {}}}, "/ExporterResponses"),
        ({"ExporterResponses": ["release"]}, "/ExporterResponses/0"),
        ({"ExporterResponses": [{"id": 1}]}, "/ExporterResponses/0/id"),
        ({"ExporterResponses": [{"data": {"image.name": 1}}]}, "/ExporterResponses/0/data/image.name"),
        ({"ExporterResponses": [{"containerimage.digest": "x"}]}, "/ExporterResponses/0/containerimage.digest"),
        ({"ExporterResponses": [{"data": []}]}, "/ExporterResponses/0/data"),
    ],
)
def test_a_response_with_a_fault_where_a_digest_is_derived_from_is_not_used_and_its_reference_is(
    tmp_path: Path, change: dict[str, object], place: str
) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps({**GOOD, **change}))
    read = read_metadata_file(file)
    assert read.fault is None
    assert read.build.response_fault is not None
    assert read.build.response_fault.pointer == place
    assert read.build.metadata.ref == "b/n/r"
    assert (read.build.metadata.merged.image.digest, read.build.metadata.separate) == (None, None)
    assert read.text == file.read_text()


@pytest.mark.parametrize("value", [[], None, "x", 1, ["x"], {**GOOD, "buildx.build.ref": "no reference"}])
def test_of_a_document_without_a_form_or_with_a_faulty_reference_nothing_is_used(tmp_path: Path, value: object) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(value))
    read = read_metadata_file(file)
    assert read.fault is not None
    assert read.build.metadata == read_responses({})
    bake = tmp_path / "bake.json"
    bake.write_text(json.dumps({"web": value, "api": GOOD}))
    targets = read_metadata_file(bake, bake=True).targets
    assert targets["web"].fault is not None
    assert targets["web"].fault.pointer.startswith("/web")
    assert targets["api"].metadata.merged.image.digest == DIGEST


def test_an_index_has_no_config_whatever_a_response_says(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    for config in (CONFIG, "forged", 1):
        file.write_text(
            json.dumps({**GOOD, "containerimage.descriptor": INDEX, "containerimage.config.digest": config})
        )
        read = read_metadata_file(file)
        assert read.faults == ()
        assert read.build.metadata.merged.image.digest == DIGEST
        assert read.build.metadata.merged.image.imageid is None


@pytest.mark.parametrize("packages", [("msgspec",), ()])
@pytest.mark.parametrize("name", ["cache.manifest", "containerimage.digest"])
def test_without_the_packages_that_say_what_is_expected_a_fault_costs_no_more(
    tmp_path: Path, name: str, packages: tuple[str, ...]
) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps({"web": {**GOOD, name: "x"}, "api": GOOD}))
    read = _read_without_packages(tmp_path, file, packages, bake=True)
    assert read["digests"]["api"] == DIGEST
    if name == "cache.manifest":
        assert read == {"faults": [], "deviations": ["/web/cache.manifest"], "digests": {"web": DIGEST, "api": DIGEST}}
    else:
        assert read["faults"] == [[f"{file}: at /web: {_ANY_FAULT}", "/web"]]
        assert read["digests"]["web"] is None


@pytest.mark.parametrize(
    ("bake", "value"),
    [
        (False, {**GOOD, "containerimage.digest": "x"}),
        (False, "x"),
        (True, []),
    ],
)
def test_without_those_packages_a_fault_is_named_with_its_file_and_with_what_names_it_in_full(
    tmp_path: Path, value: object, *, bake: bool
) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(value))
    assert _read_without_packages(tmp_path, file, bake=bake)["faults"] == [[f"{file}: at the top: {_ANY_FAULT}", ""]]


_ANY_FAULT = "expected metadata that follows the schema, found a fault: run build-digests validate to see it"


def _read_without_packages(folder: Path, file: Path, present: tuple[str, ...] = ("msgspec",), *, bake: bool) -> Any:  # noqa: ANN401  # JSON
    """Read a file in a Python with a few packages and an installer that fails."""
    installer = folder / "bin" / "uv"
    installer.parent.mkdir()
    installer.write_text("#!/bin/sh\nexit 1\n")
    installer.chmod(0o755)
    packages = folder / "packages"
    packages.mkdir()
    for name in present:
        (packages / name).symlink_to(Path(msgspec.__file__).parents[1] / name)
    code = f"""
import json, sys
sys.path += [{str(ROOT)!r}, {str(packages)!r}]
from pathlib import Path
from action.evidence.metadata_file import read_metadata_file
read = read_metadata_file(Path({str(file)!r}), bake={bake})
targets = {{name: target for name, target in read.targets.items() if name}}
digests = {{name: target.metadata.merged.image.digest for name, target in targets.items()}}
faults = [(str(fault), fault.pointer) for fault in read.faults]
print(json.dumps({{"faults": faults, "deviations": read.deviations, "digests": digests}}))
assert "jsonschema" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        env={"PATH": f"{installer.parent}:/usr/bin:/bin", "RUNNER_TOOL_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    keys = st.sampled_from(
        (
            *GOOD,
            *("buildx.build.provenance/linux/amd64", "buildx.build.warnings", "cache.manifest"),
            *("exporter.type", "exporter.id", "exporter.responses", "ExporterResponses", "cacheExporterResponses"),
            *("id", "Type", "data", "response", "other"),
        )
    )
    return st.dictionaries(keys, inner, max_size=4)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(
        (
            *(
                None,
                0,
                True,
                "",
                "x",
                DIGEST,
                CONFIG,
                "b/n/r",
                "b/n /r",
                [],
                {},
                MANIFEST,
                INDEX,
                {**INDEX, "size": -1},
            ),
            *(json.dumps(MANIFEST), '{"a": 1, "a": 2}', "{", " {}", {"a": 1}, [{}], {**INDEX, "platform": {"os": 1}}),
        )
    ),
    lambda inner: st.lists(inner, max_size=2) | _objects(inner),
    max_leaves=6,
)


@given(_VALUES | st.lists(_objects(_VALUES), min_size=1, max_size=3) | _objects(_VALUES))
def test_any_document_is_faulty_or_deviates_just_where_the_schema_says_so(value: object) -> None:
    judged = judge(value)
    found = [fault.pointer for fault in faults(value, "metadata", "x")]
    assert bool(found) is (judged.distrusted or bool(judged.deviations))
    for place in judged.deviations:
        assert any(f"{pointer}/".startswith(f"{place}/") for pointer in found), (place, found)
    _only_digests(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_example_is_faulty_or_deviates_just_where_the_schema_says_so(path: Path) -> None:
    value = json.loads(path.read_text())
    judged = judge(value)
    assert (judged.distrusted or bool(judged.deviations)) is (path.parts[-3] == "invalid")
    _only_digests(value)


def _only_digests(value: object) -> None:
    metadata = read_responses(judge(value).document)
    for response in (metadata.merged, *(metadata.separate or ())):
        for digest in (response.image.digest, response.image.imageid):
            assert digest is None or re.match(DIGEST_PATTERN, digest)
