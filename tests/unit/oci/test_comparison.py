"""What counts as a change between two images. The images are written by hand, as the OCI specification defines them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from action.errors import EvidenceError
from action.oci.comparison import PlatformComparison, compare_platforms
from action.oci.content import read_contents

_OCI = "application/vnd.oci.image"
CONFIG: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-01T00:00:00Z",
    "config": {"Env": ["A=1"], "Labels": {"a": "b", "org.opencontainers.image.created": "2026-01-01T00:00:00Z"}},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64, "sha256:" + "2" * 64]},
    "history": [
        {"created": "2026-01-01T00:00:00Z", "created_by": "COPY a /"},
        {"created": "2026-01-01T00:00:00Z", "created_by": "ENV A=1", "empty_layer": True},
        {"created": "2026-01-01T00:00:00Z", "created_by": "COPY b /"},
    ],
}


class Store:
    """Blobs by their digest."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, document: object) -> dict[str, Any]:
        data = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"digest": digest, "size": len(data)}

    def image(self, config: dict[str, Any], layers: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
        sizes = [
            {"mediaType": f"{_OCI}.layer.v1.tar+gzip", "digest": "sha256:" + each * 64, "size": 100 * (place + 1)}
            for place, each in enumerate(layers)
        ]
        described = {"mediaType": f"{_OCI}.config.v1+json", **self.put(config)}
        return {"mediaType": f"{_OCI}.manifest.v1+json", **self.put({"config": described, "layers": sizes})}

    def index(self, *entries: dict[str, Any]) -> str:
        return str(self.put({"mediaType": f"{_OCI}.index.v1+json", "manifests": entries})["digest"])

    def compare(self, first: str, second: str) -> list[PlatformComparison]:
        return list(compare_platforms(*(read_contents(each, self.blobs.get, "app:1") for each in (first, second))))


@pytest.fixture
def store() -> Store:
    return Store()


def _changed(store: Store, change: Callable[[dict[str, Any]], object], layers: tuple[str, ...] = ("a", "b")) -> bool:
    config = copy.deepcopy(CONFIG)
    change(config)
    first, second = store.image(CONFIG), store.image(config, layers)
    found = {each.changed for each in store.compare(first["digest"], second["digest"])}
    assert found == {each.changed for each in store.compare(second["digest"], first["digest"])}
    (changed,) = found
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(created="2027-01-01T00:00:00Z"),
        lambda config: config.pop("created"),
        lambda config: config["history"][1].update(created="2027-01-01T00:00:00Z"),
        lambda config: config["config"]["Labels"].update({"org.opencontainers.image.created": "now"}),
        lambda config: config["config"]["Labels"].pop("org.opencontainers.image.created"),
        lambda config: config.update({"moby.buildkit.cache.v0": "bGF5ZXJz"}),
        lambda config: config.update({"moby.buildkit.buildinfo.v1": "e30="}),
        lambda config: config.update(author="", variant="", docker_version="28.5.2"),
        lambda config: config["config"].update(Cmd=None, Entrypoint=[], User="", ArgsEscaped=False),
        lambda config: config["history"][0].update(empty_layer=False, comment=""),
    ],
)
def test_times_and_what_a_builder_keeps_are_no_change(store: Store, change: Callable[[dict[str, Any]], object]) -> None:
    assert _changed(store, change) is False


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["config"].update(Env=["A=2"]),
        lambda config: config["config"].update(User="1000"),
        lambda config: config["config"].update(ExposedPorts={"80/tcp": {}}),
        lambda config: config["config"].update(Healthcheck={"Test": ["NONE"]}),
        lambda config: config["config"]["Labels"].update({"org.opencontainers.image.revision": "c0ffee"}),
        lambda config: config["config"].pop("Labels"),
        lambda config: config["history"][0].update(created_by="COPY c /"),
        lambda config: config["rootfs"]["diff_ids"].reverse(),
        lambda config: config["rootfs"]["diff_ids"].__setitem__(0, "sha256:" + "3" * 64),
        lambda config: config.update(variant="v2"),
    ],
)
def test_anything_else_in_the_config_is_a_change(store: Store, change: Callable[[dict[str, Any]], object]) -> None:
    assert _changed(store, change) is True


@pytest.mark.parametrize(
    ("history", "other", "changed"),
    [
        ("HEALTHCHECK &{a}", "HEALTHCHECK &{a}", False),
        ("HEALTHCHECK &{a}", "HEALTHCHECK &{b}", True),
        # Nothing says that the other image has it too.
        ("COPY", "COPY", True),
    ],
)
def test_what_buildx_does_not_print_of_a_config_is_compared_by_the_history(
    store: Store, history: str, other: str, *, changed: bool
) -> None:
    own = {**CONFIG, "config": {"Env": ["A=1"], "Healthcheck": {"Test": ["a"]}}, "history": [{"created_by": history}]}
    printed = {**CONFIG, "config": {"Env": ["A=1"]}, "history": [{"created_by": other}]}
    first, second = store.image(own), store.image({**own, "created": "2027"})
    config = json.loads(store.blobs[second["digest"]])["config"]["digest"]
    assert [each.changed for each in store.compare(first["digest"], second["digest"])] == [False]
    store.blobs[config] = json.dumps(printed).encode()
    assert [each.changed for each in store.compare(first["digest"], second["digest"])] == [changed]


