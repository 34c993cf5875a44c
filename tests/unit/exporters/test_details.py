"""What attribution says beside the digest: which source, which fields, why a digest is missing, what buildx added."""

from __future__ import annotations

import pytest

from action.dataclass import replace
from action.errors import DisagreementError
from action.evidence.record import Record
from action.evidence.responses import Metadata, Response
from action.exporters.attributed import AttributedExporter
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence, needs_record, uses_response
from action.exporters.requested import Requested
from action.oci.image import Image, ManifestDescriptor, PlatformImage
from tests.unit.exporters.test_attribution import digests, flat, recorded, requested
from tests.unit.exporters.test_imageid import MANIFEST, A, B, C, image


def separate(*responses: Response) -> Metadata:
    return Metadata("b/n/r", Response({}), responses)


def response(digest: str, kind: str | None = None, name: str = "") -> Response:
    return Response({"containerimage.digest": digest, "image.name": name}, None, kind)


def why(asked: Requested, observed: BuildEvidence) -> dict[str, str]:
    return dict(attribute(asked, observed).unknown)


def types(asked: Requested, record: Record | None = None, metadata: Metadata | None = None) -> dict[str, str]:
    observed = BuildEvidence(metadata or flat(None), record)
    return {each.key: each.type for each in attribute(asked, observed).exporters}


def test_separate_responses_are_told_apart_by_type_and_by_name() -> None:
    asked = requested("type=image,name=a", "type=oci,dest=o")
    by_type = separate(
        Response({"containerimage.digest": B}, None, "oci"), Response({"containerimage.digest": A}, None, "image")
    )
    assert digests(asked, BuildEvidence(by_type)) == {"0": A, "1": B}
    two = requested("type=image,name=a", "type=image,name=b")
    by_name = separate(response(B, name="b"), response(A, name="a"))
    assert digests(two, BuildEvidence(by_name)) == {"0": A, "1": B}
    assert not needs_record(two, by_name)


def test_separate_responses_name_the_exporters_that_buildx_added() -> None:
    asked = requested("type=oci,dest=o", push=True, tags=("t:1",))
    answered = separate(response(B, "oci"), response(A, "image", "docker.io/library/t:1"))
    _, added = attribute(asked, BuildEvidence(answered)).exporters
    assert (added.key, added.type, added.digest, added.evidence) == ("1", "image", A, "response")
    assert digests(asked, BuildEvidence(separate(response(B, "oci")))) == {"0": B, "1": None}


def test_a_separate_response_gives_the_names_of_a_definition_that_is_evaluated_anew() -> None:
    asked = replace(requested("type=image,name=a:1"), reevaluated=True)
    (exporter,) = attribute(asked, BuildEvidence(separate(response(A, "image", "r.io/a:2")))).exporters
    assert (exporter.names, exporter.digest) == (("r.io/a:2",), A)


@pytest.mark.parametrize(
    ("outputs", "uses"),
    [((), True), (("type=image,name=a", "type=local,dest=o"), True), (("type=image,name=a", "type=oci,dest=o"), False)],
)
def test_the_merged_response_is_used_where_one_exporter_makes_an_image(outputs: tuple[str, ...], *, uses: bool) -> None:
    assert uses_response(requested(*outputs)) is uses


def test_platforms_come_from_the_source_that_names_most_of_them() -> None:
    asked = requested("type=oci,dest=o.tar", "type=oci,dest=p.tar")
    index = replace(image(A, MANIFEST), platforms=(PlatformImage(None, B, None),))
    whole = replace(index, platforms=(PlatformImage("linux/amd64", B, None), PlatformImage("linux/arm64", C, None)))
    made = recorded(("oci", {}), ("oci", {}), _0=index, _1=whole)
    exporters = attribute(asked, BuildEvidence(record=made, artifacts={0: whole, 1: index})).exporters
    assert [[each.digest for each in exporter.platforms] for exporter in exporters] == [[B, C], [B, C]]


