"""Each rule of attribution by itself."""

from __future__ import annotations

import pytest

from action.dataclass import replace
from action.errors import DisagreementError
from action.evidence.record import Record, RecordedExporter
from action.evidence.responses import Metadata, Response
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence, needs_record
from action.exporters.output import parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.oci.image import Image, ManifestDescriptor, PlatformImage
from tests.unit.exporters.simulation import Asked, Engine, digest_of, merged, record, seen, simulate

A, B, C = (digest_of(name) for name in "abc")
_INDEX = "application/vnd.oci.image.index.v1+json"


def requested(
    *outputs: str,
    push: bool = False,
    load: bool = False,
    tags: tuple[str, ...] = (),
    annotations: tuple[str, ...] = (),
) -> Requested:
    return requested_exporters(parse_outputs(outputs), push=push, load=load, tags=tags, annotations=annotations)


def flat(digest: str | None, config: str | None = None) -> Metadata:
    values: dict[str, object] = {"buildx.build.ref": "b/n/r"}
    if digest:
        values["containerimage.digest"] = digest
    if config:
        values["containerimage.config.digest"] = config
    return Metadata("b/n/r", Response(values))


def recorded(*exporters: tuple[str, dict[str, str]], **images: Image) -> Record:
    listed = tuple(RecordedExporter(kind, attributes) for kind, attributes in exporters)
    return Record("record", "r", listed, {int(place[1:]): image for place, image in images.items()}, {})


def digests(asked: Requested, observed: BuildEvidence) -> dict[str, str | None]:
    return {each.key: each.digest for each in attribute(asked, observed).exporters}


def test_one_image_among_files_takes_the_merged_response() -> None:
    asked = requested("type=local,dest=o", "type=image,name=a,push=true", "type=tar,dest=t")
    attribution = attribute(asked, BuildEvidence(flat(A)))
    assert [(each.key, each.digest, each.evidence) for each in attribution.exporters] == [
        ("0", None, None),
        ("1", A, "response"),
        ("2", None, None),
    ]
    assert attribution.unknown == {}


@pytest.mark.parametrize("output", ["type=image,name=a", "type=docker"])
def test_a_digest_alone_is_an_image_id_where_docker_of_old_keeps_the_image(output: str) -> None:
    attribution = attribute(requested(output), BuildEvidence(flat(A)))
    assert [(each.digest, each.imageid) for each in attribution.exporters] == [(None, A)]
    assert attribution.unknown["0"].startswith("the engine's image store gives an image ID and no digest")
    assert attribute(requested(load=True), BuildEvidence(flat(A))).exporters[0].digest is None
    assert attribute(requested(), BuildEvidence(flat(A))).exporters[0].digest is None


def test_a_digest_alone_is_a_digest_where_the_image_was_pushed_or_written_to_a_file() -> None:
    assert digests(requested("type=image,name=a,push=true"), BuildEvidence(flat(A))) == {"0": A}
    assert digests(requested(push=True, tags=("a",)), BuildEvidence(flat(A))) == {"0": A}
    assert digests(requested("type=oci,dest=o.tar"), BuildEvidence(flat(A))) == {"0": A}


def test_what_one_of_several_nodes_made_is_no_digest_of_the_whole() -> None:
    asked = requested("type=image,name=a", "type=oci,dest=o.tar")
    one = recorded(("image", {"name": "a"}), ("oci", {}), _0=Image(A), _1=Image(B))
    one_node = BuildEvidence(flat(A, C), one, {1: Image(C)}, multi_node=True)
    assert digests(asked, one_node) == {"0": None, "1": C}
    assert digests(requested("type=image,name=a"), one_node) == {"0": None}
    assert attribute(asked, one_node).unknown["0"].startswith("several nodes built it")