def test_another_compression_is_no_change(store: Store) -> None:
    assert _changed(store, lambda _: None, ("c", "d")) is False


def test_layers_without_diff_ids_are_compared_by_their_digests(store: Store) -> None:
    config = {**CONFIG, "rootfs": {"type": "layers", "diff_ids": []}}
    first, second = store.image(config), store.image(config, ("a", "c"))
    (found,) = store.compare(first["digest"], second["digest"])
    assert found.changed
    assert [each.digest for each in found.added] == ["sha256:" + "b" * 64]
    assert [each.digest for each in found.removed] == ["sha256:" + "c" * 64]


def test_a_layer_that_is_there_twice_counts_twice(store: Store) -> None:
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    twice = {**CONFIG, "rootfs": {"diff_ids": [one, one, two]}, "history": []}
    first, second = store.image(twice, ("a", "a", "b")), store.image(CONFIG)
    (found,) = store.compare(first["digest"], second["digest"])
    assert [each.diff_id for each in found.added] == [one]
    assert found.removed == ()


def test_sizes_and_instructions(store: Store) -> None:
    image = store.image(CONFIG)
    config = json.loads(store.blobs[image["digest"]])["config"]
    (content,) = read_contents(image["digest"], store.blobs.get, "app:1").values()
    assert content.size == config["size"] + 100 + 200
    assert [each.created_by for each in content.layers] == ["COPY a /", "COPY b /"]


def test_a_long_instruction_is_cut(store: Store) -> None:
    image = store.image({**CONFIG, "history": [{"created_by": "x" * 200}, {"created_by": "x" * 201}]})
    (content,) = read_contents(image["digest"], store.blobs.get, "app:1").values()
    assert [each.created_by for each in content.layers] == ["x" * 200, "x" * 199 + "…"]


def test_platforms_are_compared_one_by_one_and_attestations_are_left_out(store: Store) -> None:
    arm = {**CONFIG, "architecture": "arm64", "variant": "v8"}
    amd_entry = {**store.image(CONFIG), "platform": {"os": "linux", "architecture": "amd64"}}
    arm_entry = {**store.image(arm), "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}
    annotations = {"vnd.docker.reference.type": "attestation-manifest"}
    platform = {"os": "unknown", "architecture": "unknown"}
    attestation = {**store.image({"a": 1}), "platform": platform, "annotations": annotations}
    first, second = store.index(amd_entry, arm_entry, attestation), store.index(amd_entry)
    amd_found, arm_found = store.compare(first, second)
    assert (amd_found.platform, amd_found.changed) == ("linux/amd64", False)
    assert (arm_found.platform, arm_found.changed, arm_found.compared_size) == ("linux/arm64", True, None)
    assert store.compare(second, first)[1].size is None
    # A manifest alone is the same image as an index with it.
    assert [each.changed for each in store.compare(second, amd_entry["digest"])] == [False]


def test_a_second_image_of_a_platform_is_not_overlooked(store: Store) -> None:
    platform = {"os": "linux", "architecture": "amd64"}
    entry = {**store.image(CONFIG), "platform": platform}
    other = {**store.image({**CONFIG, "config": {}}), "platform": platform}
    first, second = store.index(entry, entry), store.index(entry, other)
    assert [each.changed for each in store.compare(first, second)] == [False, True]


def test_what_is_no_image_is_refused(store: Store) -> None:
    manifest = store.image(CONFIG)
    del store.blobs[json.loads(store.blobs[manifest["digest"]])["config"]["digest"]]
    chart = store.put({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", **store.put({})}})
    nested = {"mediaType": f"{_OCI}.index.v1+json", "digest": store.index(), "size": 2}
    for digest, said in (
        ("sha256:" + "0" * 64, "is missing"),
        (manifest["digest"], "is missing"),
        (chart["digest"], "it is not a container image"),
        (store.put([])["digest"], "expected an object"),
        (store.index(), "it has no image for any platform"),
        (store.index(nested), "it is an index of indexes"),
        (store.index(*[nested] * 401), "it has 401 manifests, more than the limit of 400"),
    ):
        with pytest.raises(EvidenceError, match=f"^app:1: .*{said}"):
            read_contents(digest, store.blobs.get, "app:1")