def test_every_source_has_its_name_where_sources_disagree() -> None:
    asked = requested("type=oci,dest=o.tar")
    theirs = {0: image(C, MANIFEST)}
    with pytest.raises(DisagreementError) as error:
        attribute(asked, BuildEvidence(separate(response(A, "oci")), artifacts=theirs))
    said = f"exporter 0 (oci): its response in the metadata file says digest {A}, the artifact o.tar says {C}; "
    assert str(error.value).startswith(said)
    two = requested("type=oci,dest=o.tar", "type=oci,dest=p.tar")
    made = replace(recorded(("oci", {}), ("oci", {})), images={0: image(A, MANIFEST)})
    with pytest.raises(DisagreementError) as error:
        attribute(two, BuildEvidence(record=made, artifacts=theirs))
    assert str(error.value).startswith(f"exporter 0 (oci): the build record says digest {A}, the artifact o.tar")


def test_a_result_has_what_was_asked_for_and_what_was_found() -> None:
    asked = requested("type=cacheonly", 'type=oci,"name=a:1,b:2",dest=o.tar,id=x', "type=oci,dest=p.tar")
    bare = replace(image(A, MANIFEST, C), platforms=())
    made = replace(recorded(("oci", {"name": "a:1,b:2", "id": "x"}), ("oci", {})), images={0: bare})
    whole = replace(image(A, MANIFEST, C), platforms=(PlatformImage("linux/arm64", A, C),))
    first, _ = attribute(asked, BuildEvidence(record=made, artifacts={1: whole})).exporters
    assert first == AttributedExporter(
        key="x",
        index=1,
        id="x",
        type="oci",
        names=("a:1", "b:2"),
        push=False,
        dest="o.tar",
        digest=A,
        imageid=C,
        descriptor=ManifestDescriptor(media_type=MANIFEST, digest=A, size=1),
        platforms=(PlatformImage(platform="linux/arm64", digest=A, imageid=C),),
        evidence="record",
    )


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (
            BuildEvidence(),
            "the metadata file does not say which exporter its digest belongs to, and there is no build record",
        ),
        (BuildEvidence(missing=("first", "second")), "first; second"),
        (
            BuildEvidence(record=recorded()),
            "the build record does not say which exporters ran: update BuildKit to 0.14 or later (Docker 27)",
        ),
        (BuildEvidence(record=recorded(("oci", {}))), "no result in the build record is certain to be this exporter's"),
        # An image ID in a tar does not tell which store an engine has.
        (
            BuildEvidence(artifacts={0: Image(imageid=C)}),
            "the metadata file does not say which exporter its digest belongs to, and there is no build record",
        ),
    ],
)
def test_a_missing_digest_has_its_reason(observed: BuildEvidence, reason: str) -> None:
    assert why(requested("type=oci,dest=o", "type=oci,dest=p"), observed)["0"] == reason


def test_what_buildx_adds_is_listed_without_a_record_too() -> None:
    assert types(requested("type=oci,dest=o", push=True, load=True)) == {"0": "oci", "1": "image", "2": "docker"}
    assert types(requested(), metadata=flat(A)) == {"0": "image"}
    # A record in which it is missing does not take it away.
    assert types(requested("type=oci,dest=o", push=True), recorded(("oci", {}))) == {"0": "oci", "1": "image"}


@pytest.mark.parametrize(
    ("kind", "type_"), [("moby", "image"), ("", "image"), ("image", "image"), ("docker", "docker"), ("oci", "oci")]
)
def test_the_default_exporter_is_what_the_record_says(kind: str, type_: str) -> None:
    made = recorded((kind, {"name": "docker.io/library/a:1"}), _0=image(A, MANIFEST, C))
    (exporter,) = attribute(requested(tags=("a:1",)), BuildEvidence(record=made)).exporters
    assert (exporter.type, exporter.digest, exporter.names) == (type_, A, ("docker.io/library/a:1",))