@pytest.mark.parametrize(
    ("outputs", "push", "joined"),
    [
        (("type=image,name=a,push=true", "type=image,name=b,push=true"), False, "0"),
        (("type=local,dest=o", "type=registry,name=a", "type=image,name=b,push=true"), False, "1"),
        # Each node pushes its own image for these (docker/buildx 0.38, build/build.go).
        (("type=image,name=a", "type=image,name=b,push=true"), False, "1"),
        (("type=image,name=a,push=", "type=image,name=b,push=true"), False, "1"),
        (("type=image,name=a,push=", "type=image,name=b"), True, "0"),
        (("type=docker,dest=d.tar",), True, "1"),
    ],
)
def test_what_buildx_joined_of_several_nodes_is_the_first_pushed_image_alone(
    outputs: tuple[str, ...], *, push: bool, joined: str
) -> None:
    metadata = Metadata(None, Response({"containerimage.digest": A, "buildx.build.warnings": []}))
    asked = requested(*outputs, push=push)
    assert not needs_record(asked, metadata)
    attribution = attribute(asked, BuildEvidence(metadata))
    digests_found = {each.key: each.digest for each in attribution.exporters if each.digest}
    assert digests_found == {joined: A}
    assert all(why.startswith("several nodes built it, and buildx merges") for why in attribution.unknown.values())


@pytest.mark.parametrize("key", ["containerimage.descriptor", "containerimage.config.digest", "image.name"])
def test_what_says_more_than_a_digest_was_not_joined(key: str) -> None:
    metadata = Metadata(None, Response({"containerimage.digest": A, key: B}))
    asked = requested("type=image,name=a,push=true", "type=image,name=b,push=true")
    assert needs_record(asked, metadata)
    assert digests(asked, BuildEvidence(metadata)) == {"0": None, "1": None}


def test_two_images_never_take_the_merged_response() -> None:
    asked = requested("type=image,name=a", "type=oci,dest=o.tar")
    attribution = attribute(asked, BuildEvidence(flat(A), missing=("no record",)))
    assert {each.digest for each in attribution.exporters} == {None}
    assert attribution.unknown == {"0": "no record", "1": "no record"}


def test_an_output_of_a_type_nobody_knows_may_make_an_image() -> None:
    asked = requested("type=image,name=a", "type=teleport")
    assert digests(asked, BuildEvidence(flat(A))) == {"0": None, "1": None}


def test_load_beside_a_docker_tar_may_add_an_exporter_so_that_the_merged_response_is_nobodys() -> None:
    simulated = simulate(Asked(("type=docker,dest=d.tar",), load=True), Engine(load_beside_docker_tar=True))
    metadata = Metadata("b/n/r", merged(simulated))
    assert needs_record(simulated.requested, metadata)
    assert digests(simulated.requested, BuildEvidence(metadata)) == {"0": None}
    whole = attribute(simulated.requested, BuildEvidence(metadata, record(simulated)))
    assert {each.key: each.digest for each in whole.exporters} == simulated.digests
    no_results = replace(record(simulated), images={})
    assert set(digests(simulated.requested, BuildEvidence(metadata, no_results)).values()) == {None}


def test_an_id_decides_where_type_and_name_are_the_same() -> None:
    asked = requested("type=image,name=a,id=x", "type=image,name=a,id=y")
    swapped = recorded(
        ("image", {"name": "a", "id": "y"}), ("image", {"name": "a", "id": "x"}), _0=Image(B), _1=Image(A)
    )
    assert digests(asked, BuildEvidence(record=swapped)) == {"x": A, "y": B}


def test_a_name_decides_where_the_order_is_not_the_users() -> None:
    asked = requested("type=image,name=a", "type=image,name=b")
    swapped = recorded(("image", {"name": "b"}), ("image", {"name": "a"}), _0=Image(B), _1=Image(A))
    assert digests(asked, BuildEvidence(record=swapped)) == {"0": A, "1": B}


def test_push_decides_if_the_engine_ran_the_exporters_in_another_order() -> None:
    # `buildx bake --push --load` adds its two in an order that is random in each run.
    asked = requested("type=image,push=true", "type=docker", tags=("a",))
    for loaded in ("oci", "image"):
        swapped = recorded((loaded, {"name": "a"}), ("image", {"name": "a", "push": "true"}), _0=Image(B), _1=Image(A))
        assert digests(asked, BuildEvidence(record=swapped)) == {"0": A, "1": B}
    straight = recorded(("image", {"name": "a", "push": "true"}), ("image", {"name": "a"}), _0=Image(A), _1=Image(B))
    assert digests(asked, BuildEvidence(record=straight)) == {"0": A, "1": B}


def test_a_push_that_the_engine_was_not_asked_for_costs_no_digest() -> None:
    asked = requested("type=image,push=true", "type=oci,dest=o.tar", tags=("a",))
    silent = recorded(("image", {"name": "a"}), ("oci", {"name": "a"}), _0=Image(A), _1=Image(B))
    assert digests(asked, BuildEvidence(record=silent)) == {"0": A, "1": B}


@pytest.mark.parametrize(("output", "ran"), [("type=oci,dest=o", "image"), ("type=image,push=true", "oci")])
def test_the_only_image_of_a_build_is_not_that_of_an_output_of_another_type(output: str, ran: str) -> None:
    # As with other outputs for `inspect` than those of the build, or outputs that a function of a bake file decides on.
    observed = BuildEvidence(flat(A), recorded((ran, {"name": "a"}), _0=Image(A)))
    attribution = attribute(requested(output), observed)
    assert [each.digest for each in attribution.exporters] == [None]
    assert list(attribution.unknown) == ["0"]


def varying(*outputs: str) -> Requested:
    """What one evaluation of a bake said that overrides both its outputs and whether it pushes or loads."""
    return replace(requested(*outputs, tags=("a",)), reevaluated=True, outputs_may_vary=True)


@pytest.mark.parametrize("printed", ["type=image", "type=image,push=true"])
@pytest.mark.parametrize("push", [True, False])
def test_an_image_was_pushed_if_the_record_says_so_where_each_evaluation_may_differ(printed: str, push: bool) -> None:  # noqa: FBT001
    asked = varying(printed)
    assert needs_record(asked, flat(A, C))
    attributes = {"name": "a", **({"push": "true"} if push else {})}
    ran = recorded(("image", attributes), _0=Image(A))
    (exporter,) = attribute(asked, BuildEvidence(flat(A, C), ran)).exporters
    assert (exporter.digest, exporter.push) == (A, push)


def test_an_exporter_that_only_the_build_had_takes_no_digest_of_another() -> None:
    ran = recorded(("image", {"name": "a"}), ("oci", {"name": "a"}), _0=Image(A), _1=Image(B))
    assert digests(varying("type=image"), BuildEvidence(flat(B), ran)) == {"0": A}
    moby = recorded(("image", {"name": "a", "push": "true"}), ("image", {"name": "a"}), _0=Image(A), _1=Image(B))
    assert digests(varying("type=image"), BuildEvidence(flat(B), moby)) == {"0": None}


def test_without_a_record_nobody_knows_what_the_build_exported_where_each_evaluation_may_differ() -> None:
    assert digests(varying("type=image"), BuildEvidence(flat(A))) == {"0": None}


def test_order_and_push_must_agree_where_each_evaluation_may_differ() -> None:
    asked = varying("type=image,push=true", "type=docker")
    straight = recorded(("image", {"name": "a", "push": "true"}), ("image", {"name": "a"}), _0=Image(A), _1=Image(B))
    assert digests(asked, BuildEvidence(record=straight)) == {"0": A, "1": B}
    swapped = recorded(("image", {"name": "a"}), ("image", {"name": "a", "push": "true"}), _0=Image(B), _1=Image(A))
    assert digests(asked, BuildEvidence(record=swapped)) == {"0": None, "1": None}


def test_an_output_that_may_have_moved_takes_no_digest_of_one_like_it() -> None:
    # `--set=*.push=false --load`, of which each evaluation applies one first; an engine with containerd loads as OCI.
    asked = varying("type=oci,dest=o.tar", "type=docker")
    moved = recorded(
        ("oci", {"name": "a", "prefer-image-digest": "true"}), ("oci", {"name": "a"}), _0=Image(A), _1=Image(B)
    )
    assert digests(asked, BuildEvidence(record=moved)) == {"0": None, "1": None}