@pytest.mark.parametrize("kinds", [("local",), ("image", "image"), ("image", "oci")])
def test_the_driver_has_one_default_exporter_and_that_makes_an_image(kinds: tuple[str, ...]) -> None:
    made = replace(recorded(*((kind, {}) for kind in kinds)), images={0: image(A, MANIFEST, C)})
    assert digests(requested(), BuildEvidence(record=made)) == {}


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        # Both are added, or none of them is known.
        (requested(push=True, load=True), ("image",)),
        (requested("type=oci,dest=o", load=True), ("oci", "local")),
        (requested("type=oci,dest=o", push=True), ("oci", "docker")),
    ],
)
def test_what_buildx_cannot_have_added_gives_nobody_a_digest(asked: Requested, kinds: tuple[str, ...]) -> None:
    last = len(kinds) - 1
    made = replace(recorded(*((kind, {}) for kind in kinds)), images={last: image(A, MANIFEST, C)})
    exporters = attribute(asked, BuildEvidence(record=made)).exporters
    assert {each.digest for each in exporters} == {None}
    assert {each.type for each in exporters} <= {"oci", "image", "docker"}


def test_an_image_that_buildx_added_may_be_called_moby() -> None:
    made = recorded(("oci", {}), ("moby", {}), _0=image(B, MANIFEST), _1=image(A, MANIFEST))
    assert digests(requested("type=oci,dest=o", push=True), BuildEvidence(record=made)) == {"0": B, "1": A}


def test_like_exporters_are_matched_in_order_where_buildx_added_less_than_expected() -> None:
    made = recorded(("oci", {}), ("oci", {}), _0=image(A, MANIFEST), _1=image(B, MANIFEST))
    asked = requested("type=oci,dest=o", "type=oci,dest=p", push=True)
    assert digests(asked, BuildEvidence(record=made)) == {"0": A, "1": B, "2": None}


def test_several_names_in_a_record_are_those_of_one_output() -> None:
    asked = requested('type=image,"name=a,b"', "type=image,name=c")
    made = recorded(("image", {"name": "c"}), ("image", {"name": "b, a"}), _0=image(B, MANIFEST), _1=image(A, MANIFEST))
    assert digests(asked, BuildEvidence(record=made)) == {"0": A, "1": B}


def test_nothing_joined_is_nobodys() -> None:
    joined = Metadata(None, Response({"containerimage.digest": A}))
    assert digests(requested("type=image,name=a", "type=image,name=b"), BuildEvidence(joined)) == {"0": None, "1": None}


def test_outputs_that_may_vary_need_the_record() -> None:
    asked = replace(requested("type=image,name=a"), outputs_may_vary=True)
    assert digests(asked, BuildEvidence(flat(A, C))) == {"0": None}
    assert digests(asked, BuildEvidence(flat(A, C), recorded(("image", {"name": "a"})))) == {"0": A}


_STORE = "containerd image store (https://docs.docker.com/engine/storage/containerd/)"


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (
            BuildEvidence(flat(A, C), multi_node=True),
            (
                "several nodes built it, and buildx reports the image of only one of them; push the image, so that "
                "buildx merges their images, or use a builder with one node"
            ),
        ),
        (
            BuildEvidence(Metadata(None, Response({"containerimage.digest": A}))),
            (
                "several nodes built it, and buildx merges their images only for the first output that pushes; "
                "build each image in a run of its own, or use a builder with one node"
            ),
        ),
        (
            BuildEvidence(record=recorded(("image", {"name": "a"}), ("image", {"name": "b"}), _1=Image(imageid=C))),
            f"the engine's image store gives an image ID and no digest; push the image, or use the {_STORE}",
        ),
    ],
)
def test_the_reason_says_what_to_do(observed: BuildEvidence, reason: str) -> None:
    asked = requested("type=image,name=a,push=true", "type=image,name=b,push=true")
    assert why(asked, observed)["1"] == reason


def test_the_reason_of_an_unproved_digest_says_what_to_do() -> None:
    observed = BuildEvidence(flat(A, C), resolved_by_tag=True)
    assert why(requested("type=image,name=a,push=true"), observed)["0"] == (
        "the registry's digest is not proved to be this build's: with this image store buildx asks the registry by tag "
        f"after the push, and another push may have moved the tag; run one after the other, or use the {_STORE}"
    )


def test_a_dispute_says_what_may_have_caused_it() -> None:
    with pytest.raises(DisagreementError) as error:
        attribute(requested("type=oci,dest=o.tar"), BuildEvidence(flat(A), artifacts={0: image(B, MANIFEST)}))
    end = "neither is reported. If another build writes to the same place, run one after the other"
    assert str(error.value).endswith(end)