def test_an_exporter_more_than_anybody_asked_for_leaves_like_ones_without_a_digest() -> None:
    asked = requested("type=oci,dest=1", "type=oci,dest=2")
    more = recorded(("oci", {}), ("oci", {}), ("oci", {}), _0=Image(A), _1=Image(B), _2=Image(C))
    assert digests(asked, BuildEvidence(record=more)) == {"0": None, "1": None}


def test_an_exporter_more_than_anybody_asked_for_costs_others_nothing() -> None:
    asked = requested("type=oci,dest=1", "type=image,name=a", "type=local,dest=o")
    more = recorded(
        ("image", {"name": "z"}), ("oci", {}), ("image", {"name": "a"}), ("local", {}), _1=Image(A), _2=Image(B)
    )
    assert digests(asked, BuildEvidence(record=more)) == {"0": A, "1": B, "2": None}


def test_an_exporter_that_is_not_in_the_record_costs_others_nothing() -> None:
    asked = requested("type=oci,dest=1", "type=image,name=a")
    fewer = recorded(("image", {"name": "a"}), _0=Image(A))
    assert digests(asked, BuildEvidence(record=fewer)) == {"0": None, "1": A}


def test_two_that_could_each_be_the_only_one_in_the_record_both_stay_without() -> None:
    asked = requested("type=oci,dest=1", "type=oci,dest=2")
    assert digests(asked, BuildEvidence(record=recorded(("oci", {}), _0=Image(A)))) == {"0": None, "1": None}


def test_the_merged_response_is_nobodys_where_the_record_has_an_image_more() -> None:
    more = recorded(("image", {"name": "z"}), ("image", {"name": "a"}))
    assert digests(requested("type=image,name=a"), BuildEvidence(flat(A, C), more)) == {"0": None}
    files = recorded(("image", {"name": "a"}), ("local", {}), ("tar", {}))
    asked = requested("type=image,name=a", "type=local,dest=o", "type=tar,dest=t")
    assert digests(asked, BuildEvidence(flat(A, C), files)) == {"0": A, "1": None, "2": None}


def test_the_merged_response_is_nobodys_where_a_record_without_exporters_has_two_images() -> None:
    asked = requested("type=image,name=a")
    two = replace(recorded(_0=Image(A), _1=Image(B)), exporters=())
    assert digests(asked, BuildEvidence(flat(A, C), two)) == {"0": None}
    assert digests(asked, BuildEvidence(flat(A, C), replace(two, images={0: Image(A)}))) == {"0": A}
    assert digests(asked, BuildEvidence(flat(A, C), replace(two, images={}))) == {"0": A}


def test_a_docker_tar_is_no_other_exporter() -> None:
    asked = requested("type=docker,dest=d.tar", "type=oci,dest=o.tar")
    assert digests(asked, BuildEvidence(record=recorded(("oci", {}), _0=Image(A)))) == {"0": None, "1": A}


def test_an_attribute_that_differs_tells_images_apart() -> None:
    asked = requested("type=image,name=a,oci-mediatypes=false", "type=image,name=a,oci-mediatypes=true")
    swapped = recorded(
        ("image", {"name": "a", "oci-mediatypes": "true"}),
        ("image", {"name": "a", "oci-mediatypes": "false"}),
        _0=Image(B),
        _1=Image(A),
    )
    assert digests(asked, BuildEvidence(record=swapped)) == {"0": A, "1": B}


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("app", "docker.io/library/app:latest"),
        ("user/app:1", "docker.io/user/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("r:5000/app", "r:5000/app:latest"),
        ("index.docker.io/user/app", "docker.io/user/app:latest"),
        ("ghcr.io/o/a@sha256:00", "ghcr.io/o/a@sha256:00"),
    ],
)
def test_a_short_name_is_the_full_one_that_buildx_passes_on(short: str, full: str) -> None:
    asked = requested(f"type=image,name={short}", "type=image,name=other.io/x:1")
    made = recorded(("image", {"name": "other.io/x:1"}), ("image", {"name": full}), _0=Image(B), _1=Image(A))
    assert digests(asked, BuildEvidence(record=made)) == {"0": A, "1": B}


def test_a_descriptor_of_a_config_gives_the_image_id_and_no_digest() -> None:
    asked = requested("type=image,name=a", "type=oci,dest=o")
    classic = recorded(("moby", {"name": "a"}), ("oci", {}), _0=Image(imageid=C), _1=Image(B))
    first, second = attribute(asked, BuildEvidence(flat(A), classic)).exporters
    assert (first.digest, first.imageid, first.evidence) == (None, C, "record")
    assert second.digest == B


def test_a_digest_that_is_the_configs_is_no_digest() -> None:
    asked = requested("type=image,name=a")
    (only,) = attribute(asked, BuildEvidence(flat(C, C))).exporters
    assert (only.digest, only.imageid) == (None, C)


def test_sources_that_disagree_are_both_named_and_nothing_is_handed_on() -> None:
    asked = requested("type=oci,dest=o.tar,id=tar")
    with pytest.raises(
        DisagreementError, match=rf"exporter tar \(oci\): the metadata file says digest {A}.*o.tar says {B}"
    ):
        attribute(asked, BuildEvidence(flat(A), artifacts={0: Image(B)}))


def test_sources_that_disagree_on_the_image_id_are_both_named() -> None:
    asked = requested("type=docker,dest=d.tar")
    with pytest.raises(DisagreementError, match="says image ID"):
        attribute(asked, BuildEvidence(flat(A, C), artifacts={0: Image(imageid=B)}))


def test_an_image_id_is_learned_from_another_exporters_manifest_of_the_same_digest() -> None:
    asked = requested("type=image,name=a", "type=oci,dest=o.tar")
    index = Image(A, None, ManifestDescriptor(_INDEX, A, 1), (PlatformImage("linux/amd64", B, None),))
    made = recorded(("image", {"name": "a"}), ("oci", {}), _0=index, _1=Image(B))
    tar = Image(B, C, None, (PlatformImage("linux/amd64", B, C),))
    first, second = attribute(asked, BuildEvidence(record=made, artifacts={1: tar})).exporters
    assert (first.imageid, second.imageid) == (A, C)
    assert first.platforms[0].imageid == C


def test_legacy_evidence_is_the_strongest_that_has_the_digest() -> None:
    asked = requested("type=oci,dest=o.tar", "type=docker,dest=d.tar")
    made = recorded(("oci", {}), ("docker", {}), _0=Image(A))
    exporters = attribute(asked, BuildEvidence(record=made, artifacts={0: Image(A), 1: Image(B)})).exporters
    assert [each.evidence for each in exporters] == ["record", "artifact"]


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        (requested("type=image,name=a"), False),
        (requested("type=image,name=a", "type=local,dest=o", "type=cacheonly"), False),
        (requested(push=True, tags=("a",)), False),
        (requested(load=True), False),
        (requested(), True),
        (requested("type=image,name=a", "type=image,name=b"), True),
        (requested("type=image,name=a", load=True), True),
        (requested("type=oci,dest=o", push=True), True),
        (requested("type=docker,dest=o", load=True), True),
        (requested("type=local,dest=o"), False),
    ],
)
def test_the_record_is_needed_only_where_something_depends_on_it(asked: Requested, *, needed: bool) -> None:
    assert needs_record(asked, flat(A)) is needed


def test_nothing_asked_for_and_nothing_exported_needs_no_record_and_has_no_exporter() -> None:
    assert needs_record(requested(), flat(None)) is False
    assert attribute(requested(), BuildEvidence(flat(None))).exporters == ()


def test_exporters_that_buildx_added_come_after_the_users_list() -> None:
    simulated = simulate(Asked(("type=cacheonly", "type=oci,dest=o", "type=cacheonly"), push=True, load=True), Engine())
    exporters = attribute(simulated.requested, seen(simulated)).exporters
    assert [(each.key, each.type) for each in exporters] == [("1", "oci"), ("3", "image"), ("4", "image")]


def test_responses_with_ids_need_no_order() -> None:
    asked = requested("type=image,name=a,id=x", "type=image,name=a,id=y")
    swapped = (
        Response({"containerimage.digest": B}, "y", "image"),
        Response({"containerimage.digest": A}, "x", "image"),
    )
    assert digests(asked, BuildEvidence(Metadata("b/n/r", Response({}), swapped))) == {"x": A, "y": B}


def test_the_platform_in_the_responses_descriptor_is_the_results_platform() -> None:
    manifest = "application/vnd.oci.image.manifest.v1+json"
    platform = {"os": "linux", "architecture": "arm", "variant": "v7"}
    values: dict[str, object] = {
        "containerimage.digest": A,
        "containerimage.config.digest": B,
        "containerimage.descriptor": {"mediaType": manifest, "digest": A, "size": 1, "platform": platform},
    }
    (exporter,) = attribute(
        requested("type=image,name=a"), BuildEvidence(Metadata("b/n/r", Response(values)))
    ).exporters
    assert [(each.platform, each.digest, each.imageid) for each in exporter.platforms] == [("linux/arm/v7", A, B)]


# A record of BuildKit 0.13 has images by position and no exporters.
_OUTPUTS = ("type=local,dest=o", "type=image,name=a,push=true", "type=oci,dest=t", "type=docker,dest=d")


def test_the_one_image_that_no_artifact_names_is_that_of_the_one_exporter_left() -> None:
    record = recorded(p1=Image(A), p2=Image(B), p3=Image(C))
    attribution = attribute(requested(*_OUTPUTS), BuildEvidence(flat(C), record, {2: Image(B), 3: Image(C)}))
    assert [(each.key, each.digest, each.evidence) for each in attribution.exporters[1:]] == [
        ("1", A, "record"),
        ("2", B, "artifact"),
        ("3", C, "artifact"),
    ]
    assert attribution.unknown == {}


@pytest.mark.parametrize(
    ("images", "artifacts"),
    [
        # One image fewer than exporters: one of them may have been dropped, or another one added.
        ({"p1": Image(A), "p2": Image(B)}, {2: Image(B), 3: Image(C)}),
        ({"p0": Image(A), "p1": Image(B), "p2": Image(B), "p3": Image(C)}, {2: Image(B), 3: Image(C)}),
        # Two are left, and differ.
        ({"p1": Image(A), "p2": Image(B), "p3": Image(C)}, {3: Image(C)}),
        ({"p1": Image(A), "p2": Image(B), "p3": Image(C)}, {2: Image(), 3: Image(C)}),
        # An artifact names an image in another place, or none of the record's.
        ({"p1": Image(B), "p2": Image(A), "p3": Image(C)}, {2: Image(B), 3: Image(C)}),
        ({"p1": Image(A), "p2": Image(B), "p3": Image(C)}, {2: Image(digest_of("d")), 3: Image(C)}),
        ({}, {2: Image(B), 3: Image(C)}),
    ],
)
def test_without_exporters_in_the_record_nothing_is_taken_from_a_position_alone(
    images: dict[str, Image], artifacts: dict[int, Image]
) -> None:
    attribution = attribute(requested(*_OUTPUTS), BuildEvidence(flat(C), recorded(**images), artifacts))
    assert attribution.exporters[1].digest is None
    assert attribution.unknown["1"].startswith("the build record does not say which exporters ran: ")


def test_exporters_whose_images_are_one_and_the_same_need_no_exporters_in_the_record() -> None:
    asked = requested("type=image,name=a,push=true", "type=image,name=b,push=true")
    assert digests(asked, BuildEvidence(flat(A), recorded(p0=Image(A), p1=Image(A)))) == {"0": A, "1": A}
    assert digests(asked, BuildEvidence(flat(A), recorded(p0=Image(A), p1=Image(B)))) == {"0": None, "1": None}


def test_an_exporter_that_buildx_may_have_added_makes_elimination_uncertain() -> None:
    asked = requested("type=image,name=a,push=true", "type=docker,dest=d", load=True)
    record = recorded(p0=Image(A), p1=Image(B))
    assert digests(asked, BuildEvidence(flat(A), record, {1: Image(B)})) == {"0": None, "1": B}
